/* main.c - haven-ldirectord [-d] [CONFIG] COMMAND: ldirectord's command line, its look-up of the file, its
 * exit status. */
#include "ldirectord/standin.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "director/ipvs/ipvs.h"
#include "main/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_DONE     0
#define EXIT_NOT_DONE 1
#define EXIT_CONFIG   2
#define EXIT_STOPPED  3

#define FILE_MAX (1 << 20)

enum order { START, STOP, RESTART, TRY_RESTART, RELOAD, FORCE_RELOAD, STATUS };
static const char *const orders[] = {"start",  "stop",         "restart", "try-restart",
                                     "reload", "force-reload", "status"};

static int usage(void)
{
        fputs("Usage: haven-ldirectord [-d|--debug] [--] [CONFIG] "
              "start|stop|restart|try-restart|reload|force-reload|status\n"
              "       haven-ldirectord -h|-?|--help|-v|--version\n"
              "\n"
              "Balances load as an ldirectord.cf says, without a cluster. haven-ldirectord(8)\n",
              stderr);
        return EXIT_NOT_DONE;
}

static bool parse_order(const char *word, enum order *ret_order)
{
        for (size_t i = 0; i < COUNT(orders); i++)
                if (strcmp(orders[i], word) == 0) {
                        *ret_order = (enum order)i;
                        return true;
                }
        return false;
}

/* --- the file --- */

static bool is_file(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool find_config(struct standin *s, const char *given)
{
        static const char *const places[] = {"/etc/ha.d/%s", "/etc/ha.d/conf/%s", "%s"};
        char path[STANDIN_PATH];

        for (size_t i = 0; i < COUNT(places); i++) {
                snprintf(path, sizeof(path), i == 2 ? "%s" : i ? "/etc/ha.d/conf/%s" : "/etc/ha.d/%s", given);
                if (is_file(path) && path_absolute(path, s->config) == 0)
                        return true;
        }
        fprintf(stderr, "Config file %s not found\n", given);
        return false;
}

/* By all means that the machine has; this is no process that anybody waits for. */
static int find_host(void *user, const char *name, sa_family_t family, struct ip *ret_ip)
{
        const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
        struct addrinfo *found;

        if (getaddrinfo(name, NULL, &hints, &found) != 0)
                return -ENOENT;
        *ret_ip = (struct ip){0};
        ip_from_sockaddr(found->ai_addr, ret_ip);
        freeaddrinfo(found);
        return ret_ip->family == family ? 0 : -ENOENT;
}

struct reader {
        const struct standin *s;
        bool loud;
};

static void tell(const struct reader *r, const char *what, int line, const char *text)
{
        char where[STANDIN_PATH + 64] = "";

        if (line > 0)
                snprintf(where, sizeof(where), " reading file %s at line %d", r->s->config, line);
        if (r->loud)
                fprintf(stderr, "%s [%d]%s: %s\n", what, (int)getpid(), where, text);
        else
                say("%s [%d]%s: %s", what, (int)getpid(), where, text);
}

static void on_warning(void *user, int line, const char *text)
{
        tell(user, "Warning", line, text);
}

static char *text_of(const char *path)
{
        char *text = calloc(1, FILE_MAX + 1);

        if (text && file_read(path, text, FILE_MAX) < 0) {
                free(text);
                return NULL;
        }
        return text;
}

uint32_t standin_digest(const struct standin *s)
{
        char *text = text_of(s->config);
        uint32_t digest = text ? text_id(text) : 0;

        free(text);
        return digest;
}

int standin_read(struct standin *s, bool loud)
{
        struct reader reader = {.s = s, .loud = loud};
        struct ldirectord_lookup lookup = plan_lookup(s->config);
        struct ldirectord_mistake mistake = {0};
        struct ldirectord_file file = {0};
        struct plan plan = {0};
        char *text = text_of(s->config);
        int error = text ? 0 : -EIO;

        lookup.host = find_host;
        lookup.warn = on_warning;
        lookup.user = &reader;
        if (!error)
                error = ldirectord_read(text, &lookup, &file, &mistake);
        if (!error)
                error = ldirectord_plan(&file, &lookup, &plan, &mistake);
        if (error) {
                if (!mistake.text[0])
                        snprintf(mistake.text, sizeof(mistake.text), "can not open the file");
                tell(&reader, "Error", mistake.line, mistake.text);
                ldirectord_free(&file);
                free(text);
                return -EINVAL;
        }
        if (file.maintenancedir && access(file.maintenancedir, X_OK) == -1)
                tell(&reader, "Warning", 0, "maintenance directory does not exist");
        ldirectord_free(&s->file);
        plan_free(&s->plan);
        s->file = file;
        s->plan = plan;
        s->digest = text_id(text);
        free(text);
        return 0;
}

/* --- the daemon that runs --- */

/* What the pid file names, if that is one of ours, or the original. 0: none; -1: what it names is not. */
static pid_t find_daemon(const struct standin *s)
{
        char text[32] = "", path[64], command[512];
        long pid;

        if (file_read(s->pid_path, text, sizeof(text) - 1) < 0)
                return 0;
        pid = strtol(text, NULL, 10);
        if (pid <= 1)
                return -1;
        snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
        FILE *file = fopen(path, "re");
        size_t n = file ? fread(command, 1, sizeof(command) - 1, file) : 0;
        if (file)
                fclose(file);
        return memmem(command, n, "ldirectord", strlen("ldirectord")) ? (pid_t)pid : -1;
}

int standin_execute(const char *config, const char *command)
{
        char self[PATH_SIZE], *argv[] = {self, (char *)config, (char *)command, NULL};
        int status;

        path_self("", self);
        say_all();
        pid_t pid = fork();
        if (pid == 0) {
                execv(self, argv);
                _exit(127);
        }
        while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
                ;
        return pid == -1 || !WIFEXITED(status) ? 1 : WEXITSTATUS(status);
}

void standin_execute_all(const struct ldirectord_file *f, const char *command)
{
        for (size_t i = 0; i < f->execute_count; i++)
                standin_execute(f->execute[i], command);
}

static int status_of(const struct standin *s, pid_t pid)
{
        if (pid > 0) {
                fprintf(stderr, "ldirectord for %s is running with pid: %d\n", s->config, (int)pid);
                standin_execute_all(&s->file, "status");
                return EXIT_DONE;
        }
        if (pid == -1)
                fprintf(stderr, "ldirectord stale pid file %s for %s\n", s->pid_path, s->config);
        printf("ldirectord is stopped for %s\n", s->config);
        return pid == -1 ? EXIT_NOT_DONE : EXIT_STOPPED;
}

/* --- starting --- */

static int wait_for(int from, pid_t child)
{
        char byte;
        ssize_t n;
        int status;

        while ((n = read(from, &byte, 1)) == -1 && errno == EINTR)
                ;
        if (n == 1)
                return EXIT_DONE;
        while (waitpid(child, &status, 0) == -1 && errno == EINTR)
                ;
        return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_NOT_DONE;
}

static bool write_pid(const struct standin *s)
{
        FILE *file = fopen(s->pid_path, "we");
        bool written = file && fprintf(file, "%d\n", (int)getpid()) > 0;

        return (file ? fclose(file) == 0 : false) && written;
}

static void leave_terminal(void)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (int fd = 0; null != -1 && fd < 3; fd++)
                dup2(null, fd);
        if (null > 2)
                close(null);
}

