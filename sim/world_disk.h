/* world_disk.h - what scenarios do to the arbiter's disk; only in worlds with arbiter_disk. */
#pragma once

#include "disk/voter.h"
#include "world.h"

void world_disk_slow(struct world *w, span more); /* every operation, from now on */
/* The node's operations do not return, and its writes do not arrive, until it is found again. */
void world_disk_lose(struct world *w, uint8_t node, bool lost);
