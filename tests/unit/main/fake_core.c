/* fake_core.c - stands where the core would, and does what the script tells it: the file given with -c.
 *
 * A line is a core's number (or '*': every core), then an order. What it sees it writes, a line at a time,
 * into the FIFO RUN_DIR/report, which the test reads. */
#include "base/instant.h"
#include "base/text.h"
#include "main/inherit.h"
#include "main/options.h"

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct options options;
static struct inheritance in;
static int report_fd = -1;
static span
        renewal; /* while serving, the lease is set to end so much later every EXTEND_MS; zero: it is not */

static bool dies; /* at SIGTERM */

#define EXTEND_MS 100

static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void report(const char *format, ...)
{
        char line[256];
        va_list args;

        va_start(args, format);
        int n = vsnprintf(line, sizeof(line), format, args);
        va_end(args);
        if (write(report_fd, line, (size_t)n) != n)
                _exit(70);
}

static void report_open(void)
{
        char path[PATH_SIZE];

        if (path_join(options.run_dir, "report", path) ||
            (report_fd = open(path, O_WRONLY | O_CLOEXEC)) == -1)
                _exit(71);
}

/* Says when it will wake again, as a core does at the end of each turn. */
static void turn(void)
{
        ledger_turn_set(in.ledger, instant_add(instant_now(), span_ms(EXTEND_MS)));
}

/* A process that left its parent, in a cgroup of its own below ours if there is one. */
static void daemon_start(void)
{
        char dir[LEDGER_PATH + 16], procs[LEDGER_PATH + 32];
        int fd = -1, there[2];
        char byte;

        if (pipe2(there, O_CLOEXEC) == -1)
                _exit(77);
        if (fork() != 0) {
                close(there[1]);
                if (read(there[0], &byte, 1) != 1) /* it has reported */
                        _exit(78);
                close(there[0]);
                return;
        }
        setsid();
        if (fork() != 0)
                _exit(0);
        if (in.ledger->cgroup_root[0] != '\0') {
                snprintf(dir, sizeof(dir), "%s/d", in.ledger->cgroup_root);
                snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
                mkdir(dir, 0755);
                fd = open(procs, O_WRONLY | O_CLOEXEC);
                if (fd == -1 || write(fd, "0", 1) != 1)
                        _exit(72);
                close(fd);
        }
        report("daemon %d\n", (int)getpid());
        if (write(there[1], "", 1) != 1)
                _exit(79);
        close(report_fd);
        for (;;)
                pause();
}

static void address_add(const char *text, const char *device)
{
        char command[128];
        struct ip ip;
        uint8_t bits;

        snprintf(command, sizeof(command), "ip address add %s dev %s", text, device);
        if (ip_parse_prefix(text, &ip, &bits) != 0 ||
            !ledger_address_hold(in.ledger, &ip, bits, if_nametoindex(device)) || system(command) != 0)
                _exit(73);
}

static void group_hold(const char *name, unsigned n)
{
        struct ledger_group *g = ledger_group(in.ledger, text_id(name));

        report("hold %s\n", ledger_group_hold(in.ledger, g, (struct epoch){1, n}) ? "yes" : "refused");
}

/* Until a signal ends it, as a core would. */
static void serve(void)
{
        const struct timespec pause = {.tv_nsec = EXTEND_MS * 1000000};
        sigset_t set;
        int number;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        inheritance_say(&in, SAY_READY);
        report("serving\n");
        turn();
        while ((number = sigtimedwait(&set, NULL, &pause)) != SIGTERM) {
                if (number == SIGHUP)
                        report("reload\n");
                if (renewal.us)
                        ledger_lease_set(in.ledger, instant_add(instant_now(), renewal));
                turn();
        }
        if (dies)
                exit(1);
        for (size_t i = 0; i < GROUPS_MAX; i++)
                if (ledger_group_release_begin(&in.ledger->group[i]))
                        ledger_group_free(&in.ledger->group[i]);
        report("leaving\n");
        inheritance_say(&in, SAY_STOPPED);
        exit(HAVEND_EXIT_OK);
}

static void obey(const char *order, const char *a, const char *b)
{
        if (strcmp(order, "exit") == 0)
                exit(atoi(a));
        else if (strcmp(order, "lease") == 0)
                ledger_lease_set(in.ledger, instant_add(instant_now(), span_ms(atoi(a))));
        else if (strcmp(order, "renew") == 0)
                renewal = span_ms(atoi(a));
        else if (strcmp(order, "turn") == 0)
                turn();
        else if (strcmp(order, "dies") == 0)
                dies = true;
        else if (strcmp(order, "release") == 0)
                ledger_group_release_begin(ledger_group(in.ledger, text_id(a)));
        else if (strcmp(order, "group") == 0)
                group_hold(a, (unsigned)atoi(b));
        else if (strcmp(order, "address") == 0)
                address_add(a, b);
        else if (strcmp(order, "daemon") == 0)
                daemon_start();
        else if (strcmp(order, "ready") == 0)
                inheritance_say(&in, SAY_READY);
        else if (strcmp(order, "ignore-term") == 0)
                signal(SIGTERM, SIG_IGN);
        else if (strcmp(order, "freeze") == 0)
                raise(SIGSTOP);
        else if (strcmp(order, "serve") == 0)
                serve();
        else
                _exit(74);
}

int main(int argc, char **argv)
{
        char line[128], who[8], order[32], a[64], b[64];

        if (options_parse(argc, argv, stdout, stderr, &options) != OPTIONS_RUN || inheritance_take(&in) != 0)
                return 75;
        report_open();
        report("core %u pid %d boot %llu released %u\n", in.ledger->core, (int)getpid(),
               (unsigned long long)in.ledger->boot, in.ledger->released);
        FILE *script = fopen(options.config, "re");
        while (script && fgets(line, sizeof(line), script)) {
                a[0] = b[0] = '\0';
                if (sscanf(line, "%7s %31s %63s %63s", who, order, a, b) < 2)
                        continue;
                if (strcmp(who, "*") == 0 || (uint32_t)atoi(who) == in.ledger->core)
                        obey(order, a, b);
        }
        if (script)
                fclose(script);
        return 76;
}
