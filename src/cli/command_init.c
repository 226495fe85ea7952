#include "cli/offline.h"

#include "main/state.h"

enum cli_status command_init(const struct command *command, const struct arguments *a)
{
        const char *dir = a->given[OPTION_STATE_DIR] ? a->value[OPTION_STATE_DIR] : CLI_STATE_DIR;
        char node[NAME_SIZE];
        char text[STATE_TEXT] = "";

        if (!offline_node(a, node))
                return CLI_NOT_DONE;
        if (state_init(dir, node, a->given[OPTION_FORCE], text) != 0)
                return cli_fail("%s", text);
        printf("%s holds the state of node %s; start havend, or restart it if it runs\n", dir, node);
        return CLI_DONE;
}
