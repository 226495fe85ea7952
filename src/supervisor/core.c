#include "supervisor/supervisor.h"

#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A core that lived so long died of something new: the next one starts at once. */
#define CORE_SETTLED span_s(1)
/* The outer bound is the unit's TimeoutStopSec; this one is for those without systemd. */
#define STOP_PATIENCE span_s(90)

/* Before the next core, by how many have died young in a row. The first comes back within its lease. */
static const int64_t restart_delay_ms[] = {0, 10, 100, 1000};

static void fd_inherit(int fd, const char *name)
{
        char text[16];

        fcntl(fd, F_SETFD, 0);
        if (name) {
                snprintf(text, sizeof(text), "%d", fd);
                setenv(name, text, 1);
        }
}

static void oom_restore(const struct supervisor *s)
{
        if (s->oom_adjust[0] == '\0')
                return;
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (fd == -1)
                return;
        if (write(fd, s->oom_adjust, strlen(s->oom_adjust)) == -1)
                log_debug("core: cannot set oom_score_adj: %s", strerror(errno));
        close(fd);
}

/* In the child: what was the supervisor's alone is undone, then the core's program. */
static _Noreturn void core_become(const struct supervisor *s, int control, pid_t supervisor)
{
        char *argv[OPTIONS_ARGV];
        sigset_t none;

        setsid(); /* a Ctrl-C in our terminal is for the supervisor, which passes it on once */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != supervisor)
                _exit(HAVEND_EXIT_FAILURE);
        oom_restore(s);
        fd_inherit(s->ledger_fd, INHERIT_LEDGER);
        fd_inherit(s->life_read, INHERIT_LIFE);
        fd_inherit(control, INHERIT_CONTROL);
        fd_inherit(s->watch, NULL); /* its number is in the ledger */
        setenv(INHERIT_PROGRAM, s->program, 1);
        unsetenv("NOTIFY_SOCKET"); /* NotifyAccess=main */
        options_argv(&s->options, s->core_program, argv);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (s->use_former)
                fexecve(s->former_core, argv, environ);
        execv(s->core_program, argv);
        log_error("core: cannot run %s: %s", s->core_program, strerror(errno));
        _exit(HAVEND_EXIT_NO_CORE);
}

bool core_start(struct supervisor *s, instant now)
{
        pid_t self = getpid();
        int pair[2];

        assert(s->core == 0);
        s->restart_at = instant_add(now, span_ms(1000));
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
                log_error("core: cannot make its socket: %s, trying again in 1 s", strerror(errno));
                return false;
        }
        s->ledger->core++;
        ledger_turn_set(s->ledger, INSTANT_LONG_AGO);
        pid_t pid = fork();
        if (pid == 0)
                core_become(s, pair[1], self);
        close(pair[1]);
        if (pid == -1) {
                log_error("core: cannot fork: %s, trying again in 1 s", strerror(errno));
                close(pair[0]);
                return false;
        }
        s->core = pid;
        s->control = pair[0];
        s->line_length = 0;
        s->core_ready = false;
        s->core_said_stopped = false;
        s->core_started = now;
        s->restart_at = INSTANT_NEVER;
        lock_note_core(s);
        return true;
}

static void on_line(struct supervisor *s, const char *line)
{
        if (strcmp(line, SAY_READY) == 0) {
                s->core_ready = true;
                daemon_ready(s);
                if (s->stopping) /* a core that came to stop in good order what the one before it left */
                        kill(s->core, SIGTERM);
        } else if (strcmp(line, SAY_STOPPED) == 0) {
                s->core_said_stopped = true;
        } else if (strcmp(line, SAY_RESTART) == 0) {
                handover(s);
        } else {
                log_warning("core: says '%s', which means nothing to this supervisor", line);
        }
}

bool core_hear(struct supervisor *s)
{
        char bytes[64];
        ssize_t n = recv(s->control, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n == -1 && (errno == EAGAIN || errno == EINTR))
                return false;
        if (n <= 0) { /* closed: its death is heard of by SIGCHLD */
                close(s->control);
                s->control = -1;
                return false;
        }
        for (ssize_t i = 0; i < n; i++) {
                if (bytes[i] != '\n') {
                        if (s->line_length < sizeof(s->line) - 1)
                                s->line[s->line_length++] = bytes[i];
                        continue;
                }
                s->line[s->line_length] = '\0';
                s->line_length = 0;
                on_line(s, s->line);
        }
        return true;
}

