/* timing.h - every duration of the safety argument, derived from two that the user gives.
 *
 * The user says how often nodes speak (heartbeat, H) and after which silence one is dead (dead, D). All else
 * follows here, beside the inequality of safety.md ("Durations") that it has to satisfy; timing_check()
 * states them as code. Clocks are never compared across nodes: only their rates matter, apart by at most
 * DRIFT. */
#pragma once

#include "base/instant.h"

#include <stdbool.h>

#define DRIFT_PERCENT                                                                                        \
        1 /* of any clock against true time; crystals are a hundred times better, guests are not */

struct timing {
        span heartbeat;       /* H */
        span dead;            /* D: silence after which a node's promises are over */
        span lease;           /* L: how long a lease lasts, from when it was asked for */
        span margin;          /* M: to let go of everything once the lease is over */
        span election;        /* E: silence of a leader after which another may be elected */
        span stagger;         /* S: between candidates of neighbouring rank */
        span arbiter_after;   /* silence after which the arbiter is asked to stand in for a voter */
        span wait;            /* D as waited by another clock */
        span failback_settle; /* how long a node must have been well before groups return to it */
};

/* Derives all from `heartbeat` and `dead`. */
struct timing timing_derive(span heartbeat, span dead);

/* While `dead` changes: leases as of `lease_dead` <= dead, everything that waits for leases to end as of
 * `dead`.
 */
struct timing timing_between(span heartbeat, span dead, span lease_dead);
/* Whether timing_check() holds for it, and it is of this world: an hour at most. */
bool timing_possible(span heartbeat, span dead, span lease_dead);

/* An arbiter may have a D of its own, for it is slower than the nodes (a disk whose paths fail over): how
 * long a lease that it renewed lasts, no shorter than the nodes'. 0: it has none. */
span timing_arbiter_lease(const struct timing *t, span arbiter_dead);

/* x(1+rho)/(1-rho): who waits so long by its clock has waited `x` by any other. */
span timing_stretched(span x);

/* Whether the inequalities hold. */
bool timing_check(const struct timing *t);
