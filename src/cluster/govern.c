/* The leader's decisions: each pass compares what the document gives with what nodes say and where groups
 * belong, and writes the next version if something must change. One version is in flight at a time: until a
 * quorum has it, nothing else is decided (rules 11-17). */
#include "cluster/brain.h"

#include <assert.h>
#include <string.h>

struct document *document_edit(struct cluster *c)
{
        struct document *d = &c->state.document;

        if (!c->edited) {
                d->version.n++;
                c->edited = c->changed = true;
                save(c);
        }
        return d;
}

/* Epochs are never given twice. After a split two authors may share a term, so the author is part of the
 * number. */
struct epoch next_epoch(struct cluster *c)
{
        struct version v = document_edit(c)->version;

        return (struct epoch){.term = v.term, .n = v.n << 6 | v.author};
}

const struct hold *hold_of(const struct cluster *c, uint8_t node, uint8_t group)
{
        return &c->peer[node].is.hold[group];
}

struct hold hold_on(const struct cluster *c, uint8_t node, uint8_t group)
{
        return is_self(c, node) ? tenure_hold(c, group) : *hold_of(c, node, group);
}

static uint64_t boot_of(const struct cluster *c, uint8_t node)
{
        return is_self(c, node) ? c->self.boot : c->peer[node].incarnation.boot;
}

static bool hold_is_released(const struct hold *h, struct epoch epoch)
{
        return h->state == HOLD_NONE && epoch_compare(h->sealed, epoch) >= 0;
}

bool peer_released(const struct cluster *c, uint8_t node, uint8_t group, uint64_t boot, struct epoch epoch)
{
        const struct peer *p = &c->peer[node];

        if (is_self(c, node)) {
                struct hold h = tenure_hold(c, group);
                return (boot && c->self.boot > boot && h.state == HOLD_NONE) || hold_is_released(&h, epoch);
        }
        if (p->heard.us == 0)
                return false;
        /* rule 13: a later boot speaks only after it has cleaned up */
        if (boot && p->incarnation.boot > boot)
                return p->is.knows[group] && p->is.hold[group].state == HOLD_NONE;
        return p->is.knows[group] && hold_is_released(&p->is.hold[group], epoch);
}

bool peer_holds(const struct cluster *c, uint8_t node, uint8_t group, struct epoch epoch)
{
        struct hold h = hold_on(c, node, group);

        if (!is_self(c, node) && !peer_heard_within(c, node, c->timing.dead))
                return false;
        return h.state >= HOLD_STARTING && epoch_equal(h.epoch, epoch);
}

/* --- one group --- */

static const struct assignment *assigned(const struct cluster *c, uint8_t g)
{
        return document_group_const(&c->state.document, c->settings->group[g].id);
}

static struct assignment *edit_group(struct cluster *c, uint8_t g)
{
        struct assignment *a = document_add_group(document_edit(c), c->settings->group[g].id);

        assert(a); /* the configuration has no more groups than the document has room for */
        return a;
}

/* What cannot be remembered as owed is not taken: a debt that is forgotten is a second owner. */
static bool can_owe(const struct assignment *a, uint8_t node)
{
        for (uint8_t i = 0; i < a->debt_count; i++)
                if (a->debt[i].node == node)
                        return true;
        return a->debt_count < DOCUMENT_DEBTS_MAX;
}

static void add_debt(struct cluster *c, struct assignment *a, uint8_t node, uint64_t boot, struct epoch epoch)
{
        if (a->debt_count == DOCUMENT_DEBTS_MAX) {
                /* forgetting the oldest would let it be a second owner: remember the newest in its place only
                 * for the same node, else keep what is owed */
                for (uint8_t i = 0; i < a->debt_count; i++)
                        if (a->debt[i].node == node)
                                a->debt[i] = (struct debt){.node = node, .boot = boot, .epoch = epoch};
                return;
        }
        a->debt[a->debt_count++] = (struct debt){.node = node, .boot = boot, .epoch = epoch};
        note(c, NOTE_TRACE, node_name(c, node), "epoch %u.%u not proven released -> owed", epoch.term,
             epoch.n);
}

