#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>

static const struct {
        const char *name;
        char letter;
        const char *value; /* what it takes; NULL nothing */
        const char *help;
} options[OPTIONS] = {
        [OPTION_HELP] = {"help", 'h', NULL, "this text"},
        [OPTION_JSON] = {"json", 0, NULL, "for programs"},
        [OPTION_LINKS] = {"links", 0, NULL, "each direction of each link"},
        [OPTION_FOLLOW] = {"follow", 'f', NULL, "go on with what happens from now"},
        [OPTION_COUNT] = {"count", 'n', "NUMBER", "so many of the past, 1000 at most (20)"},
        [OPTION_PRINT] = {"print", 0, NULL, "print it in full, with every default"},
        [OPTION_NODE] = {"node", 'n', "NODE", "for this node (the host name)"},
        [OPTION_REMOVE] = {"remove", 0, NULL, "print what takes the rules away again"},
        [OPTION_CONFIRM] = {"confirm", 0, "DURATION", "go back unless confirmed within it"},
        [OPTION_STATE_DIR] = {"state-dir", 0, "DIR", "where havend keeps its state (" CLI_STATE_DIR ")"},
        [OPTION_FORCE] = {"force", 0, NULL, "also where there is something already"},
        [OPTION_CONFIG] = {"config", 'c', "FILE", "the configuration (" CLI_CONFIG ")"},
        [OPTION_YES] = {"yes", 'y', NULL, "do not ask"},
        [OPTION_NODES] = {"nodes", 0, "NUMBER", "room for so many, 16 at most (those of the configuration)"},
        [OPTION_TRY] = {"try", 0, "CHECK", "run one now, written as 'KIND { ... }', and say what it saw"},
        [OPTION_NO_WAIT] = {"no-wait", 0, NULL, "return when the wish is known, not when it is done"},
};

static bool allowed(const struct command *c, int option)
{
        return option == OPTION_HELP || (c->options & 1U << option);
}

/* The option named at the start of `text` (the `n` characters before '=' or the end), or -1. */
static int find_long(const struct command *c, const char *text, size_t n)
{
        for (int i = 0; i < OPTIONS; i++)
                if (allowed(c, i) && strlen(options[i].name) == n && strncmp(options[i].name, text, n) == 0)
                        return i;
        return -1;
}

static int find_short(const struct command *c, char letter)
{
        for (int i = 0; i < OPTIONS; i++)
                if (allowed(c, i) && options[i].letter == letter)
                        return i;
        return -1;
}

/* Takes the options in argv[*at], and their value from the next word if need be. */
static enum cli_status take_option(const struct command *c, int argc, char **argv, int *at,
                                   struct arguments *a)
{
        const char *word = argv[*at];
        bool is_long = word[1] == '-';
        const char *p = word + (is_long ? 2 : 1);

        do {
                size_t n = is_long ? strcspn(p, "=") : 1;
                int i = is_long ? find_long(c, p, n) : find_short(c, *p);
                if (i == -1)
                        return command_usage_error(c, "unknown option '%s'", word);
                p += n;
                a->given[i] = true;
                if (!options[i].value) {
                        if (is_long && *p)
                                return command_usage_error(c, "--%s takes no value", options[i].name);
                        continue;
                }
                if (*p)
                        a->value[i] = is_long ? p + 1 : p;
                else if (*at + 1 < argc)
                        a->value[i] = argv[++*at];
                else
                        return command_usage_error(c, "--%s needs a %s", options[i].name, options[i].value);
                break;
        } while (*p);
        return CLI_DONE;
}

enum cli_status arguments_parse(const struct command *c, int argc, char **argv, struct arguments *a)
{
        bool only_words = false;

        a->word = argv;
        a->count = 0;
        for (int i = 0; i < argc; i++) {
                if (!only_words && strcmp(argv[i], "--") == 0) {
                        only_words = true;
                } else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
                        enum cli_status status = take_option(c, argc, argv, &i, a);
                        if (status != CLI_DONE)
                                return status;
                } else {
                        argv[a->count++] = argv[i]; /* words move up, over the options */
                }
        }
        if (a->count < argc)
                argv[a->count] = NULL;
        if (a->given[OPTION_HELP])
                return CLI_DONE;
        if (a->count < c->words_min)
                return command_usage_error(c, "something is missing");
        if (a->count > c->words_max)
                return command_usage_error(c, "'%s' is one word too many", a->word[c->words_max]);
        return CLI_DONE;
}

enum cli_status command_usage_error(const struct command *c, const char *format, ...)
{
        va_list args;

        fprintf(stderr, "haven %s: ", c->name);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fprintf(stderr, "; usage: haven %s%s%s, more with 'haven %s --help'\n", c->name,
                *c->arguments ? " " : "", c->arguments, c->name);
        return CLI_USAGE;
}

static void print_option(int i, FILE *to)
{
        char left[48];

        snprintf(left, sizeof(left), "%c%c%s--%s%s%s", options[i].letter ? '-' : ' ',
                 options[i].letter ? options[i].letter : ' ', options[i].letter ? ", " : "  ",
                 options[i].name, options[i].value ? " " : "", options[i].value ? options[i].value : "");
        fprintf(to, "  %-22s %s\n", left, options[i].help);
}

void usage_print_command(const struct command *c, FILE *to)
{
        fprintf(to, "usage: haven %s%s%s%s\n%s\n\n%s\noptions:\n", c->name, *c->arguments ? " " : "",
                c->arguments, c->options ? " [OPTION...]" : "", c->summary, c->help);
        for (int i = 0; i < OPTIONS; i++)
                if (allowed(c, i) && i != OPTION_HELP)
                        print_option(i, to);
        print_option(OPTION_HELP, to);
}

void usage_print(FILE *to)
{
        fputs("usage: haven [-s SOCKET] COMMAND [ARGUMENT...]\n\n", to);
        for (const struct command *c = commands; c->name; c++) {
                char left[64];
                snprintf(left, sizeof(left), "%s %s", c->name, c->arguments);
                fprintf(to, "  %-37s %s\n", left, c->summary);
        }
        fputs("\n  -s, --socket SOCKET    where havend listens (HAVEN_SOCKET, " CLI_SOCKET ")\n"
              "  -h, --help             this text; 'haven COMMAND --help' says more and gives examples\n"
              "      --version\n"
              "\nExit status: 0 done, 1 not done and why on stderr, 2 usage, 3 no daemon.\n",
              to);
}

void complete_options(const struct command *c, const char *start, FILE *to)
{
        for (int i = 0; i < OPTIONS; i++) {
                char text[32];
                snprintf(text, sizeof(text), "--%s", options[i].name);
                if (allowed(c, i) && strncmp(text, start, strlen(start)) == 0)
                        fprintf(to, "%s\n", text);
        }
}
