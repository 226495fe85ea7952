/* The arbiter: a vote that stands in where nodes are even in number.
 *
 * It is asked only while a voter is missing, and for `dead` after it came back (rule 20), so that losing the
 * arbiter alone changes nothing. A weak one (ping, none) never outvotes a node that can be heard: it counts
 * only where just half of the nodes are left and all others are silent. A strong one is a voter of its own:
 * arbiter_strong.c. */
#include "cluster/brain.h"

/* Silence counts only while we listen: a node that stood still has heard nobody, and nobody is dead for it.
 */
static bool silent_for(const struct cluster *c, uint8_t node, span silence)
{
        const struct peer *p = &c->peer[node];

        /* one of another membership is heard, so not silent: two files that differ must not make two owners
         */
        if (p->heard.us && (p->is.invalid_voter || p->is.left))
                return true; /* it has no vote that could be missed */
        return span_between(p->silent_from, c->now).us >= silence.us;
}

bool arbiter_stands_in(const struct cluster *c, uint64_t set, span silence)
{
        uint8_t present = (set & 1ULL << c->settings->self) != 0, size = (uint8_t)__builtin_popcountll(set);

        if (arbiter_kind(c) != CLUSTER_ARBITER_WEAK || size % 2 || c->arbiter_granted.us == 0)
                return false;
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && set & 1ULL << i && !silent_for(c, i, silence))
                        present++;
        if (present * 2 > size)
                return false;
        /* a node that starts alone waits for the others: its network may be the one that is late */
        return c->ever_heard || !c->first_core ||
               instant_reached(c->now, instant_add(c->started, c->settings->start_wait));
}

/* A voter is missing when the nodes alone would let the leader's lease run down, or a campaign fail. */
static bool arbiter_needed(const struct cluster *c)
{
        const struct timing *t = &c->timing;
        /* A candidate campaigns because its leader is silent so long: waiting longer would let the leases of
         * owners end. */
        span silence = c->role == ROLE_CANDIDATE ? t->election : t->arbiter_after;
        uint64_t present = 1ULL << c->settings->self;

        /* a strong one prefers a leader that it has just renewed: let ours come before the other's campaign
         */
        if (arbiter_is_strong(c) && c->role == ROLE_LEADER)
                silence = span_us(t->heartbeat.us * 3 / 2);

        if (c->role == ROLE_FOLLOWER)
                return false;
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && peer_counts(c, i) && peer_heard_within(c, i, silence))
                        present |= 1ULL << i;
        return !votes_suffice(c, present, false);
}

void arbiter_watch(struct cluster *c)
{
        if (arbiter_kind(c) == CLUSTER_ARBITER_ABSENT)
                return;
        if (arbiter_needed(c))
                c->arbiter_needed_until = instant_add(c->now, c->timing.dead);
        if (instant_reached(c->now, c->arbiter_needed_until)) {
                c->arbiter_granted = INSTANT_LONG_AGO;
                return;
        }
        if (arbiter_is_strong(c) || !instant_reached(c->now, c->arbiter_due))
                return;
        c->arbiter_due = instant_add(c->now, c->timing.heartbeat);
        c->todo->question.ask = ARBITER_RENEW;
}

/* What a weak vote vouches for is only that nobody was heard while we listened: a node may have led, by its
 * own weak vote, up to the moment from which on it is silent. */
static span weak_age(const struct cluster *c)
{
        span age = SPAN_FOREVER;

        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && is_voter(c, i))
                        age = span_min(age, span_between(c->peer[i].silent_from, c->now));
        return age;
}

void arbiter_answered(struct cluster *c, const struct cluster_event *event)
{
        if (arbiter_is_strong(c)) {
                arbiter_strong_answered(c, event);
                return;
        }
        if (event->yes) {
                c->arbiter_granted = instant_max(c->arbiter_granted, event->asked);
                c->arbiter_age = weak_age(c);
        }
        if (event->yes == c->arbiter_refused)
                note(c, NOTE_QUORUM, "", "arbiter: %s%s%s",
                     event->yes ? "stands in for the silent" : "refuses", event->text ? ", " : "",
                     event->text ? event->text : "");
        c->arbiter_refused = !event->yes;
}
