#include "config/words.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static int nodes_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        const char *known[NODES_MAX];
        uint8_t *node = FIELD(uint8_t, w, to);
        size_t *count = (size_t *)(void *)((char *)to->object + w->count_offset);
        int i = config_find_node(to->config, text);

        if (strlen(text) >= NAME_SIZE) {
                snprintf(why, size, "is too long for a name: %d characters at most", NAME_SIZE - 1);
                return -EINVAL;
        }
        if (i < 0) {
                for (size_t n = 0; n < to->config->node_count; n++)
                        known[n] = to->config->node[n].name;
                const char *meant = nearest(text, known, to->config->node_count);
                snprintf(why, size, "is no node of this cluster%s%s%s", meant ? ": did you mean " : "",
                         meant ? meant : "", meant ? "?" : ": it needs a node section of its own");
                return -EINVAL;
        }
        if (memchr(node, i, *count)) {
                snprintf(why, size, "is named twice");
                return -EINVAL;
        }
        node[(*count)++] = (uint8_t)i;
        return 0;
}

static void nodes_put(const struct word *w, const struct target *from, struct texts *to)
{
        const uint8_t *node = FIELD(uint8_t, w, from);
        size_t count = *(const size_t *)(const void *)((const char *)from->object + w->count_offset);

        for (size_t i = 0; i < count; i++)
                texts_add(to, "%s", from->config->node[node[i]].name);
}

const struct value_type type_nodes = {"nodes", nodes_set, nodes_put};

static void list_put(const struct word *w, const struct target *from, struct texts *to)
{
        for (char **text = *FIELD(char **, w, from); text && *text; text++)
                texts_add(to, "%s", *text);
}

/* Whether there are such groups is not known before all are read: judge_company.c asks. */
static int groups_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        char ***list = FIELD(char **, w, to);
        const struct config_group *g = to->object;
        size_t n = 0;

        if (strcmp(text, g->name) == 0) {
                snprintf(why, size, "is the group itself");
                return -EINVAL;
        }
        for (; *list && (*list)[n]; n++) {
                if (strcmp((*list)[n], text) == 0) {
                        snprintf(why, size, "is named twice");
                        return -EINVAL;
                }
        }
        *list = memory_grow(*list, n + 2, sizeof(char *));
        (*list)[n] = memory_text(text);
        (*list)[n + 1] = NULL;
        return 0;
}

static int endpoints_set(const struct word *w, const struct target *to, const char *text, char *why,
                         size_t size)
{
        char ***list = FIELD(char **, w, to);
        const char *host = strstr(text, "://");
        size_t n = 0;

        if ((strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0) || !host[3]) {
                snprintf(why, size, "is no endpoint such as https://10.0.0.9:2379");
                return -EINVAL;
        }
        while (*list && (*list)[n])
                n++;
        *list = memory_grow(*list, n + 2, sizeof(char *));
        (*list)[n] = memory_text(text);
        (*list)[n + 1] = NULL;
        return 0;
}

const struct value_type type_endpoints = {"endpoints", endpoints_set, list_put};

const struct value_type type_groups = {"groups", groups_set, list_put};

/* A span of words such as "after 60s": what follows `text`, blanks skipped. */
static const char *skip_blanks(const char *text)
{
        return text + strspn(text, " \t");
}

static int failback_set(const struct word *w, const struct target *to, const char *text, char *why,
                        size_t size)
{
        struct config_group *g = to->object;

        g->failback_after = SPAN_ZERO;
        if (strcmp(text, "auto") == 0) {
                g->failback = FAILBACK_AUTO;
                return 0;
        }
        if (strcmp(text, "manual") == 0) {
                g->failback = FAILBACK_MANUAL;
                return 0;
        }
        if (strncmp(text, "after", 5) == 0 && (text[5] == ' ' || text[5] == '\t') &&
            span_parse(skip_blanks(text + 5), &g->failback_after) == 0 && g->failback_after.us > 0) {
                g->failback = FAILBACK_AFTER;
                return 0;
        }
        snprintf(why, size, "is not known: write auto, manual or \"after 60s\"");
        return -EINVAL;
}

static void put_span_after(const char *before, span s, struct texts *to)
{
        struct {
                span s;
        } object = {s};
        struct word w = {.offset = 0};
        struct texts t = {0};

        type_span.put(&w, &(struct target){.object = &object}, &t);
        texts_add(to, "%s%s", before, t.text[0]);
        texts_free(&t);
}

static void failback_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct config_group *g = from->object;

        switch (g->failback) {
        case FAILBACK_AUTO: texts_add(to, "auto"); break;
        case FAILBACK_MANUAL: texts_add(to, "manual"); break;
        case FAILBACK_AFTER: put_span_after("after ", g->failback_after, to); break;
        }
}

const struct value_type type_failback = {"a rule", failback_set, failback_put};

static int restart_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        struct config_group *g = to->object;
        char *end;
        long n = strtol(text, &end, 10);
        const char *at = skip_blanks(end);

        if (!isdigit((unsigned char)text[0]) || end == at || strncmp(at, "in", 2) != 0 ||
            (at[2] != ' ' && at[2] != '\t') || span_parse(skip_blanks(at + 2), &g->restart_window) < 0 ||
            g->restart_window.us == 0) {
                snprintf(why, size, "is not understood: write NUMBER in TIME, such as \"3 in 5m\"");
                return -EINVAL;
        }
        if (n > 100) {
                snprintf(why, size, "is too often: write 0 to 100 restarts");
                return -EINVAL;
        }
        g->restart_max = (int)n;
        return 0;
}

static void restart_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct config_group *g = from->object;
        char before[24];

        snprintf(before, sizeof(before), "%d in ", g->restart_max);
        put_span_after(before, g->restart_window, to);
}

const struct value_type type_restart = {"a rate", restart_set, restart_put};

static int signal_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;

        for (int i = 1; i < 32; i++) {
                const char *known = sigabbrev_np(i);
                if (known && strcmp(known, name) == 0) {
                        text_copy(FIELD(char, w, to), sizeof(((struct config_resource *)0)->stop_signal),
                                  name);
                        return 0;
                }
        }
        snprintf(why, size, "is no signal: write a name such as TERM, INT or QUIT");
        return -EINVAL;
}

static void signal_put(const struct word *w, const struct target *from, struct texts *to)
{
        texts_add(to, "%s", FIELD(char, w, from));
}

const struct value_type type_signal = {"a signal", signal_set, signal_put};

/* Agents lie in /usr/sbin; where else, it says. */
static int agent_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (text[0] == '\0' || strpbrk(text, " \t") || (text[0] != '/' && strchr(text, '/'))) {
                snprintf(why, size,
                         "is no fence agent: write its name, such as fence_ipmilan, or an absolute path");
                return -EINVAL;
        }
        return type_text.set(w, to, text, why, size);
}

static void agent_put(const struct word *w, const struct target *from, struct texts *to)
{
        texts_add(to, "%s", FIELD(char, w, from));
}

const struct value_type type_agent = {"a fence agent", agent_set, agent_put};
