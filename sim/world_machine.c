#include "world_arbiter.h"

#include <string.h>

static void do_todo(struct world *w, struct machine *m);

uint8_t machine_index(const struct world *w, const struct machine *m)
{
        return (uint8_t)(m - w->machine);
}

void machine_step(struct world *w, struct machine *m, struct cluster_event ev)
{
        if (!m->core_up || m->paused)
                return;
        ev.now = machine_clock(w, m);
        cluster_step(m->brain, &ev, &w->todo);
        do_todo(w, m);
}

static void tell(struct world *w, const struct machine *m, const struct note *n)
{
        size_t room = STORY_MAX - w->story_length;
        int length =
                snprintf(w->story + w->story_length, room, "%s %s %s: %s\n",
                         world_name(w, machine_index(w, m)), note_kind_name(n->kind), n->subject, n->text);

        if (length > 0 && (size_t)length < room)
                w->story_length += (size_t)length;
        if (w->config.trace)
                fprintf(w->config.trace, "[%10.3f] %s > %s %s: %s\n", (double)w->now / 1000,
                        world_name(w, machine_index(w, m)), note_kind_name(n->kind), n->subject, n->text);
}

static void speak(struct world *w, struct machine *m, uint64_t to_mask)
{
        struct message msg;

        for (uint8_t to = 0; to < w->config.nodes; to++) {
                if (!(to_mask & 1ULL << to))
                        continue;
                cluster_speak(m->brain, machine_clock(w, m), to, &msg);
                for (uint8_t l = 0; l < w->config.links; l++)
                        world_send(w, machine_index(w, m), to, l, &msg);
        }
}

static void begin_save(struct world *w, struct machine *m)
{
        struct happening h = {.kind = HAPPEN_SAVED, .node = machine_index(w, m), .life = m->life};

        if (m->writes)
                return;
        m->writes = true;
        cluster_state_to_save(m->brain, &m->writing, &h.serial);
        world_happen(w, world_random_span(w, w->config.save_min, w->config.save_max), h);
}

static void group_result(struct world *w, struct machine *m, uint8_t g, span in,
                         enum cluster_event_kind result)
{
        world_happen(w, in,
                     (struct happening){.kind = HAPPEN_GROUP,
                                        .node = machine_index(w, m),
                                        .life = m->held[g].job,
                                        .group = g,
                                        .epoch = m->held[g].epoch,
                                        .result = result});
}

static bool other_holds(const struct world *w, const struct machine *m, uint8_t g)
{
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (&w->machine[i] != m && w->machine[i].powered && w->machine[i].held[g].exclusive)
                        return true;
        return false;
}

static void start_group(struct world *w, struct machine *m, const struct cluster_action *a)
{
        struct held *h = &m->held[a->group];
        span took = world_random_span(w, span_us(100), w->config.start_max);

        if (a->probe && w->probes_see && other_holds(w, m, a->group)) {
                group_result(w, m, a->group, span_ms(60), CLUSTER_EV_REFUSED);
                return;
        }
        h->starting = true;
        machine_set_exclusive(w, m, a->group, true);
        group_result(w, m, a->group, took,
                     world_chance(w, w->config.start_fails) ? CLUSTER_EV_START_FAILED : CLUSTER_EV_STARTED);
}

static void do_action(struct world *w, struct machine *m, const struct cluster_action *a)
{
        struct held *h = &m->held[a->group];

        if (a->kind == ACTION_FENCE) {
                machine_fence(w, m, a->node);
                return;
        }
        h->job = ++w->order;
        h->epoch = a->epoch;
        switch (a->kind) {
        case ACTION_WARM:
                group_result(w, m, a->group, world_random_span(w, SPAN_ZERO, w->config.start_max),
                             CLUSTER_EV_WARMED);
                break;
        case ACTION_START: start_group(w, m, a); break;
        case ACTION_ADOPT:
                group_result(w, m, a->group, span_us(500),
                             h->exclusive ? CLUSTER_EV_STARTED : CLUSTER_EV_START_FAILED);
                break;
        case ACTION_STOP:
                h->stopping = true;
                group_result(w, m, a->group, world_random_span(w, span_us(50), w->config.stop_max),
                             CLUSTER_EV_STOPPED);
                break;
        case ACTION_ANNOUNCE:
        case ACTION_ASK:
        case ACTION_FENCE: break;
        }
}

