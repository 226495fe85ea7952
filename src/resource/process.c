/* process.c - the kind `process`: a command that haven runs itself, under haven-guard (src/main/guard.c), in
 * a cgroup, so that nothing of it survives a stop or the death of the supervisor.
 *
 * The command must stay in the foreground: when it ends, the resource has ended, and with it everything it
 * started. It outlives the core: RUN_DIR/process.GROUP.NAME holds its guard's pid and start time (field 22 of
 * /proc/PID/stat), by which the next core finds it. */
#include "base/file.h"
#include "base/log.h"
#include "resource/cgroup.h"
#include "resource/kind.h"
#include "resource/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef HAVEN_LIBEXECDIR
#define HAVEN_LIBEXECDIR "/usr/libexec/haven"
#endif

#define KILL_GRACE  span_s(5) /* for SIGKILL to do its work; longer means stuck in the kernel */
#define RECORD_SIZE 64
#define STAT_SIZE   1024
#define ARGV_OWN    16

enum phase {
        ABSENT,   /* nothing of it is there, as far as we know */
        CLEARING, /* a start waits until what a former one left behind is gone */
        RUNNING,  /* the guard is there */
        SWEEPING, /* a stop: the guard is gone, the last of its cgroup is dying */
};

struct process {
        struct resource r;
        enum phase phase;
        pid_t pid; /* the guard's */
        int pidfd;
        struct loop_watch *ended;
        struct resource_cgroup_await *emptied;
        bool killed; /* this stop has come to SIGKILL */
        char cgroup[CGROUP_PATH];
        char record[PATH_MAX];
};

static struct process *of(struct resource *r)
{
        return (struct process *)r;
}

static int init(struct resource *r)
{
        struct process *p = of(r);
        const struct engine_setup *setup = &r->world->setup;

        p->pidfd = -1;
        resource_cgroup_path(setup->cgroup_root, r->group, r->config.name, p->cgroup);
        size_t head = (size_t)snprintf(p->record, sizeof(p->record), "%s/", setup->run_dir);
        snprintf(p->record + head, sizeof(p->record) - head, "process.%s.%s", r->group, r->config.name);
        for (char *c = p->record + head; *c; c++)
                if (*c == '/')
                        *c = '_';
        return 0;
}

static void forget(struct process *p)
{
        loop_watch_free(p->ended);
        resource_cgroup_await_free(p->emptied);
        p->ended = NULL;
        p->emptied = NULL;
        if (p->pidfd != -1)
                close(p->pidfd);
        p->pidfd = -1;
        p->pid = 0;
}

static void done(struct resource *r)
{
        forget(of(r));
}

/* ---- the record, and finding again what a former core started ---- */

/* Ticks since the boot at which `pid` started; 0: it is not there. proc(5), field 22 */
static unsigned long long start_time(pid_t pid)
{
        char path[64], text[STAT_SIZE];
        unsigned long long ticks = 0;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        ssize_t n = file_read(path, text, sizeof(text) - 1);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        char *at = strrchr(text, ')'); /* the name before it may hold anything */
        for (int field = 2; at && field < 22; field++)
                at = strchr(at + 1, ' ');
        return at && sscanf(at, "%llu", &ticks) == 1 ? ticks : 0;
}

/* Not synced: the directory lives as long as the boot, and so do the processes. */
static int write_record(const struct process *p)
{
        char fresh[PATH_MAX + 8], text[RECORD_SIZE];
        int n = snprintf(text, sizeof(text), "%d %llu\n", p->pid, start_time(p->pid));
        int error = 0;

        snprintf(fresh, sizeof(fresh), "%s.new", p->record);
        int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd == -1)
                return -errno;
        if (write(fd, text, (size_t)n) != n || rename(fresh, p->record) == -1)
                error = errno ? -errno : -EIO;
        close(fd);
        return error;
}

/* Opens the recorded guard if that very process still runs, in our cgroup. */
static bool find_recorded(struct process *p)
{
        char text[RECORD_SIZE];
        unsigned long long ticks;
        int pid;
        ssize_t n = file_read(p->record, text, sizeof(text) - 1);

        if (n <= 0)
                return false;
        text[n] = '\0';
        if (sscanf(text, "%d %llu", &pid, &ticks) != 2 || pid <= 1)
                return false;
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (fd == -1)
                return false;
        /* asked after the descriptor is held: the pid cannot come to mean another one now */
        if (start_time(pid) != ticks || (p->cgroup[0] && !resource_cgroup_contains(p->cgroup, pid))) {
                close(fd);
                return false;
        }
        p->pid = pid;
        p->pidfd = fd;
        return true;
}

static void on_ended(void *user, int events);

static bool watch_end(struct process *p)
{
        p->ended = loop_watch_new(p->r.world->setup.loop, p->pidfd, UV_READABLE, on_ended, p);
        if (!p->ended)
                return false;
        p->phase = RUNNING;
        return true;
}

