/* sync.h - how connections outlive their director: the kernel's sync daemons, one that tells of them and one
 * that listens, and connections that are taken up untold. */
#pragma once

#include "director/ipvs/ipvs.h"

struct director;

/* Everybody listens; who is active tells, too. Does nothing where no interface is set. */
void director_sync(struct director *d, enum sync_role role, bool run);
void director_take_up(const struct director *d);
