/* prove.h - where all groups go when nodes fail: the very placement that havend uses, played over every
 * failure of one node and of two, one after the other. No daemon, no clock, no network. */
#pragma once

#include "cluster/placement.h"

#define PROVE_FAILURES 2

struct prove_case {
        uint8_t failed[PROVE_FAILURES]; /* nodes, in the order of failing */
        uint8_t failed_count;
        bool quorum; /* whether the others may decide; without, nothing runs */
        bool either; /* of two: it ends the same in whichever order they fail */
        struct placement group[CLUSTER_GROUPS_MAX];
        uint32_t load[CLUSTER_NODES_MAX]; /* of each node's capacity */
};

typedef void prove_fn(void *user, const struct prove_case *c);

/* Tells all well first, then each node's failure, then each pair. A pair that ends the same in both orders is
 * told once. `settings`: nodes and groups, and the arbiter, which is taken to vote. */
void prove(const struct cluster_settings *settings, prove_fn *on_case, void *user);

/* Whether the group runs nowhere that should run. */
bool prove_lost(const struct prove_case *c, const struct cluster_settings *settings, uint8_t group);
