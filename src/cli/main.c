#include "cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_colour(void)
{
        const char *no = getenv("NO_COLOR"); /* no-color.org */

        return isatty(STDOUT_FILENO) && !(no && *no);
}

enum cli_status cli_fail(const char *format, ...)
{
        va_list args;

        fflush(stdout);
        fputs("haven: ", stderr);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        return CLI_NOT_DONE;
}

enum cli_status command_help(const struct command *command, const struct arguments *a)
{
        const struct command *about = a->count ? command_find(a->word[0]) : NULL;

        if (a->count && !about)
                return command_usage_error(command, "there is no command '%s'", a->word[0]);
        if (about)
                usage_print_command(about, stdout);
        else
                usage_print(stdout);
        return CLI_DONE;
}

static enum cli_status run(const char *socket, int argc, char **argv)
{
        const struct command *command = command_find(argv[0]);
        struct arguments a = {.socket = socket};

        if (!command) {
                fprintf(stderr, "haven: there is no command '%s': 'haven --help' lists them\n", argv[0]);
                return CLI_USAGE;
        }
        enum cli_status status = arguments_parse(command, argc - 1, argv + 1, &a);
        if (status != CLI_DONE)
                return status;
        if (a.given[OPTION_HELP]) {
                usage_print_command(command, stdout);
                return CLI_DONE;
        }
        return command->run(command, &a);
}

/* What was printed may not have reached anybody: a full disk must not pass for success. */
static enum cli_status finish(enum cli_status status)
{
        if (fflush(stdout) != 0 && status == CLI_DONE)
                return cli_fail("the output could not be written");
        return status;
}

int main(int argc, char **argv)
{
        const char *socket = getenv("HAVEN_SOCKET");
        int i = 1;

        if (!socket || !*socket)
                socket = CLI_SOCKET;
        for (; i < argc && argv[i][0] == '-'; i++) {
                if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
                        usage_print(stdout);
                        return finish(CLI_DONE);
                }
                if (strcmp(argv[i], "--version") == 0) {
                        puts("haven " HAVEN_VERSION);
                        return finish(CLI_DONE);
                }
                if (strcmp(argv[i], "--complete") == 0) {
                        complete_print(socket, argc - i - 1, argv + i + 1, stdout);
                        return finish(CLI_DONE);
                }
                if ((strcmp(argv[i], "-s") == 0 || strcmp(argv[i], "--socket") == 0) && i + 1 < argc) {
                        socket = argv[++i];
                        continue;
                }
                fprintf(stderr, "haven: unknown or incomplete option '%s': see 'haven --help'\n", argv[i]);
                return CLI_USAGE;
        }
        if (i == argc) {
                usage_print(stderr);
                return CLI_USAGE;
        }
        return finish(run(socket, argc - i, argv + i));
}
