/* slots.h - weights as a row of slots, of which nftables picks one: the next, or the one a hash says.
 *
 * Pure. The same input gives the same slots on every director. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SLOTS_MAX 1024
#define HASH_SLOTS                                                                                           \
        509 /* a prime: each step then leads through all slots. Twice as many cost nftables twice            \
                the time */

/* Both take fewer servers than slots. */

/* For picking one after the other: as many slots as the weights need, a server's own spread evenly. Weight 0
 * has none. The number of slots; 0: nobody has a weight. */
size_t slots_in_turn(const uint32_t *weight, size_t count, uint16_t slot[static SLOTS_MAX]);
/* For a hash: when a server comes or goes, few others' slots change hands (Maglev, NSDI 2016, 3.4). `seed` of
 * each server is to be the same whatever others there are. Their number is always the same prime. */
size_t slots_by_hash(const uint32_t *weight, const uint32_t *seed, size_t count,
                     uint16_t slot[static SLOTS_MAX]);
