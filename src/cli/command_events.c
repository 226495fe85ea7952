#include "cli/connection.h"

#include "api/view_json.h"
#include "api/view_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void print_event(const struct arguments *a, const json_t *json)
{
        struct view_event e;

        if (a->given[OPTION_JSON]) {
                json_dumpf(json, stdout, JSON_COMPACT);
                putchar('\n');
        } else if (view_event_from_json(json, &e) == 0) {
                view_event_print(&e, cli_colour(), stdout);
        }
}

/* Prints events until havend says that these were all. */
static enum cli_status print_events(const struct arguments *a, struct connection *c)
{
        for (;;) {
                bool bad;
                json_t *line = connection_next(c, &bad);
                if (bad)
                        return cli_fail("what listens on %s does not speak havend's language", a->socket);
                if (!line) {
                        fflush(stdout); /* whoever reads us through a pipe waits for what has come */
                        int error = connection_fill(c);
                        if (error == -EAGAIN)
                                return cli_fail("havend has not answered within %d s", PATIENCE_LOOK_S);
                        if (error) {
                                fprintf(stderr,
                                        "haven: havend has closed the connection: see 'systemctl status "
                                        "havend'\n");
                                return CLI_NO_DAEMON;
                        }
                        continue;
                }
                const json_t *event = json_object_get(line, "event");
                const char *refusal = json_string_value(json_object_get(line, "error"));
                if (event)
                        print_event(a, event);
                enum cli_status status = refusal ? cli_fail("%s", refusal) : CLI_DONE;
                json_decref(line);
                if (!event)
                        return status;
        }
}

enum cli_status command_events(const struct command *command, const struct arguments *a)
{
        const char *count = a->value[OPTION_COUNT];
        json_t *request = json_pack("{s:s, s:b}", "command", "events", "follow", a->given[OPTION_FOLLOW]);
        struct connection c;

        if (count) {
                char *end;
                long n = strtol(count, &end, 10);
                if (*end || end == count || n < 0 || n > 1000) {
                        json_decref(request);
                        return command_usage_error(command, "'%s' is no number from 0 to 1000", count);
                }
                json_object_set_new(request, "count", json_integer(n));
        }
        enum cli_status status = connection_open(&c, a->socket, false);
        if (status != CLI_DONE) {
                json_decref(request);
                return status;
        }
        if (!a->given[OPTION_FOLLOW])
                connection_set_patience(&c, PATIENCE_LOOK_S);
        connection_send(&c, request); /* if that fails, reading tells why */
        status = print_events(a, &c);
        connection_close(&c);
        return status;
}
