/* What this node runs: each group from the first warm service to the last release.
 *
 *     NONE -> WARM -> STARTING -> STARTED -> STOPPING -> NONE
 *                                    |-> FAILED --^ |-> STUCK (a stop failed; tried again)
 *
 * An epoch is sealed before its stop begins and is never started again (rule 12). Without a lease nothing
 * exclusive is held, whatever the document says. */
#include "cluster/brain.h"

#include "base/text.h"

#include <string.h>

#define STUCK_RETRY_S 10 /* a failed stop is tried again: a person may have mended it meanwhile */

static const char *name_of(const struct cluster *c, uint8_t g)
{
        return c->settings->group[g].name;
}

static bool have_lease(const struct cluster *c)
{
        return instant_before(c->now, c->promise.lease_end);
}

static void set_hold(struct cluster *c, uint8_t g, enum hold_state hold)
{
        c->tenure[g].hold = hold;
        c->changed = true;
}

struct hold tenure_hold(const struct cluster *c, uint8_t g)
{
        const struct tenure *t = &c->tenure[g];
        bool silent = (t->hold == HOLD_WARM && !t->warm_ready) || (t->hold == HOLD_STOPPING && t->released);

        return (struct hold){.group = c->settings->group[g].id,
                             .state = silent ? HOLD_NONE : t->hold,
                             .epoch = t->epoch,
                             .sealed = t->sealed,
                             .unfit = t->unfit,
                             .start_failed = t->start_failed,
                             .refused = t->refused};
}

static void seal(struct tenure *t, struct epoch epoch)
{
        if (epoch_compare(epoch, t->sealed) <= 0)
                return;
        t->sealed = epoch;
        t->start_failed = t->refused = false;
}

void tenure_stop(struct cluster *c, uint8_t g, const char *why)
{
        struct tenure *t = &c->tenure[g];

        seal(t, t->epoch);
        /* a warm part alone is not exclusive: nothing to be waited for by others */
        t->released = t->hold == HOLD_WARM;
        note(c, NOTE_TRACE, name_of(c, g), "epoch %u.%u: %s -> stopping", t->epoch.term, t->epoch.n, why);
        set_hold(c, g, HOLD_STOPPING);
        act(c, ACTION_STOP, g, t->epoch, false);
}

void lease_expire(struct cluster *c)
{
        bool told = false;

        if (have_lease(c))
                return;
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                enum hold_state hold = c->tenure[g].hold;
                if (c->settings->group[g].everywhere)
                        continue; /* nothing of it is exclusive */
                if (hold != HOLD_WARM && hold != HOLD_STARTING && hold != HOLD_STARTED && hold != HOLD_FAILED)
                        continue;
                if (!told)
                        note(c, NOTE_LEASE_LOST, node_name(c, c->settings->self),
                             "the lease ran out before a leader renewed it -> letting go of everything");
                told = true;
                tenure_stop(c, g, "no lease");
        }
}

/* --- what the document says of us --- */

struct claim {
        bool owner; /* the group is ours under `epoch` */
        bool from;  /* ours until the owner is ready to take it */
        struct epoch epoch;
};

static struct claim claim_of(const struct cluster *c, const struct document *d, uint8_t g)
{
        const struct assignment *a = document_group_const(d, c->settings->group[g].id);
        struct claim none = {0};

        if (!a)
                return none;
        if (is_self(c, a->owner) && a->owner_boot == c->self.boot)
                return (struct claim){.owner = true, .epoch = a->epoch};
        if (a->from != NODE_NONE && is_self(c, a->from))
                return (struct claim){.from = true, .epoch = a->from_epoch};
        return none;
}

static bool gives(struct claim claim, struct epoch epoch)
{
        return (claim.owner || claim.from) && epoch_equal(claim.epoch, epoch);
}

/* Rule 10: what the newest document does not give is let go. The newest committed one then gives it too: what
 * is held was started under one that was committed and gave it, and each that was committed since was the
 * newest before. */
static bool may_hold(const struct cluster *c, uint8_t g)
{
        return gives(claim_of(c, &c->state.document, g), c->tenure[g].epoch);
}

