/* sync.h - the kernel's sync daemons of a director: who is told of its connections, and who listens. */
#pragma once

#include "director/ipvs/ipvs.h"

struct director;

/* Everybody listens; who is active tells, too. Does nothing where no interface is set. */
void director_sync(struct director *d, enum sync_role role, bool run);
