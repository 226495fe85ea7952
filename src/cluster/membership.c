/* What the cluster is, as its document says it (rules.md rule 26). A configuration file only proposes:
 * when all nodes are there and all have the same file, the leader goes from what is in force to what that
 * says, in steps each of which is safe beside the one before, for some nodes have it a little earlier than
 * others.
 *
 * No lease may last longer than any node waits before it takes over (L <= D, with what timing.c takes off).
 * So when `dead` rises, first all wait longer, then leases become longer; when it falls, first leases become
 * shorter, then, when the last long one is over, all wait less. */
#include "cluster/brain.h"

#include <stdio.h>

#define TELL_AFTER span_s(2)

void membership_apply(struct cluster *c)
{
        const struct document_timing *t = &c->state.document.timing;

        c->timing =
                t->heartbeat.us ? timing_between(t->heartbeat, t->dead, t->lease_dead) : c->settings->timing;
}

static void begin_step(struct cluster *c)
{
        c->timing_version = c->state.document.version;
        c->timing_known = 0;
        c->timing_common = INSTANT_NEVER;
}

void membership_begin(struct cluster *c)
{
        struct document_timing *t = &c->state.document.timing;
        const struct timing *file = &c->settings->timing;

        if (t->heartbeat.us == 0)
                *t = (struct document_timing){file->heartbeat, file->dead, file->dead};
        membership_apply(c);
        c->timing_wanted = INSTANT_LONG_AGO;
        begin_step(c);
}

static bool has_it(const struct cluster *c, uint8_t node)
{
        const struct peer_facts *is = &c->peer[node].is;

        /* on disk too: else it may come back with the one before */
        return peer_counts(c, node) && version_compare(is->committed, c->timing_version) >= 0 &&
               version_compare(is->newest, c->timing_version) >= 0;
}

/* Whether all have what we last decided; documents only get newer, so what was once known stays true. */
static bool all_have_it(struct cluster *c)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (is_self(c, i) ? version_compare(c->saved_version, c->timing_version) >= 0 : has_it(c, i))
                        c->timing_known |= 1ULL << i;
        if (voters_all(c) & ~c->timing_known)
                return false;
        c->timing_common = instant_min(c->timing_common, c->now);
        return true;
}

/* What keeps the leader from acting on its file, of those who must agree; NULL: nothing. */
static const char *objection(const struct cluster *c, uint64_t nodes, uint8_t *ret_node)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                *ret_node = i;
                if (is_self(c, i) || !(nodes & 1ULL << i))
                        continue;
                if (!peer_heard_within(c, i, c->timing.dead))
                        return "is offline";
                if (!peer_counts(c, i))
                        return "has no valid state";
                if (c->peer[i].is.config != c->settings->config)
                        return "has another file, or has not reloaded it";
        }
        return NULL;
}

static void tell(struct cluster *c, const struct document_timing *from, const struct document_timing *to,
                 const char *what)
{
        char h[SPAN_TEXT], d[SPAN_TEXT], before[SPAN_TEXT];

        note(c, NOTE_CONFIG, "", "%s: heartbeat %s, dead %s (was %s)", what, span_format(to->heartbeat, h),
             span_format(to->dead, d), span_format(from->dead, before));
}

/* The next step towards the file's timing; false: none is to be made now. */
static bool next_step(struct cluster *c, const struct document_timing *now, struct document_timing *ret_next)
{
        const struct timing *file = &c->settings->timing;
        bool common = all_have_it(c);

        *ret_next = *now;
        if (file->dead.us > now->dead.us) {
                ret_next->dead = file->dead; /* waiting longer harms nobody */
                return true;
        }
        if (file->dead.us != now->lease_dead.us || file->heartbeat.us != now->heartbeat.us) {
                ret_next->lease_dead = file->dead;
                ret_next->heartbeat = file->heartbeat;
                return common ||
                       file->dead.us <= now->lease_dead.us; /* longer: all must wait for them by now */
        }
        if (file->dead.us == now->dead.us)
                return false;
        ret_next->dead = file->dead;
        /* shorter waiting: all give and take short leases, and the last long one is over */
        return common && instant_reached(c->now, instant_add(c->timing_common, c->timing.wait));
}

/* Files are reloaded one after the other: only what lasts is worth telling. */
static void tell_objection(struct cluster *c, const char *why, uint8_t node, const char *what)
{
        if (c->timing_wanted.us == INSTANT_LONG_AGO.us) {
                c->timing_wanted = c->now;
                c->timing_objection = NULL;
        }
        if (!instant_reached(c->now, instant_add(c->timing_wanted, TELL_AFTER)) ||
            (c->timing_objection == why && c->timing_objector == node))
                return;
        note(c, NOTE_CONFIG, node_name(c, node), "it %s -> %s stay as they are", why, what);
        c->timing_objection = why;
        c->timing_objector = node;
}

static void govern_timing(struct cluster *c)
{
        const struct document_timing now = c->state.document.timing;
        const struct timing *file = &c->settings->timing;
        struct document_timing next;
        uint8_t node;

        if (file->dead.us == now.dead.us && file->dead.us == now.lease_dead.us &&
            file->heartbeat.us == now.heartbeat.us) {
                c->timing_wanted = INSTANT_LONG_AGO;
                return;
        }
        const char *why = objection(c, voters_all(c), &node);
        if (why) {
                tell_objection(c, why, node, "heartbeat and dead");
                return;
        }
        if (!next_step(c, &now, &next))
                return;
        document_edit(c)->timing = next;
        membership_apply(c);
        begin_step(c);
        bool last = next.dead.us == file->dead.us && next.lease_dead.us == file->dead.us;
        tell(c, &now, &next, last ? "timing in force" : "timing changes");
}

