/* tally.h - what many schedules came to; for haven-sim's last lines. */
#pragma once

#include "schedule.h"

#define TALLY_BINS 8000 /* of a millisecond: a takeover that takes longer counts as the last */

struct tally {
        uint64_t schedules, failed, admitted, moves, steps, takeovers;
        uint64_t violated[VIOLATION_COUNT];
        double virtual_s;
        int64_t takeover_most_us, admitted_most_us;
        uint32_t said_most;
        uint32_t took[TALLY_BINS];
};

void tally_add(struct tally *t, const struct schedule_result *r);
void tally_merge(struct tally *t, const struct tally *other);
void tally_print(const struct tally *t, uint64_t first_seed, double wall_s, FILE *out);
/* What led to the first violation in a story, and that. */
void tally_print_end_of_story(const char *story, FILE *out);