/* Without a module for it the kernel has no IPVS, and the module comes only when asked for. */
static bool has_ipvs(void)
{
        struct ipvs kernel = {0};
        int error = ipvs_open(&kernel);

        if (error == -ENOENT) {
                pid_t pid = fork();
                if (pid == 0) {
                        execl("/sbin/modprobe", "modprobe", "-q", "ip_vs", NULL);
                        _exit(127);
                }
                while (pid != -1 && waitpid(pid, NULL, 0) == -1 && errno == EINTR)
                        ;
                error = ipvs_open(&kernel);
        }
        if (!error)
                ipvs_close(&kernel);
        else
                fprintf(stderr, "haven-ldirectord: IPVS cannot be reached: %s\n",
                        error == -ENOENT ? "this kernel has none: its module ip_vs is missing"
                                         : strerror(-error));
        return !error;
}

static int start(struct standin *s)
{
        int ready[2];

        if (!has_ipvs())
                return EXIT_NOT_DONE;
        if (s->debug || s->file.supervised) {
                log_open("haven-ldirectord", true, s->debug ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING);
                return standin_run(s, -1);
        }
        if (pipe2(ready, O_CLOEXEC) == -1)
                return EXIT_NOT_DONE;
        pid_t child = fork();
        if (child == -1)
                return EXIT_NOT_DONE;
        if (child != 0) {
                close(ready[1]);
                return wait_for(ready[0], child);
        }
        close(ready[0]);
        setsid();
        if (!write_pid(s)) {
                fprintf(stderr, "Can not open %s: %m\n", s->pid_path);
                return EXIT_NOT_DONE;
        }
        leave_terminal();
        if (chdir("/") == -1)
                log_warning("haven-ldirectord: cannot leave the working directory");
        log_open("haven-ldirectord", false, LOG_LEVEL_WARNING);
        int status = standin_run(s, ready[1]);
        unlink(s->pid_path);
        return status;
}

