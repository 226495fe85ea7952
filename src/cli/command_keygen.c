#include "cli/cli.h"

#include "heartbeat/key.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum cli_status command_keygen(const struct command *command, const struct arguments *a)
{
        const char *path = a->count ? a->word[0] : CLI_KEY;
        struct keyring keys = {.count = 1};

        if (access(path, F_OK) == 0)
                return cli_fail(
                        "%s is there already, and the cluster may be using it: move it away first, or name "
                        "another file",
                        path);
        key_generate(1, &keys.key[0]);
        int error = key_save(path, &keys);
        key_wipe(&keys);
        if (error == -ENOENT)
                return cli_fail("cannot write %s: its directory is missing, make it with 'mkdir -p'", path);
        if (error == -EACCES || error == -EPERM)
                return cli_fail("cannot write %s: %s, try again with sudo", path, strerror(-error));
        if (error)
                return cli_fail("cannot write %s: %s", path, strerror(-error));
        printf("%s written; every node needs the same file, readable by root alone\n", path);
        return CLI_DONE;
}
