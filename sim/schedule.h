/* schedule.h - a schedule: one seed makes up a cluster, its network, and what goes wrong in it; the
 * invariants are held against it.
 *
 * First everything goes wrong at once for a while (I1, I3, storm: at each step). Then the survivors alone
 * must recover, then, repaired, all (I2). Then, with every eighth seed, in calm: nothing moves by itself; an
 * owner's power is cut and the time to the takeover measured; it comes back and disturbs nobody (I4, I5). */
#pragma once

#include "world.h"

struct schedule_options {
        int nodes, nodes_most;               /* from and to, in turn by the seed */
        const struct arbiter_model *arbiter; /* NULL: none at all */
        bool every_arbiter;                  /* in turn by the seed */
        bool data;                           /* groups are exclusive in their data */
        bool quiet;                          /* nothing goes wrong: an hour of peace, for measuring speed */
};

struct schedule_result {
        bool failed;
        bool violated[VIOLATION_COUNT];
        char text[320]; /* what was violated first */
        uint8_t nodes;
        const char *arbiter;
        int64_t virtual_us;
        uint64_t steps;
        uint32_t moves;
        uint32_t takeovers;
        bool admitted;       /* two owners that a weak arbiter cannot prevent, */
        int64_t admitted_us; /* for at most so long at once */
        int64_t takeover_us; /* of the one that was measured; -1: none was */
        uint32_t said_most;
};

/* The story of it goes to `trace`, if that is not NULL. */
struct schedule_result schedule_run(const struct schedule_options *o, uint64_t seed, FILE *trace);
