/* difference.h - what a reload would change, for people and for those who change only that. */
#pragma once

#include "config/config.h"

#include <stdio.h>

bool config_resource_equal(const struct config_resource *a, const struct config_resource *b);
bool config_group_equal(const struct config *a, const struct config_group *x, const struct config *b,
                        const struct config_group *y);

/* Writes a line for each difference ("group web: failback auto -> manual") and returns how many there are. */
int config_difference(const struct config *old, const struct config *fresh, FILE *to);

/* Whether a running cluster can take it; reports each thing that needs a restart instead. */
/* The nodes that come or go; with a line for each. */
int config_nodes_difference(const struct config *old, const struct config *fresh, FILE *to);

bool config_reload_possible(const struct config *old, const struct config *fresh,
                            config_mistake_fn *on_mistake, void *user);
