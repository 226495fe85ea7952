/* cli.h - haven(8): one table of commands that is dispatch, usage text and completion at once.
 *
 * A command gets its words and options parsed and counted; what it returns is the exit status. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define CLI_SOCKET    "/run/haven/haven.sock"
#define CLI_CONFIG    "/etc/haven/haven.conf"
#define CLI_KEY       "/etc/haven/key"
#define CLI_STATE_DIR "/var/lib/haven"

enum cli_status {
        CLI_DONE = 0,
        CLI_NOT_DONE = 1, /* one line on stderr says why and what to do */
        CLI_USAGE = 2,
        CLI_NO_DAEMON = 3,
};

/* Options of commands: bits of command.options, and the index of their value. */
enum cli_option {
        OPTION_HELP,
        OPTION_JSON,
        OPTION_LINKS,
        OPTION_FOLLOW,
        OPTION_COUNT,
        OPTION_PRINT,
        OPTION_NODE,
        OPTION_REMOVE,
        OPTION_CONFIRM,
        OPTION_STATE_DIR,
        OPTION_FORCE,
        OPTION_CONFIG,
        OPTION_YES,
        OPTION_NO_WAIT,
        OPTION_NODES,
        OPTION_TRY,
        OPTIONS,
};

struct arguments {
        const char *socket;
        bool given[OPTIONS];
        const char *value[OPTIONS]; /* of options that take one */
        int count;                  /* words that are no options */
        char **word;                /* NULL-terminated */
};

struct command {
        const char *name;
        const char *arguments; /* as in the usage: capitals are to be replaced, [] may be left out */
        int words_min;
        int words_max;
        unsigned options; /* 1 << enum cli_option; help is everybody's */
        const char *summary;
        const char *help; /* what it does, and examples */
        enum cli_status (*run)(const struct command *command, const struct arguments *a);
};

/* NULL-name-terminated, in the order of the usage text. */
extern const struct command commands[];

const struct command *command_find(const char *name);
/* Prints the reason and how to ask for help on stderr. Returns CLI_USAGE. */
enum cli_status command_usage_error(const struct command *command, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* Prints "haven: REASON" on stderr. Returns CLI_NOT_DONE. */
enum cli_status cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Sorts options from words. CLI_DONE, or CLI_USAGE after saying why. `argv` starts behind the command's name;
 * its order changes. */
enum cli_status arguments_parse(const struct command *command, int argc, char **argv, struct arguments *ret);
void usage_print(FILE *to);
void usage_print_command(const struct command *command, FILE *to);
/* The options of the command that begin like `start`, one a line. */
void complete_options(const struct command *c, const char *start, FILE *to);
/* `haven --complete WORD...`: what may stand in place of the last word, one a line. A word that is a file is
 * left to the shell: nothing is printed. */
void complete_print(const char *socket, int count, char **word, FILE *to);

/* Whether stdout is a terminal that wants colours (NO_COLOR unset). */
bool cli_colour(void);

enum cli_status command_status(const struct command *command, const struct arguments *a);
/* One look by the check that is written there, KIND { ... }. */
enum cli_status command_try(const char *check, bool as_json);
enum cli_status command_checks(const struct command *command, const struct arguments *a);
enum cli_status command_ack(const struct command *command, const struct arguments *a);
enum cli_status command_silence(const struct command *command, const struct arguments *a);
enum cli_status command_lvs(const struct command *command, const struct arguments *a);
enum cli_status command_drain(const struct command *command, const struct arguments *a);
enum cli_status command_restart(const struct command *command, const struct arguments *a);
enum cli_status command_explain(const struct command *command, const struct arguments *a);
enum cli_status command_watch(const struct command *command, const struct arguments *a);
enum cli_status command_events(const struct command *command, const struct arguments *a);
enum cli_status command_group_order(const struct command *command, const struct arguments *a);
enum cli_status command_move(const struct command *command, const struct arguments *a);
enum cli_status command_node_order(const struct command *command, const struct arguments *a);
enum cli_status command_maintenance(const struct command *command, const struct arguments *a);
enum cli_status command_fence(const struct command *command, const struct arguments *a);
enum cli_status command_confirm_off(const struct command *command, const struct arguments *a);
enum cli_status command_reload(const struct command *command, const struct arguments *a);
enum cli_status command_confirm(const struct command *command, const struct arguments *a);
enum cli_status command_check(const struct command *command, const struct arguments *a);
enum cli_status command_prove(const struct command *command, const struct arguments *a);
enum cli_status command_keygen(const struct command *command, const struct arguments *a);
enum cli_status command_init(const struct command *command, const struct arguments *a);
enum cli_status command_disk(const struct command *command, const struct arguments *a);
enum cli_status command_firewall(const struct command *command, const struct arguments *a);
enum cli_status command_help(const struct command *command, const struct arguments *a);
