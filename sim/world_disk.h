/* world_disk.h - what scenarios do to the arbiter's disk; only in worlds with arbiter_disk. */
#pragma once

#include "disk/voter.h"
#include "world.h"

/* The write, the reading and the end of each operation of that node, from now on. */
void world_disk_slow(struct world *w, uint8_t node, span more);
/* Its next writes stay on their way. */
void world_disk_hold(struct world *w, uint8_t node, bool hold);
/* The write that is held arrives, its node reads everything and knows it, all at this moment. */
void world_disk_arrive(struct world *w, uint8_t node);
/* What the node's write that is on its way says; NULL: none is. */
const struct disk_record *world_disk_writing(const struct world *w, uint8_t node);
