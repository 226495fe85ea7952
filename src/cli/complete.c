#include "cli/cli.h"
#include "cli/connection.h"

#include "api/view_json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_S 1 /* somebody has pressed TAB and waits */

static void offer(const char *candidate, const char *start, FILE *to)
{
        if (strncmp(candidate, start, strlen(start)) == 0)
                fprintf(to, "%s\n", candidate);
}

/* The names in the array `key` ("groups", "nodes") of the status; none without a daemon, and no complaint. */
static void offer_names(const char *socket, const char *key, const char *start, FILE *to)
{
        struct connection c;
        json_t *answer = NULL, *item;
        bool bad = false;
        size_t i;

        if (connection_open(&c, socket, true) != CLI_DONE)
                return;
        connection_set_patience(&c, PATIENCE_S);
        int error = connection_send(&c, json_pack("{s:s}", "command", "status"));
        while (!error && !bad && !(answer = connection_next(&c, &bad)))
                error = connection_fill(&c);
        json_array_foreach(json_object_get(json_object_get(answer, "view"), key), i, item)
        {
                const char *name = json_string_value(json_object_get(item, "name"));
                if (name)
                        offer(name, start, to);
        }
        json_decref(answer);
        connection_close(&c);
}

/* Offers what the usage text says of the `n`-th word: "GROUP [NODE]" has two, "on|off" are two choices. */
static void complete_word(const struct command *c, const char *socket, int n, const char *start, FILE *to)
{
        char usage[64];
        char *rest, *word;

        snprintf(usage, sizeof(usage), "%s", c->arguments);
        word = strtok_r(usage, " []", &rest);
        for (int i = 0; i < n && word; i++)
                word = strtok_r(NULL, " []", &rest);
        if (!word)
                return;
        if (strcmp(word, "GROUP") == 0) {
                offer_names(socket, "groups", start, to);
        } else if (strcmp(word, "NODE") == 0) {
                offer_names(socket, "nodes", start, to);
        } else if (strcmp(word, "COMMAND") == 0) {
                for (const struct command *k = commands; k->name; k++)
                        offer(k->name, start, to);
        } else if (word[0] >= 'a') {
                for (word = strtok_r(word, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
                        offer(word, start, to);
        }
}

void complete_print(const char *socket, int count, char **word, FILE *to)
{
        const char *start = count ? word[count - 1] : "";
        int n = 0;

        if (count < 2) {
                for (const struct command *c = commands; c->name; c++)
                        offer(c->name, start, to);
                return;
        }
        const struct command *c = command_find(word[0]);
        if (!c)
                return;
        if (start[0] == '-') {
                complete_options(c, start, to);
                return;
        }
        for (int i = 1; i < count - 1; i++)
                n += word[i][0] != '-';
        complete_word(c, socket, n, start, to);
}
