/* world_inside.h - what a simulated world is made of; for the files world*.c only, everybody else reads
 * world.h.
 *
 * world.c            its making and end, and the loop that lets happen what is due
 * world_agenda.c     chance, clocks, and the heap of what will happen
 * world_machine.c    one node: a core, its disk, its groups
 * world_supervisor.c the actor beside the core: it lets go at the lease's end and starts the core again
 * world_network.c    packets: their copies, delays, windows, replays
 * world_arbiter.c    the third vote: a model per kind of arbiter (world_arbiter.h)
 * world_fence.c      fence devices and watchdogs
 * world_faults.c     what else goes wrong, and what operators ask for
 * world_truth.c      who holds what, what must never be, and the questions about it
 *
 * There is no wall clock in it: src/cluster is given none, so a step of it changes nothing here. The boot
 * clock of each node has a rate of its own. */
#pragma once

#include "world.h"

#define STORY_MAX  (64 * 1024)
#define EVENTS_MAX (256 * 1024) /* 64 nodes that all speak to all at once */
#define REPLAY_MAX 64           /* packets kept by whoever replays them */

enum happening_kind {
        HAPPEN_PACKET,
        HAPPEN_SAVED,
        HAPPEN_GROUP,
        HAPPEN_CORE_BACK,
        HAPPEN_RESUME,
        HAPPEN_SUPERVISOR_BACK,
        HAPPEN_HAVEN_BACK,
        HAPPEN_ARBITER,
        HAPPEN_FLAP,
        HAPPEN_FENCE,
        HAPPEN_WATCHDOG,
        HAPPEN_BOOT,
};

/* One message on its way: the copies on all links, and a replayer's, share it. */
struct packet {
        uint32_t users;
        struct message message; /* cut off behind what it has: see packet_size() */
};

struct happening {
        int64_t at; /* true time */
        enum happening_kind kind;
        uint8_t node, from, link;
        uint8_t group;
        uint32_t serial;
        uint64_t life; /* of the core it is meant for */
        union {
                struct packet *packet;
                void *data; /* the arbiter's */
        };
        struct epoch epoch;
        enum cluster_event_kind result;
};

/* What is due next, without moving what it is: a slot of the agenda's. */
struct agenda_entry {
        int64_t at;
        uint32_t order, slot;
};

struct held {
        bool exclusive;  /* holds in truth: exclusively, */
        bool everywhere; /* or it was started to run everywhere */
        bool starting, stopping;
        bool releasing; /* its core has begun to let go of it: no longer HELD in the ledger */
        bool orphan;    /* left by a havend that died: no supervisor knows of it */
        struct epoch epoch;
        uint64_t job; /* the newest action; results of older ones are dropped */
        instant gate; /* while the kernel lets its address through, whoever stands still */
};

/* What a node's transport knows of a sender (src/heartbeat/window.c). */
struct hearing {
        struct incarnation of;
        uint32_t seq, link[WORLD_LINKS];
};

struct machine {
        bool powered, core_up, paused, supervisor_paused;
        uint32_t supervisor_pauses;
        int64_t clock_offset;
        double clock_rate, clock_inverse;
        uint64_t boot;
        uint32_t core;
        uint64_t life; /* counts cores over all boots: packets and results are for one of them */
        struct cluster *brain;
        bool state_valid;
        struct cluster_state disk, writing;
        bool writes;
        bool disk_fails;
        span disk_more;
        struct cluster_promise ledger;
        struct held held[WORLD_GROUPS];
        struct hearing hearing[WORLD_NODES];
        bool unfit[WORLD_GROUPS];
        int64_t due;        /* true time of the next CLUSTER_EV_TIME */
        int64_t release_at; /* true time at which the supervisor lets go, if nothing renews the lease */
        span release_late;  /* how long it takes to, this time */
        struct trouble trouble;
        uint32_t release;          /* of haven that runs here */
        uint32_t file;             /* its configuration, */
        uint32_t file_used;        /* and the one that its core has read */
        uint64_t named;            /* the nodes in it */
        uint8_t settings_used;     /* of its two, by the running brain */
        struct cluster_state kept; /* a copy of its disk, */
        uint64_t kept_boot;        /* and of the count of boots on it */
        uint32_t said;             /* messages in this second of true time */
        int64_t said_second;
        struct version seen, seen_committed; /* of its document, after the step before */
        bool seen_leading;
        uint32_t seen_term;
};

/* A committed version and what stood in it, to see that it never stands for two contents. */
struct commit {
        struct version version;
        uint64_t digest;
};
#define COMMITS_MAX 4096

