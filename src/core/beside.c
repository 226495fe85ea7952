#include "core/beside.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct beside {
        struct beside_setup setup;
        pthread_t thread;
        int ask, answer;
        uv_poll_t *poll; /* freed when libuv has closed it */
        bool busy, end;
};

static void signal_eventfd(int fd)
{
        ssize_t n = eventfd_write(fd, 1);

        assert(n == 0);
}

static void *work_when_asked(void *argument)
{
        struct beside *b = argument;
        struct sched_param scheduling = {.sched_priority = b->setup.priority};
        eventfd_t count;

        pthread_setschedparam(pthread_self(), b->setup.policy, &scheduling);
        while (eventfd_read(b->ask, &count) == 0 && !b->end) {
                b->setup.work(b->setup.user);
                signal_eventfd(b->answer);
        }
        return NULL;
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
        struct beside *b = poll->data;
        eventfd_t count;

        if (eventfd_read(b->answer, &count) != 0)
                return;
        b->busy = false;
        b->setup.on_done(b->setup.user);
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

static void end(struct beside *b)
{
        if (b->ask != -1)
                close(b->ask);
        if (b->answer != -1)
                close(b->answer);
        free(b);
}

/* With the eventfds open: begins to listen, then the thread. */
static int begin(struct beside *b)
{
        int error;

        b->poll = malloc(sizeof(*b->poll));
        if (!b->poll)
                return -ENOMEM;
        error = uv_poll_init(b->setup.loop, b->poll, b->answer);
        if (error) {
                free(b->poll);
                return error;
        }
        b->poll->data = b;
        error = -pthread_create(&b->thread, NULL, work_when_asked, b);
        if (error)
                uv_close((uv_handle_t *)b->poll, on_closed);
        else
                uv_poll_start(b->poll, UV_READABLE, on_answer);
        return error;
}

int beside_new(const struct beside_setup *setup, struct beside **ret_beside)
{
        struct beside *b = calloc(1, sizeof(*b));
        int error;

        if (!b)
                return -ENOMEM;
        b->setup = *setup;
        b->ask = eventfd(0, EFD_CLOEXEC);
        b->answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        error = b->ask == -1 || b->answer == -1 ? -errno : begin(b);
        if (error) {
                end(b);
                return error;
        }
        *ret_beside = b;
        return 0;
}

bool beside_free(struct beside *b)
{
        bool idle;

        if (!b)
                return true;
        idle = !b->busy;
        b->end = true;
        signal_eventfd(b->ask);
        pthread_join(b->thread, NULL);
        uv_close((uv_handle_t *)b->poll, on_closed);
        end(b);
        return idle;
}

bool beside_busy(const struct beside *b)
{
        return b->busy;
}

void beside_ask(struct beside *b)
{
        assert(!b->busy);
        b->busy = true;
        signal_eventfd(b->ask);
}
