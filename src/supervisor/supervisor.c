#include "supervisor/supervisor.h"

#include "base/log.h"
#include "supervisor/cgroup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* While killed descendants are awaited, their deaths wake us; this is for those that were not ours yet. */
#define CLEAR_LOOK span_ms(10)

static void timer_set(const struct supervisor *s, instant now)
{
        struct itimerspec spec = {0};
        instant due = instant_min(s->lease_due, watchdog_due(s));

        if (!s->core && !s->clearing && !s->done)
                due = instant_min(due, s->restart_at);
        if (s->stopping && !s->done)
                due = instant_min(due, s->stop_until);
        if (s->handing_over)
                due = instant_min(due, s->handover_until);
        if (s->clearing)
                due = instant_min(due, instant_add(now, CLEAR_LOOK));
        if (due.us != INSTANT_NEVER.us) {
                spec.it_value.tv_sec = due.us / 1000000;
                /* never zero, which would disarm it */
                spec.it_value.tv_nsec = due.us % 1000000 * 1000 + 1;
        }
        timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void children_reap(struct supervisor *s)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == s->core)
                        core_died(s, status, instant_now());
}

static void on_signal(struct supervisor *s)
{
        struct signalfd_siginfo info;

        while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                switch (info.ssi_signo) {
                case SIGCHLD: break; /* several may have become one: every turn reaps */
                case SIGHUP:
                        if (s->core && s->core_ready)
                                kill(s->core, SIGHUP);
                        break;
                case SIGTERM:
                case SIGINT: core_stop(s, s->stopping, instant_now()); break;
                default: break;
                }
        }
}

static void turn(struct supervisor *s)
{
        uint64_t count;
        enum { SIGNALS, TIMER, WATCH, CONTROL, FDS };
        struct pollfd fds[FDS] = {
                [SIGNALS] = {.fd = s->signals, .events = POLLIN},
                [TIMER] = {.fd = s->timer, .events = POLLIN},
                [WATCH] = {.fd = s->watch, .events = POLLIN},
                [CONTROL] = {.fd = s->control, .events = POLLIN}, /* -1: poll(2) passes over it */
        };

        timer_set(s, instant_now());
        if (poll(fds, FDS, -1) == -1 && errno != EINTR) {
                log_error("supervisor: poll: %s", strerror(errno));
                return;
        }
        if (fds[TIMER].revents && read(s->timer, &count, sizeof(count)) == -1)
                count = 0; /* set anew by then */
        if (fds[WATCH].revents && read(s->watch, &count, sizeof(count)) == -1)
                count = 0;
        if (fds[CONTROL].revents)
                core_hear(s);
        if (fds[SIGNALS].revents)
                on_signal(s);
        children_reap(s);

        instant now = instant_now();
        release_watch(s, now);
        watchdog_turn(s, now);
        if (s->clearing)
                release_clear(s, now);
        if (s->handing_over && s->core && instant_reached(now, s->handover_until))
                kill(s->core, SIGKILL);
        if (s->stopping && !s->done && instant_reached(now, s->stop_until))
                core_stop(s, true, now);
        if (!s->core && !s->done && !s->clearing && instant_reached(now, s->restart_at))
                core_start(s, now);
}

static void finish(struct supervisor *s)
{
        const char *root = s->ledger->cgroup_root;

        watchdog_end(s);
        if (root[0] != '\0') {
                int error = cgroup_clear(root);
                if (error)
                        log_warning("cgroup %s: cannot remove it: %s", root, strerror(-error));
        }
        release_gate(s);
        lock_drop(s);
        if (s->ready_once)
                log_info("stopped");
}

static int serve(struct supervisor *s)
{
        while (!s->done || s->clearing)
                turn(s);
        finish(s);
        return s->exit_status;
}

/* A witness holds nothing that a supervisor would have to release: another program, with the same arguments.
 */
static int become_witness(char **argv)
{
        char path[PATH_SIZE];
        int error = path_program("haven-witness", path);

        if (!error) {
                execv(path, argv);
                error = -errno;
        }
        fprintf(stderr, "havend: cannot run haven-witness: %s\n", strerror(-error));
        return HAVEND_EXIT_FAILURE;
}

int main(int argc, char **argv)
{
        struct supervisor s = {
                .lock = -1,
                .state_lock = -1,
                .parent = -1,
                .control = -1,
                .former_core = -1,
                .former = -1,
                .restart_at = INSTANT_NEVER,
                .lease_due = INSTANT_NEVER,
                .watchdog = -1,
                .reset_at = INSTANT_NEVER,
        };

        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--witness") == 0)
                        return become_witness(argv);
        switch (options_parse(argc, argv, stdout, stderr, &s.options)) {
        case OPTIONS_RUN: break;
        case OPTIONS_DONE: return HAVEND_EXIT_OK;
        case OPTIONS_WRONG: return HAVEND_EXIT_CONFIG;
        }
        path_self(argv[0], s.program);
        if (s.options.ledger_layout)
                return handover_rehearse(&s);
        if (handover_found()) {
                handover_resume(&s);
                return serve(&s);
        }
        /* until the start is done complaints belong on the terminal, and only they */
        log_open("havend", true, s.options.foreground ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING);
        if (!s.options.foreground)
                daemon_begin(&s);
        int status = supervisor_setup(&s);
        if (status)
                return status;
        core_start(&s, instant_now());
        return serve(&s);
}
