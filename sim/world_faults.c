#include "world_arbiter.h"

#include <string.h>

/* --- machines --- */

void world_power_off(struct world *w, uint8_t node)
{
        struct machine *m = &w->machine[node];

        world_account(w, w->now);
        world_note_apart(w);
        m->powered = m->core_up = m->paused = m->writes = false;
        m->life++;
        for (uint8_t g = 0; g < w->config.groups; g++)
                w->gone[g] = m->held[g].exclusive ? w->now : w->gone[g];
        memset(m->held, 0, sizeof(m->held));
        supervisor_watch(w, m);
        if (w->config.arbiter && w->config.arbiter->dies)
                w->config.arbiter->dies(w, w->arbiter_memory, node, true);
}

void world_power_on(struct world *w, uint8_t node)
{
        if (!w->machine[node].powered)
                machine_boot(w, &w->machine[node]);
}

void world_kill_core(struct world *w, uint8_t node, span back_after)
{
        if (w->machine[node].core_up)
                machine_kill_core(w, &w->machine[node], back_after);
}

void world_restart_haven(struct world *w, uint8_t node, span back_after)
{
        struct machine *m = &w->machine[node];

        if (!m->powered)
                return;
        world_account(w, w->now);
        world_note_apart(w);
        m->core_up = m->paused = m->supervisor_paused = m->writes = false;
        m->life++;
        for (uint8_t g = 0; g < w->config.groups; g++) {
                m->held[g].job = ++w->order;
                m->held[g].orphan = m->held[g].exclusive;
        }
        supervisor_watch(w, m);
        if (w->config.arbiter && w->config.arbiter->dies)
                w->config.arbiter->dies(w, w->arbiter_memory, node, false);
        world_happen(w, back_after,
                     (struct happening){.kind = HAPPEN_HAVEN_BACK, .node = node, .life = m->life});
}

void world_pause_core(struct world *w, uint8_t node, span length)
{
        struct machine *m = &w->machine[node];

        if (!m->core_up || m->paused)
                return;
        m->paused = true;
        world_happen(w, length, (struct happening){.kind = HAPPEN_RESUME, .node = node, .life = m->life});
}

void world_pause_supervisor(struct world *w, uint8_t node, span length)
{
        struct machine *m = &w->machine[node];

        if (!m->powered || m->supervisor_paused)
                return;
        m->supervisor_paused = true;
        m->supervisor_pauses++;
        if (w->config.watchdog.us)
                machine_watchdog_arm(w, m);
        world_happen(w, length,
                     (struct happening){.kind = HAPPEN_SUPERVISOR_BACK, .node = node, .life = m->boot});
}

void world_pause_machine(struct world *w, uint8_t node, span length)
{
        world_pause_core(w, node, length);
        world_pause_supervisor(w, node, length);
}

/* --- disks --- */

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

bool world_restore_state(struct world *w, uint8_t node)
{
        struct machine *m = &w->machine[node];

        if (m->kept_boot == 0)
                return false;
        m->disk = m->kept;
        m->boot = m->kept_boot;
        return true;
}

void world_disk(struct world *w, uint8_t node, span more, bool fails)
{
        w->machine[node].disk_more = more;
        w->machine[node].disk_fails = fails;
}

/* --- services --- */

void world_trouble(struct world *w, uint8_t node, struct trouble trouble)
{
        w->machine[node].trouble = trouble;
}

void world_break_group(struct world *w, uint8_t node, uint8_t group)
{
        struct machine *m = &w->machine[node];
        int index = m->core_up ? machine_group(w, m, group) : -1;

        if (index < 0 || !m->held[group].exclusive || m->held[group].starting || m->held[group].stopping)
                return;
        machine_step(w, m,
                     (struct cluster_event){.kind = CLUSTER_EV_FAILED,
                                            .group = (uint8_t)index,
                                            .epoch = m->held[group].epoch,
                                            .text = "broken"});
}

void world_unfit(struct world *w, uint8_t node, uint8_t group, bool unfit)
{
        struct machine *m = &w->machine[node];
        int index = m->core_up ? machine_group(w, m, group) : -1;

        m->unfit[group] = unfit;
        if (index < 0)
                return;
        machine_step(
                w, m,
                (struct cluster_event){
                        .kind = CLUSTER_EV_FIT, .group = (uint8_t)index, .yes = !unfit, .text = "carrier"});
}

void world_refuse_probe(struct world *w, bool refuse)
{
        w->probes_see = refuse;
}

/* --- operators --- */

void world_leave(struct world *w, uint8_t node)
{
        machine_step(w, &w->machine[node], (struct cluster_event){.kind = CLUSTER_EV_LEAVE});
}

void world_order(struct world *w, uint8_t node, struct order order)
{
        machine_step(w, &w->machine[node], (struct cluster_event){.kind = CLUSTER_EV_ORDER, .order = order});
}

void world_upgrade(struct world *w, uint8_t node, uint32_t release)
{
        w->machine[node].release = release;
}

/* --- the arbiter --- */

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

void world_arbiter_cut(struct world *w, uint8_t node, bool cut)
{
        w->config.arbiter->cut(w->arbiter_memory, node, cut);
}

void world_arbiter_memory(struct world *w, enum arbiter_fate fate)
{
        w->config.arbiter->memory(w, w->arbiter_memory, fate);
}

struct version world_arbiter_version(const struct world *w)
{
        return w->config.arbiter->kept(w, w->arbiter_memory);
}
