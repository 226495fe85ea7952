/* runner.h - inside the checker process: the checks, each on its own clock.
 *
 * No check waits for another. First looks are spread over the first second, later ones over the whole
 * interval, and a check whose last look is still under way skips a turn instead of doubling. Speaks to the
 * core over `fd` (packet.h); when the core does not read, reports wait in the check they are about, newest
 * only. */
#pragma once

#include "monitor/probe.h"

struct runner;

/* Runs until the core closes its end: stops the loop then. `object_dir` is where the shared objects of the
 * kinds lie. 0 or a negative errno. */
int runner_new(const struct probe_house *house, int fd, const char *object_dir, struct runner **ret_runner);
/* Cuts what runs. The loop must run once more. */
void runner_free(struct runner *r);
