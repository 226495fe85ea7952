#include "supervisor/supervisor.h"

#include "base/log.h"
#include "base/text.h"
#include "main/state.h"
#include "supervisor/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define OOM_PATH "/proc/self/oom_score_adj"

static void not_permitted(char *list, size_t size, const char *what, int error)
{
        size_t n = strlen(list);

        snprintf(list + n, size - n, "%s%s (%s)", n ? ", " : "", what, strerror(error));
}

static bool oom_protect(struct supervisor *s)
{
        int fd = open(OOM_PATH, O_RDWR | O_CLOEXEC);
        if (fd == -1)
                return false;
        ssize_t n = read(fd, s->oom_adjust, sizeof(s->oom_adjust) - 1);
        s->oom_adjust[n > 0 ? n : 0] = '\0';
        bool done = write(fd, "-1000", 5) == 5;
        int error = errno;
        close(fd);
        errno = error;
        return done;
}

void privileges_take(struct supervisor *s)
{
        const struct sched_param priority = {.sched_priority = PRIORITY_SUPERVISOR};
        char missing[256] = "";

        if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority) == -1)
                not_permitted(missing, sizeof(missing), "real-time priority", errno);
        /* pages are locked as they are touched: libc is large and mostly unused */
        if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == -1)
                not_permitted(missing, sizeof(missing), "locked memory", errno);
        if (!oom_protect(s))
                not_permitted(missing, sizeof(missing), "protection from the OOM killer", errno);
        if (missing[0] != '\0')
                log_warning("supervisor: runs without %s: under load it may release late", missing);
}

/* A count that was begun at the clock and lost at once may be a few ahead of it. */
#define BOOT_AHEAD 60

/* Without a count, what stands in the state beside it is of unknown age: it is set aside, and the node starts
 * as one without state, under a count that no peer remembers higher (`haven init` begins at the clock too,
 * rules.md rule 6). 0: not even that can be written. */
static uint64_t boot_anew(const char *state_dir)
{
        char path[PATH_SIZE], aside[PATH_SIZE + 8];
        uint64_t boot = (uint64_t)time(NULL) + BOOT_AHEAD;

        mkdir(state_dir, 0700);
        if (path_join(state_dir, PATH_CLUSTER, path) == 0) {
                snprintf(aside, sizeof(aside), "%s.aside", path);
                rename(path, aside);
        }
        return state_boot_write(state_dir, boot) < 0 ? 0 : boot;
}

static uint64_t boot_next(const char *state_dir)
{
        uint64_t boot;
        int error = state_boot_next(state_dir, &boot);

        if (boot)
                return boot;
        log_error("%s/%s: %s: this node has no vote until it is readmitted (a new cluster: haven init)",
                  state_dir, PATH_BOOT,
                  error == -EBADMSG ? "damaged, not a count"
                  : error           ? strerror(-error)
                                    : "not there");
        return error && error != -EBADMSG ? 0 : boot_anew(state_dir);
}

int signals_open(struct supervisor *s)
{
        sigset_t ours;

        sigemptyset(&ours);
        sigaddset(&ours, SIGTERM);
        sigaddset(&ours, SIGINT);
        sigaddset(&ours, SIGHUP);
        sigaddset(&ours, SIGCHLD);
        sigprocmask(SIG_BLOCK, &ours, NULL);
        s->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
        s->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        return s->signals == -1 || s->timer == -1 ? -errno : 0;
}

static int descriptors(struct supervisor *s)
{
        int life[2];
        int error = signals_open(s);

        if (error)
                return error;
        s->watch = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (s->watch == -1 || pipe2(life, O_CLOEXEC) == -1)
                return -errno;
        s->life_read = life[0];
        s->life_write = life[1];
        return prctl(PR_SET_CHILD_SUBREAPER, 1) == -1 ? -errno : 0;
}

static void cgroup_setup(struct supervisor *s)
{
        struct ledger *l = s->ledger;
        bool leftovers;
        int error = cgroup_claim(s->options.run_dir, l->cgroup_root, sizeof(l->cgroup_root), &leftovers);

        if (leftovers)
                log_warning("cgroup: processes that an earlier havend left running have been killed");
        if (error)
                log_warning(
                        "cgroup: none for this havend: %s; processes that leave their parent cannot be found "
                        "again",
                        strerror(-error));
}

/* Of two that go by one state each could promise what the other breaks. */
static int state_take(struct supervisor *s)
{
        int fd = state_lock(s->options.state_dir);

        if (fd == -EWOULDBLOCK) {
                log_error("%s: another havend runs with this state directory", s->options.state_dir);
                return fd;
        }
        s->state_lock = fd < 0 ? -1 : fd; /* not there, not readable: said when it is read */
        return 0;
}

int supervisor_setup(struct supervisor *s)
{
        int error = path_program("haven-core", s->core_program);

        if (error) {
                log_error("%s: %s: haven is not installed completely", s->core_program, strerror(-error));
                return HAVEND_EXIT_FAILURE;
        }
        int status = lock_take(s);
        if (status)
                return status;
        error = state_take(s);
        if (!error)
                error = descriptors(s);
        if (!error)
                error = ledger_create(boot_next(s->options.state_dir), &s->ledger, &s->ledger_fd);
        if (error) {
                log_error("supervisor: cannot be set up: %s", strerror(-error));
                lock_drop(s);
                return HAVEND_EXIT_FAILURE;
        }
        s->ledger->watch_fd = s->watch;
        cgroup_setup(s);
        privileges_take(s);
        return 0;
}
