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

/* With what stands before it, if it is there. */
static void print_field(const json_t *object, const char *name, const char *before)
{
        const char *text = json_string_value(json_object_get(object, name));

        if (text && text[0])
                printf("%s%s", before, text);
}

/* A witness is no node: it tells whom it serves and what it refused. */
static void print_witness(const json_t *witness)
{
        const json_t *clusters = json_object_get(witness, "clusters"), *refused;
        size_t i;
        const json_t *c;

        print_field(witness, "self", "witness on ");
        printf(", port %d\n", (int)json_integer_value(json_object_get(witness, "port")));
        json_array_foreach(clusters, i, c)
        {
                json_int_t silent = json_integer_value(json_object_get(c, "silent_us"));
                print_field(c, "name", "  ");
                print_field(c, "state", ": ");
                printf(", term %d", (int)json_integer_value(json_object_get(c, "term")));
                print_field(c, "document", ", document ");
                if (silent < 0)
                        printf(", not asked yet");
                else
                        printf(", asked %lld times, last %.1fs ago",
                               (long long)json_integer_value(json_object_get(c, "asked")),
                               (double)silent / 1e6);
                print_field(c, "text", "\n      ");
                putchar('\n');
        }
        refused = json_object_get(witness, "refused");
        json_array_foreach(refused, i, c)
        {
                print_field(c, "reason", "  refused: ");
                printf(", %lld packets", (long long)json_integer_value(json_object_get(c, "count")));
                print_field(c, "last_from", ", last from ");
                putchar('\n');
        }
}

static enum cli_status look(const struct arguments *a, print_fn *print)
{
        json_t *answer;
        enum cli_status status =
                ask(a->socket, json_pack("{s:s}", "command", "status"), PATIENCE_LOOK_S, &answer);

        if (status != CLI_DONE)
                return status;
        const json_t *view = json_object_get(answer, "view");
        const json_t *witness = json_object_get(answer, "witness");
        if (witness && !a->given[OPTION_JSON]) {
                print_witness(witness);
                json_decref(answer);
                return CLI_DONE;
        }
        view = witness ? witness : view;
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
