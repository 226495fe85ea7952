#include "world_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_LAG 64 /* as in src/heartbeat/window.h */

/* --- packets --- */

/* Cut off behind the last group that it speaks of, where no document follows: nobody reads on. */
static size_t message_size(const struct message *m)
{
        return m->has_document ? sizeof(*m)
                               : offsetof(struct message, hold) + m->hold_count * sizeof(m->hold[0]);
}

static struct packet *packet_of(const struct message *m)
{
        size_t size = message_size(m);
        struct packet *p = malloc(offsetof(struct packet, message) + size);

        assert(p);
        p->users = 1;
        memcpy(&p->message, m, size);
        return p;
}

void packet_drop(struct packet *p)
{
        if (p && --p->users == 0)
                free(p);
}

static void put_on_its_way(struct world *w, struct packet *p, uint8_t link, span more)
{
        span takes = world_random_span(w, w->config.delay_min, w->config.delay_max);

        p->users++;
        world_happen(w, span_add(takes, more),
                     (struct happening){.kind = HAPPEN_PACKET,
                                        .node = p->message.to,
                                        .from = p->message.from,
                                        .link = link,
                                        .packet = p});
}

/* Somebody on the way keeps some, to bring them again. */
static void keep_for_replay(struct world *w, struct packet *p)
{
        struct packet **place = &w->replay[w->replay_next++ % REPLAY_MAX];

        packet_drop(*place);
        *place = p;
        p->users++;
}

void world_send(struct world *w, uint8_t from, uint8_t to, const struct message *m)
{
        struct packet *p = NULL;

        if (!(w->machine[from].named & 1ULL << to) || !(w->machine[to].named & 1ULL << from))
                return;
        for (uint8_t l = 0; l < w->config.links; l++) {
                if (w->cut[from][to][l] || world_chance(w, w->config.loss))
                        continue;
                p = p ? p : packet_of(m);
                span more = w->delay[from][to];
                if (world_chance(w, w->config.late))
                        more = span_add(more, world_random_span(w, SPAN_ZERO, span_s(3)));
                put_on_its_way(w, p, l, more);
                if (world_chance(w, w->config.duplicate))
                        put_on_its_way(w, p, l, more);
        }
        if (p && w->config.keeps && ++w->packets % 16 == 0)
                keep_for_replay(w, p);
        packet_drop(p);
} /* those on their way hold it: NOLINT(clang-analyzer-unix.Malloc) */

void world_replay(struct world *w)
{
        for (uint8_t i = 0; i < 8; i++) {
                struct packet *p = w->replay[world_random(w, REPLAY_MAX)];
                if (p)
                        put_on_its_way(w, p, (uint8_t)world_random(w, w->config.links), SPAN_ZERO);
        }
}

/* --- their arrival, through the receiver's window --- */

enum verdict { IS_NEW, IS_COPY, IS_REFUSED };

static int incarnation_compare(struct incarnation a, struct incarnation b)
{
        if (a.boot != b.boot)
                return a.boot < b.boot ? -1 : 1;
        return a.core == b.core ? 0 : a.core < b.core ? -1 : 1;
}

static enum verdict hear(struct hearing *h, uint8_t link, const struct message *m)
{
        int age = incarnation_compare(m->incarnation, h->of);

        if (age < 0)
                return IS_REFUSED;
        if (age > 0)
                *h = (struct hearing){.of = m->incarnation};
        bool is_new = m->seq > h->seq;
        if ((!is_new && h->seq - m->seq > WINDOW_LAG) || m->seq <= h->link[link])
                return IS_REFUSED;
        h->link[link] = m->seq;
        if (is_new)
                h->seq = m->seq;
        return is_new ? IS_NEW : IS_COPY;
}

void world_deliver(struct world *w, const struct happening *h)
{
        struct machine *m = &w->machine[h->node];
        const struct message *message = &h->packet->message;

        if (!m->core_up || m->paused || w->cut[h->from][h->node][h->link])
                return;
        switch (hear(&m->hearing[h->from], h->link, message)) {
        case IS_NEW:
                machine_step(w, m,
                             (struct cluster_event){
                                     .kind = CLUSTER_EV_MESSAGE, .message = message, .link = h->link});
                break;
        case IS_COPY:
                machine_step(
                        w, m,
                        (struct cluster_event){.kind = CLUSTER_EV_COPY, .from = h->from, .link = h->link});
                break;
        case IS_REFUSED: break;
        }
}

/* --- cuts and delays --- */

bool world_cut_off(const struct world *w, uint8_t from, uint8_t to)
{
        for (uint8_t l = 0; l < w->config.links; l++)
                if (!w->cut[from][to][l])
                        return false;
        return true;
}

void world_cut(struct world *w, uint8_t from, uint8_t to, uint8_t link, bool cut)
{
        world_note_apart(w);
        w->cut[from][to][link] = cut;
}

void world_cut_pair(struct world *w, uint8_t a, uint8_t b, bool cut)
{
        world_note_apart(w);
        for (uint8_t l = 0; l < w->config.links; l++)
                w->cut[a][b][l] = w->cut[b][a][l] = cut;
}

void world_isolate(struct world *w, uint8_t node, bool cut)
{
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (i != node)
                        world_cut_pair(w, node, i, cut);
}

void world_delay(struct world *w, uint8_t from, uint8_t to, span more)
{
        w->delay[from][to] = more;
}

void world_calm(struct world *w)
{
        w->config.loss = w->config.duplicate = w->config.late = w->config.start_fails = 0;
        w->config.delay_max = span_us(400);
}

/* --- flapping: a node that is cut off and back, again and again --- */

void world_flap_node(struct world *w, uint8_t node, uint32_t times, span each)
{
        world_happen(w, each,
                     (struct happening){.kind = HAPPEN_FLAP,
                                        .node = node,
                                        .serial = times * 2,
                                        .life = (uint64_t)each.us,
                                        .epoch.n = w->flapping});
}

void world_stop_flapping(struct world *w)
{
        w->flapping++;
}

void world_flap(struct world *w, const struct happening *h)
{
        struct happening next = *h;

        if (h->epoch.n != w->flapping)
                return;
        world_isolate(w, h->node, h->serial % 2 == 0);
        if (--next.serial > 0)
                world_happen(w, span_us((int64_t)h->life), next);
}
