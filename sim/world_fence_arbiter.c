/* The fence arbiter of a pair, as the core keeps it: one per node, in that node's memory. */
#include "world_arbiter.h"

#include "cluster/arbiter_fence.h"

#include <stdlib.h>

struct fences {
        struct arbiter_fence of[2];
};

static void *fence_begin(struct world *w)
{
        return w->config.nodes == 2 ? calloc(1, sizeof(struct fences)) : NULL;
}

static void fence_end(struct world *w, void *self)
{
        (void)w;
        free(self);
}

static void fence_starts(struct world *w, void *self, uint8_t node)
{
        struct fences *f = self;

        f->of[node] =
                (struct arbiter_fence){.dead = w->config.dead, .head_start = span_ms(2000 * (1 + node))};
}

static void fence_asked(struct world *w, void *self, uint8_t node)
{
        struct fences *f = self;
        struct machine *m = &w->machine[node];
        struct arbiter_answer a;
        const char *text;
        instant now = machine_clock(w, m);
        struct cluster_sight sight = cluster_sight(m->brain, !node);
        bool begin = arbiter_fence_ask(&f->of[node], &w->todo.question, &sight, now, &a, &text);

        if (begin)
                machine_fence(w, m, !node);
        machine_step(w, m,
                     (struct cluster_event){
                             .kind = CLUSTER_EV_ARBITER, .asked = now, .arbiter = &a, .text = text});
}

void world_fence_told(struct world *w, uint8_t node, bool off)
{
        struct fences *f = w->arbiter_memory;
        instant now = machine_clock(w, &w->machine[node]);

        if (w->config.arbiter == &arbiter_fence)
                arbiter_fence_ended(&f->of[node], off, now, now);
}

const struct arbiter_model arbiter_fence = {
        .name = "fence",
        .about = "strong, two nodes: the other was powered off for certain",
        .kind = CLUSTER_ARBITER_STRONG,
        .begin = fence_begin,
        .end = fence_end,
        .starts = fence_starts,
        .asked = fence_asked,
};
