/* What a silent node still owes, and how that is settled without its word: it was powered off for certain, or
 * its watchdog has had the time to reset it (rules.md rules 14, 15, 23).
 *
 * The leader decides who is powered off; the devices are the edge's. What came of it stands in the document,
 * so that every later leader knows. A reset by the watchdog is counted from when every lease the node may
 * have had is over, by each leader anew. */
#include "cluster/brain.h"

#include <stdio.h>

#define FENCE_RETRY     span_s(10)
#define FENCE_TRIES_MAX 3           /* for one node, without being told to, */
#define FENCE_WINDOW    span_s(600) /* within this: a node that dies again and again is a person's matter */

/* The newest boot of its supervisor that anybody has heard of; 0: none. */
static uint64_t boot_known(const struct cluster *c, uint8_t node)
{
        const struct document *d = &c->state.document;
        uint64_t boot = d->member[node].boot;

        if (c->peer[node].incarnation.boot > boot)
                boot = c->peer[node].incarnation.boot;
        for (uint8_t g = 0; g < d->group_count; g++)
                for (uint8_t i = 0; i < d->group[g].debt_count; i++)
                        if (d->group[g].debt[i].node == node && d->group[g].debt[i].boot > boot)
                                boot = d->group[g].debt[i].boot;
        return boot;
}

/* One that nobody has ever heard of still may be switched off. */
static uint64_t boot_to_end(const struct cluster *c, uint8_t node)
{
        uint64_t boot = boot_known(c, node);

        return boot ? boot : 1;
}

bool fenced(const struct cluster *c, uint8_t node)
{
        const struct member *m = &c->state.document.member[node];

        return m->fenced != 0 && m->fenced >= boot_known(c, node);
}

/* A node that leads by its own weak vote feeds its watchdog for ever: then its time proves nothing. */
static bool watchdog_counts(const struct cluster *c, uint8_t node, uint64_t boot)
{
        const struct member *m = &c->state.document.member[node];

        return arbiter_kind(c) != CLUSTER_ARBITER_WEAK && m->watchdog.us != 0 && m->boot == boot;
}

static instant watchdog_over(const struct cluster *c, uint8_t node)
{
        return instant_add(leases_over(c, node), c->state.document.member[node].watchdog);
}

const char *debt_settled(const struct cluster *c, const struct debt *d)
{
        if (fenced(c, d->node) && c->state.document.member[d->node].fenced >= d->boot)
                return "was powered off";
        if (watchdog_counts(c, d->node, d->boot) && !peer_present(c, d->node) &&
            instant_reached(c->now, watchdog_over(c, d->node)))
                return "was reset by its watchdog";
        return NULL;
}

void debt_advice(const struct cluster *c, uint8_t group, const struct debt *d, char *text, size_t size)
{
        const char *name = node_name(c, d->node);
        char wait[SPAN_TEXT];

        if (peer_present(c, d->node) && !is_self(c, d->node) && !c->peer[d->node].is.knows[group])
                snprintf(text, size, "%s", UNNAMED_ADVICE);
        else if (c->state.document.member[d->node].fencing)
                snprintf(text, size, "%s is being powered off", name);
        else if (watchdog_counts(c, d->node, d->boot))
                snprintf(text, size,
                         "its watchdog resets %s within %s; sooner, if it is off for certain: haven "
                         "confirm-off %s",
                         name, span_format(c->state.document.member[d->node].watchdog, wait), name);
        else if (c->settings->fenceable & 1ULL << d->node)
                snprintf(text, size,
                         "haven fence %s powers it off; if it is off for certain: haven confirm-off %s", name,
                         name);
        else
                snprintf(text, size, "start havend on %s, or, if it is off for certain: haven confirm-off %s",
                         name, name);
}

static bool needs_data(const struct cluster *c, const struct cluster_group *g)
{
        return g->data && !g->everywhere && !(g->accept_split && arbiter_kind(c) == CLUSTER_ARBITER_WEAK);
}

static bool lists(const struct cluster_group *g, uint8_t node)
{
        for (uint8_t i = 0; i < g->node_count; i++)
                if (g->node[i] == node)
                        return true;
        return false;
}

static bool owes(const struct cluster *c, const struct cluster_group *g, uint8_t node)
{
        const struct assignment *a = document_group_const(&c->state.document, g->id);

        for (uint8_t i = 0; a && i < a->debt_count; i++)
                if (a->debt[i].node == node)
                        return true;
        return false;
}

/* What it said before it fell silent pays nothing: but for an epoch of its own that it may hold still, it
 * owes one that it has never heard of, and pays by sealing that. */
static void suspect(const struct cluster *c, uint8_t g, struct assignment *a, uint8_t node)
{
        struct version v = c->state.document.version;
        struct epoch epoch = {.term = v.term, .n = v.n << 6 | v.author};

        if (a->debt_count == DOCUMENT_DEBTS_MAX)
                return;
        if (a->owner == node && !peer_released(c, node, g, a->owner_boot, a->epoch))
                epoch = a->epoch;
        a->debt[a->debt_count++] = (struct debt){.node = node, .boot = boot_known(c, node), .epoch = epoch};
}

