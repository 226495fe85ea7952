#include "cli/connection.h"
#include "cli/lvs_text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Older than this, and it is asked for again, for a second at most. */
#define OLD_MS       2000
#define ASK_AGAIN_MS 100
#define ASK_MOST     10

static const char *text(const json_t *object, const char *name)
{
        const char *value = json_string_value(json_object_get(object, name));

        return value ? value : "";
}

static long long number(const json_t *object, const char *name)
{
        return (long long)json_integer_value(json_object_get(object, name));
}

/* A large table is read in its own time: the answer says how old what it says is. */
static bool is_old(const json_t *lvs)
{
        const json_t *director;
        size_t i;

        json_array_foreach(json_object_get(lvs, "directors"), i, director)
        {
                if (strcmp(text(director, "state"), "active") == 0 &&
                    number(director, "read_ms_ago") > OLD_MS)
                        return true;
        }
        return false;
}

static enum cli_status ask_for_news(const char *socket, const char *command, json_t **ret_answer)
{
        const struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1000000L};

        for (int i = 0;; i++) {
                enum cli_status status =
                        ask(socket, json_pack("{s:s}", "command", command), PATIENCE_LOOK_S, ret_answer);
                if (status != CLI_DONE || i == ASK_MOST || !is_old(json_object_get(*ret_answer, "lvs")))
                        return status;
                json_decref(*ret_answer);
                nanosleep(&pause, NULL);
        }
}

enum cli_status command_lvs(const struct command *command, const struct arguments *a)
{
        const json_t *lvs;
        json_t *answer;

        enum cli_status status = ask_for_news(a->socket, command->name, &answer);
        if (status != CLI_DONE)
                return status;
        lvs = json_object_get(answer, "lvs");
        if (a->given[OPTION_JSON]) {
                json_dumpf(lvs, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
                putchar('\n');
        } else {
                lvs_print(lvs, stdout);
                if (!lvs_has_directors(lvs))
                        puts("no director in the configuration");
        }
        json_decref(answer);
        return CLI_DONE;
}

enum cli_status command_drain(const struct command *command, const struct arguments *a)
{
        json_t *answer;
        enum cli_status status =
                ask(a->socket, json_pack("{s:s, s:s}", "command", command->name, "server", a->word[0]),
                    PATIENCE_LOOK_S, &answer);

        if (status != CLI_DONE)
                return status;
        puts(text(answer, "text"));
        json_decref(answer);
        return CLI_DONE;
}
