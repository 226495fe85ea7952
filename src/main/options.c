#include "main/options.h"

#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
        "Usage: havend [-c FILE] [-n NODE] [-f] [--run-dir DIR] [--state-dir DIR]\n"
        "       havend --witness [-c FILE] [-f] [--run-dir DIR] [--state-dir DIR]\n"
        "\n"
        "Runs this node of a haven cluster.\n"
        "\n"
        "  -c, --config FILE    configuration, the same on every node (" PATH_CONFIG_DEFAULT ")\n"
        "  -n, --node NODE      which node of it this is (the host's name)\n"
        "  -f, --foreground     stay in the foreground and log to standard error\n"
        "      --run-dir DIR    lock and control socket (" PATH_RUN_DEFAULT ")\n"
        "      --state-dir DIR  what must survive a reboot (" PATH_STATE_DEFAULT ")\n"
        "      --can-take-over LAYOUT  only say whether this havend could go on for a running one\n"
        "  -h, --help           print this and exit\n"
        "      --version        print the version and exit\n"
        "\n"
        "havend(8), haven(8), haven.conf(5)\n";

enum { OPTION_RUN_DIR = 256, OPTION_STATE_DIR, OPTION_VERSION, OPTION_TAKE_OVER };

static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"node", required_argument, NULL, 'n'},
        {"foreground", no_argument, NULL, 'f'},
        {"run-dir", required_argument, NULL, OPTION_RUN_DIR},
        {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
        {"can-take-over", required_argument, NULL, OPTION_TAKE_OVER},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPTION_VERSION},
        {0},
};

static bool take_path(const char *given, const char *what, char path[static PATH_SIZE], FILE *errors)
{
        int error = given[0] == '\0' ? -ENOENT : path_absolute(given, path);

        if (error)
                fprintf(errors, "havend: %s '%s': %s\n", what, given, strerror(-error));
        return error == 0;
}

static bool take_node(const char *given, char node[static NAME_SIZE], FILE *errors)
{
        if (text_is_name(given) && text_copy(node, NAME_SIZE, given))
                return true;
        fprintf(errors,
                "havend: '%s' cannot be the name of a node: give the one in the configuration with -n (up to "
                "%d "
                "letters, digits, '.', '_', '-')\n",
                given, NAME_SIZE - 1);
        return false;
}

static bool take_layout(const char *given, unsigned *ret_layout, FILE *errors)
{
        char *end;
        unsigned long layout = strtoul(given, &end, 10);

        *ret_layout = (unsigned)layout;
        if (*end == '\0' && layout > 0 && layout < 1000)
                return true;
        fprintf(errors, "havend: '%s' is no layout of a ledger: 'haven restart' gives it\n", given);
        return false;
}

static enum options_result defaults(struct options *o, FILE *errors)
{
        char host[HOST_NAME_MAX + 1] = "";

        if (o->node[0] == '\0') {
                gethostname(host, sizeof(host) - 1); /* fails only for a buffer that is too small */
                if (!take_node(host, o->node, errors))
                        return OPTIONS_WRONG;
        }
        return OPTIONS_RUN;
}

enum options_result options_parse(int argc, char **argv, FILE *out, FILE *errors, struct options *ret_options)
{
        struct options o = {
                .config = PATH_CONFIG_DEFAULT, .run_dir = PATH_RUN_DEFAULT, .state_dir = PATH_STATE_DEFAULT};
        bool good = true;
        int option;

        optind = 0; /* glibc: start anew, for tests that parse more than once */
        opterr = 0;
        while ((option = getopt_long(argc, argv, ":c:n:fh", longs, NULL)) != -1) {
                switch (option) {
                case 'c': good = take_path(optarg, "configuration", o.config, errors) && good; break;
                case 'n': good = take_node(optarg, o.node, errors) && good; break;
                case 'f': o.foreground = true; break;
                case OPTION_RUN_DIR:
                        good = take_path(optarg, "run directory", o.run_dir, errors) && good;
                        break;
                case OPTION_STATE_DIR:
                        good = take_path(optarg, "state directory", o.state_dir, errors) && good;
                        break;
                case OPTION_TAKE_OVER: good = take_layout(optarg, &o.ledger_layout, errors) && good; break;
                case 'h': fputs(usage, out); return OPTIONS_DONE;
                case OPTION_VERSION: fprintf(out, "havend %s\n", HAVEN_VERSION); return OPTIONS_DONE;
                case ':':
                        fprintf(errors, "havend: '%s' wants a value, see havend --help\n", argv[optind - 1]);
                        return OPTIONS_WRONG;
                default:
                        fprintf(errors, "havend: unknown option '%s', see havend --help\n", argv[optind - 1]);
                        return OPTIONS_WRONG;
                }
        }
        if (optind < argc) {
                fprintf(errors, "havend: unexpected '%s', see havend --help\n", argv[optind]);
                return OPTIONS_WRONG;
        }
        if (!good || defaults(&o, errors) == OPTIONS_WRONG)
                return OPTIONS_WRONG;
        *ret_options = o;
        return OPTIONS_RUN;
}

void options_argv(const struct options *o, const char *program, char *argv[static OPTIONS_ARGV])
{
        static char layout[16];
        int n = 0;

        argv[n++] = (char *)program;
        argv[n++] = (char *)"-c";
        argv[n++] = (char *)o->config;
        argv[n++] = (char *)"-n";
        argv[n++] = (char *)o->node;
        argv[n++] = (char *)"--run-dir";
        argv[n++] = (char *)o->run_dir;
        argv[n++] = (char *)"--state-dir";
        argv[n++] = (char *)o->state_dir;
        if (o->foreground)
                argv[n++] = (char *)"-f";
        if (o->ledger_layout) {
                snprintf(layout, sizeof(layout), "%u", o->ledger_layout);
                argv[n++] = (char *)"--can-take-over";
                argv[n++] = layout;
        }
        argv[n] = NULL;
}
