#include "cli/connection.h"

#include "api/view_json.h"
#include "base/instant.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS     100
#define PATIENCE_S  600  /* services may take minutes to stop, and to start */
#define HOPELESS_MS 2000 /* it is stopped, failed or blocked for so long, and not on its way */

struct wish {
        const char *group;
        const char *node; /* NULL: any but the owner */
        char owner[NAME_SIZE];
};

static struct view *look(const struct arguments *a, enum cli_status *ret_status)
{
        struct view *v = calloc(1, sizeof(*v));
        json_t *answer;

        assert(v);
        *ret_status = ask(a->socket, json_pack("{s:s}", "command", "status"), PATIENCE_LOOK_S, &answer);
        if (*ret_status == CLI_DONE) {
                if (view_from_json(json_object_get(answer, "view"), v) < 0)
                        *ret_status = cli_fail("havend's answer holds no status: is it of another version?");
                json_decref(answer);
        }
        if (*ret_status == CLI_DONE)
                return v;
        free(v);
        return NULL;
}

static bool has_word(const char *words, const char *word)
{
        size_t n = strlen(word);

        for (const char *at = words; n && (at = strstr(at, word)); at += n)
                if ((at == words || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
                        return true;
        return false;
}

static bool is_there(const struct wish *w, const struct view_group *g)
{
        if (strcmp(g->state, "started") != 0)
                return false;
        return w->node ? strcmp(g->node, w->node) == 0 : strcmp(g->node, w->owner) != 0;
}

static bool is_stuck(const struct view_group *g)
{
        return strcmp(g->state, "stopped") == 0 || strcmp(g->state, "failed") == 0 ||
               strcmp(g->state, "blocked") == 0;
}

/* Says each step once. */
static void tell(const struct view_group *g, char *told, size_t size)
{
        char text[2 * NAME_SIZE + 32];

        snprintf(text, sizeof(text), "%s: %s%s%s", g->name, g->state, g->node[0] ? " on " : "", g->node);
        if (strcmp(text, told) == 0)
                return;
        snprintf(told, size, "%s", text);
        printf("%s\n", text);
        fflush(stdout);
}

/* Why it will not come to be there, in `text`; false: it may. */
static bool is_hopeless(const struct view *v, const struct wish *w, const struct view_group *g, span stuck,
                        char *text, size_t size)
{
        if (!g)
                snprintf(text, size, "group %s is gone from the configuration", w->group);
        else if (v->maintenance)
                snprintf(text, size, "%s moves when maintenance ends", g->name);
        else if (w->node && has_word(g->failed_on, w->node))
                snprintf(text, size,
                         "%s did not start on %s: 'haven events' says why; when mended: haven clear %s",
                         g->name, w->node, g->name);
        else if (span_to_ms(stuck) > HOPELESS_MS)
                snprintf(text, size, "%s is %s: %.200s", g->name, g->state,
                         g->text[0] ? g->text : "'haven events' says why");
        else
                return false;
        return true;
}

static enum cli_status wait_for(const struct arguments *a, const struct wish *w)
{
        instant start = instant_now(), moving = start, now = start;
        char told[2 * NAME_SIZE + 32] = "", why[400];

        while (span_between(start, now).us < span_s(PATIENCE_S).us) {
                enum cli_status status;
                struct view *v = look(a, &status);
                if (!v)
                        return status;
                const struct view_group *g = view_find_group(v, w->group);
                now = instant_now();
                moving = g && is_stuck(g) ? moving : now;
                if (g)
                        tell(g, told, sizeof(told));
                bool there = g && is_there(w, g);
                bool hopeless = !there && is_hopeless(v, w, g, span_between(moving, now), why, sizeof(why));
                free(v);
                if (there)
                        return CLI_DONE;
                if (hopeless)
                        return cli_fail("%s", why);
                nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
        }
        return cli_fail("%s is not there after %d s: 'haven explain %s' says why", w->group, PATIENCE_S,
                        w->group);
}

/* Who has it before the order, so that it is seen when another has. */
static enum cli_status note_owner(const struct arguments *a, struct wish *w)
{
        enum cli_status status;
        struct view *v = look(a, &status);
        const struct view_group *g = v ? view_find_group(v, w->group) : NULL;

        if (g)
                snprintf(w->owner, sizeof(w->owner), "%s", g->node);
        free(v);
        return status;
}

enum cli_status command_move(const struct command *command, const struct arguments *a)
{
        struct wish w = {.group = a->word[0], .node = a->count > 1 ? a->word[1] : NULL};
        json_t *answer, *request;
        enum cli_status status = a->given[OPTION_NO_WAIT] ? CLI_DONE : note_owner(a, &w);

        if (status != CLI_DONE)
                return status;
        request = json_pack("{s:s, s:s, s:s*}", "command", command->name, "group", w.group, "node", w.node);
        status = ask(a->socket, request, PATIENCE_ORDER_S, &answer);
        if (status != CLI_DONE)
                return status;
        const char *text = json_string_value(json_object_get(answer, "text"));
        if (a->given[OPTION_NO_WAIT] && text && *text)
                printf("%s\n", text);
        json_decref(answer);
        return a->given[OPTION_NO_WAIT] ? CLI_DONE : wait_for(a, &w);
}