static void give(struct cluster *c, uint8_t g, uint8_t node, enum placement_reason why)
{
        struct assignment *a = edit_group(c, g);

        a->owner = node;
        a->owner_boot = node == NODE_NONE ? 0 : boot_of(c, node);
        a->epoch = node == NODE_NONE ? a->epoch : next_epoch(c);
        note(c, NOTE_GROUP_MOVED, c->settings->group[g].name, "-> %s, %s (epoch %u.%u)",
             node == NODE_NONE ? "nobody" : node_name(c, node), placement_reason_text(why), a->epoch.term,
             a->epoch.n);
}

/* Whoever has to let go in a move has done so: also one to whom the group was given back meanwhile, and who
 * has begun anew in the very step in which its stop ended (rule 12: it could not before). */
static bool from_released(const struct cluster *c, uint8_t g, const struct assignment *a)
{
        return peer_released(c, a->from, g, BOOT_ANY, a->from_epoch) ||
               (a->from == a->owner && peer_holds(c, a->owner, g, a->epoch));
}

/* It did, or it died and what it held is owed, or it is waited for. */
static void settle_from(struct cluster *c, uint8_t g, const struct assignment *a)
{
        uint8_t from = a->from;

        if (from == NODE_NONE)
                return;
        if (from_released(c, g, a)) {
                edit_group(c, g)->from = NODE_NONE;
        } else if (!peer_present(c, from) && instant_reached(c->now, leases_over(c, from)) &&
                   can_owe(a, from)) {
                struct assignment *edit = edit_group(c, g);
                /* the boot it held under is not on record: no later one than this */
                uint64_t boot = boot_of(c, from), known = c->state.document.member[from].boot;
                add_debt(c, edit, from, boot > known ? boot : known, edit->from_epoch);
                edit->from = NODE_NONE;
        }
}

static void pay_debts(struct cluster *c, uint8_t g, const struct assignment *a)
{
        for (uint8_t i = 0; i < a->debt_count; i++) {
                struct debt d = a->debt[i];
                const char *how =
                        peer_released(c, d.node, g, d.boot, d.epoch) ? "has let go" : debt_settled(c, &d);
                if (!how)
                        continue;
                struct assignment *edit = edit_group(c, g);
                edit->debt[i] = edit->debt[--edit->debt_count];
                note(c, NOTE_TRACE, c->settings->group[g].name, "%s %s: epoch %u.%u -> no longer owed",
                     node_name(c, d.node), how, d.epoch.term, d.epoch.n);
                i--;
        }
}

/* Rule 25: after a split under a weak arbiter the owner from before it keeps the group, the other lets go. */
static bool heal(struct cluster *c, uint8_t g, const struct assignment *a)
{
        for (uint8_t i = 0; i < a->debt_count; i++) {
                struct debt d = a->debt[i];
                if (!peer_holds(c, d.node, g, d.epoch) || boot_of(c, d.node) != d.boot)
                        continue;
                if (fitness(c, g, d.node) != PLACE_FIT)
                        continue; /* it has it, but it cannot serve it: the newer owner keeps it */
                struct assignment *edit = edit_group(c, g);
                note(c, NOTE_SPLIT, c->settings->group[g].name,
                     "a split has healed: %s held it before and holds it still -> keeps it, %s lets go",
                     node_name(c, d.node), edit->owner == NODE_NONE ? "nobody" : node_name(c, edit->owner));
                edit->debt[i] = edit->debt[--edit->debt_count];
                edit->from = edit->owner == d.node ? NODE_NONE : edit->owner;
                edit->from_epoch = edit->epoch;
                edit->owner = d.node;
                edit->owner_boot = d.boot;
                edit->epoch = d.epoch;
                edit->spread = GROUP_ON_ONE;
                return true;
        }
        return false;
}

/* What an operator wished for the group and those it goes with is over: it failed there, or the node died. */
static void forget_wish(struct cluster *c, uint8_t g, uint8_t node)
{
        uint64_t unit = c->settings->group[g].with | 1ULL << g;

        for (uint64_t left = unit; left; left &= left - 1) {
                struct assignment *a =
                        document_group(&c->state.document, c->settings->group[__builtin_ctzll(left)].id);
                if (a && a->wanted == node) {
                        document_edit(c);
                        a->wanted = NODE_NONE;
                }
        }
}

