#include "core/keeper.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "core/beside.h"
#include "main/paths.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct keeper {
        char path[PATH_SIZE];
        keeper_bytes_fn *bytes_of;
        void *user;
        struct beside *beside;
        bool changed;
        /* the thread's while it is busy */
        uint8_t *bytes;
        size_t n;
        int error;
        int error_told;
};

static void write_bytes(void *user)
{
        struct keeper *k = user;

        k->error = file_replace(k->path, k->bytes, k->n, 0600);
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
        if (!beside_busy(k->beside) && k->changed && make_bytes(k))
                beside_ask(k->beside);
}

static void written(struct keeper *k)
{
        free(k->bytes);
        k->bytes = NULL;
        if (k->error != k->error_told && k->error != 0)
                log_error("%s: cannot be written: %s; what it holds is in memory alone", k->path,
                          strerror(-k->error));
        k->error_told = k->error;
}

static void on_done(void *user)
{
        struct keeper *k = user;

        written(k);
        write_next(k);
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
        error = text_copy(k->path, sizeof(k->path), path) ? 0 : -ENAMETOOLONG;
        if (!error)
                error = beside_new(&(struct beside_setup){.loop = loop,
                                                          .policy = SCHED_OTHER,
                                                          .work = write_bytes,
                                                          .on_done = on_done,
                                                          .user = k},
                                   &k->beside);
        if (error) {
                free(k);
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
        if (!beside_free(k->beside)) {
                k->changed = true;
                free(k->bytes);
        }
        if (k->changed && make_bytes(k)) {
                write_bytes(k);
                written(k);
        }
        free(k);
}
