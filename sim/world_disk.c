/* The disk arbiter: every node's voter (src/disk/voter.c as it is) over sectors that are slow, that fail, and
 * that tear what is cut.
 *
 * What the model takes for granted is what the edge sees to and docs/protocol.md states: one write of a node
 * at a time, over all its lives; no write of a dead boot arrives after the first one of the next. */
#include "world_disk.h"
#include "world_arbiter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum sector_state { SECTOR_BLANK, SECTOR_GOOD, SECTOR_TORN };

struct sector {
        enum sector_state state;
        struct disk_record record;
        uint8_t document[DOCUMENT_BYTES_MAX];
};

enum progress { PROGRESS_TICK, PROGRESS_LAND, PROGRESS_READ, PROGRESS_DONE };

/* haven-disk of one node: one operation at a time, whatever becomes of the core. */
struct station {
        struct disk_voter voter;
        uint64_t life; /* of the core that the voter belongs to */
        bool busy;     /* the kernel has an operation of this node, of whatever life */
        uint32_t number;
        bool writing; /* its write has not arrived yet; when it does */
        bool lands;   /* it arrives whole, */
        bool tears;   /* or in part, */
        bool wrote;   /* or is reported as failed */
        bool fails;   /* reading does */
        struct sector on_its_way;
        unsigned which;
        struct voter_result result;
        uint8_t documents[WORLD_NODES][DOCUMENT_BYTES_MAX]; /* as read */
        span slow; /* each part of an operation takes so much longer */
        bool held; /* its write, by a scenario */
        bool lost; /* the node does not reach the disk: nothing returns until it is mended */
};

struct disk_world {
        struct sector sector[WORLD_NODES][2];
        struct station station[WORLD_NODES];
        double error; /* of an operation */
};

static void *disk_begin(struct world *w)
{
        (void)w;
        return calloc(1, sizeof(struct disk_world));
}

static void disk_end(struct world *w, void *self)
{
        (void)w;
        free(self);
}

static void later(struct world *w, span in, uint8_t node, enum progress what, uint32_t number)
{
        uint32_t *data = malloc(sizeof(*data));

        assert(data);
        *data = number;
        arbiter_later(w, in, node, what, data);
}

static span io_time(struct world *w, const struct station *s)
{
        return span_add(s->slow, world_random_span(w, span_us(100), span_ms(4)));
}

/* --- operations --- */

static void write_prepare(struct world *w, struct disk_world *d, struct station *s,
                          const struct voter_operation *op)
{
        bool fails = world_chance(w, d->error);

        s->writing = true;
        s->which = op->which;
        s->on_its_way.state = SECTOR_GOOD;
        s->on_its_way.record = op->record;
        memcpy(s->on_its_way.document, op->record.document, op->record.document_n);
        s->wrote = !fails;
        s->lands = !fails || world_random(w, 2);
        s->tears = !s->lands && world_random(w, 2);
}

static void operation_begin(struct world *w, struct disk_world *d, uint8_t node)
{
        struct machine *m = &w->machine[node];
        struct station *s = &d->station[node];
        struct voter_operation op;

        if (s->busy || s->life != m->life || !m->core_up || m->paused ||
            !disk_voter_begin(&s->voter, machine_clock(w, m), &op))
                return;
        s->busy = true;
        s->number++;
        s->result.wrote = false;
        s->fails = world_chance(w, d->error);
        if (op.write) {
                write_prepare(w, d, s, &op);
                later(w, io_time(w, s), node, PROGRESS_LAND, s->number);
        } else {
                s->result.read_began = machine_clock(w, m);
                later(w, io_time(w, s), node, PROGRESS_READ, s->number);
        }
}

static void land(struct disk_world *d, struct station *s, uint8_t node)
{
        struct sector *to = &d->sector[node][s->which];

        s->writing = false;
        if (s->tears)
                to->state = SECTOR_TORN;
        if (!s->lands)
                return;
        *to = s->on_its_way;
        to->record.document = to->document;
}

static enum disk_refusal newest_of(const struct sector two[static 2], unsigned *ret_which)
{
        bool good[2] = {two[0].state == SECTOR_GOOD, two[1].state == SECTOR_GOOD};

        *ret_which = !good[0] || (good[1] && two[1].record.seq > two[0].record.seq);
        if (good[0] || good[1])
                return DISK_OK;
        return two[0].state == SECTOR_TORN && two[1].state == SECTOR_TORN ? DISK_TORN : DISK_BLANK;
}

static void read_sectors(struct world *w, struct disk_world *d, struct station *s)
{
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                unsigned which;
                s->result.found[i].is = newest_of(d->sector[i], &which);
                s->result.found[i].which = which;
                s->result.found[i].record = d->sector[i][which].record;
                memcpy(s->documents[i], d->sector[i][which].document, s->result.found[i].record.document_n);
                s->result.found[i].record.document = s->documents[i];
        }
}

static void done(struct world *w, struct disk_world *d, uint8_t node)
{
        struct machine *m = &w->machine[node];
        struct station *s = &d->station[node];
        struct arbiter_answer answer;
        instant asked;

        s->busy = false;
        s->result.read = !s->fails;
        bool of_this_core = s->voter.busy && s->life == m->life && m->core_up;
        if (of_this_core && disk_voter_done(&s->voter, &s->result, &answer, &asked))
                machine_step(w, m,
                             (struct cluster_event){
                                     .kind = CLUSTER_EV_ARBITER, .asked = asked, .arbiter = &answer});
        operation_begin(w, d, node);
}

