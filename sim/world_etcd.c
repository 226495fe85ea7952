/* One key of an etcd as the nodes see it: linearisable, with compare and swap, and nothing else; the nodes
 * judge by src/cluster/register.c. A request may get lost before it is done or after. */
#include "world_arbiter.h"

#include "cluster/register.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct reader_of_key {
        struct register_arbiter view;
        uint64_t life; /* of the core it belongs to */
        uint32_t question;
};

struct etcd {
        bool up;
        bool cut[WORLD_NODES];
        span slow;
        int64_t revision, key_revision;
        size_t n;
        uint8_t bytes[REGISTER_BYTES_MAX];
        struct reader_of_key reader[WORLD_NODES];
};

enum step { STEP_READ, STEP_SWAP, STEP_READ_BACK, STEP_SWAPPED, STEP_NOT_SWAPPED };

struct exchange {
        enum step step;
        uint64_t life;
        uint32_t question;
        uint8_t tries;
        instant asked;
        struct witness_question q;
        uint8_t document[DOCUMENT_BYTES_MAX];
        struct witness_answer answer;
        int64_t revision; /* compared with; then that of the key */
        size_t n;
        uint8_t bytes[REGISTER_BYTES_MAX];
};

static void *begin(struct world *w)
{
        struct etcd *e = calloc(1, sizeof(*e));

        static const uint8_t empty[38] = {'H', 'V', 'R', 'G',
                                          1}; /* as after the first readmission: no term yet */

        assert(e);
        (void)w;
        e->up = true;
        e->key_revision = e->revision = 1;
        e->n = sizeof(empty);
        memcpy(e->bytes, empty, sizeof(empty));
        return e;
}

static void end(struct world *w, void *self)
{
        (void)w;
        free(self);
}

static void travel(struct world *w, struct etcd *e, uint8_t node, struct exchange *x)
{
        if (e->cut[node] || world_chance(w, w->config.loss)) {
                free(x);
                return;
        }
        arbiter_later(w, span_add(world_random_span(w, w->config.delay_min, w->config.delay_max), e->slow),
                      node, 0, x);
}

static void asked(struct world *w, void *self, uint8_t node)
{
        const struct machine *m = &w->machine[node];
        struct etcd *e = self;
        struct exchange *x = calloc(1, sizeof(*x));

        assert(x);
        if (e->reader[node].life != m->life)
                e->reader[node] = (struct reader_of_key){.life = m->life};
        x->life = m->life;
        x->question = ++e->reader[node].question;
        x->asked = machine_clock(w, m);
        x->q = witness_question_of(&w->todo.question, world_name(w, node),
                                   (struct incarnation){.boot = m->boot, .core = m->core}, x->document);
        travel(w, e, node, x);
}

/* --- there --- */

static void at_etcd(struct world *w, struct etcd *e, uint8_t node, struct exchange *x)
{
        if (!e->up || e->cut[node]) {
                free(x);
                return;
        }
        if (x->step == STEP_SWAP && x->revision == e->key_revision) {
                e->key_revision = ++e->revision;
                e->n = x->n;
                memcpy(e->bytes, x->bytes, x->n);
                x->step = STEP_SWAPPED;
        } else {
                x->step = x->step == STEP_SWAP ? STEP_NOT_SWAPPED : STEP_READ_BACK;
                x->n = e->n;
                memcpy(x->bytes, e->bytes, e->n);
        }
        x->revision = e->key_revision;
        travel(w, e, node, x);
}

/* --- back --- */

static void tell(struct world *w, struct machine *m, struct exchange *x)
{
        static struct document document;
        struct arbiter_answer told = witness_answer_for(&x->answer, &document);
        instant asked_at = x->asked;

        free(x);
        machine_step(w, m,
                     (struct cluster_event){.kind = CLUSTER_EV_ARBITER, .asked = asked_at, .arbiter = &told});
}

static void judge(struct world *w, struct etcd *e, uint8_t node, struct exchange *x)
{
        struct machine *m = &w->machine[node];
        struct register_arbiter *r = &e->reader[node].view;

        x->q.document = x->document;
        if (register_judge(r, machine_clock(w, m), x->asked, &x->q, &x->answer, x->bytes, &x->n) ==
            REGISTER_ANSWER) {
                tell(w, m, x);
                return;
        }
        if (x->tries++ == 3) {
                free(x);
                return;
        }
        x->step = STEP_SWAP;
        x->revision = r->revision;
        travel(w, e, node, x);
}

static void at_node(struct world *w, struct etcd *e, uint8_t node, struct exchange *x)
{
        struct machine *m = &w->machine[node];
        struct register_arbiter *r = &e->reader[node].view;

        if (!m->core_up || m->paused || x->life != m->life || e->cut[node] ||
            x->question != e->reader[node].question) { /* overtaken by the next one */
                free(x);
                return;
        }
        if (x->step == STEP_SWAPPED) {
                register_swapped(r, machine_clock(w, m), x->revision);
                tell(w, m, x);
                return;
        }
        bool ok = register_observed(r, machine_clock(w, m), x->revision, x->bytes, x->n);
        assert(ok);
        judge(w, e, node, x);
}

static void happens(struct world *w, void *self, const struct happening *h)
{
        struct exchange *x = malloc(sizeof(*x));

        assert(x);
        memcpy(x, h->data, sizeof(*x));
        if (x->step == STEP_READ || x->step == STEP_SWAP)
                at_etcd(w, self, h->node, x);
        else
                at_node(w, self, h->node, x);
}

/* --- faults --- */

static void fault(struct world *w, void *self)
{
        struct etcd *e = self;

        switch (world_random(w, 5)) {
        case 0:
        case 1: e->cut[world_random(w, w->config.nodes)] = world_random(w, 2); break;
        case 2: e->up = false; break;
        case 3: e->up = true; break;
        case 4: e->slow = span_ms(world_random(w, 2) ? world_random(w, 150) : 0); break;
        }
}

static void mend(struct world *w, void *self)
{
        struct etcd *e = self;

        (void)w;
        memset(e->cut, 0, sizeof(e->cut));
        e->up = true;
        e->slow = SPAN_ZERO;
}

static void cut_off(void *self, uint8_t node, bool cut)
{
        ((struct etcd *)self)->cut[node] = cut;
}

static struct version kept(const struct world *w, const void *self)
{
        static struct register_arbiter read;
        const struct etcd *e = self;

        (void)w;
        read.seen = false;
        (void)register_observed(&read, INSTANT_LONG_AGO, e->key_revision, e->bytes, e->n);
        return read.kept.version;
}

const struct arbiter_model arbiter_etcd = {
        .name = "etcd",
        .about = "strong: one key, compared and swapped",
        .kind = CLUSTER_ARBITER_STRONG,
        .begin = begin,
        .end = end,
        .asked = asked,
        .happens = happens,
        .fault = fault,
        .mend = mend,
        .cut = cut_off,
        .kept = kept,
};
