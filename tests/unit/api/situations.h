/* situations.h - views of clusters in known situations, for all tests of this room. */
#pragma once

#include "api/view.h"

/* Two nodes, all well, but the arbiter is weak. */
void situation_calm(struct view *v);
/* The other node is silent, one group is blocked, another failed here; packets were refused. */
void situation_night(struct view *v);
/* Three nodes with a strong arbiter, half-broken links, maintenance, a configuration that differs. */
void situation_links(struct view *v);
