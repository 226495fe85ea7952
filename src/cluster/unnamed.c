/* Groups that our configuration does not name, but our ledger does: the file was changed while they ran, and
 * the core that ran them ended. We cannot stop what we cannot name, and must not forget it either: nobody
 * would ever let go of it while others take it for free.
 *
 * So while one of them is held this node takes no more leases. When the one it has is over, the supervisor
 * lets go of everything by the ledger, and ends this core; the next one finds nothing of it held and says
 * that it is released, so that others may have it (rule 17). What was sealed stays sealed for when the file
 * names the group again (rule 12). */
#include "cluster/brain.h"

#include <assert.h>

static bool runs(const struct cluster_tenure *t)
{
        return t->hold != HOLD_NONE && t->hold != HOLD_WARM;
}

void unnamed_keep(struct cluster *c, const struct cluster_tenure *t)
{
        if ((epoch_none(t->sealed) && !runs(t)) || c->unnamed_count == CLUSTER_GROUPS_MAX)
                return;
        c->unnamed[c->unnamed_count++] = *t;
        if (runs(t))
                note(c, NOTE_GROUP_BLOCKED, "",
                     "a group (%08x) runs here that the configuration no longer names -> no more lease; the "
                     "supervisor lets go of everything here when it ends",
                     t->group);
}

void unnamed_resume(struct cluster *c, uint32_t group, struct tenure *t)
{
        for (uint8_t i = 0; i < c->unnamed_count; i++) {
                if (c->unnamed[i].group != group)
                        continue;
                *t = (struct tenure){.sealed = c->unnamed[i].sealed};
                c->unnamed[i] = c->unnamed[--c->unnamed_count];
                return;
        }
}

bool unnamed_runs(const struct cluster *c)
{
        for (uint8_t i = 0; i < c->unnamed_count; i++)
                if (runs(&c->unnamed[i]))
                        return true;
        return false;
}

void unnamed_promise(const struct cluster *c, struct cluster_promise *p)
{
        for (uint8_t i = 0; i < c->unnamed_count && p->tenure_count < CLUSTER_GROUPS_MAX; i++)
                p->tenure[p->tenure_count++] = c->unnamed[i];
}

void unnamed_say(const struct cluster *c, struct message *m)
{
        for (uint8_t i = 0; i < c->unnamed_count && m->hold_count < DOCUMENT_GROUPS_MAX; i++) {
                const struct cluster_tenure *t = &c->unnamed[i];
                m->hold[m->hold_count++] = (struct hold){.group = t->group,
                                                         .state = runs(t) ? HOLD_STOPPING : HOLD_NONE,
                                                         .epoch = runs(t) ? t->epoch : t->sealed,
                                                         .sealed = t->sealed,
                                                         .unfit = true};
        }
}