/* It may hold data that our document gives to us. */
static void distrust(struct cluster *c, uint8_t node)
{
        struct document *d = &c->state.document;

        d->member[node].fenced = 0;
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct cluster_group *group = &c->settings->group[g];
                if (!needs_data(c, group) || !lists(group, node) || c->tenure[g].hold >= HOLD_STARTING)
                        continue;
                struct assignment *a = document_add_group(d, group->id);
                if (a && !owes(c, group, node))
                        suspect(c, g, a, node);
        }
}

/* Elected without the others' votes, by a weak arbiter: our document may be long overtaken, by one under
 * which a silent node holds data. What it says of who is off is as old. */
void fencing_distrust(struct cluster *c)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && !peer_present(c, i))
                        distrust(c, i);
}

/* `nodes` voted, and a weak arbiter has just changed in their place who does. They go on by what they know,
 * by weak votes of their own, though none is left among those who vote now: no watchdog ends that. */
void fencing_distrust_former(struct cluster *c, uint64_t nodes)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (nodes & 1ULL << i && !is_self(c, i) && !peer_present(c, i)) {
                        document_edit(c)->member[i].watchdog = SPAN_ZERO;
                        distrust(c, i);
                }
}

/* Whether `node`, leading by a weak vote of its own, could give this group to itself without our knowing. One
 * that has left does the same with us when it comes back alone: it does not start it either. */
static bool may_take_unheard(const struct cluster *c, uint8_t g, uint8_t node)
{
        const struct cluster_group *group = &c->settings->group[g];

        return !is_self(c, node) && needs_data(c, group) && lists(group, node) && !c->peer[node].is.left &&
               !fenced(c, node) && !owes(c, group, node);
}

/* What was committed by a weak arbiter in place of a voter, that voter may not know: what it heard released
 * it may give to itself, as we do. */
void fencing_doubt(struct cluster *c)
{
        if (c->alone.n == 0 || arbiter_kind(c) != CLUSTER_ARBITER_WEAK)
                return;
        for (uint8_t g = 0; g < c->settings->group_count; g++)
                for (uint8_t i = 0; i < c->settings->node_count; i++) {
                        if (peer_present(c, i) || c->tenure[g].hold >= HOLD_STARTING ||
                            !may_take_unheard(c, g, i))
                                continue;
                        struct assignment *a = document_add_group(document_edit(c), c->settings->group[g].id);
                        if (a)
                                suspect(c, g, a, i);
                }
}

bool fencing_in_doubt(const struct cluster *c, uint8_t g)
{
        if (c->alone.n == 0 || !version_equal(c->alone, c->committed.version))
                return false;
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (may_take_unheard(c, g, i))
                        return true;
        return false;
}

/* --- whom to power off --- */

/* A weak leader powers off whoever could take its data: the other side of a split will try the same. */
static bool stands_in_the_way(const struct cluster *c, uint8_t node)
{
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct cluster_group *group = &c->settings->group[g];
                if (!needs_data(c, group))
                        continue;
                if (owes(c, group, node) || (arbiter_kind(c) == CLUSTER_ARBITER_WEAK && lists(group, node)))
                        return true;
        }
        return false;
}

/* Rule 23: a node that has just started does not shoot whom it has not heard yet. With a weak arbiter that
 * holds for ever: two nodes that do not hear each other would end each other in turn at every boot. */
static bool started_long_ago(const struct cluster *c, uint8_t node)
{
        if (c->peer[node].heard_at_all.us != 0)
                return true;
        return arbiter_kind(c) != CLUSTER_ARBITER_WEAK &&
               instant_reached(c->now, instant_add(c->started, c->settings->start_wait));
}

/* Heard again, it gets the time to prove that it hears us; over a one-way link it never will. */
static bool silent(const struct cluster *c, uint8_t node)
{
        const struct peer *p = &c->peer[node];
        span dead = c->timing.dead;

        if (peer_present(c, node))
                return false;
        return span_between(p->heard_at_all, c->now).us >= dead.us ||
               span_between(instant_max(p->heard, p->met), c->now).us >= 4 * dead.us;
}

static bool wants_off(const struct cluster *c, uint8_t node)
{
        return !c->state.document.maintenance && silent(c, node) && !c->peer[node].is.left &&
               boot_known(c, node) != 0 && !fenced(c, node) && c->settings->fenceable & 1ULL << node &&
               started_long_ago(c, node) && stands_in_the_way(c, node);
}

/* Two leaders of a split shoot one after the other: first who holds data, then by rank. */
static span race_delay(const struct cluster *c, uint8_t node)
{
        span delay = c->settings->fence_delay[node];
        bool holds = false;

        if (arbiter_kind(c) != CLUSTER_ARBITER_WEAK)
                return SPAN_ZERO; /* there is one leader */
        for (uint8_t g = 0; g < c->settings->group_count; g++)
                holds |= needs_data(c, &c->settings->group[g]) && c->tenure[g].hold >= HOLD_STARTING;
        return span_times(delay, (holds ? 0 : c->settings->node_count) + c->settings->self);
}