static void disk_happens(struct world *w, void *self, const struct happening *h)
{
        struct disk_world *d = self;
        struct machine *m = &w->machine[h->node];
        struct station *s = &d->station[h->node];
        uint32_t number = *(const uint32_t *)h->data;

        if (h->serial == PROGRESS_TICK) {
                if (h->life != m->life)
                        return;
                operation_begin(w, d, h->node);
                later(w, span_us(w->config.heartbeat.us / 4), h->node, PROGRESS_TICK, 0);
                return;
        }
        if (number != s->number || !s->busy)
                return;
        if (s->held && h->serial == PROGRESS_LAND) {
                later(w, span_us(50), h->node, PROGRESS_LAND, number);
                return;
        }
        if (s->lost || (m->paused && h->serial == PROGRESS_DONE)) { /* until it is mended, or listens again */
                later(w, span_ms(5), h->node, (enum progress)h->serial, number);
                return;
        }
        switch ((enum progress)h->serial) {
        case PROGRESS_TICK: break;
        case PROGRESS_LAND:
                land(d, s, h->node);
                s->result.wrote = s->wrote;
                s->result.read_began = machine_clock(w, m);
                later(w, io_time(w, s), h->node, PROGRESS_READ, number);
                break;
        case PROGRESS_READ:
                read_sectors(w, d, s);
                later(w, io_time(w, s), h->node, PROGRESS_DONE, number);
                break;
        case PROGRESS_DONE:
                s->result.read_ended = machine_clock(w, m);
                done(w, d, h->node);
                break;
        }
}

/* --- the life of a node --- */

static void disk_starts(struct world *w, void *self, uint8_t node)
{
        struct disk_world *d = self;
        struct machine *m = &w->machine[node];
        struct station *s = &d->station[node];

        s->life = m->life;
        disk_voter_init(&s->voter, node, w->config.nodes,
                        (struct incarnation){.boot = m->boot, .core = m->core},
                        w->settings[node]->timing.heartbeat, machine_clock(w, m));
        arbiter_later(w, SPAN_ZERO, node, PROGRESS_TICK, calloc(1, sizeof(uint32_t)));
}

/* What was on its way when the power went arrives all the same, and the next boot waits for it, or tears, or
 * is gone. */
static void disk_dies(struct world *w, void *self, uint8_t node, bool power)
{
        struct disk_world *d = self;
        struct station *s = &d->station[node];

        if (!power || !s->busy || world_random(w, 2))
                return;
        if (s->writing && world_random(w, 2)) {
                s->lands = false;
                s->tears = true;
                land(d, s, node);
        }
        s->busy = s->writing = false;
        s->number++;
}

static void disk_asked(struct world *w, void *self, uint8_t node)
{
        struct disk_world *d = self;
        struct arbiter_question q = w->todo.question;

        disk_voter_ask(&d->station[node].voter, &q);
        operation_begin(w, d, node);
}

/* --- faults --- */

static void disk_fault(struct world *w, void *self)
{
        struct disk_world *d = self;

        /* of an operation's two or three parts each, up to what makes a renewal come too late now and then */
        span slowest = span_max(span_ms(200), span_us(w->config.arbiter_dead.us / 4));

        switch (world_random(w, 4)) {
        case 0:
                d->station[world_random(w, w->config.nodes)].slow =
                        span_ms(world_random(w, 2) ? 0 : world_random(w, (uint32_t)span_to_ms(slowest)));
                break;
        case 1: d->error = world_random(w, 2) ? 0 : 0.3; break;
        case 2:
        case 3: d->station[world_random(w, w->config.nodes)].lost = world_random(w, 2); break;
        }
}

static void disk_mend(struct world *w, void *self)
{
        struct disk_world *d = self;

        d->error = 0;
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                d->station[i].lost = false;
                d->station[i].slow = SPAN_ZERO;
        }
}

void world_disk_slow(struct world *w, uint8_t node, span more)
{
        ((struct disk_world *)w->arbiter_memory)->station[node].slow = more;
}

static struct version disk_kept(const struct world *w, const void *self)
{
        const struct disk_world *d = self;
        struct version newest = {0};
        unsigned which;

        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (newest_of(d->sector[i], &which) == DISK_OK &&
                    version_compare(d->sector[i][which].record.version, newest) > 0)
                        newest = d->sector[i][which].record.version;
        return newest;
}

static void disk_cut(void *self, uint8_t node, bool cut)
{
        ((struct disk_world *)self)->station[node].lost = cut;
}

void world_disk_hold(struct world *w, uint8_t node, bool hold)
{
        ((struct disk_world *)w->arbiter_memory)->station[node].held = hold;
}

const struct disk_record *world_disk_writing(const struct world *w, uint8_t node)
{
        const struct station *s = &((struct disk_world *)w->arbiter_memory)->station[node];

        return s->busy && s->writing ? &s->on_its_way.record : NULL;
}

void world_disk_arrive(struct world *w, uint8_t node)
{
        struct disk_world *d = w->arbiter_memory;
        struct station *s = &d->station[node];
        struct machine *m = &w->machine[node];

        assert(s->busy && s->writing);
        s->number++; /* what the agenda has of it is void */
        land(d, s, node);
        s->result.wrote = s->wrote;
        s->result.read_began = machine_clock(w, m);
        read_sectors(w, d, s);
        s->result.read_ended = machine_clock(w, m);
        done(w, d, node);
}

const struct arbiter_model arbiter_disk = {
        .name = "disk",
        .about = "strong: a small area of a shared disk",
        .kind = CLUSTER_ARBITER_STRONG,
        .slower = {150000},
        .begin = disk_begin,
        .end = disk_end,
        .asked = disk_asked,
        .happens = disk_happens,
        .starts = disk_starts,
        .dies = disk_dies,
        .fault = disk_fault,
        .mend = disk_mend,
        .cut = disk_cut,
        .kept = disk_kept,
};