static void do_todo(struct world *w, struct machine *m)
{
        const struct todo *todo = &w->todo; /* until the last line: the arbiter's answer is the next step */

        world_account(w, w->now);
        m->ledger = *cluster_promise(m->brain);
        world_check_leaders(w);
        for (uint8_t i = 0; i < todo->note_count; i++)
                tell(w, m, &todo->note[i]);
        for (uint8_t i = 0; i < todo->action_count; i++)
                do_action(w, m, &todo->action[i]);
        speak(w, m, todo->speak_to);
        if (todo->save)
                begin_save(w, m);
        if (todo->exit) {
                m->exiting = true;
                m->core_up = false;
                m->powered = false;
                world_account(w, w->now);
                return;
        }
        m->due = machine_truth(m, cluster_deadline(m->brain));
        const struct arbiter_model *arbiter = w->config.arbiter;
        bool asks = todo->question.ask != ARBITER_NOTHING;
        if (arbiter && arbiter->stepped)
                arbiter->stepped(w, w->arbiter_memory, machine_index(w, m));
        if (arbiter && asks)
                arbiter->asked(w, w->arbiter_memory, machine_index(w, m));
}

void machine_boot_core(struct world *w, struct machine *m, bool first)
{
        struct cluster_start start = {
                .incarnation = {.boot = m->boot, .core = ++m->core},
                .state_valid = m->state_valid,
                .state = m->disk,
                .first_core = first,
                .promise = m->ledger,
                .now = machine_clock(w, m),
        };

        world_note_apart(w);
        m->life++;
        m->core_up = true;
        m->paused = m->frozen = m->writes = false;
        if (w->config.arbiter && w->config.arbiter->starts)
                w->config.arbiter->starts(w, w->arbiter_memory, machine_index(w, m), first);
        cluster_init(m->brain, &w->settings[machine_index(w, m)], &start, &w->todo);
        do_todo(w, m);
        if (w->config.watchdog.us) /* time, stretched as the edge does it */
                machine_step(w, m,
                             (struct cluster_event){.kind = CLUSTER_EV_WATCHDOG,
                                                    .wait = timing_stretched(w->config.watchdog)});
}

void machine_boot(struct world *w, struct machine *m)
{
        m->powered = true;
        m->exiting = false;
        m->boot++;
        m->core = 0;
        memset(m->held, 0, sizeof(m->held));
        m->ledger = (struct cluster_promise){.last_answer = machine_clock(w, m)};
        machine_boot_core(w, m, true);
}

/* The supervisor: what is still held a little after the lease is released, whatever the core does. */
void machine_supervise(struct world *w, struct machine *m)
{
        const struct timing *t = &w->settings[0].timing;
        instant limit = instant_add(m->ledger.lease_end, span_us(t->margin.us / 2));

        if (!m->powered || m->frozen || !instant_reached(machine_clock(w, m), limit))
                return;
        for (uint8_t g = 0; g < w->config.groups; g++) {
                if (!m->held[g].exclusive)
                        continue;
                machine_set_exclusive(w, m, g, false);
                for (uint8_t i = 0; i < m->ledger.tenure_count; i++)
                        if (m->ledger.tenure[i].group == world_group_id(g)) {
                                m->ledger.tenure[i].hold = HOLD_STOPPING;
                                m->ledger.tenure[i].sealed = m->ledger.tenure[i].epoch;
                        }
        }
}
