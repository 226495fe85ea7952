/* world_inside.h - what a simulated world is made of; for the files world*.c only, everybody else reads
 * world.h.
 *
 * world.c         its making and end, and the loop that lets happen what is due
 * world_agenda.c  chance, clocks, and the heap of what will happen
 * world_machine.c one node: a core, its disk, its groups, its supervisor
 * world_network.c packets, cuts and delays
 * world_arbiter.c the third vote: a model per kind of arbiter (world_arbiter.h)
 * world_fence.c   fence devices and watchdogs
 * world_faults.c  what else goes wrong, and what operators ask for
 * world_truth.c   who holds what, what must never be, and the questions about it
 */
#pragma once

#include "world.h"

#define STORY_MAX  (64 * 1024)
#define EVENTS_MAX 16384

enum happening_kind {
        HAPPEN_PACKET,
        HAPPEN_SAVED,
        HAPPEN_GROUP,
        HAPPEN_CORE_BACK,
        HAPPEN_RESUME,
        HAPPEN_ARBITER,
        HAPPEN_FENCE,
        HAPPEN_WATCHDOG,
        HAPPEN_BOOT,
};

struct happening {
        int64_t at; /* true time */
        uint64_t order;
        enum happening_kind kind;
        uint8_t node, from, link;
        uint64_t life; /* of the core it is meant for */
        struct message *message;
        void *data; /* the arbiter's */
        uint32_t serial;
        uint8_t group;
        struct epoch epoch;
        enum cluster_event_kind result;
};

struct held {
        bool exclusive; /* holds in truth */
        bool starting, stopping;
        struct epoch epoch;
        uint64_t job; /* the newest action; results of older ones are dropped */
};

struct machine {
        bool powered, core_up, paused;
        bool frozen; /* its supervisor stands still too: nobody releases anything */
        int64_t clock_offset;
        double clock_rate;
        uint64_t boot;
        uint32_t core;
        uint64_t life; /* counts cores over all boots: packets and results are for one of them */
        struct cluster *brain;
        bool state_valid;
        struct cluster_state disk, writing;
        bool writes;
        struct cluster_promise ledger;
        struct held held[WORLD_GROUPS];
        bool unfit[WORLD_GROUPS];
        int64_t due; /* true time of the next CLUSTER_EV_TIME */
        bool exiting;
        struct cluster_state kept; /* a copy of its disk, */
        uint64_t kept_boot;        /* and of the count of boots on it */
};

struct world {
        struct world_config config;
        struct cluster_settings settings[WORLD_NODES];
        uint64_t random;
        int64_t now;
        uint64_t order;
        struct machine machine[WORLD_NODES];
        bool cut[WORLD_NODES][WORLD_NODES][WORLD_LINKS];
        span delay[WORLD_NODES][WORLD_NODES];
        void *arbiter_memory;
        int64_t apart; /* when somebody was last cut off from another, or stood still */
        bool probes_see;
        size_t event_count;
        struct happening event[EVENTS_MAX]; /* a heap, earliest first */
        int64_t accounted;
        int64_t unheld[WORLD_GROUPS], both[WORLD_GROUPS], closed[WORLD_GROUPS];
        uint32_t moves[WORLD_GROUPS];
        uint8_t last_holder[WORLD_GROUPS];
        uint32_t violations[VIOLATION_COUNT], admitted;
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
/* Puts `h` on the agenda, `in` from now. A packet's message is owned by it until on_packet. */
void world_happen(struct world *w, span in, struct happening h);
struct happening world_next_happening(struct world *w); /* takes the earliest off; there must be one */

/* --- machine --- */

uint8_t machine_index(const struct world *w, const struct machine *m);
/* Tells the core one event, at its own time, and does what it asks for. Nothing if it is down or paused. */
void machine_step(struct world *w, struct machine *m, struct cluster_event ev);
void machine_boot(struct world *w, struct machine *m);
void machine_boot_core(struct world *w, struct machine *m, bool first);
/* The supervisor: what is still held a little after the lease is released, whatever the core does. */
void machine_supervise(struct world *w, struct machine *m);

/* --- fence devices and watchdogs --- */

void machine_fence(struct world *w, struct machine *m, uint8_t target);
void machine_watchdog_arm(struct world *w, struct machine *m);
void world_on_fence(struct world *w, const struct happening *h);
void world_on_watchdog(struct world *w, const struct happening *h);

/* --- network --- */

void world_send(struct world *w, uint8_t from, uint8_t to, uint8_t link, const struct message *m);
bool world_cut_off(const struct world *w, uint8_t from, uint8_t to); /* on every link */

/* --- truth --- */

const char *world_name(const struct world *w, uint8_t node);
/* How many powered nodes hold it; the first and the last of them, unset when there are fewer. */
int world_holders(const struct world *w, uint8_t g, uint8_t *ret_first, uint8_t *ret_second);
/* To be called before anything changes that is summed up over time. */
void world_account(struct world *w, int64_t until);
/* To be called before a fault ends. */
void world_note_apart(struct world *w);
void world_check_leaders(struct world *w);
void machine_set_exclusive(struct world *w, struct machine *m, uint8_t g, bool held);
