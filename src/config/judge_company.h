/* judge_company.h - how groups stand to each other, and whether the nodes can carry them. */
#pragma once

#include "config/tree.h"

void judge_company(struct tree *t, const struct config *c);
