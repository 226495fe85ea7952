/* What is checked: the list, and what people say about it. */
#include "cli/connection.h"

#include "api/view_json.h"
#include "api/view_text.h"
#include "base/instant.h"

#include <assert.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text_of(const json_t *object, const char *key)
{
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

static const char *age_of(const json_t *object, const char *key, char text[static SPAN_TEXT])
{
        int64_t us = json_integer_value(json_object_get(object, key));

        text[0] = '\0';
        return us < 0 ? text
                      : span_format(us >= 1000000 ? span_us(us / 1000000 * 1000000) : span_us(us), text);
}

static void print_own(const json_t *c)
{
        char age[SPAN_TEXT];

        printf("node %s  %s  %s", text_of(c, "node"), text_of(c, "name"), text_of(c, "state"));
        if (age_of(c, "age_us", age)[0])
                printf(" for %s", age);
        printf("%s%s\n", text_of(c, "text")[0] ? ": " : "", text_of(c, "text"));
}

static void print_watched(const json_t *w)
{
        char age[SPAN_TEXT];

        printf("%s:%s@%s  %s", text_of(w, "watch"), text_of(w, "service"), text_of(w, "host"),
               text_of(w, "state"));
        if (age_of(w, "age_us", age)[0])
                printf(" for %s", age);
        if (text_of(w, "quiet")[0])
                printf(" (%s)", text_of(w, "quiet"));
        printf("%s%s\n", text_of(w, "text")[0] ? ": " : "", text_of(w, "text"));
}

static void print_mark(const json_t *m)
{
        char left[SPAN_TEXT];

        printf("%s  %s by %s", text_of(m, "about"), text_of(m, "kind"), text_of(m, "who"));
        if (age_of(m, "left_us", left)[0])
                printf(", for %s more", left);
        printf("%s%s\n", text_of(m, "text")[0] ? ": " : "", text_of(m, "text"));
}

static bool has_checks(const struct view *v)
{
        for (int i = 0; i < v->group_count; i++)
                if (v->group[i].check_count > 0)
                        return true;
        return false;
}

static enum cli_status print_all(const json_t *view, const json_t *checks)
{
        const json_t *watched = json_object_get(checks, "watched"), *marks = json_object_get(checks, "marks");
        const json_t *own = json_object_get(checks, "own");
        struct view *v = calloc(1, sizeof(*v));
        const json_t *one;
        size_t i;

        assert(v);
        int error = view_from_json(view, v);
        if (!error && (has_checks(v) || json_array_size(watched) + json_array_size(own) == 0))
                view_print_checks(v, cli_colour(), stdout);
        free(v);
        if (error)
                return cli_fail("havend's answer holds no status: is it of another version?");
        json_array_foreach(own, i, one)
        {
                print_own(one);
        }
        json_array_foreach(watched, i, one)
        {
                print_watched(one);
        }
        if (json_array_size(marks) > 0)
                putchar('\n');
        json_array_foreach(marks, i, one)
        {
                print_mark(one);
        }
        return CLI_DONE;
}

/* The checks of the groups stand in the status, all that is watched in an answer of its own. */
enum cli_status command_checks(const struct command *command, const struct arguments *a)
{
        json_t *status, *answer, *checks;
        enum cli_status r;

        if (a->given[OPTION_TRY])
                return command_try(a->value[OPTION_TRY], a->given[OPTION_JSON]);
        r = ask(a->socket, json_pack("{s:s}", "command", "status"), PATIENCE_LOOK_S, &status);
        if (r != CLI_DONE)
                return r;
        r = ask(a->socket, json_pack("{s:s}", "command", "checks"), PATIENCE_LOOK_S, &answer);
        if (r != CLI_DONE) {
                json_decref(status);
                return r;
        }
        checks = json_object_get(answer, "checks");
        if (a->given[OPTION_JSON]) {
                json_t *groups = json_object_get(json_object_get(status, "view"), "groups");
                if (groups)
                        json_object_set(checks, "groups", groups);
                json_dumpf(checks, stdout, JSON_INDENT(2));
                putchar('\n');
        } else {
                r = print_all(json_object_get(status, "view"), checks);
        }
        json_decref(status);
        json_decref(answer);
        return r;
}

/* Who sits there, also behind sudo. */
static const char *who(void)
{
        const char *sudo = getenv("SUDO_USER");
        const struct passwd *me = sudo ? NULL : getpwuid(getuid());

        return sudo ? sudo : me ? me->pw_name : "somebody";
}

static enum cli_status say(const struct arguments *a, const char *command, const char *about,
                           const char *lasts, const char *text)
{
        json_t *answer, *request = json_pack("{s:s, s:s, s:s*, s:s*}", "command", command, "about", about,
                                             "for", lasts, "text", text);
        char name[32];

        if (!request)
                return cli_fail("'%s' is no text in UTF-8", text ? text : about);
        snprintf(name, sizeof(name), "%s", who());
        json_object_set_new(request, "who", json_string(name));
        enum cli_status r = ask(a->socket, request, PATIENCE_LOOK_S, &answer);
        if (r != CLI_DONE)
                return r;
        printf("%s: %s\n", about, text_of(answer, "text"));
        json_decref(answer);
        return CLI_DONE;
}

enum cli_status command_ack(const struct command *command, const struct arguments *a)
{
        return say(a, command->name, a->word[0], NULL, a->count > 1 ? a->word[1] : NULL);
}

enum cli_status command_silence(const struct command *command, const struct arguments *a)
{
        bool reason = a->count > 2 && strchr(a->word[a->count - 1], ' ');
        const char *text = reason ? a->word[a->count - 1] : NULL;
        enum cli_status r = CLI_DONE;
        span lasts;

        if (span_parse(a->word[0], &lasts) != 0 || lasts.us <= 0)
                return command_usage_error(command, "'%s' is no duration such as 90s, 20m or 2h", a->word[0]);
        for (int i = 1; i < a->count - (reason ? 1 : 0) && r == CLI_DONE; i++)
                r = say(a, command->name, a->word[i], a->word[0], text);
        return r;
}
