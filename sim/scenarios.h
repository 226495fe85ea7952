/* scenarios.h - stories that random schedules alone do not find, each kept under its name (docs/safety.md
 * cites them). Each is played with several seeds, so that its faults meet every phase of a heartbeat. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

void scenarios_list(FILE *out);
/* Plays the one of that name, or all with NULL. With `stop` no more after the first that fails. Number of
 * those that failed, -1 if there is no such. */
int scenarios_play(const char *name, bool trace, bool stop);
