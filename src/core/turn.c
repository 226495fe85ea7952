/* A turn: one event to the brain, then its deeds in the order that safety wants: the ledger first
 * (rules.md rule 5), then what is started and stopped, then what is said. */
#include "core/core.h"

#include "base/log.h"
#include "base/text.h"
#include "resource/cgroup.h"

#include <assert.h>
#include <string.h>

static void ledger_write(struct core *core)
{
        const struct cluster_promise *p = cluster_promise(core->brain);
        struct ledger *l = core->inherited.ledger;

        l->term = p->term;
        l->last_answer_us = p->last_answer.us;
        l->leading = p->leading;
        l->heard = p->heard;
        for (uint8_t i = 0; i < p->tenure_count; i++) {
                const struct cluster_tenure *t = &p->tenure[i];
                struct ledger_group *g = ledger_group(l, t->group);
                assert(g); /* as many entries as a configuration can have groups */
                g->hold = t->hold;
                ledger_group_seal(g, t->sealed);
        }
        if (p->lease_end.us != ledger_lease_end(l).us) {
                ledger_lease_set(l, p->lease_end);
                takeover_lease(core->takeover, p->lease_end);
                engine_lease(core->engine, p->lease_end);
        }
}

static bool group_named(const struct core *core, uint32_t group)
{
        for (size_t i = 0; i < core->config->group_count; i++)
                if (core->config->group[i].id == group)
                        return true;
        return false;
}

/* What the file no longer names we cannot stop, and the supervisor has: its addresses are gone and its
 * processes killed. What is exclusive in its data may run outside of our cgroup, so that stays held. */
static bool let_go(struct core *core, size_t i)
{
        struct ledger *l = core->inherited.ledger;
        struct ledger_group *g = &l->group[i];

        if (ledger_state(&g->state) == LEDGER_FREE)
                return true;
        if (l->group_data[i] || !instant_reached(instant_now(), ledger_lease_end(l)) ||
            core_address_forgotten(core) ||
            (l->cgroup_root[0] != '\0' && resource_cgroup_populated(l->cgroup_root)))
                return false;
        return ledger_group_free(g);
}

void core_ledger_read(struct core *core, struct cluster_promise *ret_promise)
{
        struct ledger *l = core->inherited.ledger;
        struct cluster_promise *p = ret_promise;

        memset(p, 0, sizeof(*p));
        p->term = l->term;
        p->last_answer = (instant){l->last_answer_us};
        p->leading = l->leading;
        p->heard = l->heard;
        p->lease_end = ledger_lease_end(l);
        for (size_t i = 0; i < GROUPS_MAX; i++) {
                struct ledger_group *g = &l->group[i];
                if (g->group == 0)
                        continue;
                struct cluster_tenure *t = &p->tenure[p->tenure_count++];
                bool gone = !group_named(core, g->group) && let_go(core, i);
                bool releasing = ledger_state(&g->state) == LEDGER_RELEASING;
                t->group = g->group;
                t->hold = gone ? HOLD_NONE : releasing ? HOLD_STOPPING : (enum hold_state)g->hold;
                t->epoch = (struct epoch){.term = g->epoch_term, .n = g->epoch_n};
                t->sealed = ledger_group_sealed(g);
        }
}

/* Who may have to start a group any time has ready what can be. */
static void get_ready(struct core *core)
{
        const struct document *d = cluster_document(core->brain);
        bool works = core->self >= d->member_count || !d->member[core->self].standby;

        for (size_t i = 0; i < core->config->group_count; i++) {
                const struct config_group *g = &core->config->group[i];
                const struct assignment *a = document_group_const(d, g->id);
                bool wanted = !a || a->admin == GROUP_ENABLED;
                engine_ready(core->engine, (int)i, works && wanted, cluster_holds(core->brain, g->id));
        }
}

static void speak(struct core *core, uint64_t to)
{
        for (int node = 0; to; node++, to >>= 1) {
                if (!(to & 1))
                        continue;
                cluster_speak(core->brain, instant_now(), (uint8_t)node, &core->message);
                transport_send(core->transport, node, &core->message);
        }
}

static void leave(struct core *core)
{
        core->exiting = true;
        engine_withdraw(core->engine);
        log_info("%s has left the cluster and holds nothing", core->config->node[core->self].name);
        inheritance_say(&core->inherited, SAY_STOPPED);
        uv_stop(core->loop);
}

static void do_todo(struct core *core)
{
        const struct todo *todo = &core->todo;

        ledger_write(core);
        for (uint8_t i = 0; i < todo->note_count; i++)
                core_note(core, &todo->note[i]);
        for (uint8_t i = 0; i < todo->action_count; i++)
                core_act(core, &todo->action[i]);
        speak(core, todo->speak_to);
        engine_maintenance(core->engine, cluster_document(core->brain)->maintenance);
        get_ready(core);
        for (uint8_t i = 0; i < todo->order_count; i++)
                core_order_done(core, &todo->order[i]);
        if (todo->save)
                core_save(core);
        if (todo->question.ask != ARBITER_NOTHING)
                core_ask_arbiter(core);
        if (todo->rearrange)
                core_again(core, "the cluster has other nodes");
        if (todo->exit)
                leave(core);
}

static void on_timer(uv_timer_t *timer)
{
        core_event(timer->data, &(struct cluster_event){.kind = CLUSTER_EV_TIME});
}

static void arm(struct core *core)
{
        instant due = cluster_deadline(core->brain);
        int64_t ms = span_to_ms(span_between(instant_now(), due));

        ledger_turn_set(core->inherited.ledger, due);
        uv_update_time(core->loop);
        uv_timer_start(&core->timer, on_timer, (uint64_t)(ms > 0 ? ms : 0), 0);
}

static void queue(struct core *core, const struct cluster_event *event)
{
        assert(core->queued < CORE_QUEUE_MAX && event->kind != CLUSTER_EV_MESSAGE && !event->arbiter);
        struct core_event *e = &core->queue[core->queued++];
        e->event = *event;
        text_copy(e->text, sizeof(e->text), event->text ? event->text : "");
        e->event.text = e->text;
}

static void step(struct core *core, const struct cluster_event *event)
{
        struct cluster_event e = *event;

        if (core->exiting)
                return;
        e.now = instant_now(); /* after whatever it reports: rules.md rule 19 */
        cluster_step(core->brain, &e, &core->todo);
        do_todo(core);
}

void core_event(struct core *core, const struct cluster_event *event)
{
        if (core->turning) {
                queue(core, event);
                return;
        }
        core->turning = true;
        step(core, event);
        for (size_t i = 0; i < core->queued; i++) {
                struct core_event e = core->queue[i];
                e.event.text = e.text;
                step(core, &e.event);
        }
        core->queued = 0;
        core->turning = false;
        if (!core->exiting)
                core_watchdog(core);
        core_pill_turn(core);
        if (!core->exiting)
                core_watch_turn(core);
        if (!core->exiting)
                arm(core);
}

void core_begin(struct core *core)
{
        struct ledger *l = core->inherited.ledger;
        struct cluster_start start = {.incarnation = {.boot = l->boot, .core = l->core}};

        core_load(core, &start);
        core->founds = start.state_valid && start.state.document.version.n == 0;
        start.first_core = l->core == 1;
        core_ledger_read(core, &start.promise);
        /* before anything is adopted: what the core before us left in the kernel must not outlive its lease
         */
        engine_lease(core->engine, start.promise.lease_end);
        start.now = instant_now();
        core->turning = true;
        cluster_init(core->brain, core->settings, &start, &core->todo);
        do_todo(core);
        core->turning = false;
        core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_TIME});
}
