/* view.h - what haven knows right now, as plain data: filled by src/core, printed by src/api.
 *
 * Strings are copies with fixed room, so that a view can outlive what it was made from. */
#pragma once

#include "base/instant.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

struct view_link {
        char name[64];     /* "eth0 10.0.0.2" or the address */
        char state[16];    /* up, late, one-way-in (we hear them), one-way-out (they hear us), down */
        int64_t silent_us; /* since last heard; -1 never */
};

#define VIEW_WATCHDOG 96

struct view_node {
        char name[NAME_SIZE];
        char state[16]; /* online standby offline leaving */
        char text[128]; /* why, for people: "silent for 3.2s", "standby for 1h 20m more", "no state file" */
        char watchdog[VIEW_WATCHDOG]; /* "armed, 10s (Software Watchdog)"; "" none */
        char power[8]; /* "fencing": being powered off; "off": powered off for certain; or "" */
        bool self;
        bool config_differs;
        uint64_t boot;
        uint32_t core;
        int link_count;
        struct view_link link[LINKS_MAX];
};

struct view_resource {
        char name[96];
        char kind[16];
        char state[16]; /* stopped starting started stopping failed waiting unknown */
        char text[160];
};

struct view_check {
        char name[NAME_SIZE];
        char state[16]; /* up down unknown */
        char text[160];
        int64_t age_us; /* of the state; -1 unknown */
};

/* Of a group that runs everywhere: what it is on one of its nodes. */
struct view_place {
        char node[NAME_SIZE];
        char state[16]; /* as of a group */
};

struct view_group {
        char name[NAME_SIZE];
        char state[16];       /* started starting stopping stopped failed blocked */
        char text[256];       /* why it is not started, and the command that cures it; or "" */
        char node[NAME_SIZE]; /* owner, or "" */
        char epoch[24];       /* "TERM.N" or "" */
        char failed_on[256];  /* names of nodes marked failed, or "" */
        bool everywhere;      /* it has no owner, but places */
        int place_count;
        struct view_place place[NODES_MAX];
        int resource_count;
        struct view_resource
                resource[RESOURCES_MAX]; /* as this node knows them: its own; "unknown" elsewhere */
        int check_count;
        struct view_check check[CHECKS_MAX];
};

/* A watch as the node that runs it sees it. */
struct view_watch {
        char name[NAME_SIZE];
        char node[NAME_SIZE]; /* which runs it, "" nobody has said */
        int up, down, unknown;
        char text[200]; /* the failure that is oldest, and how many more; or "" */
};

struct view_refusal {
        char reason[48]; /* named reason for which packets were refused */
        uint64_t count;
        char last_from[64];
};

#define VIEW_REFUSALS_MAX 24

struct view {
        char cluster[NAME_SIZE];
        char self[NAME_SIZE];
        char leader[NAME_SIZE]; /* "" none */
        uint32_t term;
        char document[32]; /* "TERM.AUTHOR.N" */
        bool quorum_held;
        char arbiter[16];       /* none ping ... */
        char strength[8];       /* weak strong */
        char arbiter_text[128]; /* what it answered last */
        int64_t arbiter_age_us; /* since then; -1: it has said nothing yet */
        int votes, votes_needed;
        char survives[160];  /* "one more node may fail" ... */
        char promise[160];   /* "a network split can run both" ... */
        char gate[16];       /* in-force incomplete impossible off: of this node */
        char gate_text[200]; /* on how many interfaces, or why not */
        char timing[160];    /* in force, and what the file says if that differs */
        bool maintenance;
        char maintenance_text[64];
        int node_count;
        struct view_node node[NODES_MAX];
        int group_count;
        struct view_group group[GROUPS_MAX];
        int watch_count;
        struct view_watch watch[WATCHES_MAX];
        int alerts_waiting;    /* things that are to be told and have not been */
        char alerts_text[420]; /* why; or "" */
        int refusal_count;
        struct view_refusal refusal[VIEW_REFUSALS_MAX];
};

/* NULL: there is none of that name. */
const struct view_node *view_find_node(const struct view *v, const char *name);
const struct view_group *view_find_group(const struct view *v, const char *name);

/* One line of the cluster's history. */
struct view_event {
        uint64_t number;         /* counts up per node, across restarts */
        int64_t wall_us;         /* CLOCK_REALTIME */
        char kind[24];           /* node-up node-down leader group-moved group-failed group-started ... */
        char subject[NAME_SIZE]; /* node or group, "" */
        char text[320];          /* what and why */
};
