/* view_text.h - views and events as text, for a reader at 3 am.
 *
 * Pure: a view goes in, text comes out. Control characters in what others wrote are replaced, since a check's
 * answer must not drive a terminal. No line ends in blanks. */
#pragma once

#include "api/view.h"

#include <stdio.h>

/* The cluster at a glance. `colour`: with ANSI colours. */
void view_print_status(const struct view *v, bool colour, FILE *to);
/* Which way each link works: who hears whom. */
void view_print_links(const struct view *v, bool colour, FILE *to);
/* Every check of every group, with its state and how old that is. */
void view_print_checks(const struct view *v, bool colour, FILE *to);
/* One line for each thing that differs from `old`; nothing when nothing does. Returns how many. */
int view_print_changes(const struct view *old, const struct view *now, FILE *to);
/* One line: local time, kind, subject, text. */
void view_event_print(const struct view_event *e, bool colour, FILE *to);

/* "440ms", "3.2s", "12m 5s", "3h 12m", "4d 3h". Returns `text`. */
#define AGE_TEXT 32
const char *age_format(int64_t us, char text[static AGE_TEXT]);