/* The epoch to start, if both documents give it and it is not over yet. */
static bool to_start(const struct cluster *c, uint8_t g, struct epoch *ret_epoch)
{
        struct claim newest = claim_of(c, &c->state.document, g);
        struct claim committed = claim_of(c, &c->committed, g);

        if (!newest.owner || !committed.owner || !epoch_equal(newest.epoch, committed.epoch))
                return false;
        *ret_epoch = newest.epoch;
        return epoch_compare(newest.epoch, c->tenure[g].sealed) > 0;
}

static bool waits_for_release(const struct cluster *c, uint8_t g, const struct assignment *a)
{
        return a && a->from != NODE_NONE && !peer_released(c, a->from, g, BOOT_ANY, a->from_epoch);
}

/* Rules 11, 14, 15: what must have let go before the exclusive part may start here. That a silent old owner
 * is waited for no more counts when it is committed: another may lead by now, and renew its lease. */
static const char *start_obstacle(struct cluster *c, uint8_t g, const struct assignment *a)
{
        const struct cluster_group *group = &c->settings->group[g];

        if (waits_for_release(c, g, a) ||
            waits_for_release(c, g, document_group_const(&c->committed, group->id)))
                return "the old owner has not let go yet";
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && peer_heard_within(c, i, c->timing.dead) &&
                    hold_of(c, i, g)->state >= HOLD_STARTING)
                        return "another node says that it still holds it";
        /* under a weak arbiter the user may accept that the silent peer's release is presumed */
        bool presumed = arbiter_kind(c) == CLUSTER_ARBITER_WEAK && group->accept_split;
        if (a->debt_count != 0 && group->data && !presumed)
                return "nothing proves that the old owner let go of its data";
        if (fencing_in_doubt(c, g))
                return "another node that does not know of it may start it too";
        return NULL;
}

static void tell_blocked(struct cluster *c, uint8_t g, const struct assignment *a, const char *why)
{
        char advice[NOTE_TEXT];

        /* what the leader is about to commit needs no person */
        if (a->debt_count == 0 || c->care[g].blocked_told ||
            !version_equal(c->committed.version, c->state.document.version))
                return;
        c->care[g].blocked_told = true;
        debt_advice(c, g, &a->debt[0], advice, sizeof(advice));
        note(c, NOTE_GROUP_BLOCKED, name_of(c, g), "%s (%s) -> blocked; %.120s", why,
             node_name(c, a->debt[0].node), advice);
}

/* Rule 29: where the kernel has no lease gate, the address of an owner that stands still whole ends with its
 * lifetime there, later than the lease. That the lease was over is what the taking waited for; we count from
 * when we learned of it. */
static bool lifetime_runs(struct cluster *c, uint8_t g, const struct assignment *a)
{
        struct care *care = &c->care[g];

        if (a->debt_count == 0 || c->settings->ungated_wait.us == 0)
                return false;
        if (!epoch_equal(care->owed_epoch, a->epoch)) {
                care->owed_epoch = a->epoch;
                care->owed_since = c->now;
                note(c, NOTE_TRACE, name_of(c, g), "epoch %u.%u: %s may answer without a lease -> waiting",
                     a->epoch.term, a->epoch.n, node_name(c, a->debt[0].node));
        }
        return !instant_reached(c->now, instant_add(care->owed_since, c->settings->ungated_wait));
}

static void start(struct cluster *c, uint8_t g, const struct assignment *a)
{
        struct tenure *t = &c->tenure[g];
        const char *obstacle = start_obstacle(c, g, a);

        if (obstacle)
                tell_blocked(c, g, a, obstacle);
        if (obstacle || waits_for(c, g) || lifetime_runs(c, g, a)) {
                /* whoever waits for itself to let go has to hold nothing: being ready is too much */
                if (t->hold == HOLD_NONE && a->from != NODE_NONE && !is_self(c, a->from)) {
                        t->warm_ready = false;
                        set_hold(c, g, HOLD_WARM);
                        act(c, ACTION_WARM, g, t->epoch, false);
                }
                return;
        }
        bool handed_over = (t->hold == HOLD_WARM || a->from != NODE_NONE) && a->debt_count == 0;
        c->care[g].blocked_told = false;
        t->start_failed = t->refused = t->adopted = false;
        set_hold(c, g, HOLD_STARTING);
        /* but for a handover, whose old owner said that it let go, the network is asked first: a stranger may
         * have it */
        act(c, ACTION_START, g, t->epoch, !handed_over);
}

