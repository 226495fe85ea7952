/* read.h - from text to tree, through libconfuse.
 *
 * libconfuse stops at the first word it does not know. So such words are taught to it, by the shape they turn
 * out to have, and the text is read again, until all of it was seen: then they stand in the tree, marked
 * unknown, each with its place.
 *
 * Not reentrant: libconfuse's scanner is one per process. */
#pragma once

#include "config/tree.h"

/* Reads `text` as the file `name` into the tree, and what it includes. */
void read_text(struct tree *t, const char *name, const char *text);
/* Reads `path`. An error to open or read it is a mistake on its line 0. */
void read_path(struct tree *t, const char *path);
