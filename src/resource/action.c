#include "resource/action.h"

#include "base/text.h"
#include "resource/handle.h"
#include "resource/spawn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_SIZE 8192
#define OUTPUT_HEAD 4096 /* kept whatever follows: a status is judged by it */
#define SHOWN       1024 /* of its end, in texts */

enum ending { RUNNING, TERMINATED, KILLED };

struct action {
        pid_t pid;
        int pidfd;
        int pipe;
        struct loop_watch *ended;
        struct loop_watch *readable;
        struct loop_timer *timer;
        enum ending ending;
        bool timed_out;
        bool cut_short;
        action_done_fn *on_done;
        void *user;
        size_t used;
        char output[OUTPUT_SIZE + 1];
};

/* False at the end of the output. */
static bool read_output(struct action *a)
{
        const size_t half = (OUTPUT_SIZE - OUTPUT_HEAD) / 2;

        /* a bound, so that a command that prints without end does not hold the loop */
        for (int i = 0; i < 16; i++) {
                if (a->used == OUTPUT_SIZE) {
                        memmove(a->output + OUTPUT_HEAD, a->output + OUTPUT_SIZE - half, half);
                        a->used = OUTPUT_HEAD + half;
                }
                ssize_t n = read(a->pipe, a->output + a->used, OUTPUT_SIZE - a->used);
                if (n == -1)
                        return errno == EAGAIN || errno == EINTR;
                if (n == 0)
                        return false;
                a->used += (size_t)n;
        }
        return true;
}

static void on_readable(void *user, int events)
{
        struct action *a = user;

        (void)events;
        if (!read_output(a)) {
                loop_watch_free(a->readable);
                a->readable = NULL;
        }
}

static void shown_output(const struct action *a, char text[static SHOWN + 1])
{
        const char *from = a->used > SHOWN ? a->output + a->used - SHOWN : a->output;
        size_t n = 0;

        for (; *from; from++) {
                bool blank = isspace((unsigned char)*from) || iscntrl((unsigned char)*from);
                if (blank && (n == 0 || text[n - 1] == ' '))
                        continue;
                text[n++] = blank ? ' ' : *from;
        }
        while (n > 0 && text[n - 1] == ' ')
                n--;
        text[n] = '\0';
}

static void finish(struct action *a, int status)
{
        char shown[SHOWN + 1], how[SPAWN_STATUS_TEXT], text[ACTION_TEXT];
        struct action_result result = {
                .status = status, .timed_out = a->timed_out, .cut_short = a->cut_short, .output = a->output};

        read_output(a);
        a->output[a->used] = '\0';
        shown_output(a, shown);
        if (status == -1)
                text_copy(how, sizeof(how), "did not end even when killed");
        else if (a->timed_out)
                text_copy(how, sizeof(how), "did not end in time");
        else
                spawn_status_format(status, how);
        snprintf(text, sizeof(text), "%s%s%s", how, shown[0] ? ": " : "", shown);
        result.text = text;
        a->on_done(a->user, &result);
        action_free(a);
}

static void on_ended(void *user, int events)
{
        struct action *a = user;
        int status;
        int error = spawn_collect(a->pidfd, &status);

        (void)events;
        if (error == -EAGAIN)
                return;
        finish(a, error ? -1 : status);
}

/* To the whole session: a shell's children as well as the shell. */
static void signal_all(const struct action *a, int signal_number)
{
        if (kill(-a->pid, signal_number) == -1)
                kill(a->pid, signal_number); /* not yet the leader of its session */
}

static void go_on_ending(struct action *a)
{
        switch (a->ending) {
        case RUNNING:
                a->ending = TERMINATED;
                signal_all(a, SIGTERM);
                break;
        case TERMINATED:
                a->ending = KILLED;
                signal_all(a, SIGKILL);
                break;
        case KILLED: /* stuck in the kernel */ finish(a, -1); return;
        }
        loop_timer_set(a->timer, ACTION_GRACE);
}

static void on_time(void *user)
{
        struct action *a = user;

        if (a->ending == RUNNING)
                a->timed_out = true;
        go_on_ending(a);
}

static int start(struct action *a, uv_loop_t *loop, const struct action_want *want)
{
        int pipes[2], error;
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null == -1)
                return -errno;
        if (pipe2(pipes, O_CLOEXEC) == -1) {
                error = -errno;
                close(null);
                return error;
        }
        a->pipe = pipes[0];
        fcntl(a->pipe, F_SETFL, O_NONBLOCK);
        struct spawn_want program = {.argv = want->argv,
                                     .env = want->env,
                                     .cgroup = want->cgroup,
                                     .fd = (int[]){null, pipes[1], pipes[1]},
                                     .fd_count = 3};
        error = spawn_program(&program, &a->pid, &a->pidfd);
        close(null);
        close(pipes[1]);
        if (error)
                return error;
        a->timer = loop_timer_new(loop, on_time, a);
        a->ended = loop_watch_new(loop, a->pidfd, UV_READABLE, on_ended, a);
        a->readable = loop_watch_new(loop, a->pipe, UV_READABLE, on_readable, a);
        if (a->timer && a->ended && a->readable)
                return 0;
        signal_all(a, SIGKILL);
        return -ENOMEM;
}

int action_run(uv_loop_t *loop, const struct action_want *want, action_done_fn *on_done, void *user,
               struct action **ret_action)
{
        struct action *a = calloc(1, sizeof(*a));
        int error;

        if (!a)
                return -ENOMEM;
        a->pidfd = a->pipe = -1;
        a->on_done = on_done;
        a->user = user;
        error = start(a, loop, want);
        if (error) {
                action_free(a);
                return error;
        }
        if (want->timeout.us > 0)
                loop_timer_set(a->timer, want->timeout);
        *ret_action = a;
        return 0;
}

void action_end(struct action *a)
{
        if (a->ending != RUNNING)
                return;
        a->cut_short = true;
        go_on_ending(a);
}

void action_free(struct action *a)
{
        if (!a)
                return;
        loop_watch_free(a->readable);
        loop_watch_free(a->ended);
        loop_timer_free(a->timer);
        if (a->pipe != -1)
                close(a->pipe);
        if (a->pidfd != -1)
                close(a->pidfd);
        free(a);
}