static const char *status_text(int status, char *text, size_t size)
{
        if (WIFSIGNALED(status))
                snprintf(text, size, "killed by signal %d (%s)%s", WTERMSIG(status),
                         strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
        else
                snprintf(text, size, "exited with status %d", WEXITSTATUS(status));
        return text;
}

static void end(struct supervisor *s, int exit_status)
{
        s->done = true;
        s->exit_status = exit_status;
}

/* It left in good order. What the ledger still names it has forgotten: ours to clear. */
static void core_left(struct supervisor *s)
{
        if (release_wanted(s))
                release_everything(s, "the core has left and its ledger still holds something");
        end(s, HAVEND_EXIT_OK);
}

/* The core of the program before is known to live: while the lease lasts, it can still save what runs. */
static bool former_returns(struct supervisor *s, const char *how, bool young)
{
        if (s->former_core == -1 || s->use_former)
                return false;
        if (!young) { /* the later one has stood its test */
                close(s->former_core);
                s->former_core = -1;
                return false;
        }
        log_error("restart: the later core %s at once -> the one before it again", how);
        s->use_former = true;
        return true;
}

static void restart_later(struct supervisor *s, const char *how, instant now)
{
        char delay[SPAN_TEXT];
        bool young = instant_before(now, instant_add(s->core_started, CORE_SETTLED));

        if (former_returns(s, how, young)) {
                s->restart_at = now;
                return;
        }
        s->quick_deaths = young ? s->quick_deaths + 1 : 0;
        size_t last = COUNT(restart_delay_ms) - 1, step = s->quick_deaths ? s->quick_deaths - 1 : 0;
        span wait = span_ms(restart_delay_ms[step > last ? last : step]);
        s->restart_at = instant_add(now, wait);
        if (wait.us == 0)
                log_warning("core: %s; starting another, services go on", how);
        else
                log_error("core: %s, the %u. in a row that did not live for 1 s; starting another in %s", how,
                          s->quick_deaths, span_format(wait, delay));
}

void core_died(struct supervisor *s, int status, instant now)
{
        char how[80];
        pid_t pid = s->core;

        while (s->control != -1 && core_hear(s))
                ; /* its last words */
        if (s->control != -1)
                close(s->control);
        s->control = -1;
        s->core = 0;
        status_text(status, how, sizeof(how));
        if (s->handing_over) {
                log_info("restart: core pid %d %s, services go on", (int)pid, how);
                s->handing_over = s->use_former = false;
                s->restart_at = now;
                return;
        }
        if (status == 0 && (s->stopping || s->core_said_stopped)) {
                log_info("core: pid %d has left in good order", (int)pid);
                core_left(s);
        } else if (s->clearing) {
                s->restart_at = now; /* killed by us; the next one waits until nothing of it is left */
        } else if (s->stopping && !release_wanted(s)) {
                log_info("core: %s while stopping, holding nothing", how);
                end(s, HAVEND_EXIT_OK);
        } else if (!s->ready_once) {
                /* it has said why itself */
                log_error("core: %s before it was ready: not started", how);
                end(s, WIFEXITED(status) && status != 0 ? WEXITSTATUS(status) : HAVEND_EXIT_FAILURE);
        } else {
                restart_later(s, how, now);
        }
}

void core_stop(struct supervisor *s, bool again, instant now)
{
        if (again) {
                release_everything(s, "asked to stop once more");
                end(s, HAVEND_EXIT_FAILURE);
                return;
        }
        log_info("stopping: the core hands over and leaves");
        notify("STOPPING=1");
        s->stopping = true;
        s->stop_until = instant_add(now, STOP_PATIENCE);
        /* a core that is not ready would die of it; if it has something to adopt, it is told when it is */
        if (s->core && (s->core_ready || !release_wanted(s)))
                kill(s->core, SIGTERM);
        else if (!s->core && !release_wanted(s))
                end(s, HAVEND_EXIT_OK);
}
