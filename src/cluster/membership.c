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
        uint8_t count = version_compare(c->saved_version, c->timing_version) >= 0;

        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                if (is_self(c, i))
                        continue;
                if (has_it(c, i))
                        c->timing_known |= 1ULL << i;
                count += (c->timing_known & 1ULL << i) != 0;
        }
        if (count < c->settings->node_count)
                return false;
        c->timing_common = instant_min(c->timing_common, c->now);
        return true;
}

/* What keeps the leader from acting on its file; NULL: nothing. */
static const char *objection(const struct cluster *c, uint8_t *ret_node)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                *ret_node = i;
                if (is_self(c, i))
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
static void tell_objection(struct cluster *c, const char *why, uint8_t node)
{
        if (c->timing_wanted.us == INSTANT_LONG_AGO.us) {
                c->timing_wanted = c->now;
                c->timing_objection = NULL;
        }
        if (!instant_reached(c->now, instant_add(c->timing_wanted, TELL_AFTER)) ||
            (c->timing_objection == why && c->timing_objector == node))
                return;
        note(c, NOTE_CONFIG, node_name(c, node), "it %s -> heartbeat and dead stay as they are", why);
        c->timing_objection = why;
        c->timing_objector = node;
}

void membership_govern(struct cluster *c)
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
        const char *why = objection(c, &node);
        if (why) {
                tell_objection(c, why, node);
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