void tenure_start(struct cluster *c, uint8_t g, struct epoch epoch)
{
        struct tenure *t = &c->tenure[g];

        t->epoch = epoch;
        t->start_failed = t->refused = t->adopted = false;
        set_hold(c, g, HOLD_STARTING);
        act(c, ACTION_START, g, epoch, false);
}

/* Whether the node that is to take the group from us is ready to, or has it already. */
static bool taker_is_ready(const struct cluster *c, const struct assignment *a, uint8_t g)
{
        if (a->owner == NODE_NONE)
                return true;
        if (is_self(c, a->owner))
                return true;
        const struct hold *h = hold_of(c, a->owner, g);
        return peer_heard_within(c, a->owner, c->timing.dead) && h->state != HOLD_NONE &&
               epoch_equal(h->epoch, a->epoch);
}

/* Those who come after it and leave this node with it stop before it. */
static bool dependents_go_too(const struct cluster *c, uint8_t g)
{
        for (uint8_t o = 0; o < c->settings->group_count; o++)
                if (c->settings->group[o].after & 1ULL << g && tenure_hold(c, o).state >= HOLD_STARTING &&
                    !claim_of(c, &c->state.document, o).owner && !c->settings->group[o].everywhere)
                        return true;
        return false;
}

static void settle_held(struct cluster *c, uint8_t g, const struct assignment *a)
{
        struct tenure *t = &c->tenure[g];
        struct claim claim = claim_of(c, &c->state.document, g);

        if (c->leaving && c->state.document.maintenance)
                tenure_stop(c, g, "leaving in maintenance, when nothing is moved");
        else if (!may_hold(c, g))
                tenure_stop(c, g, "the document gives it to another");
        else if (claim.from && version_equal(c->committed.version, c->state.document.version) &&
                 (t->hold == HOLD_FAILED || (taker_is_ready(c, a, g) && !dependents_go_too(c, g))))
                tenure_stop(c, g, a->owner == NODE_NONE ? "told to stop" : "the new owner is ready");
}

void tenure_seal_unheld(struct cluster *c, uint8_t g, const struct assignment *a)
{
        struct tenure *t = &c->tenure[g];

        if (a->from != NODE_NONE && is_self(c, a->from))
                seal(t, a->from_epoch);
        for (uint8_t i = 0; i < a->debt_count; i++)
                if (is_self(c, a->debt[i].node))
                        seal(t, a->debt[i].epoch);
}

void tenure_stop_again(struct cluster *c, uint8_t g)
{
        struct tenure *t = &c->tenure[g];

        if (!instant_reached(c->now, t->retry))
                return;
        t->retry = instant_add(c->now, span_s(STUCK_RETRY_S));
        act(c, ACTION_STOP, g, t->epoch, false);
}

/* What this node owes keeps it from starting, and it is paid by holding nothing: being ready is too much. */
static bool owes_itself(const struct cluster *c, const struct assignment *a)
{
        for (uint8_t i = 0; i < a->debt_count; i++)
                if (is_self(c, a->debt[i].node))
                        return true;
        return false;
}

static void settle_group(struct cluster *c, uint8_t g)
{
        const struct assignment *a = document_group_const(&c->state.document, c->settings->group[g].id);
        struct tenure *t = &c->tenure[g];
        struct epoch epoch;

        switch (t->hold) {
        case HOLD_NONE:
                if (!a)
                        return;
                tenure_seal_unheld(c, g, a);
                if (!have_lease(c) || !to_start(c, g, &epoch))
                        return;
                t->epoch = epoch;
                start(c, g, a);
                return;
        case HOLD_WARM:
                if (!a || !to_start(c, g, &epoch) || !epoch_equal(epoch, t->epoch))
                        tenure_stop(c, g, "the move was called off");
                else if (owes_itself(c, a))
                        tenure_stop(c, g, "this node is said to owe it");
                else if (t->warm_ready)
                        start(c, g, a);
                return;
        case HOLD_STARTING:
        case HOLD_STARTED:
        case HOLD_FAILED: settle_held(c, g, a); return;
        case HOLD_STUCK: tenure_stop_again(c, g); return;
        case HOLD_STOPPING: return;
        }
}

