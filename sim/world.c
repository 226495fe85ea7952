#include "world_arbiter.h"

#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- making and ending a world --- */

uint32_t world_group_id(uint8_t group)
{
        char text[8] = "group0";

        text[5] = (char)('0' + group);
        return text_id(text);
}

static void make_settings(struct world *w, struct cluster_settings *s, uint8_t self)
{
        const struct world_config *c = &w->config;
        static const char *const names[] = {"alpha", "beta", "gamma", "delta", "epsilon",
                                            "zeta",  "eta",  "theta", "iota"};

        s->self = self;
        s->node_count = c->nodes;
        s->link_count = c->links;
        s->timing = timing_derive(c->heartbeat, c->dead);
        s->warn = span_us(c->dead.us * 6 / 10);
        s->start_wait = span_s(2);
        s->members = 1;
        s->config = 1;
        if (c->arbiter && (c->nodes % 2 == 0 || c->arbiter->odd))
                s->arbiter = c->arbiter->kind;
        s->fenceable = c->fence ? (1U << c->nodes) - 1 : 0;
        for (uint8_t i = 0; i < c->nodes; i++)
                s->fence_delay[i] = span_ms(2000); /* longer than a device takes */
        s->group_count = c->groups;
        for (uint8_t i = 0; i < c->nodes; i++)
                text_copy(s->node_name[i], CLUSTER_NAME, names[i]);
        for (uint8_t g = 0; g < c->groups; g++) {
                struct cluster_group *group = &s->group[g];
                snprintf(group->name, sizeof(group->name), "group%u", g);
                group->id = text_id(group->name);
                group->node_count = c->nodes;
                for (uint8_t i = 0; i < c->nodes; i++)
                        group->node[i] = (uint8_t)((g + i) % c->nodes);
                group->failback = g % 2 ? FAILBACK_NEVER : FAILBACK_AT_ONCE;
                group->forgive_after = c->unforgiving ? SPAN_ZERO : span_s(5);
                group->data = c->data;
        }
        if (c->arbiter && c->arbiter->settings)
                c->arbiter->settings(w, s);
}

struct world *world_new(const struct world_config *config)
{
        struct world *w = calloc(1, sizeof(*w));

        assert(w && config->nodes <= WORLD_NODES && config->groups <= WORLD_GROUPS);
        w->config = *config;
        w->random = config->seed * 0x9e3779b97f4a7c15ULL + 1;
        w->story = calloc(1, STORY_MAX);
        assert(w->story);
        w->apart = -1;
        memset(w->last_holder, NODE_NONE, sizeof(w->last_holder));
        for (uint8_t i = 0; i < config->nodes; i++) {
                struct machine *m = &w->machine[i];
                make_settings(w, &w->settings[i], i);
                m->brain = malloc(cluster_size());
                assert(m->brain);
                m->state_valid = true;
                m->disk = (struct cluster_state){.voted_for = NODE_NONE};
                m->disk.document.members = 1;
                m->boot = 1000;
                m->clock_offset = 1000000 + world_random(w, 100000000);
                m->clock_rate = 1 + config->drift * ((double)world_random(w, 2001) / 1000 - 1);
                if (config->clock[i] != 0)
                        m->clock_rate = 1 + config->clock[i];
        }
        arbiter_begin(w);
        for (uint8_t i = 0; i < config->nodes; i++)
                machine_boot(w, &w->machine[i]);
        return w;
}

void world_free(struct world *w)
{
        while (w->event_count) {
                struct happening h = world_next_happening(w);
                if (h.kind == HAPPEN_PACKET)
                        free(h.message);
                free(h.data);
        }
        arbiter_end(w);
        for (uint8_t i = 0; i < w->config.nodes; i++)
                free(w->machine[i].brain);
        free(w->story);
        free(w);
}

/* --- what happens --- */

static void on_packet(struct world *w, struct machine *m, struct happening *h)
{
        if (m->core_up && !m->paused && !w->cut[h->from][h->node][h->link])
                machine_step(w, m,
                             (struct cluster_event){
                                     .kind = CLUSTER_EV_MESSAGE, .message = h->message, .link = h->link});
        if (m->core_up && !m->paused && !w->cut[h->from][h->node][h->link])
                machine_step(
                        w, m,
                        (struct cluster_event){.kind = CLUSTER_EV_COPY, .from = h->from, .link = h->link});
        free(h->message);
}

