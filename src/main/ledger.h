/* ledger.h - what this node has promised and what it holds, in memory of the supervisor.
 *
 * The supervisor makes it (memfd, shared), the core writes it before a message leaves (protocol.md rule 5), a
 * restarted core goes on from it, and the supervisor releases by it when the lease has run out and the core
 * has not (rule 18). Plain words, atomics where both sides write. Nothing in it is a pointer. */
#pragma once

#include "base/instant.h"
#include "base/ip.h"
#include "config/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEDGER_MAGIC         0x4841564eu
#define LEDGER_VERSION       1
#define LEDGER_ADDRESSES_MAX 256
#define LEDGER_PATH          512

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
        char cgroup_root[LEDGER_PATH]; /* every cgroup below it is killed at lease end; "" if none */
        struct ledger_group group[GROUPS_MAX];
        struct ledger_address address[LEDGER_ADDRESSES_MAX];
};
