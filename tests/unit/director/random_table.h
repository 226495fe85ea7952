/* random_table.h - tables made from a number, for tests: few keys, so that two of them have much in common.
 */
#pragma once

#include "director/table.h"

/* xorshift32 (Marsaglia 2003); never 0. */
unsigned random_next(unsigned *seed, unsigned below);
void random_table(unsigned *seed, size_t services, size_t servers, struct table *ret_table);
