/* ledger.h - what this node has promised and what it holds, in memory of the supervisor.
 *
 * The supervisor makes it (memfd, shared), the core writes it before a message leaves (rules.md rule 5), a
 * restarted core goes on from it, and the supervisor releases by it when the lease has run out and the core
 * has not (rule 18). Plain words, atomics where both sides write. Nothing in it is a pointer.
 *
 * It outlives `haven restart`, so a later release must read what an earlier one has made: its layout only
 * grows, at the end of struct ledger, into memory that is there and zero; LEDGER_VERSION goes up with each
 * such change, and zero must mean to the later what the earlier did. A release refuses a ledger of a later
 * layout: the way back is to stop and start havend. */
#pragma once

#include "base/instant.h"
#include "base/ip.h"
#include "cluster/document.h"
#include "config/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEDGER_MAGIC          0x4841564eu
#define LEDGER_VERSION        3
#define LEDGER_BYTES          65536 /* of the memory, whatever the version; untouched pages cost nothing */
#define LEDGER_ADDRESSES_MAX  256
#define LEDGER_WATCHDOG_ARMED 1
#define LEDGER_RESET_STOP     1 /* why the machine is to be reset: a group does not stop; */
#define LEDGER_RESET_PILL     2 /* another node wants it off, and it took the pill */
#define LEDGER_PATH           512

/* Per entry, changed by compare-and-swap only: FREE -> HELD by the core; HELD -> RELEASING by whoever begins
 * to release; RELEASING -> FREE when it is gone. Nothing goes from RELEASING to HELD. */
enum ledger_hold { LEDGER_FREE, LEDGER_HELD, LEDGER_RELEASING };

struct ledger_address {
        _Atomic uint32_t state; /* enum ledger_hold */
        struct ip ip;
        uint8_t prefix;
        uint32_t ifindex;
};

struct ledger_group {
        uint32_t group;                 /* text_id; 0: unused entry */
        _Atomic uint32_t state;         /* enum ledger_hold */
        uint32_t epoch_term, epoch_n;   /* held */
        uint32_t sealed_term, sealed_n; /* the highest epoch sealed */
        uint32_t hold;                  /* enum hold_state of message.h, for the core that adopts */
};

struct ledger {
        uint32_t magic;
        uint32_t version;
        uint64_t boot;                /* incarnation of the supervisor; 0: it has no valid state */
        uint32_t core;                /* how many cores it has started */
        _Atomic int64_t lease_end_us; /* CLOCK_BOOTTIME; the supervisor acts on it, the core extends it */
        /* the promise; written by the core alone, read by the next core only */
        uint32_t term;
        int64_t last_answer_us; /* initialised by the supervisor to "may have promised until now" */
        bool leading;
        _Atomic uint32_t
                released; /* the supervisor released everything at lease end: count, for the events */
        int32_t watch_fd; /* eventfd with the same number in both: a hold wakes the supervisor; -1: none */
        char cgroup_root[LEDGER_PATH]; /* every cgroup below it is killed at lease end; "" if none */
        struct ledger_group group[GROUPS_MAX];
        struct ledger_address address[LEDGER_ADDRESSES_MAX];
        /* version 2 */
        uint8_t group_data[GROUPS_MAX]; /* of group[i]: exclusive in its data; written by the core */
        char watchdog_device[256];      /* wanted by the core... */
        uint32_t watchdog_timeout_s;
        _Atomic uint32_t watchdog_wanted; /* ...once nothing is left of earlier boots */
        _Atomic int32_t watchdog_state;   /* LEDGER_WATCHDOG_ARMED, 0 not tried, or a negative errno */
        uint32_t watchdog_armed_s;        /* its real time; the supervisor's, as are these two */
        char watchdog_identity[32];
        _Atomic uint32_t reset_wanted; /* LEDGER_RESET_...; 0: no. The core's, or haven-pill's */
        /* version 3 */
        uint64_t heard; /* part of the promise: bit i, node i was heard since the supervisor started */
        _Atomic int64_t
                turn_due_us; /* by then the core means to have woken again; 0: it has not said so yet */
};

/* The supervisor's side. Makes it in a sealed memfd (close-on-exec: the child that becomes the core clears
 * that). The promise in it starts as "may have promised until now". 0 or a negative errno. */
int ledger_create(uint64_t boot, struct ledger **ret_ledger, int *ret_fd);
/* The core's side, and a later supervisor's in the place of the one that made it. 0, -EBADMSG if it is no
 * ledger or one of a later layout, or another negative errno. */
int ledger_map(int fd, struct ledger **ret_ledger);
void ledger_unmap(struct ledger *l);

/* Extend before the first hold: what is held under a lease that is over is released at once. */
static inline void ledger_lease_set(struct ledger *l, instant end)
{
        atomic_store_explicit(&l->lease_end_us, end.us, memory_order_release);
}

static inline instant ledger_lease_end(struct ledger *l)
{
        return (instant){atomic_load_explicit(&l->lease_end_us, memory_order_acquire)};
}

static inline void ledger_turn_set(struct ledger *l, instant due)
{
        atomic_store_explicit(&l->turn_due_us, due.us, memory_order_release);
}

static inline enum ledger_hold ledger_state(_Atomic uint32_t *state)
{
        return (enum ledger_hold)atomic_load_explicit(state, memory_order_acquire);
}

/* Finds the group's entry or makes one, if need be in the place of a group that is not held; NULL when all
 * are. The core alone calls it. */
struct ledger_group *ledger_group(struct ledger *l, uint32_t group);
/* FREE -> HELD under this epoch, and wakes the supervisor: before anything exclusive is started. True also
 * if it is held under this epoch already. False: being released, held under another epoch, or the epoch is
 * sealed. */
bool ledger_group_hold(struct ledger *l, struct ledger_group *g, struct epoch epoch);
/* HELD -> RELEASING; the epoch is sealed. False if it was not HELD: somebody else releases, or nobody need.
 */
bool ledger_group_release_begin(struct ledger_group *g);
/* RELEASING -> FREE, when everything of it has stopped. False if it was not RELEASING. */
bool ledger_group_free(struct ledger_group *g);
/* Seals an epoch that was perhaps never held (rule 17). Sealed epochs only grow. */
void ledger_group_seal(struct ledger_group *g, struct epoch epoch);
/* The highest epoch that must never be started again; that of a release under way included. */
struct epoch ledger_group_sealed(struct ledger_group *g);

/* As for groups; the core alone holds. NULL: the address is being released, or the ledger is full. An entry
 * that holds it already is returned as it is. */
struct ledger_address *ledger_address_hold(struct ledger *l, const struct ip *ip, uint8_t prefix,
                                           uint32_t ifindex);
/* The entry that is not FREE and has this address; NULL if none. */
struct ledger_address *ledger_address_find(struct ledger *l, const struct ip *ip, uint8_t prefix,
                                           uint32_t ifindex);
bool ledger_address_release_begin(struct ledger_address *a);
bool ledger_address_free(struct ledger_address *a);

/* Whether anything is HELD. */
bool ledger_holds(struct ledger *l);