void tenure_decline(struct cluster *c, uint8_t g)
{
        struct tenure *t = &c->tenure[g];
        struct epoch epoch;

        if (!have_lease(c) || !to_start(c, g, &epoch))
                return;
        note(c, NOTE_GROUP_FAILED, name_of(c, g),
             "epoch %u.%u: given to this node alone, whose file says that it runs everywhere -> not started",
             epoch.term, epoch.n);
        seal(t, epoch);
        t->start_failed = c->changed = true;
}

static void ask_for_stops(struct cluster *c)
{
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                if (c->tenure[g].unasked)
                        act(c, ACTION_STOP, g, c->tenure[g].epoch, false);
                c->tenure[g].unasked = false;
        }
}

void tenure_settle(struct cluster *c)
{
        ask_for_stops(c);
        if (!self_arranged(c, &c->state.document))
                return; /* what it says is of others */
        for (uint8_t g = 0; g < c->settings->group_count; g++)
                if (c->settings->group[g].everywhere)
                        everywhere_settle(c, g);
                else
                        settle_group(c, g);
}

/* --- what the edge reports --- */

static void end(struct cluster *c, uint8_t g)
{
        struct tenure *t = &c->tenure[g];

        seal(t, t->epoch);
        t->released = t->warm_ready = false;
        set_hold(c, g, HOLD_NONE);
}

static void on_stop_failed(struct cluster *c, uint8_t g, const char *text)
{
        struct tenure *t = &c->tenure[g];

        seal(t, t->epoch);
        t->retry = instant_add(c->now, span_s(STUCK_RETRY_S));
        if (t->hold != HOLD_STUCK)
                note(c, NOTE_GROUP_BLOCKED, name_of(c, g),
                     "does not stop here: %s -> blocked, started nowhere else; tried again every %u s", text,
                     STUCK_RETRY_S);
        set_hold(c, g, HOLD_STUCK);
}

static void on_not_started(struct cluster *c, uint8_t g, const struct cluster_event *event, const char *text)
{
        struct tenure *t = &c->tenure[g];
        bool refused = event->kind == CLUSTER_EV_REFUSED;

        note(c, refused ? NOTE_SPLIT : NOTE_GROUP_FAILED, name_of(c, g), "epoch %u.%u: %s: %s", t->epoch.term,
             t->epoch.n, refused ? "address refused" : "did not start", text);
        end(c, g);
        t->refused = refused;
        /* what runs everywhere and had ended while no core looked is started again, not given up */
        t->start_failed = !refused && !(t->adopted && c->settings->group[g].everywhere);
}

static bool expected(const struct tenure *t, const struct cluster_event *event)
{
        switch (event->kind) {
        case CLUSTER_EV_WARMED: return t->hold == HOLD_WARM && epoch_equal(t->epoch, event->epoch);
        case CLUSTER_EV_STARTED: return t->hold == HOLD_STARTING && epoch_equal(t->epoch, event->epoch);
        case CLUSTER_EV_START_FAILED:
        case CLUSTER_EV_REFUSED:
                return (t->hold == HOLD_STARTING || t->hold == HOLD_WARM) &&
                       epoch_equal(t->epoch, event->epoch);
        case CLUSTER_EV_FAILED:
                return (t->hold == HOLD_STARTED || t->hold == HOLD_STARTING) &&
                       epoch_equal(t->epoch, event->epoch);
        case CLUSTER_EV_RELEASED: return t->hold == HOLD_STOPPING;
        case CLUSTER_EV_STOPPED: return t->hold == HOLD_STOPPING || t->hold == HOLD_STUCK;
        case CLUSTER_EV_STOP_FAILED: return t->hold != HOLD_NONE;
        default: return true;
        }
}

