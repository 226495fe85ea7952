#include "cli/connection.h"

#include "api/view_json.h"
#include "api/view_text.h"

#include <assert.h>
#include <stdlib.h>

typedef void print_fn(const struct view *v, bool colour, FILE *to);

static enum cli_status print_view(const json_t *json, print_fn *print)
{
        struct view *v = calloc(1, sizeof(*v));

        assert(v);
        int error = view_from_json(json, v);
        if (!error)
                print(v, cli_colour(), stdout);
        free(v);
        return error ? cli_fail("havend's answer holds no status: is it of another version?") : CLI_DONE;
}

static enum cli_status look(const struct arguments *a, print_fn *print)
{
        json_t *answer;
        enum cli_status status =
                ask(a->socket, json_pack("{s:s}", "command", "status"), PATIENCE_LOOK_S, &answer);

        if (status != CLI_DONE)
                return status;
        const json_t *view = json_object_get(answer, "view");
        if (a->given[OPTION_JSON]) {
                json_dumpf(view, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
                putchar('\n');
        } else {
                status = print_view(view, print);
        }
        json_decref(answer);
        return status;
}

enum cli_status command_status(const struct command *command, const struct arguments *a)
{
        if (a->given[OPTION_JSON] && a->given[OPTION_LINKS])
                return command_usage_error(command, "--json shows the links already: leave out --links");
        return look(a, a->given[OPTION_LINKS] ? view_print_links : view_print_status);
}

enum cli_status command_checks(const struct command *command, const struct arguments *a)
{
        return look(a, view_print_checks);
}
