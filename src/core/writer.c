#include "core/writer.h"

#include "core/beside.h"
#include "main/inherit.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

struct writer {
        const char *dir;
        writer_done_fn *on_done;
        void *user;
        struct beside *beside;
        /* the thread's while it is busy */
        struct state state;
        int error;
};

static void save(void *user)
{
        struct writer *w = user;

        w->error = state_save(w->dir, &w->state);
}

static void on_saved(void *user)
{
        struct writer *w = user;

        w->on_done(w->user, w->error);
}

int writer_new(uv_loop_t *loop, const char *dir, writer_done_fn *on_done, void *user,
               struct writer **ret_writer)
{
        struct writer *w = calloc(1, sizeof(*w));
        int error;

        if (!w)
                return -ENOMEM;
        *w = (struct writer){.dir = dir, .on_done = on_done, .user = user};
        /* real-time where permitted: under load a vote must not wait for the processor */
        error = beside_new(&(struct beside_setup){.loop = loop,
                                                  .policy = SCHED_RR,
                                                  .priority = PRIORITY_CORE - 1,
                                                  .work = save,
                                                  .on_done = on_saved,
                                                  .user = w},
                           &w->beside);
        if (error) {
                free(w);
                return error;
        }
        *ret_writer = w;
        return 0;
}

void writer_free(struct writer *w)
{
        if (!w)
                return;
        beside_free(w->beside);
        free(w);
}

bool writer_write(struct writer *w, const struct state *state)
{
        if (beside_busy(w->beside))
                return false;
        w->state = *state;
        beside_ask(w->beside);
        return true;
}