void blame(struct cluster *c, uint8_t g, uint8_t node, const char *what)
{
        struct assignment *a = edit_group(c, g);
        span forgive = c->settings->group[g].forgive_after;

        a->failed |= 1ULL << node;
        forget_wish(c, g, node);
        c->care[g].forgive[node] = forgive.us ? instant_add(c->now, forgive) : INSTANT_NEVER;
        note(c, NOTE_GROUP_FAILED, c->settings->group[g].name,
             "%s %s (why: its own events) -> not there until 'haven clear %s'", what, node_name(c, node),
             c->settings->group[g].name);
}

void forgive(struct cluster *c, uint8_t g, const struct assignment *a)
{
        span after = c->settings->group[g].forgive_after;

        for (uint8_t i = 0; after.us && i < c->settings->node_count; i++) {
                instant *due = &c->care[g].forgive[i];
                if (!(a->failed & 1ULL << i))
                        continue;
                if (due->us == 0)
                        *due = instant_add(c->now, after); /* blamed under another leader: count anew */
                if (!instant_reached(c->now, *due))
                        continue;
                edit_group(c, g)->failed &= ~(1ULL << i);
                if (c->settings->group[g].everywhere)
                        everywhere_renew(c, g);
                note(c, NOTE_TRACE, c->settings->group[g].name, "its failure on %s is forgiven",
                     node_name(c, i));
        }
}

static void refuse_for_a_while(struct cluster *c, uint8_t g, uint8_t node)
{
        struct care *care = &c->care[g];

        care->refusals = care->refusals < 5 ? care->refusals + 1 : 5;
        care->refused_node = node;
        care->refused_until = instant_add(c->now, span_s(care->refusals));
        note(c, NOTE_SPLIT, c->settings->group[g].name,
             "another station answers for its address, %s does not take it -> asked again in %us",
             node_name(c, node), care->refusals);
}

/* What the owner says of its epoch: did it fail? */
static void judge_owner(struct cluster *c, uint8_t g, const struct assignment *a)
{
        struct hold h = hold_on(c, a->owner, g);
        bool blamed = a->failed & 1ULL << a->owner;

        if (h.state == HOLD_STARTED && epoch_equal(h.epoch, a->epoch))
                c->care[g].refusals = 0;
        if (h.state == HOLD_FAILED && epoch_equal(h.epoch, a->epoch) && !blamed)
                blame(c, g, a->owner, "broke and could not be mended on");
        if (!hold_is_released(&h, a->epoch) || !epoch_equal(h.sealed, a->epoch))
                return;
        if (h.refused && !instant_before(c->now, c->care[g].refused_until))
                refuse_for_a_while(c, g, a->owner);
        else if (h.start_failed && !blamed)
                blame(c, g, a->owner, "did not start on");
}

/* A move that cannot end at its target goes back to where it still runs (rule 16). */
static bool turn_back(struct cluster *c, uint8_t g, uint8_t to)
{
        struct assignment *a = edit_group(c, g);

        if (a->from == NODE_NONE || a->from != to || !peer_holds(c, to, g, a->from_epoch))
                return false;
        a->owner = to;
        a->owner_boot = boot_of(c, to);
        a->epoch = a->from_epoch;
        a->from = NODE_NONE;
        note(c, NOTE_GROUP_MOVED, c->settings->group[g].name, "stays on %s: the other node could not take it",
             node_name(c, to));
        return true;
}

static void take_from_silent(struct cluster *c, uint8_t g, uint8_t to, enum placement_reason why)
{
        struct assignment *a = edit_group(c, g);

        add_debt(c, a, a->owner, a->owner_boot, a->epoch);
        forget_wish(c, g, a->owner);
        note(c, NOTE_GROUP_MOVED, c->settings->group[g].name,
             "%s is silent and every lease it had is over -> taken", node_name(c, a->owner));
        if (!turn_back(c, g, to))
                give(c, g, to, why);
}

