/* offline.h - what commands share that need no daemon but the configuration. */
#pragma once

#include "cli/cli.h"
#include "config/config.h"

/* Loads the file that is the first word, or the default one. NULL: its mistakes are on stderr. */
struct config *offline_config(const struct arguments *a);
struct config *offline_config_at(const char *path);

/* check_director.c: the files of ldirectord that directors follow; what is wrong with them is on stderr.
 * False: something is; havend would go on without them. */
bool check_director_files(const struct config *c);
void check_print_directors(const struct config_group *g);

/* What an arbiter's disk must be able to: a record written and all of them read, each time. */
struct disk_needs {
        span dead;  /* of the disk */
        span first; /* when a vote begins to be missing: in what is left of the lease of the nodes */
        span each;  /* while it is missing: a renewal that has just missed its turn, and the next one */
};
struct disk_needs offline_disk_needs(const struct config *c);
/* haven disk clear and measure */
enum cli_status disk_clear(const struct arguments *a, const char *path);
enum cli_status disk_measure(const struct arguments *a, const char *path);

/* The node named with -n, or this host's name, as havend takes it. False: it has said what is wrong. */
bool offline_node(const struct arguments *a, char node[NAME_SIZE]);