struct world {
        struct world_config config;
        struct cluster_settings settings[WORLD_NODES][2];
        uint64_t random;
        int64_t now;
        uint64_t order;
        struct machine machine[WORLD_NODES];
        bool cut[WORLD_NODES][WORLD_NODES][WORLD_LINKS];
        span delay[WORLD_NODES][WORLD_NODES];
        void *arbiter_memory;
        uint32_t flapping; /* flaps of an earlier number are over */
        int64_t apart;     /* when somebody was last cut off from another, or stood still */
        bool probes_see;
        span dead_most; /* of all files so far */
        struct packet *replay[REPLAY_MAX];
        uint32_t replay_next;
        struct message message; /* being said */
        size_t event_count;
        struct agenda_entry agenda[EVENTS_MAX]; /* a heap, earliest first */
        struct happening slot[EVENTS_MAX];
        uint32_t slot_free[EVENTS_MAX], slot_free_count, slot_used;
        int64_t accounted;
        int64_t unheld[WORLD_GROUPS], both[WORLD_GROUPS], closed[WORLD_GROUPS];
        int64_t both_since[WORLD_GROUPS], both_longest;
        int64_t gone[WORLD_GROUPS]; /* when a holder last ceased to be one */
        uint32_t moves[WORLD_GROUPS];
        uint8_t last_holder[WORLD_GROUPS];
        struct commit commit[COMMITS_MAX];
        uint32_t commit_count;
        struct version committed; /* the newest, by any leader */
        uint32_t said_most;       /* messages of one node to one peer in one second */
        uint32_t violations[VIOLATION_COUNT], admitted;
        uint64_t steps, packets;
        char violation[256];
        char *story;
        size_t story_length;
        struct todo todo;
};

/* --- agenda --- */

bool world_chance(struct world *w, double p);
span world_random_span(struct world *w, span from, span to);
/* What the clock of this machine shows now, and the true time at which it will show `t`. */
instant machine_clock(const struct world *w, const struct machine *m);
int64_t machine_truth(const struct machine *m, instant t);
/* Puts `h` on the agenda, `in` from now. What it points to is its own from then on. */
void world_happen(struct world *w, span in, struct happening h);
struct happening world_next_happening(struct world *w); /* takes the earliest off; there must be one */

/* --- machine --- */

uint64_t world_founders(const struct world *w);

static inline uint8_t machine_index(const struct world *w, const struct machine *m)
{
        return (uint8_t)(m - w->machine);
}
static inline const struct cluster_settings *machine_settings(const struct world *w, const struct machine *m)
{
        return &w->settings[m - w->machine][m->settings_used];
}
/* Tells the core one event, at its own time, and does what it asks for. Nothing if it is down or paused. */
void machine_step(struct world *w, struct machine *m, struct cluster_event ev);
void machine_boot(struct world *w, struct machine *m);
/* A new havend on a machine that went on running. */
void machine_boot_haven(struct world *w, struct machine *m);
void machine_boot_core(struct world *w, struct machine *m, bool first);
void machine_kill_core(struct world *w, struct machine *m, span back_after);
/* The index of this group of the world in the node's settings; -1: it does not know it */
int machine_group(const struct world *w, const struct machine *m, uint8_t g);

/* --- supervisor --- */

/* When it will let go: to be called when the lease or what is held has changed. */
void supervisor_watch(struct world *w, struct machine *m);
/* It is time: whatever is still held is taken from the core. */
void supervisor_release(struct world *w, struct machine *m);

/* --- fence devices and watchdogs --- */

void machine_fence(struct world *w, struct machine *m, uint8_t target);
void machine_watchdog_arm(struct world *w, struct machine *m);
/* For the fence arbiter, if that is the world's. */
void world_fence_told(struct world *w, uint8_t node, bool off);
void world_on_fence(struct world *w, const struct happening *h);
void world_on_watchdog(struct world *w, const struct happening *h);

/* --- network --- */

void world_send(struct world *w, uint8_t from, uint8_t to, const struct message *m);
void world_deliver(struct world *w, const struct happening *h);
void packet_drop(struct packet *p);                                  /* one user less */
bool world_cut_off(const struct world *w, uint8_t from, uint8_t to); /* on every link */
void world_flap(struct world *w, const struct happening *h);

/* --- truth --- */

const char *world_name(const struct world *w, uint8_t node);
void world_violate(struct world *w, enum violation v, const char *what, uint8_t a, uint8_t b);
/* How many powered nodes hold it; the first and the last of them, unset when there are fewer. */
int world_holders(const struct world *w, uint8_t g, uint8_t *ret_first, uint8_t *ret_second);
/* To be called before anything changes that is summed up over time. */
void world_account(struct world *w, int64_t until);
/* To be called before a fault ends. */
void world_note_apart(struct world *w);
void world_check_step(struct world *w, struct machine *m);
/* To be called before the group is started. */
void world_check_order(struct world *w, const struct machine *m, uint8_t g);
void machine_set_exclusive(struct world *w, struct machine *m, uint8_t g, bool held);