static void move(struct cluster *c, uint8_t g, uint8_t to, enum placement_reason why)
{
        const struct assignment *now = assigned(c, g);

        if (!peer_released(c, now->owner, g, now->owner_boot, now->epoch)) {
                if (now->from != NODE_NONE)
                        return; /* rule 16: one move at a time */
                struct assignment *a = edit_group(c, g);
                a->from = a->owner;
                a->from_epoch = a->epoch;
        } else if (turn_back(c, g, to)) {
                return;
        }
        give(c, g, to, why);
}

/* Groups that no file names any more keep their last epoch in the document until the room is wanted. */
static bool make_room(struct cluster *c)
{
        struct document *d = &c->state.document;

        for (uint8_t i = 0; d->group_count == DOCUMENT_GROUPS_MAX && i < d->group_count; i++) {
                const struct assignment *a = &d->group[i];
                if (group_index(c, a->group) >= 0 || a->owner != NODE_NONE || a->from != NODE_NONE ||
                    a->debt_count)
                        continue;
                document_edit(c);
                document_remove_group(d, &d->group[i]);
        }
        return d->group_count < DOCUMENT_GROUPS_MAX;
}

/* What the leader keeps of a group beside its place: what is proven, owed, forgiven, failed. False: it is not
 * placed in this turn, for it has just been given back to its owner from before a split, or has no owner. */
static bool tend_group(struct cluster *c, uint8_t g, const struct assignment *a)
{
        bool everywhere = c->settings->group[g].everywhere;

        pay_debts(c, g, a);
        if (!everywhere && a->spread != GROUP_ON_ONE) {
                everywhere_end(c, g);
                return false;
        }
        if (everywhere && everywhere_may_begin(a)) {
                everywhere_govern(c, g);
                return false;
        }
        if (a->debt_count && arbiter_kind(c) == CLUSTER_ARBITER_WEAK && heal(c, g, a))
                return false;
        forgive(c, g, a);
        settle_from(c, g, a);
        if (a->owner != NODE_NONE && peer_present(c, a->owner))
                judge_owner(c, g, a);
        return true;
}

/* --- where it goes --- */

static bool owes(const struct assignment *a, uint8_t node)
{
        for (uint8_t i = 0; i < a->debt_count; i++)
                if (a->debt[i].node == node)
                        return true;
        return false;
}

/* Groups that the document has on `node`, or that have to let go there first: who was taken from may still be
 * stopping. */
static uint64_t groups_on(const struct cluster *c, uint8_t node)
{
        uint64_t groups = 0;

        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct assignment *a = assigned(c, g);
                if (a && (a->owner == node || a->from == node || owes(a, node)))
                        groups |= 1ULL << g;
        }
        return groups;
}

/* Those who come after it stop before it. */
static bool others_come_first(const struct cluster *c, uint8_t g)
{
        for (uint8_t o = 0; o < c->settings->group_count; o++) {
                const struct cluster_group *other = &c->settings->group[o];
                const struct assignment *a = document_group_const(&c->state.document, other->id);
                if (!(other->after & 1ULL << g) || !a)
                        continue;
                if (a->owner != NODE_NONE || a->from != NODE_NONE)
                        return true;
                for (uint8_t i = 0; other->everywhere && i < c->settings->node_count; i++)
                        if (peer_present(c, i) && hold_on(c, i, o).state != HOLD_NONE)
                                return true;
        }
        return false;
}

/* At the first placing, a preferred node that starts at the same time is waited for. */
static bool wait_for_preferred(const struct cluster *c, const struct placement_query *q,
                               const struct placement *p)
{
        const struct cluster_group *lead = &c->settings->group[p->lead];

        if (instant_reached(c->now, instant_add(c->elected, c->timing.dead)))
                return false;
        for (uint8_t i = 0; i < lead->node_count && lead->node[i] != p->to; i++)
                if (q->place[p->lead][lead->node[i]] == PLACE_OFFLINE &&
                    c->peer[lead->node[i]].heard_at_all.us == 0)
                        return true;
        return false;
}

