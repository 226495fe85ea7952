/* haven-guard - stands over one process of a group, so that nothing of it outlives the right to run it.
 *
 *     haven-guard [-u USER] [-d DIRECTORY] [-c CGROUP] [-g GO_FD] LIFE_FD -- COMMAND [ARGUMENT...]
 *
 * It is started as the init of a PID namespace of its own: when it ends, however it ends, the kernel kills
 * everything inside, daemons that forked away included (pid_namespaces(7)). It ends when COMMAND ends, with
 * its status (128 + the signal's number if it was killed), and when LIFE_FD reports end of file: that is the
 * pipe whose only writing end the supervisor holds. Where the kernel gives no namespace it kills CGROUP
 * instead.
 *
 * GO_FD: COMMAND is run after a byte was read from there, so that it is on record before it exists.
 * Signals sent to the guard are passed on to COMMAND. It sleeps otherwise, without a timer. Only libc. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USAGE = 2, CANNOT_RUN = 126, NOT_FOUND = 127 };

struct guard {
        const char *user;
        const char *directory;
        const char *cgroup;
        int go_fd;
        int life_fd;
        char **command;
        bool is_init;
        pid_t child;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
        char text[512];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        dprintf(STDERR_FILENO, "haven-guard: %s\n", text);
}

static void write_file(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd == -1)
                return;
        if (write(fd, text, strlen(text)) == -1 && errno != ESRCH)
                say("cannot write %s: %s, ignoring", path, strerror(errno));
        close(fd);
}

/* What is left inside dies with us: by the kernel if we are init, else through the cgroup, us included. */
static void __attribute__((noreturn)) leave(const struct guard *g, int status)
{
        char path[4096];

        if (!g->is_init) {
                if (g->child > 0)
                        kill(-g->child, SIGKILL);
                if (g->cgroup) {
                        snprintf(path, sizeof(path), "%s/cgroup.kill", g->cgroup);
                        write_file(path, "1");
                }
        }
        _exit(status);
}

static void become_user(const char *user)
{
        struct passwd *pw;

        errno = 0;
        pw = getpwnam(user);
        if (!pw) {
                say("no user %s: %s", user, errno ? strerror(errno) : "not known here");
                _exit(CANNOT_RUN);
        }
        if (initgroups(user, pw->pw_gid) == -1 || setgid(pw->pw_gid) == -1 || setuid(pw->pw_uid) == -1) {
                say("cannot become user %s: %s", user, strerror(errno));
                _exit(CANNOT_RUN);
        }
        setenv("HOME", pw->pw_dir, 0);
        setenv("USER", user, 0);
        setenv("LOGNAME", user, 0);
}

static void __attribute__((noreturn)) run_command(const struct guard *g)
{
        sigset_t none;

        setsid();
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        /* the core protects itself from the kernel's killer; its services are to be as others are */
        write_file("/proc/self/oom_score_adj", "0");
        if (g->user)
                become_user(g->user);
        if (g->directory && chdir(g->directory) == -1) {
                say("cannot enter %s: %s", g->directory, strerror(errno));
                _exit(CANNOT_RUN);
        }
        execv(g->command[0], g->command);
        int error = errno;
        say("cannot run %s: %s", g->command[0], strerror(error));
        _exit(error == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

static void enter_namespace(void)
{
        /* slave: what the host mounts later is seen inside too, and nothing goes the other way */
        if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) == -1 ||
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == -1)
                say("cannot mount a /proc of its own: %s, going on with the host's", strerror(errno));
}

static void await_go(const struct guard *g)
{
        char byte;
        ssize_t n;

        if (g->go_fd == -1)
                return;
        do
                n = read(g->go_fd, &byte, 1);
        while (n == -1 && errno == EINTR);
        if (n != 1)
                _exit(CANNOT_RUN); /* the core died before it had us on record */
        close(g->go_fd);
}

/* Collects whoever ended; leaves when it was the command. */
static void reap(const struct guard *g)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == g->child)
                        leave(g, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void __attribute__((noreturn)) stand_over(const struct guard *g, int signals)
{
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = g->life_fd, .events = POLLIN}};
        struct signalfd_siginfo info;

        for (;;) {
                if (poll(fds, 2, -1) == -1 && errno != EINTR)
                        leave(g, EXIT_FAILURE);
                if (fds[1].revents) /* nothing is ever written there: it is the end of file */
                        leave(g, 128 + SIGKILL);
                while (read(signals, &info, sizeof(info)) == sizeof(info)) {
                        if (info.ssi_signo == SIGCHLD)
                                reap(g);
                        else
                                kill(g->child, (int)info.ssi_signo);
                }
        }
}

static void parse(int argc, char **argv, struct guard *g)
{
        int c;

        while ((c = getopt(argc, argv, "+u:d:c:g:")) != -1) {
                switch (c) {
                case 'u': g->user = optarg; break;
                case 'd': g->directory = optarg; break;
                case 'c': g->cgroup = optarg; break;
                case 'g': g->go_fd = atoi(optarg); break;
                default: exit(USAGE);
                }
        }
        if (argc - optind < 3 || strcmp(argv[optind + 1], "--") != 0) {
                say("usage: haven-guard [-u USER] [-d DIRECTORY] [-c CGROUP] [-g GO_FD] LIFE_FD -- "
                    "COMMAND...");
                exit(USAGE);
        }
        g->life_fd = atoi(argv[optind]);
        g->command = argv + optind + 2;
}

int main(int argc, char **argv)
{
        struct guard g = {.go_fd = -1, .is_init = getpid() == 1};
        sigset_t all;

        parse(argc, argv, &g);
        /* an init's signals are dropped unless it blocks or handles them: block, and read them */
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        int signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
        if (signals == -1 || fcntl(g.life_fd, F_SETFD, FD_CLOEXEC) == -1) {
                say("cannot watch descriptor %d: %s", g.life_fd, strerror(errno));
                return CANNOT_RUN;
        }
        if (g.is_init)
                enter_namespace();
        else
                prctl(PR_SET_CHILD_SUBREAPER, 1);
        await_go(&g);
        g.child = fork();
        if (g.child == -1) {
                say("cannot fork: %s", strerror(errno));
                return CANNOT_RUN;
        }
        if (g.child == 0)
                run_command(&g);
        stand_over(&g, signals);
}
