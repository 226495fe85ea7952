#include "cli/offline.h"

#include "base/text.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

bool offline_node(const struct arguments *a, char node[NAME_SIZE])
{
        char host[HOST_NAME_MAX + 1] = "";

        gethostname(host, sizeof(host) - 1);
        const char *name = a->given[OPTION_NODE] ? a->value[OPTION_NODE] : host;
        if (text_is_name(name) && text_copy(node, NAME_SIZE, name))
                return true;
        cli_fail("'%s' cannot be the name of a node (up to 31 letters, digits, '.', '_', '-'): give it with "
                 "-n",
                 name);
        return false;
}
