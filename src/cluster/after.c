/* The order of groups: who starts after whom, and stops before it. It delays; it never starts or stops
 * anything by itself. What counts of a group is its exclusive part: warm services may run before and after
 * it. */
#include "cluster/brain.h"

#include <string.h>

static bool started_on(const struct cluster *c, uint8_t node, uint8_t g)
{
        return peer_present(c, node) && hold_on(c, node, g).state == HOLD_STARTED;
}

/* Started anywhere; of what runs everywhere it is this node's that counts, unless it has none or it failed.
 */
static bool is_started(const struct cluster *c, uint8_t g)
{
        const struct cluster_group *group = &c->settings->group[g];
        const struct assignment *a = document_group_const(&c->state.document, group->id);
        uint8_t self = c->settings->self;

        if (group->everywhere && memchr(group->node, self, group->node_count) &&
            !(a && a->failed & 1ULL << self))
                return started_on(c, self, g);
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (started_on(c, i, g))
                        return true;
        return false;
}

const struct cluster_group *waits_for(const struct cluster *c, uint8_t g)
{
        for (uint64_t after = c->settings->group[g].after; after; after &= after - 1) {
                uint8_t first = (uint8_t)__builtin_ctzll(after);
                if (!is_started(c, first))
                        return &c->settings->group[first];
        }
        return NULL;
}

static bool holds(enum hold_state h)
{
        return h >= HOLD_STARTING;
}

bool dependents_hold(const struct cluster *c, uint8_t g, bool here)
{
        for (uint8_t o = 0; o < c->settings->group_count; o++) {
                if (!(c->settings->group[o].after & 1ULL << g))
                        continue;
                if (holds(tenure_hold(c, o).state))
                        return true;
                for (uint8_t i = 0; !here && i < c->settings->node_count; i++)
                        if (!is_self(c, i) && peer_present(c, i) && holds(hold_of(c, i, o)->state))
                                return true;
        }
        return false;
}
