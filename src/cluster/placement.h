/* placement.h - where a group belongs: a pure function of what is wanted, what is, and who is fit. */
#pragma once

#include "cluster/cluster.h"

/* How a node stands towards a group. Only FIT ones are chosen; an UNFIT one if there is no better. */
enum place {
        PLACE_FIT,
        PLACE_OFFLINE,
        PLACE_LEAVING,
        PLACE_STANDBY,
        PLACE_NO_VOTE, /* lost its state and is not readmitted yet */
        PLACE_UNKNOWN, /* its configuration does not have the group */
        PLACE_FAILED,  /* the group failed there; `clear` forgives */
        PLACE_REFUSED, /* somebody else answers for its address; tried again soon */
        PLACE_UNFIT,   /* cannot serve it now: no carrier, no interface */
};
const char *place_text(enum place p);

struct placement_query {
        const struct cluster_group *group;
        const struct assignment *now; /* NULL: the document does not know the group yet */
        enum place node[CLUSTER_NODES_MAX];
        bool settled[CLUSTER_NODES_MAX]; /* well for long enough that failback may go there */
};

enum placement_reason {
        PLACEMENT_DISABLED,  /* `haven stop` */
        PLACEMENT_WANTED,    /* `haven move` */
        PLACEMENT_FAILBACK,  /* a preferred node is well again */
        PLACEMENT_STAYS,     /* the owner is fit */
        PLACEMENT_PREFERRED, /* the first fit node in order of preference */
        PLACEMENT_LEAST_BAD, /* nobody is fit: better a node without carrier than none */
        PLACEMENT_NOWHERE,
};
const char *placement_reason_text(enum placement_reason r);

/* The node that should own the group, or NODE_NONE. */
uint8_t placement_choose(const struct placement_query *q, enum placement_reason *ret_reason);
