/* judge_director.h - whether what is said of load balancing can work. For judge.c. */
#pragma once

#include "config/tree.h"

void judge_directors(struct tree *t, const struct config *c);
