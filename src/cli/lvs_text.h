/* lvs_text.h - what the directors of a node do, for people: the answer to `lvs` as text. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

bool lvs_has_directors(const json_t *lvs);
void lvs_print(const json_t *lvs, FILE *to);
/* A line for each thing that is another: a director's state, a service's, a server's with its weight. `old`
 * may be NULL: everything is new. */
void lvs_print_changes(const json_t *old, const json_t *now, FILE *to);
