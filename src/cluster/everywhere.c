/* Groups that run on all their nodes at once. Nothing of them is exclusive, so they need no lease and have no
 * owner: the document holds only what operators and failures say of them, and an epoch. A node starts an
 * epoch that it has not sealed, and keeps what runs under whatever epoch it was started; the leader gives a
 * new one when a node that has ended the last is to start again. */
#include "cluster/brain.h"

#include "cluster/placement.h"

#include <string.h>

/* --- the leader --- */

/* The configuration has changed its mind about a group that had one owner: nobody has to let go of it. */
static bool had_owner(const struct assignment *a)
{
        return a->owner != NODE_NONE || a->from != NODE_NONE || a->debt_count;
}

static bool starts_again(const struct hold *h, const struct assignment *a)
{
        return h->state == HOLD_NONE && !h->start_failed && epoch_compare(h->sealed, a->epoch) >= 0;
}

void everywhere_govern(struct cluster *c, uint8_t g)
{
        const struct assignment *a = document_group_const(&c->state.document, c->settings->group[g].id);
        bool renew = epoch_none(a->epoch) || had_owner(a);

        forgive(c, g, a);
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                if (fitness(c, g, i) != PLACE_FIT)
                        continue;
                struct hold h = hold_on(c, i, g);
                if (h.state == HOLD_FAILED)
                        blame(c, g, i, "broke and could not be mended on");
                else if (h.start_failed && h.state == HOLD_NONE && epoch_equal(h.sealed, a->epoch))
                        blame(c, g, i, "did not start on");
                else
                        renew |= a->admin == GROUP_ENABLED && starts_again(&h, a);
        }
        if (renew)
                everywhere_renew(c, g);
}

void everywhere_renew(struct cluster *c, uint8_t g)
{
        struct epoch epoch = next_epoch(c);
        struct assignment *a = document_group(&c->state.document, c->settings->group[g].id);

        a->owner = a->from = NODE_NONE;
        a->owner_boot = 0;
        a->debt_count = 0;
        a->epoch = epoch;
}

/* --- this node --- */

static bool wanted_here(const struct cluster *c, uint8_t g, const struct assignment *a)
{
        const struct cluster_group *group = &c->settings->group[g];
        uint8_t self = c->settings->self;

        /* one that has an owner is not run everywhere, whatever our file says: the leader's says otherwise */
        return a && !had_owner(a) && memchr(group->node, self, group->node_count) && !c->leaving &&
               !c->state.document.member[self].standby && !(a->failed & 1ULL << self) &&
               !(placement_stopped(c->settings, &c->state.document) & 1ULL << g);
}

void everywhere_settle(struct cluster *c, uint8_t g)
{
        const struct assignment *a = document_group_const(&c->state.document, c->settings->group[g].id);
        struct tenure *t = &c->tenure[g];
        bool wanted = wanted_here(c, g, a);

        switch (t->hold) {
        case HOLD_NONE:
                if (wanted && epoch_compare(a->epoch, t->sealed) > 0 && !waits_for(c, g))
                        tenure_start(c, g, a->epoch);
                return;
        case HOLD_STARTING:
        case HOLD_STARTED:
        case HOLD_FAILED:
                /* who comes after it stops before it: all of them when it is stopped, else those of this
                 * node; what is broken waits for nobody, who stays would keep it from ever starting again */
                if (!wanted &&
                    (t->hold == HOLD_FAILED || !dependents_hold(c, g, !a || a->admin == GROUP_ENABLED)))
                        tenure_stop(c, g, "it is not to run here");
                return;
        case HOLD_STUCK: tenure_stop_again(c, g); return;
        case HOLD_WARM:
        case HOLD_STOPPING: return;
        }
}