/* Whether the group leaves where it is even if it cannot go yet where it belongs: it cannot stay, or somebody
 * waits for its room. So no two wait for each other. */
static bool must_leave(enum placement_reason why)
{
        return why != PLACEMENT_WANTED && why != PLACEMENT_FAILBACK;
}

static bool is_on(const struct cluster *c, uint64_t unit, uint8_t node)
{
        for (; unit; unit &= unit - 1)
                if (assigned(c, (uint8_t)__builtin_ctzll(unit))->owner != node)
                        return false;
        return true;
}

/* Whether any of the unit has still to end a move before it can go there (rule 16). */
static bool under_way(const struct cluster *c, uint64_t unit, uint8_t to)
{
        for (; unit; unit &= unit - 1) {
                uint8_t g = (uint8_t)__builtin_ctzll(unit);
                const struct assignment *a = assigned(c, g);
                if (a->from != NODE_NONE && a->owner != NODE_NONE && a->owner != to &&
                    !peer_released(c, a->owner, g, a->owner_boot, a->epoch))
                        return true;
        }
        return false;
}

/* Whether the unit may go where it belongs now. Nothing is given to a node before those have left that it may
 * not be beside; and who has no need to go waits until all of it can. */
static bool may_go(const struct cluster *c, const struct placement_query *q, uint64_t unit,
                   const struct placement *p)
{
        return placement_room(q, unit, groups_on(c, p->to) & ~unit, p->to, NULL) &&
               (must_leave(p->why) || !under_way(c, unit, p->to));
}

static void place_group(struct cluster *c, const struct placement_query *q, uint8_t g,
                        const struct placement *p, bool now)
{
        const struct assignment *a = assigned(c, g);
        bool idle = a->owner == NODE_NONE;
        bool released = !idle && peer_released(c, a->owner, g, a->owner_boot, a->epoch);
        uint8_t to = p->to;

        if ((p->why == PLACEMENT_DISABLED || p->why == PLACEMENT_HALTED) && others_come_first(c, g))
                return;
        if (to != NODE_NONE && to != a->owner && !now) {
                if (!idle && peer_present(c, a->owner) && !must_leave(p->why))
                        return;
                to = NODE_NONE;
        }
        if (idle) {
                if (to != NODE_NONE && !wait_for_preferred(c, q, p))
                        give(c, g, to, p->why);
        } else if (!peer_present(c, a->owner) && !released) {
                if (instant_reached(c->now, leases_over(c, a->owner)) && can_owe(a, a->owner))
                        take_from_silent(c, g, to, p->why);
        } else if (to != a->owner) {
                move(c, g, to, p->why);
        } else if (released) {
                give(c, g, to, p->why); /* it let go (its lease ran out, it rebooted): a new tenure */
        }
}

/* What goes together goes at once, or waits together. */
static void place_unit(struct cluster *c, const struct placement_query *q, uint64_t unit,
                       const struct placement *p)
{
        bool now = p->to != NODE_NONE && !is_on(c, unit, p->to) && may_go(c, q, unit, p);

        for (; unit; unit &= unit - 1)
                place_group(c, q, (uint8_t)__builtin_ctzll(unit), p, now);
}

static const struct assignment *known_group(struct cluster *c, uint8_t g)
{
        const struct assignment *a = assigned(c, g);

        if (a)
                return a;
        if (make_room(c))
                return edit_group(c, g);
        note(c, NOTE_GROUP_BLOCKED, c->settings->group[g].name,
             "the document is full of groups that are gone but still owe a release -> not placed");
        return NULL;
}

static void govern_groups(struct cluster *c)
{
        struct placement_query q;
        struct placement placement[CLUSTER_GROUPS_MAX];
        uint64_t tended = 0;

        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct assignment *a = known_group(c, g);
                if (a && tend_group(c, g, a))
                        tended |= 1ULL << g;
        }
        placement_ask(c, &q);
        placement_compute(&q, placement);
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                uint64_t unit = placement[g].unit;
                if (__builtin_ctzll(unit) == g && !(unit & ~tended))
                        place_unit(c, &q, unit, &placement[g]);
        }
}

