/* judge.h - what no word says alone: contradictions, doubles, what cannot work. */
#pragma once

#include "config/tree.h"

void judge(struct tree *t, const struct config *c);
