/* The witness of src/cluster/witness.c on a machine of its own: a way there that loses and delays as any
 * other, a clock that drifts, a disk that takes its time. */
#include "world_witness.h"

#include "world_arbiter.h"

#include "cluster/witness.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct third {
        bool up, writes;
        int64_t clock_offset;
        double clock_rate;
        uint64_t life;
        struct witness witness;
        struct witness_kept disk, copy;
        struct arbiter_way way;
        span slow;                        /* of its disk */
        uint32_t seq[WORLD_NODES];        /* of each node's questions */
        uint64_t known_life[WORLD_NODES]; /* of the witness, as each node last heard it */
};

enum stage_of_inquiry { ON_THE_WAY, BEING_KEPT, ON_THE_WAY_BACK };

/* A question on its way to the witness, and its answer on the way back. */
struct inquiry {
        enum stage_of_inquiry stage;
        struct witness_question question;
        struct witness_answer answer;
        instant asked;       /* by the asker's clock */
        bool repeated;       /* once, for a new life of the witness */
        uint64_t asker_life; /* of the core */
        uint64_t life;       /* BEING_KEPT: of the witness */
        uint8_t bytes[DOCUMENT_BYTES_MAX];
};

static instant third_clock(const struct world *w, const struct third *t)
{
        return (instant){t->clock_offset + (int64_t)((double)w->now * t->clock_rate)};
}

static void boot(struct world *w, struct third *t)
{
        t->up = true;
        t->writes = false;
        t->life += 2; /* the one between is of when it has waited without its state */
        witness_init(&t->witness, &t->disk, t->life, third_clock(w, t));
}

static void *begin(struct world *w)
{
        struct third *t = calloc(1, sizeof(*t));

        assert(t);
        t->clock_offset = 1000000 + world_random(w, 100000000);
        t->clock_rate = 1 + w->config.drift * ((double)world_random(w, 2001) / 1000 - 1);
        t->disk.voter = true;
        boot(w, t);
        return t;
}

static void end(struct world *w, void *self)
{
        (void)w;
        free(self);
}

/* --- on the way --- */

static void ask(struct world *w, struct third *t, uint8_t node, struct inquiry *i)
{
        i->asked = machine_clock(w, &w->machine[node]);
        i->stage = ON_THE_WAY;
        i->question.seq = ++t->seq[node];
        i->question.life = t->known_life[node];
        if (!arbiter_travel(w, &t->way, node, true, i))
                free(i);
}

static struct inquiry *copy(const struct inquiry *i)
{
        struct inquiry *c = malloc(sizeof(*c));

        assert(c);
        *c = *i;
        if (c->question.document)
                c->question.document = c->bytes;
        return c;
}

static void asked(struct world *w, void *self, uint8_t node)
{
        const struct machine *m = &w->machine[node];
        struct inquiry *i = calloc(1, sizeof(*i));

        assert(i);
        i->asker_life = m->life;
        i->question = witness_question_of(&w->todo.question, world_name(w, node),
                                          (struct incarnation){.boot = m->boot, .core = m->core}, i->bytes);
        ask(w, self, node, i);
}

/* --- there --- */

static void answer(struct world *w, struct third *t, uint8_t node, struct inquiry *i)
{
        if (i->answer.document) /* as a packet has it: what the witness keeps may change */
                memcpy(i->bytes, i->answer.document, i->answer.document_size);
        i->stage = ON_THE_WAY_BACK;
        if (!arbiter_travel(w, &t->way, node, false, i))
                free(i);
}

static void arrives(struct world *w, struct third *t, uint8_t node, struct inquiry *i)
{
        if (!t->up || t->way.cut[node]) {
                free(i);
                return;
        }
        if (t->writes) { /* one thing at a time */
                arbiter_later(w, span_us(200), node, 0, i);
                return;
        }
        if (witness_judge(&t->witness, third_clock(w, t), &i->question, &i->answer) == WITNESS_OLD) {
                free(i);
                return;
        }
        if (!t->witness.dirty) {
                answer(w, t, node, i);
                return;
        }
        t->writes = true;
        i->stage = BEING_KEPT;
        i->life = t->life;
        arbiter_later(w, span_add(world_random_span(w, w->config.save_min, w->config.save_max), t->slow),
                      node, 0, i);
}

