/* offline.h - what commands share that need no daemon but the configuration. */
#pragma once

#include "cli/cli.h"
#include "config/config.h"

/* Loads the file that is the first word, or the default one. NULL: its mistakes are on stderr. */
struct config *offline_config(const struct arguments *a);
struct config *offline_config_at(const char *path);

/* The node named with -n, or this host's name, as havend takes it. False: it has said what is wrong. */
bool offline_node(const struct arguments *a, char node[NAME_SIZE]);