static void wait_gone(const struct standin *s, pid_t pid)
{
        while (access(s->pid_path, F_OK) == 0 && kill(pid, 0) == 0)
                usleep(50000);
}

static int obey(struct standin *s, enum order order)
{
        pid_t pid = find_daemon(s);
        bool runs = pid > 0;

        switch (order) {
        case START: return runs ? EXIT_DONE : start(s);
        case STOP: return !runs || kill(pid, SIGTERM) == 0 ? EXIT_DONE : EXIT_NOT_DONE;
        case RESTART:
        case TRY_RESTART:
                if (runs && kill(pid, SIGTERM) == 0)
                        wait_gone(s, pid);
                return runs || order == RESTART ? start(s) : EXIT_DONE;
        case RELOAD:
        case FORCE_RELOAD: return runs && kill(pid, SIGHUP) == 0 ? EXIT_DONE : EXIT_NOT_DONE;
        case STATUS: return status_of(s, pid);
        }
        return EXIT_NOT_DONE;
}

/* havend runs it, and no daemon of ours: people are told so, and nothing is done behind its back. */
static int obey_cluster(const struct standin *s, enum order order, enum cluster_answer answer,
                        const char *who)
{
        bool active = answer == CLUSTER_ACTIVE;

        switch (order) {
        case STATUS:
                fprintf(active ? stderr : stdout, "ldirectord %s for %s: haven's %s is %s here\n",
                        active ? "is running" : "is stopped", s->config, who, active ? "active" : "standby");
                return active ? EXIT_DONE : EXIT_STOPPED;
        case RELOAD:
        case FORCE_RELOAD:
                fprintf(stderr, "%s is read by haven's %s: haven reload\n", s->config, who);
                return EXIT_NOT_DONE;
        case START:
                if (active)
                        return EXIT_DONE;
                break;
        case STOP:
                if (!active)
                        return EXIT_DONE;
                break;
        case RESTART:
        case TRY_RESTART: break;
        }
        fprintf(stderr, "%s belongs to haven's %s: haven start, stop or move its group\n", s->config, who);
        return EXIT_NOT_DONE;
}

int main(int argc, char **argv)
{
        static const struct option longs[] = {{"debug", no_argument, NULL, 'd'},
                                              {"help", no_argument, NULL, 'h'},
                                              {"version", no_argument, NULL, 'v'},
                                              {0}};
        static struct standin s;
        char who[128] = "";
        enum order order;
        int option;

        while ((option = getopt_long(argc, argv, "+dhv", longs, NULL)) != -1) {
                bool asked = optind > 1 && strcmp(argv[optind - 1], "-?") == 0;
                if (option == 'h' || (option == '?' && asked)) {
                        usage();
                        return EXIT_DONE;
                }
                if (option == 'v') {
                        printf("haven-ldirectord %s\n", HAVEN_VERSION);
                        return EXIT_DONE;
                }
                if (option != 'd')
                        return usage();
                s.debug = true;
        }
        if (argc - optind < 1 || argc - optind > 2 || !parse_order(argv[argc - 1], &order))
                return usage();
        const char *given = argc - optind == 2 ? argv[optind] : "ldirectord.cf";
        const char *slash = strrchr(given, '/');
        text_copy(s.name, sizeof(s.name), argc - optind == 2 ? (slash ? slash + 1 : given) : "ldirectord");
        snprintf(s.pid_path, sizeof(s.pid_path), "/var/run/ldirectord.%s.pid", s.name);
        log_open("haven-ldirectord", true, LOG_LEVEL_WARNING);
        if (!find_config(&s, given))
                return EXIT_NOT_DONE;
        if (standin_read(&s, true) < 0)
                return EXIT_CONFIG;
        say_open(&s);
        bool runs = find_daemon(&s) > 0;
        enum cluster_answer answer = runs ? CLUSTER_NONE : cluster_ask(s.config, who);
        int status = answer == CLUSTER_NONE ? obey(&s, order) : obey_cluster(&s, order, answer, who);
        ldirectord_free(&s.file);
        plan_free(&s.plan);
        return status;
}
