/* options.h - the command line of havend; the core is started with the same one. */
#pragma once

#include "config/config.h"
#include "main/paths.h"

#include <stdbool.h>
#include <stdio.h>

struct options {
        char config[PATH_SIZE];
        char node[NAME_SIZE]; /* default: the host's name */
        bool foreground;
        unsigned ledger_layout; /* --can-take-over: only say whether we would go on from such a ledger; else 0
                                 */
        char run_dir[PATH_SIZE];
        char state_dir[PATH_SIZE];
};

enum options_result {
        OPTIONS_RUN,
        OPTIONS_DONE,  /* --help or --version has been answered: exit with 0 */
        OPTIONS_WRONG, /* `errors` has been told what is wrong: exit with HAVEND_EXIT_CONFIG */
};

/* Paths come out absolute. Uses getopt_long(3), hence its globals. */
enum options_result options_parse(int argc, char **argv, FILE *out, FILE *errors,
                                  struct options *ret_options);

/* The arguments that make options_parse() return the same; they point into `o`. */
#define OPTIONS_ARGV 14
void options_argv(const struct options *o, const char *program, char *argv[static OPTIONS_ARGV]);
