/* haven checks --try: one look by the real checker process, and what it saw. Needs no daemon. */
#include "cli/cli.h"

#include "config/config.h"
#include "main/paths.h"
#include "monitor/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECKER_FD 3
#define GRACE_MS   5000        /* beyond the check's own timeout */
#define TRAP_LOOKS span_ms(50) /* at what may have come */

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        fprintf(stderr, "haven: %s\n", text);
}

/* Read as it would be in a file: what stands around it is the least that makes one. */
static struct config *read_check(const char *text)
{
        char *whole = NULL;
        struct config *c;

        if (asprintf(&whole,
                     "cluster try { } node here { address = 192.0.2.1 } group try { nodes = here "
                     "process try { command = /bin/true } check %s }",
                     text) == -1)
                abort();
        c = config_parse(whole, "--try", on_mistake, NULL);
        free(whole);
        return c;
}

/* In a build tree haven-checker lies in the room of havend. */
static int find_checker(char path[static PATH_SIZE])
{
        char self[PATH_SIZE], room[PATH_SIZE];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        int error = path_program("haven-checker", path);

        if (error == 0 || n <= 0)
                return error;
        self[n] = '\0';
        if (path_join(dirname(self), "../main", room) == 0 && path_join(room, "haven-checker", path) == 0 &&
            access(path, X_OK) == 0)
                return 0;
        return error;
}

static pid_t start_checker(const char *program, int *ret_fd)
{
        int fd[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == -1)
                return -1;
        pid = fork();
        if (pid == 0) {
                /* Never the same descriptor, which would keep its close-on-exec flag. */
                int other = fcntl(fd[1], F_DUPFD, CHECKER_FD + 1);
                dup2(other, CHECKER_FD);
                close(other);
                execl(program, program, (char *)NULL);
                _exit(127);
        }
        close(fd[1]);
        *ret_fd = fd[0];
        return pid;
}

/* Nobody is asked in a trap: one may still come. */
static bool waits_for_trap(const struct config_check *check, const struct packet *report)
{
        return check->kind == CHECK_TRAP && report->outcome.told.us == 0;
}

/* The first report of the check, of a trap the first after it was told something; or a negative errno. */
static int look_once(int fd, const struct config_check *check, struct packet *ret_report)
{
        struct packet start = {.type = PACKET_START, .verdict = verdict_new(instant_now())};
        uint8_t bytes[PACKET_MAX], definition[CHECK_BYTES_MAX];
        instant trap_end = instant_add(instant_now(), check->timeout);
        instant end = instant_add(trap_end, span_ms(GRACE_MS));
        bool reported = false;
        size_t rhythm;
        int size = check_encode(check, definition, &rhythm);

        if (size < 0)
                return size;
        start.check = definition;
        start.check_size = (size_t)size;
        if (send(fd, bytes, checker_packet_encode(&start, bytes), MSG_NOSIGNAL) == -1)
                return -errno;
        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                span left = span_between(instant_now(), reported ? trap_end : end);
                if (left.us <= 0 || poll(&p, 1, (int)span_to_ms(left)) == 0)
                        return reported ? 0 : -ETIMEDOUT;
                ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
                if (n <= 0)
                        return n == 0 ? -EPIPE : -errno;
                if (checker_packet_decode(bytes, (size_t)n, ret_report) != 0)
                        return -EBADMSG;
                if (ret_report->type == PACKET_REPORT && !waits_for_trap(check, ret_report))
                        return 0;
                reported |= ret_report->type == PACKET_REPORT;
        }
}

static const char *finding_name(enum finding finding)
{
        switch (finding) {
        case FINDING_WORKS: return "works";
        case FINDING_BROKEN: return "broken";
        case FINDING_NONE: return "unknown";
        }
        return "unknown";
}

static void show(const struct config_check *check, const struct packet *report, bool as_json)
{
        struct outcome o = report->outcome;
        char target[CHECK_TARGET], text[REASON_TEXT], took[SPAN_TEXT];
        const char *finding = finding_name(reason_finding(o.reason));

        o.said = report->said[0] != '\0' ? report->said : NULL;
        check_target(check, target);
        outcome_format(&o, target, check->timeout, text);
        if (as_json) {
                json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s}", "kind",
                                      check_kind_name(check->kind), "target", target, "finding", finding,
                                      "reason", reason_name(o.reason), "detail", o.detail, "took_us",
                                      (json_int_t)o.took.us, "said", report->said, "text", text);
                json_dumpf(j, stdout, JSON_INDENT(2));
                putchar('\n');
                json_decref(j);
                return;
        }
        printf("%s: %s\n  reason %s, took %s", finding, text, reason_name(o.reason),
               span_format(o.took, took));
        if (check->kind == CHECK_HTTP && o.reason == REASON_WORKS)
                printf(", status %d", o.detail);
        putchar('\n');
}

enum cli_status command_try(const char *text, bool as_json)
{
        struct config *c = read_check(text);
        char program[PATH_SIZE];
        struct packet report = {0};
        int fd, error;
        pid_t pid;

        if (!c)
                return CLI_NOT_DONE;
        struct config_check *check = &c->group[0].check[0];
        enum cli_status status = CLI_NOT_DONE;
        error = find_checker(program);
        pid = error ? -1 : start_checker(program, &fd);
        if (error || pid == -1) {
                cli_fail("cannot run haven-checker: %s", strerror(error ? -error : errno));
                config_free(c);
                return status;
        }
        if (check->kind == CHECK_TRAP)
                check->interval = check->quick = TRAP_LOOKS;
        error = look_once(fd, check, &report);
        close(fd); /* it ends on that */
        if (error == -EPIPE || error == -ECONNRESET)
                cli_fail("haven-checker ended before it had looked");
        else if (error)
                cli_fail("haven-checker says nothing: %s", strerror(-error));
        else
                show(check, &report, as_json);
        if (error)
                kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (!error && reason_finding(report.outcome.reason) == FINDING_WORKS)
                status = CLI_DONE;
        config_free(c);
        return status;
}