static bool within_limit(struct cluster *c, uint8_t node)
{
        struct fencing *f = &c->peer[node].fencing;

        if (f->tries == 0 || span_between(f->first_try, c->now).us > FENCE_WINDOW.us) {
                f->tries = 0;
                f->first_try = c->now;
                f->limit_told = false;
        }
        if (f->tries < FENCE_TRIES_MAX)
                return true;
        if (!f->limit_told)
                note(c, NOTE_GROUP_BLOCKED, node_name(c, node),
                     "tried %u times within %u minutes to power it off -> not again by itself; haven fence "
                     "%s",
                     FENCE_TRIES_MAX, (unsigned)(FENCE_WINDOW.us / 60000000), node_name(c, node));
        f->limit_told = true;
        return false;
}

static void set_fencing(struct cluster *c, uint8_t node, bool on)
{
        if (c->state.document.member[node].fencing != on)
                document_edit(c)->member[node].fencing = on;
}

static void begin(struct cluster *c, uint8_t node)
{
        struct fencing *f = &c->peer[node].fencing;

        note(c, NOTE_FENCE, node_name(c, node), "%s -> being powered off",
             f->ordered ? "an operator wants it off"
                        : "silent, and it may hold data that is to start elsewhere");
        f->running = true;
        f->tries += !f->ordered;
        f->ordered = false;
        f->boot = boot_to_end(c, node);
        set_fencing(c, node, true);
        act_on_node(c, ACTION_FENCE, node);
}

/* It was off, and is heard under the same boot: whoever said so was wrong, or lied. */
static void notice_alive(struct cluster *c, uint8_t node)
{
        const struct fencing *f = &c->peer[node].fencing;

        if (!peer_present(c, node) || !fenced(c, node) ||
            !instant_before(instant_add(f->off_at, c->timing.dead), c->peer[node].heard))
                return;
        document_edit(c)->member[node].fenced = 0;
        note(c, NOTE_SPLIT, node_name(c, node),
             "was said to be powered off, and is heard all the same: its fence device, or who confirmed it, "
             "is not to be trusted");
}

static void settle_result(struct cluster *c, uint8_t node)
{
        struct fencing *f = &c->peer[node].fencing;

        if (f->off_boot == 0)
                return;
        if (f->off_boot > c->state.document.member[node].fenced)
                document_edit(c)->member[node].fenced = f->off_boot;
        f->off_boot = 0;
}

void fencing_settle(struct cluster *c)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                struct fencing *f = &c->peer[i].fencing;
                if (is_self(c, i))
                        continue;
                settle_result(c, i);
                notice_alive(c, i);
                if (f->running)
                        continue;
                if (!f->ordered && !wants_off(c, i)) {
                        set_fencing(c, i, false); /* what the leader before us had begun */
                        f->due = INSTANT_LONG_AGO;
                        continue;
                }
                if (!f->ordered && f->due.us == 0)
                        f->due = instant_add(c->now, race_delay(c, i));
                if (f->ordered || (instant_reached(c->now, f->due) && within_limit(c, i)))
                        begin(c, i);
                else
                        set_fencing(c, i, false);
        }
}

void fencing_ended(struct cluster *c, const struct cluster_event *event)
{
        struct fencing *f = &c->peer[event->node].fencing;
        const char *text = event->text ? event->text : "";

        if (event->node >= c->settings->node_count || is_self(c, event->node))
                return;
        if (!f->running) { /* the arbiter's own doing */
                if (!event->yes || !instant_before(c->peer[event->node].heard_at_all, event->asked))
                        return;
                f->boot = boot_to_end(c, event->node);
        }
        f->running = false;
        if (event->yes) {
                f->off_boot = f->boot;
                f->off_at = c->now;
                note(c, NOTE_FENCE, node_name(c, event->node), "powered off for certain: %s", text);
                return;
        }
        f->due = instant_add(c->now, FENCE_RETRY);
        note(c, NOTE_GROUP_BLOCKED, node_name(c, event->node), "could not be powered off: %s", text);
}

enum order_error fencing_order(struct cluster *c, const struct order *o)
{
        struct fencing *f;

        if (o->node >= c->settings->node_count)
                return ORDER_UNKNOWN;
        f = &c->peer[o->node].fencing;
        if (o->kind == ORDER_CONFIRM_OFF) {
                if (peer_present(c, o->node))
                        return ORDER_ALIVE;
                f->off_at = c->now;
                document_edit(c)->member[o->node].fenced = boot_to_end(c, o->node);
                note(c, NOTE_FENCE, node_name(c, o->node),
                     "an operator says that it is off -> what it held may start elsewhere");
                return ORDER_DONE;
        }
        if (is_self(c, o->node))
                return ORDER_SELF;
        if (!(c->settings->fenceable & 1ULL << o->node))
                return ORDER_NO_DEVICE;
        f->ordered = !f->running;
        return ORDER_DONE;
}
