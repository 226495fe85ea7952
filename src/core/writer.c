#include "core/writer.h"

#include "main/inherit.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The state and the result belong to the loop while `busy` is false, to the thread while it is true; the
 * eventfds hand them over. */
struct writer {
        const char *dir;
        writer_done_fn *on_done;
        void *user;
        pthread_t thread;
        int ask, answer;
        uv_poll_t *poll; /* freed when libuv has closed it */
        bool busy;
        bool end;
        int error;
        struct state state;
};

static void signal_eventfd(int fd)
{
        ssize_t n = eventfd_write(fd, 1);

        assert(n == 0);
}

static void *write_when_asked(void *argument)
{
        struct sched_param rr = {.sched_priority = PRIORITY_CORE - 1};
        struct writer *w = argument;
        eventfd_t count;

        /* where permitted: under load a vote must not wait for the processor */
        pthread_setschedparam(pthread_self(), SCHED_RR, &rr);
        while (eventfd_read(w->ask, &count) == 0 && !w->end) {
                w->error = state_save(w->dir, &w->state);
                signal_eventfd(w->answer);
        }
        return NULL;
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
        struct writer *w = poll->data;
        eventfd_t count;

        if (eventfd_read(w->answer, &count) != 0)
                return;
        w->busy = false;
        w->on_done(w->user, w->error);
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

static void writer_end(struct writer *w)
{
        if (w->ask != -1)
                close(w->ask);
        if (w->answer != -1)
                close(w->answer);
        free(w);
}

/* With the eventfds open: begins to listen, then the thread. */
static int writer_begin(struct writer *w, uv_loop_t *loop)
{
        int error;

        w->poll = malloc(sizeof(*w->poll));
        if (!w->poll)
                return -ENOMEM;
        error = uv_poll_init(loop, w->poll, w->answer);
        if (error) {
                free(w->poll);
                return error;
        }
        w->poll->data = w;
        error = -pthread_create(&w->thread, NULL, write_when_asked, w);
        if (error)
                uv_close((uv_handle_t *)w->poll, on_closed);
        else
                uv_poll_start(w->poll, UV_READABLE, on_answer);
        return error;
}

int writer_new(uv_loop_t *loop, const char *dir, writer_done_fn *on_done, void *user,
               struct writer **ret_writer)
{
        struct writer *w = calloc(1, sizeof(*w));
        int error;

        if (!w)
                return -ENOMEM;
        *w = (struct writer){.dir = dir, .on_done = on_done, .user = user};
        w->ask = eventfd(0, EFD_CLOEXEC);
        w->answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        error = w->ask == -1 || w->answer == -1 ? -errno : writer_begin(w, loop);
        if (error) {
                writer_end(w);
                return error;
        }
        *ret_writer = w;
        return 0;
}

void writer_free(struct writer *w)
{
        if (!w)
                return;
        w->end = true;
        signal_eventfd(w->ask);
        pthread_join(w->thread, NULL);
        uv_close((uv_handle_t *)w->poll, on_closed);
        writer_end(w);
}

bool writer_write(struct writer *w, const struct state *state)
{
        if (w->busy)
                return false;
        w->busy = true;
        w->state = *state;
        signal_eventfd(w->ask);
        return true;
}
