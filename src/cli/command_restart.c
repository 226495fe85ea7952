#include "cli/connection.h"

#include "api/view.h"
#include "base/instant.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BACK_S  10 /* a core is back within its lease, well below a second */
#define LOOK_MS 20

/* Which core serves, counted by havend; -1: none answers. */
static json_int_t core_number(const char *socket, json_int_t *ret_boot)
{
        struct connection c;
        json_t *answer = NULL;
        json_int_t core = -1;
        bool bad = false;

        if (connection_open(&c, socket, true) != CLI_DONE)
                return -1;
        connection_set_patience(&c, PATIENCE_LOOK_S);
        int error = connection_send(&c, json_pack("{s:s}", "command", "status"));
        while (!error && !(answer = connection_next(&c, &bad)) && !bad)
                error = connection_fill(&c);
        connection_close(&c);
        json_t *node, *nodes = json_object_get(json_object_get(answer, "view"), "nodes");
        size_t i;
        json_array_foreach(nodes, i, node)
        {
                if (!json_is_true(json_object_get(node, "self")))
                        continue;
                const char *boot = json_string_value(json_object_get(node, "boot"));
                core = json_integer_value(json_object_get(node, "core"));
                *ret_boot = boot ? strtoll(boot, NULL, 10) : 0;
        }
        json_decref(answer);
        return core;
}

enum cli_status command_restart(const struct command *command, const struct arguments *a)
{
        const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
        json_int_t boot = 0, boot_after = 0, core, before = core_number(a->socket, &boot);
        json_t *answer;

        enum cli_status status =
                ask(a->socket, json_pack("{s:s}", "command", command->name), PATIENCE_ORDER_S, &answer);
        if (status != CLI_DONE)
                return status;
        json_decref(answer);
        instant end = instant_add(instant_now(), span_s(BACK_S));
        do {
                nanosleep(&pause, NULL);
                core = core_number(a->socket, &boot_after);
                if (core != -1 && (core != before || boot_after != boot)) {
                        printf("restarted, with everything in its place\n");
                        return CLI_DONE;
                }
        } while (instant_before(instant_now(), end));
        return core == -1 ? cli_fail("havend does not answer: see the system's log")
                          : cli_fail("havend goes on as before: the system's log says why");
}