static void on_saved(struct world *w, struct machine *m, const struct happening *h)
{
        if (!m->powered || h->life != m->life)
                return;
        if (m->paused) {
                world_happen(w, span_ms(1), *h);
                return;
        }
        m->disk = m->writing;
        m->state_valid = m->writing.voter;
        m->writes = false;
        machine_step(w, m, (struct cluster_event){.kind = CLUSTER_EV_SAVED, .serial = h->serial});
}

static void on_group(struct world *w, struct machine *m, const struct happening *h)
{
        struct held *held = &m->held[h->group];

        if (!m->powered || h->life != held->job)
                return;
        if (m->paused) { /* the core cannot carry it on; it will when it resumes */
                world_happen(w, span_ms(1), *h);
                return;
        }
        if (!m->core_up)
                return;
        if (h->result == CLUSTER_EV_STOPPED || h->result == CLUSTER_EV_START_FAILED)
                machine_set_exclusive(w, m, h->group, false);
        held->starting = held->stopping = false;
        machine_step(
                w, m,
                (struct cluster_event){
                        .kind = h->result, .group = h->group, .epoch = h->epoch, .text = "in the simulator"});
}

static void dispatch(struct world *w, struct happening *h)
{
        struct machine *m = &w->machine[h->node];

        switch (h->kind) {
        case HAPPEN_PACKET: on_packet(w, m, h); break;
        case HAPPEN_SAVED: on_saved(w, m, h); break;
        case HAPPEN_GROUP: on_group(w, m, h); break;
        case HAPPEN_CORE_BACK:
                if (m->powered && !m->core_up && h->life == m->life)
                        machine_boot_core(w, m, false);
                break;
        case HAPPEN_RESUME:
                if (h->life != m->life || !m->paused)
                        break;
                world_note_apart(w);
                m->paused = m->frozen = false;
                machine_step(w, m, (struct cluster_event){.kind = CLUSTER_EV_TIME});
                break;
        case HAPPEN_FENCE: world_on_fence(w, h); break;
        case HAPPEN_WATCHDOG: world_on_watchdog(w, h); break;
        case HAPPEN_BOOT: world_power_on(w, h->node); break;
        case HAPPEN_ARBITER:
                if (w->config.arbiter->happens)
                        w->config.arbiter->happens(w, w->arbiter_memory, h);
                free(h->data);
                break;
        }
}

static int64_t next_time(const struct world *w)
{
        int64_t at = w->event_count ? w->event[0].at : INT64_MAX;

        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct machine *m = &w->machine[i];
                if (m->core_up && !m->paused && m->due < at)
                        at = m->due;
                if (m->powered && !m->frozen && (!m->core_up || m->paused)) {
                        int64_t lease =
                                machine_truth(m, instant_add(m->ledger.lease_end,
                                                             span_us(w->settings[0].timing.margin.us / 2)));
                        if (lease > w->now && lease < at)
                                at = lease;
                }
        }
        return at;
}

void world_run(struct world *w, span length)
{
        int64_t end = w->now + length.us;

        for (;;) {
                int64_t at = next_time(w);
                if (at > end)
                        break;
                w->now = at > w->now ? at : w->now;
                if (w->event_count && w->event[0].at <= w->now) {
                        struct happening h = world_next_happening(w);
                        dispatch(w, &h);
                }
                for (uint8_t i = 0; i < w->config.nodes; i++) {
                        struct machine *m = &w->machine[i];
                        machine_supervise(w, m);
                        if (m->core_up && !m->paused && m->due <= w->now)
                                machine_step(w, m, (struct cluster_event){.kind = CLUSTER_EV_TIME});
                }
        }
        w->now = end;
        world_account(w, end);
}

static bool settled(const struct world *w)
{
        for (uint8_t g = 0; g < w->config.groups; g++) {
                uint8_t a = NODE_NONE, b;
                if (world_holders(w, g, &a, &b) != 1 || w->machine[a].held[g].starting ||
                    w->machine[a].held[g].stopping)
                        return false;
        }
        return true;
}

bool world_settle(struct world *w, span most)
{
        int64_t end = w->now + most.us;

        if (settled(w))
                return true;
        while (w->now < end) {
                world_run(w, span_ms(10));
                if (settled(w))
                        return true;
        }
        return false;
}
