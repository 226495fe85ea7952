/* What may be needed soon is begun early: while a silent owner's leases run out, the network is asked whether
 * somebody answers for its addresses, so that nothing is left to wait for when they may be taken. */
#include "cluster/brain.h"

/* Where the group would go if its owner were gone. */
static bool would_be_ours(const struct cluster *c, uint8_t g, uint8_t owner)
{
        struct placement_query q;
        struct placement p[CLUSTER_GROUPS_MAX];

        placement_ask(c, &q);
        for (uint8_t i = 0; i < c->settings->group_count; i++)
                q.place[i][owner] = PLACE_OFFLINE;
        placement_compute(&q, p);
        return is_self(c, p[g].to);
}

/* Asked by whoever would take it, leader or not: a follower that has to be elected first has no time left
 * then. */
static const struct assignment *may_be_taken(const struct cluster *c, uint8_t g)
{
        const struct assignment *a = document_group_const(&c->state.document, c->settings->group[g].id);

        if (!a || a->owner == NODE_NONE || is_self(c, a->owner) || c->tenure[g].hold != HOLD_NONE)
                return NULL;
        return a;
}

void foresee(struct cluster *c)
{
        if (arbiter_kind(c) != CLUSTER_ARBITER_WEAK || c->state.document.maintenance)
                return; /* what a strong one lets us take needs no asking */
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct assignment *a = may_be_taken(c, g);
                if (!a)
                        continue;
                if (peer_heard_within(c, a->owner, c->timing.election)) {
                        c->care[g].foreseen = (struct epoch){0}; /* its next silence is asked about anew */
                } else if (!epoch_equal(c->care[g].foreseen, a->epoch) && would_be_ours(c, g, a->owner)) {
                        c->care[g].foreseen = a->epoch;
                        act(c, ACTION_ASK, g, a->epoch, false);
                }
        }
}

instant foresee_due(const struct cluster *c)
{
        instant due = INSTANT_NEVER;

        if (arbiter_kind(c) != CLUSTER_ARBITER_WEAK)
                return due;
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct assignment *a = may_be_taken(c, g);
                if (!a)
                        continue;
                instant silent = instant_add(c->peer[a->owner].heard, c->timing.election);
                if (instant_before(c->stepped, silent))
                        due = instant_min(due, silent);
        }
        return due;
}
