/* Groups that run on all their nodes at once. Nothing of them is exclusive, so they need no lease and have no
 * owner: the document holds only what operators and failures say of them, and an epoch. A node starts an
 * epoch that it has not sealed, and keeps what runs under whatever epoch it was started; the leader gives a
 * new one when a node that has ended the last is to start again.
 *
 * Files may change their mind. Which of the two a group is stands in the document, and the leader changes it:
 * to everywhere when all who had it have let go, to one node when every node has been heard to run none of
 * it. */
#include "cluster/brain.h"

#include "cluster/placement.h"

#include <string.h>

/* --- the leader --- */

static const struct assignment *assigned(const struct cluster *c, uint8_t g)
{
        return document_group_const(&c->state.document, c->settings->group[g].id);
}

static void spread(struct cluster *c, uint8_t g, enum group_spread spread)
{
        document_group(document_edit(c), c->settings->group[g].id)->spread = spread;
}

static bool starts_again(const struct hold *h, const struct assignment *a)
{
        return h->state == HOLD_NONE && !h->start_failed && epoch_compare(h->sealed, a->epoch) >= 0;
}

bool everywhere_may_begin(const struct assignment *a)
{
        return a->spread != GROUP_ON_ONE ||
               (a->owner == NODE_NONE && a->from == NODE_NONE && a->debt_count == 0);
}

void everywhere_govern(struct cluster *c, uint8_t g)
{
        const struct assignment *a = assigned(c, g);
        bool renew = a->spread != GROUP_EVERYWHERE;

        forgive(c, g, a);
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                if (fitness(c, g, i) != PLACE_FIT)
                        continue;
                struct hold h = hold_on(c, i, g);
                if (h.state == HOLD_FAILED)
                        blame(c, g, i, "broke and could not be mended on");
                else if (h.start_failed && h.state == HOLD_NONE && epoch_compare(h.sealed, a->epoch) >= 0)
                        blame(c, g, i, "did not start on");
                else
                        renew |= a->admin == GROUP_ENABLED && starts_again(&h, a);
        }
        if (!renew)
                return;
        spread(c, g, GROUP_EVERYWHERE);
        everywhere_renew(c, g);
}

void everywhere_renew(struct cluster *c, uint8_t g)
{
        if (assigned(c, g)->spread != GROUP_EVERYWHERE)
                return; /* the epoch is an owner's */
        struct epoch epoch = next_epoch(c);
        document_group(&c->state.document, c->settings->group[g].id)->epoch = epoch;
}

/* --- from everywhere to one node --- */

/* Each node starts such a group by itself, when it boots also unheard. So each must have been heard to run
 * none of it since it has the word that nobody may start it on its disk. That a node is off is not enough,
 * for it may be switched on; but of one that no file names any more somebody may say that it is gone. */
static bool may_run(const struct cluster *c, uint8_t g, uint8_t node)
{
        const struct peer *p = &c->peer[node];
        enum hold_state hold = hold_on(c, node, g).state;

        if (is_self(c, node))
                return hold > HOLD_WARM || version_compare(c->saved_version, c->state.document.version) < 0;
        if (!peer_present(c, node))
                return !(fenced(c, node) && c->settings->vacant & 1ULL << node);
        return version_compare(p->is.newest, c->state.document.version) < 0 ||
               (p->is.knows[g] && hold > HOLD_WARM);
}

uint8_t everywhere_runner(const struct cluster *c, uint8_t g)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (may_run(c, g, i))
                        return i;
        return NODE_NONE;
}

void everywhere_end(struct cluster *c, uint8_t g)
{
        const char *name = c->settings->group[g].name;

        if (assigned(c, g)->spread == GROUP_EVERYWHERE) {
                spread(c, g, GROUP_ENDING);
                note(c, NOTE_GROUP_BLOCKED, name,
                     "ran everywhere and is to have one node -> stopped; given to one when every node has "
                     "said that it runs none of it");
        } else if (!c->edited && everywhere_runner(c, g) == NODE_NONE) {
                spread(c, g, GROUP_ON_ONE);
                note(c, NOTE_TRACE, name, "nobody runs it any more -> it has one node from now on");
        }
}

/* --- this node --- */

static bool wanted_here(const struct cluster *c, uint8_t g, const struct assignment *a)
{
        const struct cluster_group *group = &c->settings->group[g];
        uint8_t self = c->settings->self;

        return a->spread == GROUP_EVERYWHERE && memchr(group->node, self, group->node_count) && !c->leaving &&
               !c->state.document.member[self].standby && !(a->failed & 1ULL << self) &&
               !(placement_stopped(c->settings, &c->state.document) & 1ULL << g);
}

/* Who comes after it stops before it: all of them when it is stopped, else those of this node. What is broken
 * waits for nobody: who stays would keep it from ever starting again. Nor does what is to have one node. */
static bool may_stop(const struct cluster *c, uint8_t g, const struct assignment *a)
{
        return c->tenure[g].hold == HOLD_FAILED || !a || a->spread != GROUP_EVERYWHERE ||
               !dependents_hold(c, g, a->admin == GROUP_ENABLED);
}

void everywhere_settle(struct cluster *c, uint8_t g)
{
        const struct assignment *a = assigned(c, g);
        struct tenure *t = &c->tenure[g];
        bool wanted = a && wanted_here(c, g, a);

        switch (t->hold) {
        case HOLD_NONE:
                if (wanted && epoch_compare(a->epoch, t->sealed) > 0 && !waits_for(c, g))
                        tenure_start(c, g, a->epoch);
                if (!a || a->spread != GROUP_ON_ONE)
                        return;
                tenure_seal_unheld(c, g, a);
                tenure_decline(c, g);
                return;
        case HOLD_STARTING:
        case HOLD_STARTED:
        case HOLD_FAILED:
                if (!wanted && may_stop(c, g, a))
                        tenure_stop(c, g, "it is not to run here");
                return;
        case HOLD_STUCK: tenure_stop_again(c, g); return;
        case HOLD_WARM: /* it was to be the one, by the file of before */
                tenure_stop(c, g, "it is not to run here alone");
                return;
        case HOLD_STOPPING: return;
        }
}