/* --- who is there --- */

static uint64_t bit(uint8_t node)
{
        return 1ULL << node;
}

bool self_arranged(const struct cluster *c, const struct document *d)
{
        uint8_t self = c->settings->self;

        return self >= d->member_count || d->member[self].name == 0 ||
               d->member[self].name == c->settings->node_id[self];
}

void membership_found(struct cluster *c)
{
        struct document *d = &c->state.document;
        struct voters v = voters_of(c); /* of no document yet: the file's */

        if (d->version.n == 0)
                d->members = c->settings->members;
        if (d->voters == 0)
                d->voters = v.set[0];
        if (d->member_count < c->settings->node_count)
                d->member_count = c->settings->node_count;
        for (uint8_t i = 0; i < d->member_count; i++)
                d->member[i].name = c->settings->node_id[i];
}

bool names_us(const struct cluster *c, const struct document *d)
{
        for (uint8_t i = 0; i < d->member_count; i++)
                if (d->member[i].name == c->settings->node_id[c->settings->self])
                        return true;
        return false;
}

void membership_join(struct cluster *c, const struct document *d, uint8_t from)
{
        if (!names_us(c, d))
                return;
        note(c, NOTE_MEMBER, node_name(c, from), "has a cluster that names us -> joining it");
        document_adopt(c, d, from);
}

/* Who is to vote and does not, and is as far as everybody. That may be ourselves: who was elected while the
 * change was under way that took our vote leads on. */
static uint64_t ready(const struct cluster *c, uint64_t nodes)
{
        uint64_t found = 0;

        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (nodes & bit(i) &&
                    (is_self(c, i) || (peer_heard_within(c, i, c->timing.dead) && peer_counts(c, i) &&
                                       c->peer[i].is.config == c->settings->config &&
                                       version_equal(c->peer[i].is.newest, c->state.document.version) &&
                                       version_equal(c->peer[i].is.committed, c->committed.version))))
                        found |= bit(i);
        return found;
}

/* Whether the document has nothing on them any more, but what they owe. */
static bool relieved(const struct cluster *c, uint64_t nodes)
{
        const struct document *d = &c->state.document;

        for (uint8_t g = 0; g < d->group_count; g++)
                if ((d->group[g].owner != NODE_NONE && nodes & bit(d->group[g].owner)) ||
                    (d->group[g].from != NODE_NONE && nodes & bit(d->group[g].from)))
                        return false;
        return true;
}

static void tell_voters(struct cluster *c, uint64_t nodes, const char *what)
{
        for (; nodes; nodes &= nodes - 1)
                note(c, NOTE_MEMBER, node_name(c, (uint8_t)__builtin_ctzll(nodes)), "%s", what);
}

/* Both majorities have the change on disk: from now on those after it count alone. */
static void end_change(struct cluster *c)
{
        struct document *d = document_edit(c);

        tell_voters(c, d->voters & ~d->before, "it votes from now on");
        tell_voters(c, d->before & ~d->voters, "its vote is gone: it is no longer of this cluster");
        if (c->alone.n != 0)
                fencing_distrust_former(c, d->before);
        d->before = 0;
        leader_by_new_voters(c);
}

/* A weak arbiter has committed the change in the place of one that was heard just now: whether it knows of it
 * is seen in a moment. */
static bool change_is_unheard(const struct cluster *c)
{
        for (uint8_t i = 0; c->alone.n != 0 && i < c->settings->node_count; i++)
                if (c->state.document.before & bit(i) && !is_self(c, i) && peer_present(c, i) &&
                    !version_equal(c->peer[i].is.newest, c->committed.version))
                        return true;
        return false;
}

/* False: nothing is to change. */
static bool govern_voters(struct cluster *c)
{
        uint64_t voters = c->state.document.voters, file = voters_named(c);
        uint64_t gone = voters & ~file, coming = file & ~voters;
        const char *why;
        uint8_t node;

        if (c->state.document.before) {
                if (!change_is_unheard(c))
                        end_change(c);
                return true;
        }
        if (!gone && !coming)
                return false;
        why = objection(c, voters & file, &node);
        coming = ready(c, coming);
        uint64_t after = (voters & ~gone) | coming;
        if (!why && __builtin_popcountll(after) < 2) {
                why = "would be alone without those that are gone from the file";
                node = c->settings->self;
        }
        if (why) {
                tell_objection(c, why, node, "the nodes that vote");
                return true;
        }
        if (after == voters || !relieved(c, gone))
                return true;
        struct document *d = document_edit(c);
        d->before = voters;
        d->voters = after;
        leader_by_new_voters(c);
        return true;
}

void membership_govern(struct cluster *c)
{
        /* what they still differ in is told once: of who is there first */
        if (!govern_voters(c) && !c->edited)
                govern_timing(c);
}

/* All who follow learn of a new node at the same time: one after the other makes room for it, so that the
 * leader keeps its quorum. */
void membership_settle(struct cluster *c)
{
        if (arranged(c)) {
                c->rearrange_due = INSTANT_LONG_AGO;
                return;
        }
        if (c->rearrange_due.us == INSTANT_LONG_AGO.us)
                c->rearrange_due = instant_add(
                        c->now, span_times(c->timing.dead,
                                           self_arranged(c, &c->state.document) ? c->settings->self : 0));
        c->todo->rearrange = version_equal(c->saved_version, c->state.document.version) &&
                             c->saved_serial == c->save_serial && instant_reached(c->now, c->rearrange_due);
}
