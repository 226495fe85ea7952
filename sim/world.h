/* world.h - a whole cluster in virtual time: nodes that run src/cluster as it is, the network between them,
 * their disks, ledgers and supervisors, and the truth about who holds what. Deterministic: one seed, one run.
 */
#pragma once

#include "cluster/cluster.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WORLD_NODES  64
#define WORLD_GROUPS 4
#define WORLD_LINKS  3

struct arbiter_model;

struct world_config {
        uint64_t seed;
        uint8_t nodes;
        uint8_t groups;
        uint8_t links;
        const struct arbiter_model *arbiter; /* world_arbiter.h; NULL: none at all */
        span heartbeat, dead;
        span arbiter_dead;         /* of the disk, if longer; 0: no */
        span delay_min, delay_max; /* of a packet */
        double loss;               /* of a packet on a link, 0..1 */
        double duplicate;
        double late;              /* it takes up to three seconds */
        bool keeps;               /* packets, to be brought again by world_replay() */
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
        unsigned words;            /* of the three groups, how they stand to each other: WORDS_... */
        bool everywhere;   /* the last group runs on all nodes; then there are two or more, and no words */
        bool unforgiving;  /* failures are remembered until cleared */
        uint64_t founders; /* bit i: node i is there from the start; 0: all */
        bool story;        /* keep what nodes tell, for world_story() */
        FILE *trace;       /* NULL: none */
};

#define WORDS_WITH  1U /* group1 goes with group0 */
#define WORDS_APART 2U /* group2 keeps apart from group0 */
#define WORDS_AFTER 4U /* group1 starts after group0 */
#define WORDS_ROOM  8U /* a node carries two of them */

enum violation {
        VIOLATION_TWO_OWNERS,  /* I1 */
        VIOLATION_NO_OWNER,    /* I2: not recovered in time */
        VIOLATION_MOVED,       /* I2, I4, I5: moved without cause, or too often */
        VIOLATION_TWO_LEADERS, /* I3: of one term */
        VIOLATION_FORK,        /* I3: one committed version with two contents, or one that vanished */
        VIOLATION_COMPANY, /* two on one node that are to be apart, or one started before what it comes after
                            */
        VIOLATION_REVIVED, /* I1: an epoch that is over runs again (rule 12) */
        VIOLATION_STORM,   /* more messages than any reason accounts for */
        VIOLATION_COUNT
};
const char *violation_name(enum violation v);

struct world;

struct world *world_new(const struct world_config *config);
void world_free(struct world *w);

/* Runs `length` of true time. */
void world_run(struct world *w, span length);
/* Runs until every group is started on exactly one live node, or on all where it runs everywhere, at most
 * `most`. False if that did not come. */
bool world_settle(struct world *w, span most);
span world_now(const struct world *w);
/* Whether the words are kept, as they have to be once all has settled. */
bool world_keeps_company(const struct world *w);

/* From now on nothing is lost, late or slow, and what is started starts. */
void world_calm(struct world *w);

/* --- faults of the network --- */
void world_cut(struct world *w, uint8_t from, uint8_t to, uint8_t link, bool cut); /* one direction */
void world_cut_pair(struct world *w, uint8_t a, uint8_t b, bool cut);              /* both, all links */
void world_isolate(struct world *w, uint8_t node, bool cut);
/* What `from` sends to `to` takes so much longer from now on. */
void world_delay(struct world *w, uint8_t from, uint8_t to, span more);
void world_replay(struct world *w); /* some packets of before come again */
void world_stop_flapping(struct world *w);
void world_flap_node(struct world *w, uint8_t node, uint32_t times, span each);

/* --- faults of machines --- */
void world_power_off(struct world *w, uint8_t node);
void world_power_on(struct world *w, uint8_t node);
void world_kill_core(struct world *w, uint8_t node, span back_after);
/* havend dies and is started anew: what it ran is nobody's, until the new one has stopped it. */
void world_restart_haven(struct world *w, uint8_t node, span back_after);
void world_pause_core(struct world *w, uint8_t node, span length);
void world_pause_supervisor(struct world *w, uint8_t node, span length);
void world_pause_machine(struct world *w, uint8_t node,
                         span length); /* both; its clock goes on, and so does its watchdog */
void world_lose_state(struct world *w, uint8_t node);
void world_keep_state(struct world *w, uint8_t node); /* a copy of its disk as of now, */
bool world_restore_state(
        struct world *w,
        uint8_t node); /* put back: the node believes that it is then; false: none was kept */
/* Its disk takes so much longer, or fails each write. */
void world_disk(struct world *w, uint8_t node, span more, bool fails);

/* --- faults of services --- */
struct trouble {
        double start_fails, stop_fails; /* on top of the world's */
        span start_more, stop_more;     /* an action that hangs */
};
void world_trouble(struct world *w, uint8_t node, struct trouble trouble);
void world_break_group(struct world *w, uint8_t node, uint8_t group);
void world_unfit(struct world *w, uint8_t node, uint8_t group, bool unfit);
void world_refuse_probe(struct world *w, bool refuse); /* probes see a living holder */

