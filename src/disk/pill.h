/* pill.h - the poison pill: how a node that is cut off, but still reads the shared disk, is told to reset
 * itself.
 *
 * In each node's area (format.h), where its mail to itself would stand, two blocks that it alone writes:
 *
 *     life       written once a second by the node's haven-pill: which boot of the machine it is, how long
 * its watchdog takes, and which pill it has taken pills      for each node the pill that this one gave it: a
 * number, and the boot of the machine that is to end. So a pill is void once the machine has booted again:
 * nobody has to clear it.
 *
 * The other reads all pills before it writes its life. Once it has taken one, its watchdog is not fed any
 * more and the machine resets itself; life says so, and whoever gave the pill believes it when the time of
 * that watchdog is over, or another boot shows itself. Silence proves nothing, for the disk may be what is
 * cut off. docs/protocol.md shows it byte by byte. Plain data, but for pill_boot(). */
#pragma once

#include "base/instant.h"
#include "disk/format.h"

#define PILL_BOOT 16 /* /proc/sys/kernel/random/boot_id, without its dashes */

struct disk_life {
        uint8_t node;
        uint8_t boot[PILL_BOOT];
        uint64_t count;   /* of readings by this boot's processes, one after the other */
        span watchdog;    /* whole ms; 0: none is armed */
        uint64_t taken;   /* number of the pill; 0: none */
        uint64_t written; /* seconds since 1970, for people */
};

struct disk_pill {
        uint64_t number; /* 0: none */
        uint8_t boot[PILL_BOOT];
        uint64_t written; /* for people */
};

struct disk_pills {
        uint8_t node; /* who gives them */
        struct disk_pill to[DISK_NODES_MAX];
};

uint64_t disk_life_place(uint8_t node);
uint64_t disk_pills_place(uint8_t node);

/* One block each. The first key seals, any of them opens; without keys nothing is sealed or asked for a seal.
 */
void disk_life_encode(const struct disk_life *l, const uint8_t uuid[static DISK_UUID],
                      const struct disk_keys *keys, uint8_t block[static DISK_BLOCK]);
enum disk_refusal disk_life_decode(const uint8_t block[static DISK_BLOCK],
                                   const uint8_t uuid[static DISK_UUID], uint8_t node,
                                   const struct disk_keys *keys, struct disk_life *ret_life);
void disk_pills_encode(const struct disk_pills *p, const uint8_t uuid[static DISK_UUID],
                       const struct disk_keys *keys, uint8_t block[static DISK_BLOCK]);
enum disk_refusal disk_pills_decode(const uint8_t block[static DISK_BLOCK],
                                    const uint8_t uuid[static DISK_UUID], uint8_t node,
                                    const struct disk_keys *keys, struct disk_pills *ret_pills);

/* Of this boot of the machine. 0 or a negative errno. */
int pill_boot(uint8_t ret_boot[static PILL_BOOT]);
