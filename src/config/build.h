/* build.h - from the tree of what was written to the structs of what is meant.
 *
 * Every mistake of a single word is found here; what words say together is judged by judge.h. */
#pragma once

#include "config/tree.h"

/* Fills `ret_config`, defaults included; mistakes go to the tree. What has a mistake keeps its default. */
void build(struct tree *t, struct config *ret_config);
