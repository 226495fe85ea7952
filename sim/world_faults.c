#include "world_arbiter.h"

#include <string.h>

static void arbiter_told(struct world *w, uint8_t node, bool power)
{
        if (w->config.arbiter && w->config.arbiter->dies)
                w->config.arbiter->dies(w, w->arbiter_memory, node, power);
}

void world_arbiter_fault(struct world *w)
{
        if (w->config.arbiter && w->config.arbiter->fault)
                w->config.arbiter->fault(w, w->arbiter_memory);
}

void world_arbiter_mend(struct world *w)
{
        if (w->config.arbiter && w->config.arbiter->mend)
                w->config.arbiter->mend(w, w->arbiter_memory);
}

void world_power_off(struct world *w, uint8_t node)
{
        struct machine *m = &w->machine[node];

        world_account(w, w->now);
        world_note_apart(w);
        m->powered = m->core_up = m->paused = m->frozen = m->writes = false;
        m->life++;
        memset(m->held, 0, sizeof(m->held));
        arbiter_told(w, node, true);
}

void world_power_on(struct world *w, uint8_t node)
{
        if (!w->machine[node].powered)
                machine_boot(w, &w->machine[node]);
}

void world_lose_state(struct world *w, uint8_t node)
{
        w->machine[node].state_valid = false;
        w->machine[node].disk = (struct cluster_state){.voted_for = NODE_NONE};
}

void world_keep_state(struct world *w, uint8_t node)
{
        struct machine *m = &w->machine[node];

        m->kept = m->disk;
        m->kept_boot = m->boot;
}

void world_restore_state(struct world *w, uint8_t node)
{
        struct machine *m = &w->machine[node];

        m->disk = m->kept;
        m->boot = m->kept_boot;
}

void world_kill_core(struct world *w, uint8_t node, span back_after)
{
        struct machine *m = &w->machine[node];

        if (!m->core_up)
                return;
        m->core_up = m->paused = m->frozen = m->writes = false;
        m->life++;
        for (uint8_t g = 0; g < w->config.groups; g++)
                m->held[g].job = ++w->order; /* nobody waits for what was under way */
        arbiter_told(w, node, false);
        world_happen(w, back_after,
                     (struct happening){.kind = HAPPEN_CORE_BACK, .node = node, .life = m->life});
}

void world_pause_core(struct world *w, uint8_t node, span length)
{
        struct machine *m = &w->machine[node];

        if (!m->core_up || m->paused)
                return;
        m->paused = true;
        world_happen(w, length, (struct happening){.kind = HAPPEN_RESUME, .node = node, .life = m->life});
}

void world_leave(struct world *w, uint8_t node)
{
        machine_step(w, &w->machine[node], (struct cluster_event){.kind = CLUSTER_EV_LEAVE});
}

void world_break_group(struct world *w, uint8_t node, uint8_t group)
{
        struct machine *m = &w->machine[node];

        if (!m->held[group].exclusive || m->held[group].starting || m->held[group].stopping)
                return;
        machine_step(w, m,
                     (struct cluster_event){.kind = CLUSTER_EV_FAILED,
                                            .group = group,
                                            .epoch = m->held[group].epoch,
                                            .text = "broken"});
}

void world_unfit(struct world *w, uint8_t node, uint8_t group, bool unfit)
{
        w->machine[node].unfit[group] = unfit;
        machine_step(w, &w->machine[node],
                     (struct cluster_event){
                             .kind = CLUSTER_EV_FIT, .group = group, .yes = !unfit, .text = "carrier"});
}

void world_refuse_probe(struct world *w, bool refuse)
{
        w->probes_see = refuse;
}

void world_order(struct world *w, uint8_t node, struct order order)
{
        machine_step(w, &w->machine[node], (struct cluster_event){.kind = CLUSTER_EV_ORDER, .order = order});
}
