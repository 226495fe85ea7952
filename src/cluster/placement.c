#include "cluster/placement.h"

static const char *const place_texts[] = {
        [PLACE_FIT] = "fit",
        [PLACE_OFFLINE] = "offline",
        [PLACE_LEAVING] = "leaving",
        [PLACE_STANDBY] = "in standby",
        [PLACE_NO_VOTE] = "without valid state",
        [PLACE_UNKNOWN] = "does not know the group (its configuration differs)",
        [PLACE_FAILED] = "failed there",
        [PLACE_REFUSED] = "another station answers for its address",
        [PLACE_UNFIT] = "unfit",
};

static const char *const reason_texts[] = {
        [PLACEMENT_DISABLED] = "stopped by an operator",
        [PLACEMENT_WANTED] = "moved there by an operator",
        [PLACEMENT_FAILBACK] = "failback to the preferred node",
        [PLACEMENT_STAYS] = "it is there and the node is fit",
        [PLACEMENT_PREFERRED] = "the first fit node in order of preference",
        [PLACEMENT_LEAST_BAD] = "no node is fit, this one is at least online",
        [PLACEMENT_NOWHERE] = "no node can run it",
};

const char *place_text(enum place p)
{
        return place_texts[p];
}

const char *placement_reason_text(enum placement_reason r)
{
        return reason_texts[r];
}

static uint8_t first(const struct placement_query *q, enum place wanted)
{
        for (uint8_t i = 0; i < q->group->node_count; i++)
                if (q->node[q->group->node[i]] == wanted)
                        return q->group->node[i];
        return NODE_NONE;
}

/* The most preferred node ahead of the owner that is fit and has been so for long enough. */
static uint8_t failback_target(const struct placement_query *q, uint8_t owner)
{
        if (q->group->failback == FAILBACK_NEVER)
                return NODE_NONE;
        for (uint8_t i = 0; i < q->group->node_count && q->group->node[i] != owner; i++) {
                uint8_t node = q->group->node[i];
                if (q->node[node] == PLACE_FIT && q->settled[node])
                        return node;
        }
        return NODE_NONE;
}

static uint8_t chosen(uint8_t node, enum placement_reason why, enum placement_reason *ret_reason)
{
        *ret_reason = why;
        return node;
}

uint8_t placement_choose(const struct placement_query *q, enum placement_reason *ret_reason)
{
        uint8_t owner = q->now ? q->now->owner : NODE_NONE;
        uint8_t wanted = q->now ? q->now->wanted : NODE_NONE;
        uint8_t node;

        if (q->now && q->now->admin == GROUP_DISABLED)
                return chosen(NODE_NONE, PLACEMENT_DISABLED, ret_reason);
        if (wanted != NODE_NONE && q->node[wanted] == PLACE_FIT)
                return chosen(wanted, PLACEMENT_WANTED, ret_reason);
        if (owner != NODE_NONE && q->node[owner] == PLACE_FIT) {
                node = failback_target(q, owner);
                if (node != NODE_NONE)
                        return chosen(node, PLACEMENT_FAILBACK, ret_reason);
                return chosen(owner, PLACEMENT_STAYS, ret_reason);
        }
        node = first(q, PLACE_FIT);
        if (node != NODE_NONE)
                return chosen(node, PLACEMENT_PREFERRED, ret_reason);
        node = owner != NODE_NONE && q->node[owner] == PLACE_UNFIT ? owner : first(q, PLACE_UNFIT);
        if (node != NODE_NONE)
                return chosen(node, PLACEMENT_LEAST_BAD, ret_reason);
        return chosen(NODE_NONE, PLACEMENT_NOWHERE, ret_reason);
}
