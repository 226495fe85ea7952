/* placement.h - where groups belong: a pure function of what is wanted, what is, and who is fit.
 *
 * All groups are placed together, for they share the room that nodes have. Groups joined by `with` are one
 * unit: one node, one fate. Units are asked in order: higher priority first; among equals those that have a
 * fit seat before those that have none, so that nobody moves for the sake of one that is not better; then by
 * name. A unit that fits nowhere takes the room of units of lower priority; otherwise nobody is disturbed. */
#pragma once

#include "cluster/cluster.h"

/* How a node stands towards a group. Only FIT ones are chosen; an UNFIT one if there is no better. */
enum place {
        PLACE_FIT,
        PLACE_OFFLINE,
        PLACE_LEAVING,
        PLACE_STANDBY,
        PLACE_NO_VOTE,   /* lost its state and is not readmitted yet */
        PLACE_UNKNOWN,   /* its configuration does not have the group */
        PLACE_FAILED,    /* the group failed there; `clear` forgives */
        PLACE_COMPANY,   /* a group that runs everywhere, and that this one goes with, failed there */
        PLACE_ELSEWHERE, /* not in its list: asked of a group that goes with another */
        PLACE_REFUSED,   /* somebody else answers for its address; tried again soon */
        PLACE_UNFIT,     /* cannot serve it now: no carrier, no interface */
};
const char *place_text(enum place p);

struct placement_query {
        const struct cluster_settings *settings;
        const struct document *document;
        uint8_t place[CLUSTER_GROUPS_MAX][CLUSTER_NODES_MAX]; /* enum place */
        uint64_t settled[CLUSTER_GROUPS_MAX]; /* bit i: node i is well for long enough for failback */
};

enum placement_reason {
        PLACEMENT_DISABLED,   /* `haven stop` */
        PLACEMENT_HALTED,     /* `haven stop` of a group that it comes after */
        PLACEMENT_EVERYWHERE, /* has no one node */
        PLACEMENT_WANTED,     /* `haven move` */
        PLACEMENT_FAILBACK,   /* a preferred node is well again */
        PLACEMENT_STAYS,      /* the owner is fit */
        PLACEMENT_PREFERRED,  /* the first fit node in order of preference */
        PLACEMENT_DISPLACES,  /* the same, but somebody of lower priority has to go */
        PLACEMENT_LEAST_BAD,  /* nobody is fit: better a node without carrier than none */
        PLACEMENT_NO_ROOM,    /* nodes are fit, but full, or one that it keeps apart from is there */
        PLACEMENT_NOWHERE,
};
const char *placement_reason_text(enum placement_reason r);

struct placement {
        uint8_t to; /* NODE_NONE: nobody should own it */
        enum placement_reason why;
        uint8_t lead;  /* of its unit: whose list, failback and rank count for all */
        uint64_t unit; /* what is placed as one: itself, and those that run under `with` */
};

/* Fills one row for each group of the settings. */
void placement_compute(const struct placement_query *q, struct placement ret[static CLUSTER_GROUPS_MAX]);

/* Groups that are to be stopped: by an operator, or since they come after one that is. */
uint64_t placement_stopped(const struct cluster_settings *settings, const struct document *document);
/* The groups that stand or fall together with `g`: itself, and those that run under `with`. */
uint64_t placement_unit(const struct placement_query *q, uint8_t g);
/* What the node is to a whole unit: the worst of what it is to each member. */
enum place placement_place(const struct placement_query *q, uint64_t unit, uint8_t node);
/* Whether `unit` may be on `node` beside `others`, by capacity and `apart`. If not, *ret_stranger (which may
 * be NULL) is the group that it has to keep apart from, or CLUSTER_GROUPS_MAX: no room. */
bool placement_room(const struct placement_query *q, uint64_t unit, uint64_t others, uint8_t node,
                    uint8_t *ret_stranger);
/* What `groups`, and those that run everywhere, take of the node. */
uint32_t placement_load(const struct placement_query *q, uint64_t groups, uint8_t node);
