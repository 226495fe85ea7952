/* One key of an etcd as the nodes see it: linearisable, with compare and swap, and nothing else; the nodes
 * judge by src/cluster/register.c. A request may get lost before it is done or after. */
#include "world_etcd.h"

#include "world_arbiter.h"

#include "cluster/register.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct exchange;

/* One exchange at a time; of what is asked meanwhile the newest is next. */
struct reader_of_key {
        struct register_arbiter view;
        uint64_t life; /* of the core it belongs to */
        bool busy;
        struct exchange *next;
};

struct etcd {
        bool up;
        struct arbiter_way way;
        struct store {
                int64_t revision, key_revision; /* of the key, 0: it is not there */
                size_t n;
                uint8_t bytes[REGISTER_BYTES_MAX];
        } store, copy;
        struct reader_of_key reader[WORLD_NODES];
};

enum step { STEP_READ, STEP_SWAP, STEP_READ_BACK, STEP_SWAPPED, STEP_NOT_SWAPPED, STEP_FAILED };

struct exchange {
        enum step step;
        uint64_t life;
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
        e->up = e->way.connected = true;
        e->store.key_revision = e->store.revision = 1;
        e->store.n = sizeof(empty);
        memcpy(e->store.bytes, empty, sizeof(empty));
        return e;
}

static void end(struct world *w, void *self)
{
        struct etcd *e = self;

        for (uint8_t i = 0; i < w->config.nodes; i++)
                free(e->reader[i].next);
        free(e);
}

static bool goes_there(const struct exchange *x)
{
        return x->step == STEP_READ || x->step == STEP_SWAP;
}

/* Nothing comes back; it is given up after `dead`. */
static void fail(struct world *w, uint8_t node, struct exchange *x)
{
        x->step = STEP_FAILED;
        arbiter_later(w, w->config.dead, node, 0, x);
}

static void travel(struct world *w, const struct etcd *e, uint8_t node, struct exchange *x)
{
        if (!arbiter_travel(w, &e->way, node, goes_there(x), x))
                fail(w, node, x);
}

static void begin_next(struct world *w, struct etcd *e, uint8_t node)
{
        struct reader_of_key *r = &e->reader[node];
        struct exchange *x = r->next;

        r->busy = x != NULL;
        r->next = NULL;
        if (x)
                travel(w, e, node, x);
}

static void asked(struct world *w, void *self, uint8_t node)
{
        const struct machine *m = &w->machine[node];
        struct reader_of_key *r = &((struct etcd *)self)->reader[node];
        struct exchange *x = calloc(1, sizeof(*x));

        assert(x);
        free(r->next);
        if (r->life != m->life)
                *r = (struct reader_of_key){.life = m->life};
        x->life = m->life;
        x->asked = machine_clock(w, m);
        x->q = witness_question_of(&w->todo.question, world_name(w, node),
                                   (struct incarnation){.boot = m->boot, .core = m->core}, x->document);
        r->next = x;
        if (!r->busy)
                begin_next(w, self, node);
}

/* --- there --- */

static void at_etcd(struct world *w, struct etcd *e, uint8_t node, struct exchange *x)
{
        if (!e->up || e->way.cut[node]) {
                fail(w, node, x);
                return;
        }
        if (x->step == STEP_SWAP && x->revision == e->store.key_revision) {
                e->store.key_revision = ++e->store.revision;
                e->store.n = x->n;
                memcpy(e->store.bytes, x->bytes, x->n);
                x->step = STEP_SWAPPED;
        } else {
                x->step = x->step == STEP_SWAP ? STEP_NOT_SWAPPED : STEP_READ_BACK;
                x->n = e->store.n;
                memcpy(x->bytes, e->store.bytes, e->store.n);
        }
        x->revision = e->store.key_revision;
        travel(w, e, node, x);
}

/* --- back --- */

static void tell(struct world *w, struct etcd *e, uint8_t node, struct exchange *x)
{
        arbiter_tell(w, node, &x->answer, x->asked);
        free(x);
        begin_next(w, e, node);
}

static void give_up(struct world *w, struct etcd *e, uint8_t node, struct exchange *x)
{
        free(x);
        begin_next(w, e, node);
}

static void judge(struct world *w, struct etcd *e, uint8_t node, struct exchange *x)
{
        struct machine *m = &w->machine[node];
        struct register_arbiter *r = &e->reader[node].view;

        x->q.document = x->document;
        if (register_judge(r, machine_clock(w, m), x->asked, &x->q, &x->answer, x->bytes, &x->n) ==
            REGISTER_ANSWER) {
                tell(w, e, node, x);
                return;
        }
        if (x->tries++ == 3) {
                give_up(w, e, node, x);
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

        if (x->life != m->life || x->life != e->reader[node].life) {
                free(x);
        } else if (m->paused) { /* it waits until somebody listens */
                arbiter_later(w, span_ms(5), node, 0, x);
        } else if (x->step == STEP_FAILED) {
                give_up(w, e, node, x);
        } else if (e->way.cut[node]) {
                fail(w, node, x);
        } else if (x->step == STEP_SWAPPED) {
                register_swapped(r, machine_clock(w, m), x->revision);
                tell(w, e, node, x);
        } else {
                bool ok = register_observed(r, machine_clock(w, m), x->revision, x->bytes, x->n);
                assert(ok);
                judge(w, e, node, x);
        }
}

static void happens(struct world *w, void *self, const struct happening *h)
{
        struct exchange *x = malloc(sizeof(*x));

        assert(x);
        memcpy(x, h->data, sizeof(*x));
        if (goes_there(x))
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
        case 1: e->way.cut[world_random(w, w->config.nodes)] = world_random(w, 2); break;
        case 2: e->up = false; break;
        case 3: e->up = true; break;
        case 4:
                e->way.late[world_random(w, w->config.nodes)] =
                        span_ms(world_random(w, 2) ? world_random(w, 150) : 0);
                break;
        }
}

static void mend(struct world *w, void *self)
{
        struct etcd *e = self;

        (void)w;
        e->way = (struct arbiter_way){.connected = true};
        e->up = true;
}

static void cut_off(void *self, uint8_t node, bool cut)
{
        ((struct etcd *)self)->way.cut[node] = cut;
}

static struct version kept(const struct world *w, const void *self)
{
        static struct register_arbiter read;
        const struct etcd *e = self;

        (void)w;
        read.seen = false;
        (void)register_observed(&read, INSTANT_LONG_AGO, e->store.key_revision, e->store.bytes, e->store.n);
        return read.kept.version;
}

void etcd_late(struct world *w, uint8_t node, span there, span back)
{
        struct arbiter_way *way = &((struct etcd *)w->arbiter_memory)->way;

        way->late[node] = there;
        way->back[node] = back;
}

int64_t etcd_revision(const struct world *w)
{
        return ((const struct etcd *)w->arbiter_memory)->store.key_revision;
}

/* Somebody deletes the key, or puts a backup of the store back, whose revisions begin again from there. */
static void memory(struct world *w, void *self, enum arbiter_fate fate)
{
        struct etcd *e = self;

        (void)w;
        switch (fate) {
        case ARBITER_KEPT: e->copy = e->store; break;
        case ARBITER_PUT_BACK: e->store = e->copy; break;
        case ARBITER_LOST:
                e->store.revision++;
                e->store.key_revision = 0;
                e->store.n = 0;
                break;
        case ARBITER_RESTARTED: break;
        }
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
        .memory = memory,
};
