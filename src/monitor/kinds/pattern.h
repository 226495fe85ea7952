/* pattern.h - regular expressions of checks, compiled once for all checks that have the same.
 *
 * A compiled one is many times as large as the check it belongs to, so the check does not hold it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether `n` bytes, which a NUL follows, hold a match of the extended expression; ^ and $ stand for lines. A
 * pattern that cannot be compiled matches nothing: the configuration has tried it. */
bool pattern_matches(const char *pattern, const char *bytes, size_t n);
/* Frees all that are compiled. */
void pattern_forget(void);
