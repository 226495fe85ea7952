/* world.h - a whole cluster in virtual time: nodes that run src/cluster as it is, the network between them,
 * their disks, ledgers and supervisors, and the truth about who holds what. Deterministic: one seed, one run.
 */
#pragma once

#include "cluster/cluster.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WORLD_NODES  9
#define WORLD_GROUPS 4
#define WORLD_LINKS  2

struct arbiter_model;

struct world_config {
        uint64_t seed;
        uint8_t nodes;
        uint8_t groups;
        uint8_t links;
        const struct arbiter_model *arbiter; /* world_arbiter.h; NULL: none at all */
        span heartbeat, dead;
        span delay_min, delay_max; /* of a packet */
        double loss;               /* of a packet on a link, 0..1 */
        double duplicate;
        span save_min, save_max;  /* of a write to disk */
        span start_max, stop_max; /* of a group */
        double start_fails;
        double drift;              /* largest, of each node's clock: 0.01 */
        double clock[WORLD_NODES]; /* the error of one node's clock, -0.01 to 0.01; 0: by chance */
        bool data;                 /* groups are exclusive in their data */
        bool fence;                /* every node can be powered off, */
        bool fence_reboots;        /* and is then switched on again; */
        double fence_fails;        /* so often the device says that it could not */
        span watchdog;             /* every node has one of this time; 0: none */
        bool unforgiving;          /* failures are remembered until cleared */
        FILE *trace;               /* NULL: none */
};

enum violation { VIOLATION_TWO_OWNERS, VIOLATION_NO_OWNER, VIOLATION_TWO_LEADERS, VIOLATION_COUNT };

struct world;

struct world *world_new(const struct world_config *config);
void world_free(struct world *w);

/* Runs `length` of true time. */
void world_run(struct world *w, span length);
/* Runs until every group is started on exactly one live node, at most `most`. False if that did not come. */
bool world_settle(struct world *w, span most);
span world_now(const struct world *w);

/* --- faults --- */
void world_cut(struct world *w, uint8_t from, uint8_t to, uint8_t link, bool cut); /* one direction */
void world_cut_pair(struct world *w, uint8_t a, uint8_t b, bool cut);              /* both, all links */
void world_isolate(struct world *w, uint8_t node, bool cut);
void world_power_off(struct world *w, uint8_t node);
void world_power_on(struct world *w, uint8_t node);
void world_lose_state(struct world *w, uint8_t node);
void world_keep_state(struct world *w, uint8_t node);    /* a copy of its disk as of now, */
void world_restore_state(struct world *w, uint8_t node); /* put back: the node believes that it is then */
/* What `from` sends to `to` takes so much longer from now on. */
void world_delay(struct world *w, uint8_t from, uint8_t to, span more);
void world_kill_core(struct world *w, uint8_t node, span back_after);
void world_pause_core(struct world *w, uint8_t node, span length);
/* The whole machine stands still, its supervisor too: for groups exclusive in their data. */
void world_freeze(struct world *w, uint8_t node, span length);
void world_leave(struct world *w, uint8_t node);
void world_break_group(struct world *w, uint8_t node, uint8_t group);
void world_unfit(struct world *w, uint8_t node, uint8_t group, bool unfit);
void world_refuse_probe(struct world *w, bool refuse); /* probes see a living holder */
void world_order(struct world *w, uint8_t node, struct order order);

/* One fault of the arbiter's own, by chance; and all of them mended. */
void world_arbiter_fault(struct world *w);
void world_arbiter_mend(struct world *w);

/* --- the truth --- */
bool world_up(const struct world *w, uint8_t node);
bool world_paused(const struct world *w, uint8_t node);
/* The node that holds it in truth, or NODE_NONE; the first one if two do. */
uint8_t world_holder(const struct world *w, uint8_t group);
uint8_t world_leader(const struct world *w); /* as the first live node that leads with a lease says */
const struct cluster *world_brain(const struct world *w, uint8_t node);
uint32_t world_group_id(uint8_t group);
struct epoch world_epoch(const struct world *w, uint8_t node, uint8_t group); /* newest that it acted on */
span world_unheld(const struct world *w, uint8_t group);      /* total time in which no live node held it */
span world_gate_closed(const struct world *w, uint8_t group); /* total time in which a holder had no lease */
span world_both_held(const struct world *w, uint8_t group);   /* total time in which two did */
uint32_t world_moves(const struct world *w, uint8_t group);   /* changes of holder */
void world_reset_figures(struct world *w);
uint32_t world_violations(const struct world *w, enum violation v);
/* Two owners that a weak arbiter cannot prevent: somebody was cut off or stood still, then or within `dead`
 * before. They are no violation. */
uint32_t world_admitted(const struct world *w);
const char *world_violation_text(const struct world *w); /* the first, "" if none */
/* The notes of all nodes since the last call, one line each: "NODE kind subject: text". For tests. */
const char *world_story(struct world *w);

/* Deterministic random numbers for whoever makes up schedules. */
uint32_t world_random(struct world *w, uint32_t below);
