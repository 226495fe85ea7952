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

/* What the daemon answers to this; NULL without one, and no complaint. */
static json_t *ask_quietly(const char *socket, const char *command)
{
        struct connection c;
        json_t *answer = NULL;
        bool bad = false;

        if (connection_open(&c, socket, true) != CLI_DONE)
                return NULL;
        connection_set_patience(&c, PATIENCE_S);
        int error = connection_send(&c, json_pack("{s:s}", "command", command));
        while (!error && !bad && !(answer = connection_next(&c, &bad)))
                error = connection_fill(&c);
        connection_close(&c);
        return answer;
}

static const char *text_of(const json_t *object, const char *name)
{
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : "";
}

/* The names in the array `key` ("groups", "nodes") of the status. */
static void offer_names(const char *socket, const char *key, const char *start, FILE *to)
{
        json_t *answer = ask_quietly(socket, "status"), *item;
        size_t i;

        json_array_foreach(json_object_get(json_object_get(answer, "view"), key), i, item)
        {
                offer(text_of(item, "name"), start, to);
        }
        json_decref(answer);
}

/* What is watched: as far as the first colon at first, for there may be thousands. Hosts alone are @HOST. */
static void offer_watched(const char *socket, const char *start, FILE *to)
{
        json_t *answer = ask_quietly(socket, "checks"), *item, *seen = json_object();
        size_t i;

        json_array_foreach(json_object_get(json_object_get(answer, "checks"), "watched"), i, item)
        {
                const char *watch = text_of(item, "watch"), *service = text_of(item, "service");
                char name[4][256] = {{0}};

                snprintf(name[0], sizeof(name[0]), "%s", watch);
                if (strchr(start, ':')) {
                        snprintf(name[1], sizeof(name[1]), "%s:%s", watch, service);
                        snprintf(name[2], sizeof(name[2]), "%s:%s@%s", watch, service, text_of(item, "host"));
                }
                if (start[0] == '@')
                        snprintf(name[3], sizeof(name[3]), "@%s", text_of(item, "host"));
                for (int k = 0; k < 4; k++) {
                        if (name[k][0] && !json_object_get(seen, name[k]))
                                offer(name[k], start, to);
                        json_object_set_new(seen, name[k], json_true());
                }
        }
        json_decref(seen);
        json_decref(answer);
}

/* About what people said something: that can be taken back. */
static void offer_marked(const char *socket, const char *start, FILE *to)
{
        json_t *answer = ask_quietly(socket, "checks"), *item;
        size_t i;

        json_array_foreach(json_object_get(json_object_get(answer, "checks"), "marks"), i, item)
        {
                offer(text_of(item, "about"), start, to);
        }
        json_decref(answer);
}

static void offer_servers(const char *socket, const char *start, FILE *to)
{
        json_t *answer = ask_quietly(socket, "lvs"), *director, *service, *server, *seen = json_object();
        size_t i, k, n;

        json_array_foreach(json_object_get(json_object_get(answer, "lvs"), "directors"), i, director)
        {
                json_array_foreach(json_object_get(director, "services"), k, service)
                {
                        json_array_foreach(json_object_get(service, "servers"), n, server)
                        {
                                const char *name = text_of(server, "address");

                                if (!json_object_get(seen, name))
                                        offer(name, start, to);
                                json_object_set_new(seen, name, json_true());
                        }
                }
        }
        json_decref(seen);
        json_decref(answer);
}

/* Offers what the usage text says of the `n`-th word: "GROUP [NODE]" has two, "on|off" are two
 * choices, and "WHAT..." is all that follow, too. */
static void complete_word(const struct command *c, const char *socket, int n, const char *start, FILE *to)
{
        char usage[64];
        char *rest, *word;

        snprintf(usage, sizeof(usage), "%s", c->arguments);
        word = strtok_r(usage, " []", &rest);
        for (int i = 0; i < n && word && !strstr(word, "..."); i++)
                word = strtok_r(NULL, " []", &rest);
        if (!word)
                return;
        if (strcmp(word, "GROUP") == 0) {
                offer_names(socket, "groups", start, to);
        } else if (strcmp(word, "NODE") == 0) {
                offer_names(socket, "nodes", start, to);
        } else if (strcmp(word, "WHAT") == 0 || strcmp(word, "WHAT...") == 0) {
                if (strcmp(c->name, "enable") == 0)
                        offer_marked(socket, start, to);
                else
                        offer_watched(socket, start, to);
        } else if (strcmp(word, "SERVER") == 0) {
                offer_servers(socket, start, to);
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
