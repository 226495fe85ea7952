#include "world_arbiter.h"

#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- making and ending a world --- */

static void make_machine(struct world *w, uint8_t i)
{
        const struct world_config *c = &w->config;
        struct machine *m = &w->machine[i];

        m->brain = malloc(cluster_size());
        assert(m->brain);
        m->state_valid = true;
        m->disk = (struct cluster_state){.voted_for = NODE_NONE};
        m->named = world_founders(w);
        m->boot = 1000;
        m->due = m->release_at = INT64_MAX;
        m->clock_offset = 1000000 + world_random(w, 100000000);
        m->clock_rate = 1 + c->drift * ((double)world_random(w, 2001) / 1000 - 1);
        if (c->clock[i] != 0)
                m->clock_rate = 1 + c->clock[i];
        m->clock_inverse = 1 / m->clock_rate;
}

struct world *world_new(const struct world_config *config)
{
        struct world *w = calloc(1, sizeof(*w));

        assert(w && config->nodes <= WORLD_NODES && config->groups <= WORLD_GROUPS &&
               config->links <= WORLD_LINKS);
        w->config = *config;
        w->random = config->seed * 0x9e3779b97f4a7c15ULL + 1;
        w->story = config->story ? calloc(1, STORY_MAX) : NULL;
        w->apart = -1;
        w->dead_most = config->dead;
        for (uint8_t g = 0; g < WORLD_GROUPS; g++)
                w->gone[g] = INT64_MIN / 2;
        memset(w->last_holder, NODE_NONE, sizeof(w->last_holder));
        for (uint8_t i = 0; i < config->nodes; i++)
                make_machine(w, i);
        arbiter_begin(w);
        for (uint8_t i = 0; i < config->nodes; i++)
                if (world_founders(w) & 1ULL << i)
                        machine_boot(w, &w->machine[i]);
        return w;
}

void world_free(struct world *w)
{
        while (w->event_count) {
                struct happening h = world_next_happening(w);
                if (h.kind == HAPPEN_PACKET)
                        packet_drop(h.packet);
                else if (h.kind == HAPPEN_ARBITER)
                        free(h.data);
        }
        for (uint32_t i = 0; i < REPLAY_MAX; i++)
                packet_drop(w->replay[i]);
        arbiter_end(w);
        for (uint8_t i = 0; i < w->config.nodes; i++)
                free(w->machine[i].brain);
        free(w->story);
        free(w);
}

/* --- what happens --- */

static void on_saved(struct world *w, struct machine *m, const struct happening *h)
{
        if (!m->powered || h->life != m->life)
                return;
        if (m->paused) {
                world_happen(w, span_ms(1), *h);
                return;
        }
        if (m->disk_fails) { /* the core writes the same again a second later (src/core/state.c) */
                world_happen(w, span_s(1), *h);
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
        int index = machine_group(w, m, h->group);
        if (index < 0)
                return;
        machine_step(w, m,
                     (struct cluster_event){.kind = h->result,
                                            .group = (uint8_t)index,
                                            .epoch = h->epoch,
                                            .text = "in the simulator"});
}

static void on_resume(struct world *w, struct machine *m, const struct happening *h)
{
        if (h->life != m->life || !m->paused)
                return;
        world_note_apart(w);
        m->paused = false;
        machine_step(w, m, (struct cluster_event){.kind = CLUSTER_EV_TIME});
}

static void dispatch(struct world *w, struct happening *h)
{
        struct machine *m = &w->machine[h->node];

        switch (h->kind) {
        case HAPPEN_PACKET:
                world_deliver(w, h);
                packet_drop(h->packet);
                break;
        case HAPPEN_SAVED: on_saved(w, m, h); break;
        case HAPPEN_GROUP: on_group(w, m, h); break;
        case HAPPEN_CORE_BACK:
                if (m->powered && m->supervisor_paused) /* nobody there to start it */
                        world_happen(w, span_ms(5), *h);
                else if (m->powered && !m->core_up && h->life == m->life)
                        machine_boot_core(w, m, false);
                break;
        case HAPPEN_RESUME: on_resume(w, m, h); break;
        case HAPPEN_SUPERVISOR_BACK:
                if (h->life == m->boot)
                        m->supervisor_paused = false;
                break;
        case HAPPEN_HAVEN_BACK:
                if (m->powered && h->life == m->life)
                        machine_boot_haven(w, m);
                break;
        case HAPPEN_FENCE: world_on_fence(w, h); break;
        case HAPPEN_WATCHDOG: world_on_watchdog(w, h); break;
        case HAPPEN_BOOT: world_power_on(w, h->node); break;
        case HAPPEN_ARBITER:
                if (w->config.arbiter->happens)
                        w->config.arbiter->happens(w, w->arbiter_memory, h);
                free(h->data);
                break;
        case HAPPEN_FLAP: world_flap(w, h); break;
        }
}

static bool acts(const struct machine *m)
{
        return m->core_up && !m->paused;
}

static int64_t next_time(const struct world *w)
{
        int64_t at = w->event_count ? w->agenda[0].at : INT64_MAX;

        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct machine *m = &w->machine[i];
                if (m->due < at && acts(m))
                        at = m->due;
                if (m->release_at < at && !m->supervisor_paused)
                        at = m->release_at;
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
                if (w->event_count && w->agenda[0].at <= w->now) {
                        struct happening h = world_next_happening(w);
                        dispatch(w, &h);
                        continue; /* what is due as well is due still */
                }
                for (uint8_t i = 0; i < w->config.nodes; i++) {
                        struct machine *m = &w->machine[i];
                        if (m->release_at <= w->now && !m->supervisor_paused)
                                supervisor_release(w, m);
                        if (m->due <= w->now && acts(m))
                                machine_step(w, m, (struct cluster_event){.kind = CLUSTER_EV_TIME});
                }
        }
        w->now = end;
        world_account(w, end);
}

/* Whether the node's own file says that it runs a group that runs everywhere. */
static bool lists_itself(const struct world *w, const struct machine *m, uint8_t g)
{
        int index = machine_group(w, m, g);
        const struct cluster_group *group = index < 0 ? NULL : &machine_settings(w, m)->group[index];

        return group && memchr(group->node, machine_index(w, m), group->node_count);
}

/* On each that is up and in the list, and on no other. */
static bool settled_everywhere(const struct world *w, uint8_t g)
{
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct machine *m = &w->machine[i];
                const struct held *h = &m->held[g];
                if (m->powered &&
                    (!m->core_up || h->starting || h->stopping || h->exclusive != lists_itself(w, m, g)))
                        return false;
        }
        return true;
}

static bool settled(const struct world *w)
{
        for (uint8_t g = 0; g < w->config.groups; g++) {
                uint8_t a = NODE_NONE, b;
                if (world_everywhere(w, g)) {
                        if (!settled_everywhere(w, g))
                                return false;
                        continue;
                }
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
