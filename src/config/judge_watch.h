/* judge_watch.h - whether watches and alerts make sense together. */
#pragma once

#include "config/tree.h"

void judge_watches(struct tree *t, const struct config *c);
