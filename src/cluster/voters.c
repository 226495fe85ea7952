/* Who votes. The document says it, the newest that a node knows, committed or not (rule 26).
 *
 * While the voters change, both count: every election, lease and commit takes a majority of those before and
 * a majority of those after (joint consensus, Raft 6). So any two quorums share a voter: those of the former
 * and of the joint set share one of the former, those of the joint and of the latter one of the latter; and
 * the latter stands alone only in a document that follows one which both have on disk.
 *
 * A set of even number has the arbiter's vote beside it, one of odd number has none. */
#include "cluster/brain.h"

static uint64_t all_below(uint8_t count)
{
        return count == 64 ? UINT64_MAX : (1ULL << count) - 1;
}

uint64_t voters_named(const struct cluster *c)
{
        return all_below(c->settings->node_count) & ~c->settings->vacant;
}

struct voters voters_of(const struct cluster *c)
{
        const struct document *d = &c->state.document;

        if (d->voters)
                return (struct voters){{d->voters, d->before}, d->before ? 2 : 1};
        return (struct voters){{voters_named(c)}, 1};
}

uint64_t voters_all(const struct cluster *c)
{
        struct voters v = voters_of(c);

        return v.set[0] | v.set[1];
}

static bool has_arbiter(const struct cluster *c, uint64_t set)
{
        return c->settings->arbiter != CLUSTER_ARBITER_ABSENT && __builtin_popcountll(set) % 2 == 0;
}

enum cluster_arbiter arbiter_kind(const struct cluster *c)
{
        struct voters v = voters_of(c);

        for (uint8_t i = 0; i < v.count; i++)
                if (has_arbiter(c, v.set[i]))
                        return c->settings->arbiter;
        return CLUSTER_ARBITER_ABSENT;
}

uint8_t votes_needed(const struct cluster *c, uint64_t set)
{
        return (uint8_t)((__builtin_popcountll(set) + has_arbiter(c, set)) / 2 + 1);
}

/* How many votes a set lacks with these; 0: none. */
static int lacking(const struct cluster *c, uint64_t set, uint64_t nodes, bool strong)
{
        int votes =
                __builtin_popcountll(set & nodes) + (strong && arbiter_is_strong(c) && has_arbiter(c, set));
        int needed = votes_needed(c, set);

        return votes < needed ? needed - votes : 0;
}

bool votes_suffice(const struct cluster *c, uint64_t nodes, bool strong)
{
        struct voters v = voters_of(c);

        for (uint8_t i = 0; i < v.count; i++)
                if (lacking(c, v.set[i], nodes, strong))
                        return false;
        return true;
}

bool votes_suffice_with_weak(const struct cluster *c, uint64_t nodes, span silence)
{
        struct voters v = voters_of(c);

        for (uint8_t i = 0; i < v.count; i++) {
                int lacks = lacking(c, v.set[i], nodes, false);
                if (lacks > 1 || (lacks == 1 && !arbiter_stands_in(c, v.set[i], silence)))
                        return false;
        }
        return true;
}

/* For how long what was asked at that instant, and said yes to, is good. */
static instant lease_end(instant asked, span lease)
{
        return asked.us ? instant_add(asked, lease) : INSTANT_LONG_AGO;
}

/* Until when a quorum of the set supports us. */
static instant supports_until(const struct cluster *c, uint64_t set, bool with_arbiter)
{
        instant at[CLUSTER_NODES_MAX + 1];
        uint8_t n = 0, needed = votes_needed(c, set);
        span lease = c->timing.lease;

        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (set & 1ULL << i)
                        /* our own vote takes nothing away from an arbiter's that lasts longer */
                        at[n++] = is_self(c, i) ? instant_add(c->now, needed == 1 ? lease : arbiter_lease(c))
                                                : lease_end(c->peer[i].answered, lease);
        if (with_arbiter && arbiter_is_strong(c) && has_arbiter(c, set))
                at[n++] = lease_end(c->arbiter.renewed, arbiter_lease(c));
        else if (with_arbiter && arbiter_stands_in(c, set, c->timing.arbiter_after))
                at[n++] = lease_end(c->arbiter_granted, lease);
        for (uint8_t i = 1; i < n; i++) /* newest first */
                for (uint8_t j = i; j > 0 && instant_before(at[j - 1], at[j]); j--) {
                        instant t = at[j];
                        at[j] = at[j - 1];
                        at[j - 1] = t;
                }
        return needed <= n ? at[needed - 1] : INSTANT_LONG_AGO;
}

instant quorum_supports_until(const struct cluster *c, bool with_arbiter)
{
        struct voters v = voters_of(c);
        instant until = supports_until(c, v.set[0], with_arbiter);

        return v.count == 2 ? instant_min(until, supports_until(c, v.set[1], with_arbiter)) : until;
}

enum cluster_arbiter cluster_arbiter(const struct cluster *c)
{
        return arbiter_kind(c);
}

bool cluster_votes(const struct cluster *c, uint8_t node)
{
        return is_voter(c, node);
}