void tenure_event(struct cluster *c, const struct cluster_event *event)
{
        uint8_t g = event->group;
        const char *text = event->text ? event->text : "";

        if (g >= c->settings->group_count)
                return;
        struct tenure *t = &c->tenure[g];
        if (!expected(t, event))
                return; /* overtaken: e.g. STARTED arrives after the stop was ordered; the stop's end follows
                         */
        if (event->kind != CLUSTER_EV_FIT)
                text_copy(t->text, sizeof(t->text), text);
        switch (event->kind) {
        case CLUSTER_EV_WARMED:
                t->warm_ready = true;
                set_hold(c, g, HOLD_WARM);
                break;
        case CLUSTER_EV_STARTED:
                note(c, NOTE_GROUP_STARTED, name_of(c, g), "started on %s (epoch %u.%u)",
                     node_name(c, c->settings->self), t->epoch.term, t->epoch.n);
                set_hold(c, g, HOLD_STARTED);
                break;
        case CLUSTER_EV_START_FAILED:
        case CLUSTER_EV_REFUSED: on_not_started(c, g, event, text); break;
        case CLUSTER_EV_FAILED:
                note(c, NOTE_GROUP_FAILED, name_of(c, g), "failed here: %s", text);
                set_hold(c, g, HOLD_FAILED);
                break;
        case CLUSTER_EV_RELEASED:
                t->released = true;
                c->changed = true;
                break;
        case CLUSTER_EV_STOPPED:
                if (!epoch_none(t->epoch))
                        note(c, NOTE_GROUP_STOPPED, name_of(c, g), "stopped on %s (epoch %u.%u is over)",
                             node_name(c, c->settings->self), t->epoch.term, t->epoch.n);
                end(c, g);
                break;
        case CLUSTER_EV_STOP_FAILED: on_stop_failed(c, g, text); break;
        case CLUSTER_EV_FIT:
                if (t->unfit == !event->yes)
                        break;
                t->unfit = !event->yes;
                c->changed = true;
                note(c, NOTE_LINK, name_of(c, g), "%s -> this node can%s serve it", text,
                     event->yes ? "" : "not");
                break;
        default: break;
        }
}

struct tenure tenure_unknown(void)
{
        return (struct tenure){.hold = HOLD_STOPPING, .unasked = true};
}

static bool known_to_this_boot(const struct cluster *c, uint32_t group)
{
        for (uint8_t i = 0; i < c->promise.tenure_count; i++)
                if (c->promise.tenure[i].group == group)
                        return true;
        return false;
}

/* A restarted core goes on with what the ledger says (rules 5 and 18): what was held is adopted, what was
 * being let go is let go. */
void tenure_adopt(struct cluster *c)
{
        /* our word counts as release of all that earlier boots held (rule 13), so whatever they may have left
         * is stopped before it is given: by the first core, or by the first whose file names it */
        for (uint8_t g = 0; g < c->settings->group_count; g++)
                if (!known_to_this_boot(c, c->settings->group[g].id))
                        c->tenure[g] = tenure_unknown();
        for (uint8_t i = 0; i < c->promise.tenure_count; i++) {
                const struct cluster_tenure *was = &c->promise.tenure[i];
                int g = group_index(c, was->group);
                if (g < 0) {
                        unnamed_keep(c, was);
                        continue;
                }
                struct tenure *t = &c->tenure[g];
                t->sealed = was->sealed;
                t->epoch = was->epoch;
                switch (was->hold) {
                case HOLD_NONE: break;
                case HOLD_STARTING:
                case HOLD_STARTED:
                case HOLD_FAILED:
                        t->hold = HOLD_STARTING;
                        t->adopted = true;
                        act(c, ACTION_ADOPT, (uint8_t)g, t->epoch, false);
                        break;
                case HOLD_WARM:
                        t->hold = HOLD_WARM;
                        act(c, ACTION_WARM, (uint8_t)g, t->epoch, false);
                        break;
                case HOLD_STOPPING:
                case HOLD_STUCK:
                        t->hold = HOLD_STARTING;
                        tenure_stop(c, (uint8_t)g, "was being stopped when the core ended");
                        break;
                }
        }
        lease_expire(c);
}
