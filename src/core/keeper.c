#include "core/keeper.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "main/paths.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The bytes and the error belong to the loop while `busy` is false, to the thread while it is true; the
 * eventfds hand them over. */
struct keeper {
        char path[PATH_SIZE];
        keeper_bytes_fn *bytes_of;
        void *user;
        pthread_t thread;
        int ask, answer;
        uv_poll_t *poll; /* freed when libuv has closed it */
        bool busy, changed, end;
        uint8_t *bytes;
        size_t n;
        int error;
        int error_told;
};

static void signal_eventfd(int fd)
{
        ssize_t n = eventfd_write(fd, 1);

        assert(n == 0);
}

static void *write_when_asked(void *argument)
{
        struct sched_param ordinary = {.sched_priority = 0};
        struct keeper *k = argument;
        eventfd_t count;

        pthread_setschedparam(pthread_self(), SCHED_OTHER, &ordinary);
        while (eventfd_read(k->ask, &count) == 0 && !k->end) {
                k->error = file_replace(k->path, k->bytes, k->n, 0600);
                signal_eventfd(k->answer);
        }
        return NULL;
}

static bool make_bytes(struct keeper *k)
{
        int error = k->bytes_of(k->user, &k->bytes, &k->n);

        if (error == 0)
                k->changed = false;
        return error == 0;
}

static void write_next(struct keeper *k)
{
        if (k->busy || !k->changed || !make_bytes(k))
                return;
        k->busy = true;
        signal_eventfd(k->ask);
}

static void written(struct keeper *k)
{
        k->busy = false;
        free(k->bytes);
        k->bytes = NULL;
        if (k->error != k->error_told && k->error != 0)
                log_error("%s: cannot be written: %s; what it holds is in memory alone", k->path,
                          strerror(-k->error));
        k->error_told = k->error;
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
        struct keeper *k = poll->data;
        eventfd_t count;

        if (eventfd_read(k->answer, &count) != 0)
                return;
        written(k);
        write_next(k);
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

static void keeper_end(struct keeper *k)
{
        if (k->ask != -1)
                close(k->ask);
        if (k->answer != -1)
                close(k->answer);
        free(k);
}

static int keeper_begin(struct keeper *k, uv_loop_t *loop)
{
        int error;

        k->poll = malloc(sizeof(*k->poll));
        if (!k->poll)
                return -ENOMEM;
        error = uv_poll_init(loop, k->poll, k->answer);
        if (error) {
                free(k->poll);
                return error;
        }
        k->poll->data = k;
        error = -pthread_create(&k->thread, NULL, write_when_asked, k);
        if (error)
                uv_close((uv_handle_t *)k->poll, on_closed);
        else
                uv_poll_start(k->poll, UV_READABLE, on_answer);
        return error;
}

int keeper_new(uv_loop_t *loop, const char *path, keeper_bytes_fn *bytes, void *user,
               struct keeper **ret_keeper)
{
        struct keeper *k = calloc(1, sizeof(*k));
        int error;

        if (!k)
                return -ENOMEM;
        k->bytes_of = bytes;
        k->user = user;
        k->ask = eventfd(0, EFD_CLOEXEC);
        k->answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        error = k->ask == -1 || k->answer == -1 ? -errno : 0;
        if (!error && !text_copy(k->path, sizeof(k->path), path))
                error = -ENAMETOOLONG;
        if (!error)
                error = keeper_begin(k, loop);
        if (error) {
                keeper_end(k);
                return error;
        }
        *ret_keeper = k;
        return 0;
}

void keeper_changed(struct keeper *k)
{
        k->changed = true;
        write_next(k);
}

void keeper_free(struct keeper *k)
{
        if (!k)
                return;
        k->end = true;
        signal_eventfd(k->ask);
        pthread_join(k->thread, NULL);
        uv_close((uv_handle_t *)k->poll, on_closed);
        if (k->busy) {
                /* the thread may have ended before it had seen what it was asked */
                k->changed = true;
                free(k->bytes);
        }
        if (k->changed && make_bytes(k)) {
                k->error = file_replace(k->path, k->bytes, k->n, 0600);
                written(k);
        }
        keeper_end(k);
}