static void is_kept(struct world *w, struct third *t, uint8_t node, struct inquiry *i)
{
        if (!t->up || i->life != t->life) {
                free(i);
                return;
        }
        t->writes = false;
        t->disk = t->witness.kept;
        t->witness.dirty = false;
        answer(w, t, node, i);
}

/* --- back --- */

static void comes_back(struct world *w, struct third *t, uint8_t node, struct inquiry *i)
{
        struct machine *m = &w->machine[node];
        struct witness_answer *a = &i->answer;

        if (!m->core_up || m->paused || i->asker_life != m->life || t->way.cut[node]) {
                free(i);
                return;
        }
        t->known_life[node] = a->life;
        if (a->again && !i->repeated) {
                i->repeated = true;
                i->question.without = false; /* it was so when it was first asked */
                ask(w, t, node, i);
                return;
        }
        if (a->document)
                a->document = i->bytes;
        arbiter_tell(w, node, a, i->asked);
        free(i);
}

static void happens(struct world *w, void *self, const struct happening *h)
{
        struct inquiry *i = copy(h->data);

        switch (i->stage) {
        case ON_THE_WAY: arrives(w, self, h->node, i); break;
        case BEING_KEPT: is_kept(w, self, h->node, i); break;
        case ON_THE_WAY_BACK: comes_back(w, self, h->node, i); break;
        }
}

/* --- faults --- */

static void fault(struct world *w, void *self)
{
        struct third *t = self;

        switch (world_random(w, 7)) {
        case 0:
        case 1: t->way.cut[world_random(w, w->config.nodes)] = world_random(w, 2); break;
        case 2: t->up = false; break;
        case 3:
                if (!t->up)
                        boot(w, t);
                break;
        case 5:
        case 6:
                t->way.late[world_random(w, w->config.nodes)] =
                        span_ms(world_random(w, 3) ? world_random(w, 900) : 0);
                break;
        case 4: t->slow = span_ms(world_random(w, 2) ? world_random(w, 300) : 0); break;
        }
}

static void mend(struct world *w, void *self)
{
        struct third *t = self;

        t->way = (struct arbiter_way){0};
        t->slow = SPAN_ZERO;
        if (!t->up)
                boot(w, t);
}

static void cut_off(void *self, uint8_t node, bool cut)
{
        ((struct third *)self)->way.cut[node] = cut;
}

void witness_off(struct world *w)
{
        ((struct third *)w->arbiter_memory)->up = false;
}

void witness_on(struct world *w)
{
        struct third *t = w->arbiter_memory;

        if (!t->up)
                boot(w, t);
}

/* Only what is on its disk while it does not run is what it finds. */
static void memory(struct world *w, void *self, enum arbiter_fate fate)
{
        struct third *t = self;

        switch (fate) {
        case ARBITER_KEPT: t->copy = t->disk; return;
        case ARBITER_PUT_BACK: t->disk = t->copy; break;
        case ARBITER_LOST: t->disk = (struct witness_kept){0}; break;
        case ARBITER_RESTARTED: break;
        }
        boot(w, t);
}

void witness_slow(struct world *w, span more)
{
        ((struct third *)w->arbiter_memory)->slow = more;
}

void witness_late(struct world *w, uint8_t node, span more)
{
        ((struct third *)w->arbiter_memory)->way.late[node] = more;
}

static struct version kept(const struct world *w, const void *self)
{
        (void)w;
        return ((const struct third *)self)->disk.version;
}

const struct arbiter_model arbiter_witness = {
        .name = "witness",
        .about = "strong: a third machine that votes and keeps the document",
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
