/* Power: what cannot be taken back is asked about first, and its end is waited for. */
#include "cli/connection.h"

#include "api/view_json.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 200
#define BEGIN_S 5   /* for the leader's document to say that it has begun */
#define FENCE_S 600 /* levels, each with its time-outs */

/* Whoever typed it, for the record. */
static const char *who(char *text, size_t size)
{
        const char *sudo = getenv("SUDO_USER");
        const struct passwd *pw = getpwuid(getuid());

        snprintf(text, size, "%.40s", sudo && *sudo ? sudo : pw ? pw->pw_name : "somebody");
        return text;
}

static bool agreed(const char *question, const char *node)
{
        char answer[128];

        printf("%s\nType the node's name to go on: ", question);
        fflush(stdout);
        if (!fgets(answer, sizeof(answer), stdin))
                return false;
        answer[strcspn(answer, "\r\n")] = '\0';
        return strcmp(answer, node) == 0;
}

static enum cli_status make_sure(const struct arguments *a, const char *question)
{
        if (a->given[OPTION_YES])
                return CLI_DONE;
        if (!isatty(STDIN_FILENO))
                return cli_fail("nobody is there to be asked: say --yes if it is meant");
        return agreed(question, a->word[0]) ? CLI_DONE : cli_fail("left as it is");
}

static enum cli_status send_order(const struct command *command, const struct arguments *a)
{
        char name[64];
        json_t *answer;
        enum cli_status status = ask(a->socket,
                                     json_pack("{s:s, s:s, s:s}", "command", command->name, "node",
                                               a->word[0], "text", who(name, sizeof(name))),
                                     PATIENCE_ORDER_S, &answer);

        if (status == CLI_DONE)
                json_decref(answer);
        return status;
}

/* Into `power` and `text`; false: no answer. */
static bool look(const struct arguments *a, char power[16], enum cli_status *ret_status)
{
        json_t *answer, *node;
        size_t i;

        *ret_status = ask(a->socket, json_pack("{s:s}", "command", "status"), PATIENCE_LOOK_S, &answer);
        if (*ret_status != CLI_DONE)
                return false;
        power[0] = '\0';
        json_array_foreach(json_object_get(json_object_get(answer, "view"), "nodes"), i, node)
        {
                const char *name = json_string_value(json_object_get(node, "name"));
                const char *value = json_string_value(json_object_get(node, "power"));
                if (name && value && strcmp(name, a->word[0]) == 0)
                        snprintf(power, 16, "%s", value);
        }
        json_decref(answer);
        return true;
}

static enum cli_status wait_for_end(const struct arguments *a)
{
        const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
        enum cli_status status;
        bool begun = false;
        char power[16];

        for (int waited = 0; waited < FENCE_S * 1000; waited += LOOK_MS) {
                if (!look(a, power, &status))
                        return status;
                if (strcmp(power, "off") == 0) {
                        printf("%s was powered off for certain\n", a->word[0]);
                        return CLI_DONE;
                }
                if (strcmp(power, "fencing") == 0 && !begun) {
                        printf("%s is being powered off...\n", a->word[0]);
                        fflush(stdout);
                        begun = true;
                } else if (power[0] == '\0' && (begun || waited >= BEGIN_S * 1000)) {
                        return cli_fail("%s is not known to be off: 'haven events' on the leader says why",
                                        a->word[0]);
                }
                nanosleep(&pause, NULL);
        }
        return cli_fail("%s is still being powered off after %d s", a->word[0], FENCE_S);
}

enum cli_status command_fence(const struct command *command, const struct arguments *a)
{
        char question[160];

        snprintf(question, sizeof(question),
                 "This switches off the power of node %.32s, whatever runs there.", a->word[0]);
        enum cli_status status = make_sure(a, question);
        if (status == CLI_DONE)
                status = send_order(command, a);
        return status == CLI_DONE ? wait_for_end(a) : status;
}

enum cli_status command_confirm_off(const struct command *command, const struct arguments *a)
{
        char question[256];

        snprintf(question, sizeof(question),
                 "Is node %.32s off, for certain? If it still runs, what starts elsewhere now may destroy "
                 "its data.",
                 a->word[0]);
        enum cli_status status = make_sure(a, question);
        if (status == CLI_DONE)
                status = send_order(command, a);
        if (status == CLI_DONE)
                printf("%s is taken for off until it is back\n", a->word[0]);
        return status;
}
