#include "cli/firewall.h"
#include "cli/offline.h"

enum cli_status command_firewall(const struct command *command, const struct arguments *a)
{
        char node[NAME_SIZE];

        if (a->given[OPTION_REMOVE]) {
                firewall_print_removal(stdout);
                return CLI_DONE;
        }
        struct config *c = offline_config(a);
        if (!c || !offline_node(a, node)) {
                config_free(c);
                return CLI_NOT_DONE;
        }
        int self = config_find_node(c, node);
        enum cli_status status = CLI_DONE;
        if (self == -1)
                status = cli_fail("%s has no node '%s': name one with -n", c->path, node);
        else
                firewall_print(c, self, stdout);
        config_free(c);
        return status;
}
