/* verdict.h - what a row of findings says about a service: unknown, up or down, and since when.
 *
 * A check is unknown until `rise` successes in a row make it up or `fall` failures in a row make it down:
 * neither new nor unseen means healthy. Not being able to look (no descriptor left, no checker) is not the
 * service's failure: it leaves the history alone, and `fall` of it in a row make the check unknown.
 * Pure: no clock, no system call, no allocation. */
#pragma once

#include "base/instant.h"

#include <stdbool.h>
#include <stdint.h>

#define VERDICT_RUN_MAX 64 /* of rise and fall: the bits of the history */

enum verdict_state { VERDICT_UNKNOWN, VERDICT_UP, VERDICT_DOWN };
#define VERDICT_STATES 3

enum finding {
        FINDING_WORKS,
        FINDING_BROKEN,
        FINDING_NONE, /* we could not look */
};

struct verdict {
        enum verdict_state state;
        instant since;    /* when it came into this state */
        uint64_t history; /* newest in bit 0; 1: worked */
        uint8_t known;    /* bits of it that are findings; the rest has not happened */
        uint8_t blind;    /* FINDING_NONE in a row, counted up to VERDICT_RUN_MAX */
};

struct verdict verdict_new(instant now);

/* Takes one finding. True when the state changed. `rise` and `fall` are 1 to VERDICT_RUN_MAX. */
bool verdict_step(struct verdict *v, int rise, int fall, enum finding finding, instant now);

/* "unknown", "up", "down". */
const char *verdict_name(enum verdict_state state);
/* -EINVAL for any other word. */
int verdict_parse(const char *name, enum verdict_state *ret_state);