/* --- members and what expires --- */

/* Rule 27: raised once every member is there and understands it, so that nobody is left behind. */
static void govern_feature_level(struct cluster *c)
{
        uint8_t level = feature_level(c);

        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                if (!is_voter(c, i))
                        continue;
                if (!peer_present(c, i) || (!is_self(c, i) && !peer_counts(c, i)))
                        return;
                if (!is_self(c, i) && c->peer[i].is.feature_level < level)
                        level = c->peer[i].is.feature_level;
        }
        if (level <= c->state.document.feature_level)
                return;
        document_edit(c)->feature_level = level;
        note(c, NOTE_MEMBER, "", "every member understands feature level %u -> in force", level);
}

/* What is left of a span that counts down stands in the document, so that the next leader goes on from there:
 * it is written anew when an eighth of it has passed. */
static bool passed_an_eighth(const struct cluster *c, span left, instant since, span *ret_passed)
{
        *ret_passed = span_between(since, c->now);
        return left.us > 0 && ret_passed->us >= span_max(span_us(left.us / 8), span_s(1)).us &&
               ret_passed->us < left.us;
}

static void count_down(struct cluster *c)
{
        const struct document *d = &c->state.document;
        span passed;

        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                const struct member *m = &d->member[i];
                if (!m->standby || !passed_an_eighth(c, m->standby_left, c->standby_since[i], &passed))
                        continue;
                document_edit(c)->member[i].standby_left = span_sub(m->standby_left, passed);
                c->standby_since[i] = c->now;
        }
        if (d->maintenance && passed_an_eighth(c, d->maintenance_left, c->maintenance_since, &passed)) {
                document_edit(c)->maintenance_left = span_sub(d->maintenance_left, passed);
                c->maintenance_since = c->now;
        }
}

static void govern_members(struct cluster *c)
{
        govern_feature_level(c);
        membership_govern(c);
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                const struct member *m = &c->state.document.member[i];
                if (peer_present(c, i) && boot_of(c, i) > m->boot) {
                        document_edit(c)->member[i].boot = boot_of(c, i);
                        document_edit(c)->member[i].fenced = 0; /* it is back */
                }
                span watchdog = is_self(c, i) ? c->watchdog : c->peer[i].is.watchdog;
                if (peer_present(c, i) && boot_of(c, i) == m->boot && watchdog.us != m->watchdog.us)
                        document_edit(c)->member[i].watchdog = watchdog;
                if (!m->standby || m->standby_left.us == 0 ||
                    !instant_reached(c->now, instant_add(c->standby_since[i], m->standby_left)))
                        continue;
                document_edit(c)->member[i].standby = false;
                note(c, NOTE_ORDER, node_name(c, i), "its standby is over -> online");
        }
        count_down(c);
        const struct document *d = &c->state.document;
        if (d->maintenance && d->maintenance_left.us != 0 &&
            instant_reached(c->now, instant_add(c->maintenance_since, d->maintenance_left))) {
                document_edit(c)->maintenance = false;
                note(c, NOTE_ORDER, "", "maintenance is over -> haven acts again");
        }
}

static bool may_govern(const struct cluster *c)
{
        return leads_with_lease(c) && version_equal(c->committed.version, c->state.document.version);
}

/* A new leader's document is withheld from a node that it would make let go (speak.c), so it may never be
 * committed before it is mended. */
static void heal_before_commit(struct cluster *c)
{
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct assignment *a = assigned(c, g);
                if (a && a->debt_count)
                        (void)heal(c, g, a);
        }
}

void govern(struct cluster *c)
{
        if (!leads_with_lease(c))
                return;
        if (!may_govern(c) && !c->edited) {
                if (arbiter_kind(c) == CLUSTER_ARBITER_WEAK)
                        heal_before_commit(c);
                return;
        }
        govern_members(c);
        fencing_doubt(c);
        fencing_settle(c);
        if (c->state.document.maintenance)
                return;
        /* the silent may have taken, by a weak vote of their own, even what our document gives to us */
        if (c->alone_elected && instant_before(c->now, c->take_after))
                return;
        govern_groups(c);
}
