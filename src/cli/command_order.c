#include "cli/connection.h"

#include "base/instant.h"

#include <assert.h>
#include <string.h>

/* Sends the order and prints what havend says about it. Takes over `request`. */
static enum cli_status order(const struct arguments *a, json_t *request)
{
        json_t *answer;

        assert(request);
        enum cli_status status = ask(a->socket, request, PATIENCE_ORDER_S, &answer);
        if (status != CLI_DONE)
                return status;
        const char *text = json_string_value(json_object_get(answer, "text"));
        if (text && *text)
                printf("%s\n", text);
        json_decref(answer);
        return CLI_DONE;
}

/* NULL members are left out. jansson refuses what is not UTF-8; then havend says that something is missing.
 */
static json_t *request(const char *command, const char *key, const char *value)
{
        return json_pack("{s:s, s:s*}", "command", command, key, value);
}

static void add(json_t *r, const char *key, const char *value)
{
        if (value)
                json_object_set_new(r, key, json_string(value));
}

static bool is_duration(const char *text)
{
        span s;

        return span_parse(text, &s) == 0 && s.us > 0;
}

enum cli_status command_group_order(const struct command *command, const struct arguments *a)
{
        return order(a, request(command->name, "group", a->word[0]));
}

enum cli_status command_node_order(const struct command *command, const struct arguments *a)
{
        const char *lasts = NULL;

        if (a->count > 1) {
                bool has_for = strcmp(a->word[1], "for") == 0;
                if (a->count != (has_for ? 3 : 2))
                        return command_usage_error(command, "'for' and a duration such as 2h are expected");
                lasts = a->word[has_for ? 2 : 1];
                if (!is_duration(lasts))
                        return command_usage_error(command, "'%s' is no duration such as 90s, 20m or 2h",
                                                   lasts);
        }
        json_t *r = request(command->name, "node", a->word[0]);
        add(r, "for", lasts);
        return order(a, r);
}

enum cli_status command_maintenance(const struct command *command, const struct arguments *a)
{
        bool on = strcmp(a->word[0], "on") == 0;
        int text = 1; /* which word is it */

        if (!on && strcmp(a->word[0], "off") != 0)
                return command_usage_error(command, "'%s' is neither on nor off", a->word[0]);
        if (!on && a->count > 1)
                return command_usage_error(command, "'off' stands alone");
        json_t *r = json_pack("{s:s, s:b}", "command", command->name, "on", on);
        if (a->count > 1 && is_duration(a->word[1])) {
                add(r, "for", a->word[1]);
                text = 2;
        }
        if (a->count > text + 1) {
                json_decref(r);
                return command_usage_error(command, "'%s' is no duration such as 90s, 20m or 2h", a->word[1]);
        }
        add(r, "text", a->count > text ? a->word[text] : NULL);
        return order(a, r);
}

enum cli_status command_reload(const struct command *command, const struct arguments *a)
{
        const char *within = a->value[OPTION_CONFIRM];

        if (within && !is_duration(within))
                return command_usage_error(command, "'%s' is no duration such as 60s or 5m", within);
        return order(a, request(command->name, "for", within));
}

enum cli_status command_confirm(const struct command *command, const struct arguments *a)
{
        return order(a, request(command->name, "for", NULL));
}

enum cli_status command_explain(const struct command *command, const struct arguments *a)
{
        return order(a, request(command->name, "group", a->word[0]));
}
