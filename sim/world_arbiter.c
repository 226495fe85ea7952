#include "world_arbiter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct arbiter_model *const models[] = {&arbiter_none, &arbiter_ping, &arbiter_witness,
                                                     &arbiter_etcd, &arbiter_disk};

const struct arbiter_model *arbiter_find(const char *name)
{
        for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
                if (strcmp(models[i]->name, name) == 0)
                        return models[i];
        if (strcmp(name, arbiter_fence.name) == 0)
                return &arbiter_fence;
        return NULL;
}

size_t arbiter_count(void)
{
        return sizeof(models) / sizeof(models[0]);
}

const struct arbiter_model *arbiter_at(size_t i)
{
        return models[i];
}

void arbiter_list(FILE *out)
{
        for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
                fprintf(out, "%-10s %s\n", models[i]->name, models[i]->about);
        fprintf(out, "%-10s %s\n", arbiter_fence.name, arbiter_fence.about);
}

void arbiter_later(struct world *w, span in, uint8_t node, uint32_t serial, void *data)
{
        world_happen(w, in,
                     (struct happening){.kind = HAPPEN_ARBITER,
                                        .node = node,
                                        .life = w->machine[node].life,
                                        .serial = serial,
                                        .data = data});
}

bool arbiter_travel(struct world *w, const struct arbiter_way *way, uint8_t node, bool there, void *data)
{
        span took = world_random_span(w, w->config.delay_min, w->config.delay_max);
        bool lost = world_chance(w, w->config.loss);

        if (way->cut[node] || (lost && !way->connected))
                return false;
        if (lost)
                took = span_add(took, span_times(w->config.heartbeat, 2)); /* TCP waits for 200 ms at least */
        arbiter_later(w, span_add(took, there ? way->late[node] : way->back[node]), node, 0, data);
        return true;
}

void arbiter_tell(struct world *w, uint8_t node, const struct witness_answer *a, instant asked)
{
        static struct document document;
        struct arbiter_answer told = witness_answer_for(a, &document);

        machine_step(w, &w->machine[node],
                     (struct cluster_event){.kind = CLUSTER_EV_ARBITER, .asked = asked, .arbiter = &told});
}

void arbiter_begin(struct world *w)
{
        const struct arbiter_model *model = w->config.arbiter;

        w->arbiter_memory = model && model->begin ? model->begin(w) : NULL;
}

void arbiter_end(struct world *w)
{
        if (w->config.arbiter && w->config.arbiter->end)
                w->config.arbiter->end(w, w->arbiter_memory);
}

static void answer(struct world *w, uint8_t node, bool yes)
{
        struct machine *m = &w->machine[node];

        machine_step(
                w, m,
                (struct cluster_event){.kind = CLUSTER_EV_ARBITER, .asked = machine_clock(w, m), .yes = yes});
}

/* --- none: the survivor goes on when every link is silent --- */

static void none_asked(struct world *w, void *self, uint8_t node)
{
        (void)self;
        answer(w, node, true);
}

const struct arbiter_model arbiter_none = {
        .name = "none",
        .about = "weak: who hears nobody else goes on",
        .kind = CLUSTER_ARBITER_WEAK,
        .asked = none_asked,
};

/* --- ping: the same, for who reaches the targets --- */

struct ping {
        bool lost[WORLD_NODES]; /* this node reaches none of them */
};

static void *ping_begin(struct world *w)
{
        (void)w;
        return calloc(1, sizeof(struct ping));
}

static void ping_end(struct world *w, void *self)
{
        (void)w;
        free(self);
}

static void ping_asked(struct world *w, void *self, uint8_t node)
{
        const struct ping *p = self;
        bool *yes = malloc(sizeof(*yes));

        assert(yes);
        *yes = !p->lost[node];
        arbiter_later(w, world_random_span(w, span_us(100), span_ms(2)), node, 0, yes);
} /* the happening has it now: NOLINT(clang-analyzer-unix.Malloc) */

static void ping_happens(struct world *w, void *self, const struct happening *h)
{
        (void)self;
        if (h->life == w->machine[h->node].life)
                answer(w, h->node, *(const bool *)h->data);
}

static void ping_fault(struct world *w, void *self)
{
        struct ping *p = self;

        p->lost[world_random(w, w->config.nodes)] = world_random(w, 2);
}

static void ping_mend(struct world *w, void *self)
{
        struct ping *p = self;

        memset(p->lost, 0, sizeof(p->lost));
        (void)w;
}

const struct arbiter_model arbiter_ping = {
        .name = "ping",
        .about = "weak: who hears nobody else but reaches the targets goes on",
        .kind = CLUSTER_ARBITER_WEAK,
        .begin = ping_begin,
        .end = ping_end,
        .asked = ping_asked,
        .happens = ping_happens,
        .fault = ping_fault,
        .mend = ping_mend,
};
