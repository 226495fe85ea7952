/* scan.h - what must be right in a text before libconfuse 3.3 may see it.
 *
 * Its scanner counts the lines of a comment three times, refuses comments inside lists, swallows characters
 * it does not know, puts environment variables into values, and keeps its state, for the next file too, when
 * a string has no end or a bad escape. So comments are blanked here, lines kept, and the rest is refused with
 * words of our own. */
#pragma once

#include "config/tree.h"

#define SCAN_DEPTH_MAX 8 /* braces within braces */

/* Blanks comments in `text` in place. Mistakes go to `t` under `file`. False if libconfuse must not see it.
 */
bool scan(char *text, struct tree *t, int file);