/* --- operators --- */
void world_leave(struct world *w, uint8_t node);
void world_order(struct world *w, uint8_t node, struct order order);
/* The configuration file of the node: a number of its own for each content, 0 the first. Bit 0: other
 * failback, bit 1: other preference (what runs everywhere, not on the last node), bit 2: the last group is
 * not in it. With `reload` the running core is told; it may refuse. Else it is what the next core reads. */
void world_configure(struct world *w, uint8_t node, uint32_t file, bool reload);
/* Whether the core that runs there goes on with another: it was refused, or not told. */
bool world_file_waits(const struct world *w, uint8_t node);
/* Whom its file names; its core starts anew with that, as at `haven reload`. Who does not name another has no
 * link to it. */
void world_name_nodes(struct world *w, uint8_t node, uint64_t nodes);
/* A machine without a state is switched on, with a file that names these. */
void world_join(struct world *w, uint8_t node, uint64_t nodes);
uint64_t world_all_nodes(const struct world *w);
/* Whether all who run know these to vote, and that this is committed. */
bool world_has_voters(const struct world *w, uint64_t nodes);
#define FILE_SLOW   8  /* `dead` is four times as long, */
#define FILE_QUICK  16 /* heartbeat and dead are two fifths of it */
#define FILE_TURNED 32 /* the last group runs on one node if else everywhere, and the other way round */
#define FILES       64
struct timing world_file_timing(const struct world_config *c, uint32_t file);
/* Whether that is in force, whole, on all nodes that are up. */
bool world_has_timing(const struct world *w, uint32_t file);
/* The least that a node which is up has seen in its document. */
uint8_t world_feature_level(const struct world *w);
/* Who cannot read what the others have reached meanwhile is given their release. */
void world_upgrade_left_behind(struct world *w);
/* `haven restart`: another core of that release (0: the first) goes on from the ledger. */
void world_restart_as(struct world *w, uint8_t node, uint32_t release);
/* Another release of haven starts on this node from now on. What a release says and understands:
 * settings_of_release() in world_machine.c. */
void world_upgrade(struct world *w, uint8_t node, uint32_t release);
/* One fault of the arbiter's own, by chance; and all of them mended. */
void world_arbiter_fault(struct world *w);
void world_arbiter_mend(struct world *w);
enum arbiter_fate {
        ARBITER_KEPT,     /* a copy is made, */
        ARBITER_PUT_BACK, /* and put back: the arbiter believes that it is then; */
        ARBITER_LOST,     /* it is gone; */
        ARBITER_RESTARTED /* it is read again */
};
void world_arbiter_memory(struct world *w, enum arbiter_fate fate); /* of a witness or etcd */
/* The node does not reach it. A strong one only. */
void world_arbiter_cut(struct world *w, uint8_t node, bool cut);

/* --- the truth --- */
bool world_up(const struct world *w, uint8_t node);
struct version world_arbiter_version(const struct world *w); /* of the document that a strong one keeps */
/* The node that holds it in truth, or NODE_NONE; the first one if two do. */
uint8_t world_holder(const struct world *w, uint8_t group);
bool world_runs(const struct world *w, uint8_t node, uint8_t group);
/* Whether the files of all who are up say that it runs everywhere. */
bool world_everywhere(const struct world *w, uint8_t group);
uint8_t world_leader(const struct world *w); /* as the first live node that leads with a lease says */
const struct cluster *world_brain(const struct world *w, uint8_t node);
uint32_t world_group_id(uint8_t group);
struct epoch world_epoch(const struct world *w, uint8_t node, uint8_t group); /* newest that it acted on */
span world_unheld(const struct world *w, uint8_t group);      /* total time in which no live node held it */
span world_gate_closed(const struct world *w, uint8_t group); /* total time in which a holder had no lease */
span world_both_held(const struct world *w, uint8_t group);   /* total time in which two did */
span world_both_longest(const struct world *w);               /* the longest single one, of any group */
uint32_t world_moves(const struct world *w, uint8_t group);   /* changes of holder; everywhere: starts */
uint32_t world_said_most(const struct world *w); /* messages of one node to one peer in one second, at most */
uint64_t world_steps(const struct world *w);     /* of all brains */
void world_reset_figures(struct world *w);
uint32_t world_violations(const struct world *w, enum violation v);
/* Whoever watches the world from outside found one. */
void world_found(struct world *w, enum violation v, const char *what);
/* Two owners that a weak arbiter cannot prevent: somebody was cut off or stood still, then or within `dead`
 * before. They are no violation. */
uint32_t world_admitted(const struct world *w);
const char *world_violation_text(const struct world *w); /* the first, "" if none */
/* The notes of all nodes since the last call, one line each: "NODE kind subject: text". For tests. */
const char *world_story(struct world *w);

/* Deterministic random numbers for whoever makes up schedules. */
uint32_t world_random(struct world *w, uint32_t below);
