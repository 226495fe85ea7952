/* settings.h - what of the configuration the brain is told: nodes and groups, and how groups stand to each
 * other, as bits instead of names. */
#pragma once

#include "cluster/cluster.h"
#include "config/config.h"

/* Fills nodes, capacities and groups; the rest of *s is the caller's. Names of groups that there are not are
 * passed over: judge_company.c has complained of them. */
void settings_groups(const struct config *config, struct cluster_settings *s);