static void look(struct resource *r)
{
        struct process *p = of(r);

        if (p->phase == ABSENT && (!find_recorded(p) || !watch_end(p))) {
                forget(p);
                resource_say(r, RESOURCE_EV_ABSENT, "is not there any more");
                return;
        }
        resource_say(r, RESOURCE_EV_PRESENT, "pid %d", p->pid);
}

/* ---- start ---- */

/* Beside the running program, as the build leaves it, or where it was installed. */
static const char *guard_path(char path[static PATH_MAX])
{
        static const char *const places[] = {"haven-guard", "../../../src/main/haven-guard"};
        char exe[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

        if (n > 0) {
                exe[n] = '\0';
                *strrchr(exe, '/') = '\0';
                for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
                        if ((size_t)snprintf(path, PATH_MAX, "%s/%s", exe, places[i]) < PATH_MAX &&
                            access(path, X_OK) == 0)
                                return path;
        }
        snprintf(path, PATH_MAX, "%s/haven-guard", HAVEN_LIBEXECDIR);
        return path;
}

static char **guard_argv(const struct process *p, char *path, bool namespaces)
{
        const struct config_resource *c = &p->r.config;
        size_t n = 0, i = 0;

        while (c->argv[n])
                n++;
        char **argv = calloc(n + ARGV_OWN, sizeof(*argv));
        if (!argv)
                return NULL;
        argv[i++] = path;
        if (c->user[0]) {
                argv[i++] = "-u";
                argv[i++] = (char *)c->user;
        }
        if (c->directory[0]) {
                argv[i++] = "-d";
                argv[i++] = (char *)c->directory;
        }
        if (!namespaces && p->cgroup[0]) {
                argv[i++] = "-c";
                argv[i++] = (char *)p->cgroup;
        }
        argv[i++] = "-g"; /* descriptors as spawn_guard() lays them out */
        argv[i++] = "4";
        argv[i++] = "3";
        argv[i++] = "--";
        memcpy(argv + i, c->argv, n * sizeof(*argv));
        return argv;
}

/* The guard waits on `go`; nothing of the command runs yet. */
static int spawn_guard(struct process *p, int go, bool namespaces)
{
        char path[PATH_MAX];
        char **env = resource_environment(&p->r, false);
        char **argv = guard_argv(p, (char *)guard_path(path), namespaces);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int error = -ENOMEM;

        if (env && argv && null != -1) {
                /* what it prints goes where the core's own log lines go */
                int fds[] = {null, STDERR_FILENO, STDERR_FILENO, p->r.world->setup.life_fd, go};
                struct spawn_want want = {.argv = argv,
                                          .env = env,
                                          .cgroup = p->cgroup,
                                          .namespaces = namespaces,
                                          .signals_blocked = true,
                                          .fd = fds,
                                          .fd_count = sizeof(fds) / sizeof(fds[0])};
                error = spawn_program(&want, &p->pid, &p->pidfd);
        }
        if (null != -1)
                close(null);
        free(argv);
        strings_free(env);
        return error;
}

static int spawn_contained(struct process *p, int go)
{
        int error = spawn_guard(p, go, true);

        if (error != -EPERM && error != -EINVAL && error != -ENOSPC && error != -ENOSYS)
                return error;
        resource_say(&p->r, RESOURCE_EV_NOTE, "no PID namespace (%s): %s", strerror(-error),
                     p->cgroup[0] ? "contained by its cgroup alone"
                                  : "daemons it leaves behind are not contained");
        return spawn_guard(p, go, false);
}

static void kill_all(struct process *p)
{
        int error = resource_cgroup_kill(p->cgroup);

        if (error)
                log_warning("process %s: cannot kill its cgroup: %s, killing its guard", p->r.config.name,
                            strerror(-error));
        if (p->pidfd != -1)
                syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
}

static void launch(struct process *p)
{
        struct resource *r = &p->r;
        int go[2], error;

        if (pipe2(go, O_CLOEXEC) == -1) {
                resource_say(r, RESOURCE_EV_START_FAILED, "cannot start: %s", strerror(errno));
                return;
        }
        error = spawn_contained(p, go[0]);
        if (!error && !watch_end(p))
                error = -ENOMEM;
        if (!error)
                error = write_record(p);
        if (!error && write(go[1], "", 1) != 1)
                error = -EIO;
        close(go[0]);
        close(go[1]); /* on an error the guard reads the end of file, and leaves */
        if (error)
                resource_say(r, RESOURCE_EV_START_FAILED, "cannot start: %s", strerror(-error));
        else if (r->config.ready_after.us > 0)
                resource_timer(r, r->config.ready_after);
        else
                resource_say(r, RESOURCE_EV_STARTED, "pid %d", p->pid);
}

static void on_cleared(void *user)
{
        struct process *p = user;

        forget(p);
        p->phase = ABSENT;
        int error = resource_cgroup_make(p->cgroup);
        if (error)
                resource_say(&p->r, RESOURCE_EV_START_FAILED, "no cgroup %s: %s", p->cgroup,
                             strerror(-error));
        else
                launch(p);
}

static void start(struct resource *r)
{
        struct process *p = of(r);
        int error = 0;

        if (access(r->config.argv[0], X_OK) == -1) {
                resource_say(r, RESOURCE_EV_START_REFUSED, "cannot run %s: %s", r->config.argv[0],
                             strerror(errno));
                return;
        }
        if (p->cgroup[0])
                error = resource_cgroup_make(p->cgroup);
        if (error) {
                resource_say(r, RESOURCE_EV_NOTE, "no cgroup %s: %s", p->cgroup, strerror(-error));
                p->cgroup[0] = '\0';
        }
        if (!resource_cgroup_populated(p->cgroup)) {
                launch(p);
                return;
        }
        kill_all(p);
        p->phase = CLEARING;
        p->emptied = resource_cgroup_await_new(r->world->setup.loop, p->cgroup, on_cleared, p);
        if (!p->emptied)
                resource_say(r, RESOURCE_EV_START_FAILED, "cannot watch its cgroup %s", p->cgroup);
}

/* ---- end ---- */

static void stopped(struct process *p)
{
        forget(p);
        p->phase = ABSENT;
        unlink(p->record);
        resource_cgroup_remove(p->cgroup);
        resource_say(&p->r, RESOURCE_EV_STOPPED, "%s", p->killed ? "had to be killed" : "");
}

static void on_swept(void *user)
{
        stopped(user);
}

/* The guard is gone. What it could not take along is in the cgroup still. */
static void sweep(struct process *p)
{
        forget(p);
        if (!resource_cgroup_populated(p->cgroup)) {
                stopped(p);
                return;
        }
        p->phase = SWEEPING;
        kill_all(p);
        p->emptied = resource_cgroup_await_new(p->r.world->setup.loop, p->cgroup, on_swept, p);
        if (!p->emptied)
                resource_say(&p->r, RESOURCE_EV_STOP_FAILED, "cannot watch its cgroup %s", p->cgroup);
        else if (!p->killed)
                resource_timer(&p->r, KILL_GRACE);
        p->killed = true;
}

static void on_ended(void *user, int events)
{
        struct process *p = user;
        char how[SPAWN_STATUS_TEXT] = "ended";
        int status, error = spawn_collect(p->pidfd, &status);

        (void)events;
        if (error == -EAGAIN)
                return;
        if (!error)
                spawn_status_format(status, how);
        if (p->r.state == RESOURCE_STOPPING) {
                sweep(p);
                return;
        }
        forget(p);
        p->phase = ABSENT;
        if (p->r.state == RESOURCE_STARTING) {
                bool unfound = !error && WIFEXITED(status) && WEXITSTATUS(status) == SPAWN_NOT_EXECUTED;
                resource_say(&p->r, unfound ? RESOURCE_EV_START_REFUSED : RESOURCE_EV_START_FAILED, "%s",
                             unfound ? "cannot be run (see the log)" : how);
        } else {
                resource_say(&p->r, RESOURCE_EV_FAILED, "%s", how);
        }
}

/* TERM, "SIGTERM"; SIGTERM where the name is not known. */
static int signal_by_name(const char *name)
{
        if (!strncmp(name, "SIG", 3))
                name += 3;
        for (int s = 1; s < NSIG; s++)
                if (sigabbrev_np(s) && !strcmp(sigabbrev_np(s), name))
                        return s;
        return SIGTERM;
}

static void stop(struct resource *r)
{
        struct process *p = of(r);

        p->killed = false;
        if (p->phase == ABSENT && find_recorded(p) && !watch_end(p)) {
                kill_all(p);
                sweep(p);
                return;
        }
        if (p->phase != RUNNING) {
                sweep(p);
                return;
        }
        if (syscall(SYS_pidfd_send_signal, p->pidfd, signal_by_name(r->config.stop_signal), NULL, 0) == -1 &&
            errno != ESRCH)
                kill_all(p);
}

static bool expired(struct resource *r)
{
        struct process *p = of(r);

        if (r->state == RESOURCE_STARTING && p->phase == RUNNING) {
                resource_say(r, RESOURCE_EV_STARTED, "pid %d", p->pid);
                return true;
        }
        if (r->state != RESOURCE_STOPPING)
                return false;
        if (p->killed) {
                resource_say(r, RESOURCE_EV_STOP_FAILED,
                             "is there even after SIGKILL, stuck in the kernel (pid %d)", p->pid);
                return true;
        }
        p->killed = true;
        kill_all(p);
        resource_timer(r, KILL_GRACE);
        return true;
}

const struct kind kind_process = {
        .name = "process",
        .size = sizeof(struct process),
        .init = init,
        .done = done,
        .start = start,
        .stop = stop,
        .look = look,
        .expired = expired,
};
