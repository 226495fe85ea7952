/* Watches and alerts. A check of a watch is written once and meant for each host: its section is copied with
 * the host in place of %h, or as the word that says what to look at, and built like any other check. */
#include "config/build_inside.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_SIGN "%h"
#define PORT_SIGN "%p"

static char *with_port(char *text, const char *port)
{
        char *result = NULL, *at = port ? strstr(text, PORT_SIGN) : NULL;

        if (!at)
                return text;
        if (asprintf(&result, "%.*s%s%s", (int)(at - text), text, port, at + strlen(PORT_SIGN)) == -1)
                abort();
        free(text);
        return with_port(result, port);
}

/* The text with the host in it; in a url, an IPv6 address stands in brackets. */
static char *with_host(const char *text, const char *host, const char *port, bool url)
{
        const char *at = strstr(text, HOST_SIGN);
        char *result = NULL;
        size_t size;

        if (!at)
                return with_port(memory_text(text), port);
        FILE *to = open_memstream(&result, &size);
        if (!to)
                abort();
        for (; (at = strstr(text, HOST_SIGN)); text = at + strlen(HOST_SIGN)) {
                bool brackets = url && strchr(host, ':') && (at == text || at[-1] != '[');
                fprintf(to, "%.*s%s%s%s", (int)(at - text), text, brackets ? "[" : "", host,
                        brackets ? "]" : "");
        }
        fputs(text, to);
        fclose(to);
        return with_port(result, port);
}

static const struct word *word_of(const char *kind, const char *name)
{
        const struct word *w;

        for (size_t i = 0; (w = word_next("check", kind, &i));)
                if (strcmp(w->name, name) == 0)
                        return w;
        return NULL;
}

static bool has_host(const struct entry *setting)
{
        for (size_t i = 0; setting && i < setting->value_count; i++)
                if (strstr(setting->value[i].text, HOST_SIGN) || strstr(setting->value[i].text, PORT_SIGN))
                        return true;
        return false;
}

struct entry *check_for_host(const struct entry *check, const char *host, const char *port)
{
        struct entry *copy = entry_new(check->word, check->title, check->place);
        const struct word *w;

        copy->section = true;
        for (size_t i = 0; i < check->child_count; i++) {
                const struct entry *from = check->child[i];
                struct entry *to = entry_new(from->word, from->title, from->place);
                const struct word *known = word_of(check->title, from->word);
                to->section = from->section;
                to->unknown = from->unknown;
                for (size_t v = 0; v < from->value_count; v++) {
                        char *text = with_host(from->value[v].text, host, port,
                                               known && known->type == &type_own_url);
                        entry_add_value(to, text, from->value[v].line);
                        free(text);
                }
                entry_add(copy, to);
        }
        for (size_t i = 0; (w = word_next("check", check->title, &i));) {
                if (!w->is_host || entry_find(check, w->name))
                        continue;
                struct entry *to = entry_new(w->name, NULL, check->place);
                entry_add_value(to, host, check->place.line);
                entry_add(copy, to);
        }
        return copy;
}

char *check_text(const struct entry *check, const struct config_check *built, const struct config *c)
{
        struct target from = {.object = (void *)built, .config = c};
        char *result = NULL;
        size_t size;
        FILE *to = open_memstream(&result, &size);
        const struct word *w;

        if (!to)
                abort();
        for (size_t i = 0; (w = word_next("check", check->title, &i));) {
                const struct entry *setting = entry_find(check, w->name);
                if (!setting && (w->is_host || w->required)) /* what was filled in */
                        continue;
                if (setting && has_host(setting)) {
                        fprintf(to, "%s = %s", w->name, w->list ? "{" : "");
                        for (size_t v = 0; v < setting->value_count; v++) {
                                fputs(v ? ", " : "", to);
                                quoted_print(setting->value[v].text, to);
                        }
                        fputs(w->list ? "}\n" : "\n", to);
                        continue;
                }
                char *text = word_text(w, &from);
                if (text && strcmp(text, "{}") != 0 && strcmp(text, "\"\"") != 0 && text[0] != '\0')
                        fprintf(to, "%s = %s\n", w->name, text);
                free(text);
        }
        fclose(to);
        return result;
}

bool check_names_host(const struct entry *check)
{
        const struct word *w;

        for (size_t i = 0; i < check->child_count; i++)
                if (has_host(check->child[i]))
                        return true;
        for (size_t i = 0; (w = word_next("check", check->title, &i));)
                if (w->is_host && !entry_find(check, w->name))
                        return true;
        return false;
}

static void watch_check(struct tree *t, const struct entry *e, const struct config_watch *w,
                        struct config_service *s, struct config *c)
{
        struct config_watch_check *k = &s->check[s->check_count];
        bool good = true;

        /* pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
        k->check = memory_new(w->host_count + 1, sizeof(*k->check));
        for (size_t h = 0; h < w->host_count && good; h++) {
                size_t mistakes = t->mistake_count;
                struct entry *mine = check_for_host(e, w->host[h], NULL);
                k->check[h] = memory_new(1, sizeof(**k->check));
                good = build_check(t, mine, k->check[h], c) && t->mistake_count == mistakes;
                entry_free(mine);
        }
        s->check_count++;
        if (!k->check[0])
                return;
        k->kind = k->check[0]->kind;
        text_copy(k->name, sizeof(k->name), k->check[0]->name);
        if (!good)
                return;
        k->text = check_text(e, k->check[0], c);
        if (w->host_count > 1 && !check_names_host(e))
                tree_mistake(t, e->place,
                             "check %s looks at the same thing for every host: write %s where the host "
                             "belongs",
                             k->name, HOST_SIGN);
        for (size_t i = 0; i + 1 < s->check_count; i++)
                if (strcmp(s->check[i].name, k->name) == 0)
                        tree_mistake(t, e->place,
                                     "check '%s' is there already: give one of them a name of its own, as in "
                                     "name = front",
                                     k->name);
}

static int compare_checks(const void *a, const void *b)
{
        const struct config_watch_check *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static void watch_service(struct tree *t, const struct entry *e, struct config_watch *w, struct config *c)
{
        struct config_service *s = &w->service[w->service_count];
        struct target to = {.object = s, .config = c};

        for (size_t i = 0; i < w->service_count; i++)
                if (e->title && strcmp(w->service[i].name, e->title) == 0) {
                        complain_twice(t, e, e->title, w->service[i].place, "a service has one section");
                        return;
                }
        w->service_count++;
        s->place = e->place;
        take_name(t, e, s->name, sizeof(s->name));
        set_words(t, e, "watch service", NULL, &to);
        s->check = memory_new(e->child_count + 1, sizeof(*s->check));
        for (size_t i = 0; i < e->child_count; i++) {
                const struct entry *child = e->child[i];
                if (!child->section || strcmp(child->word, "check") != 0)
                        continue;
                if (s->check_count == CHECKS_MAX) {
                        tree_mistake(t, child->place, "more than %d checks in one service", CHECKS_MAX);
                        break;
                }
                watch_check(t, child, w, s, c);
        }
        if (s->check_count == 0 && !t->cut_short)
                tree_mistake(t, e->place, "service %s needs a check: check http { url = \"http://%%h/\" }",
                             s->name);
        qsort(s->check, s->check_count, sizeof(*s->check), compare_checks);
}

static int compare_services(const void *a, const void *b)
{
        return strcmp(a, b); /* a name is the first member */
}

void build_watch(struct tree *t, const struct entry *e, struct config *c)
{
        struct config_watch *w = &c->watch[c->watch_count];
        struct target to = {.object = w, .config = c};

        if (e->title && config_find_watch(c, e->title) >= 0) {
                complain_twice(t, e, e->title, c->watch[config_find_watch(c, e->title)].place,
                               "a watch has one section");
                return;
        }
        c->watch_count++;
        w->place = e->place;
        take_name(t, e, w->name, sizeof(w->name));
        set_words(t, e, "watch", NULL, &to);
        while (w->host && w->host[w->host_count])
                w->host_count++;
        w->service = memory_new(e->child_count + 1, sizeof(*w->service));
        for (size_t i = 0; i < e->child_count; i++) {
                const struct entry *child = e->child[i];
                if (!child->section || strcmp(child->word, "service") != 0)
                        continue;
                if (w->service_count == SERVICES_MAX) {
                        tree_mistake(t, child->place, "more than %d services in one watch", SERVICES_MAX);
                        break;
                }
                watch_service(t, child, w, c);
        }
        if (w->service_count == 0 && !t->cut_short)
                tree_mistake(t, e->place, "watch %s needs a service: service NAME { check ... { } }",
                             w->name);
        qsort(w->service, w->service_count, sizeof(*w->service), compare_services);
}

/* --- alerts --- */

static int alert_kind_of(const char *word)
{
        for (int k = 0; k < ALERT_KINDS; k++)
                if (strcmp(alert_kind_name((enum alert_kind)k), word) == 0)
                        return k;
        return -1;
}

void build_alert(struct tree *t, const struct entry *e, struct config *c)
{
        struct config_alert *a = &c->alert[c->alert_count];
        struct target to = {.object = a, .config = c};
        int kind = alert_kind_of(e->title ? e->title : "");

        if (kind < 0) {
                tree_mistake(t, e->place, "'%s' is no alert: write alert exec, mail, webhook, mon or journal",
                             e->title ? e->title : "");
                return;
        }
        a->kind = (enum alert_kind)kind;
        a->place = e->place;
        set_words(t, e, "alert", e->title, &to);
        if (!entry_find(e, "on"))
                a->on = (1U << ALERT_EVENTS) - 1;
        for (size_t i = 0; a->name[0] && i < c->alert_count; i++)
                if (strcmp(c->alert[i].name, a->name) == 0)
                        tree_mistake(t, e->place, "alert: the name '%s' is taken already: give it another",
                                     a->name);
        c->alert_count++;
}

static int compare_lists(char *const *a, char *const *b)
{
        for (; a && b && *a && *b; a++, b++)
                if (strcmp(*a, *b) != 0)
                        return strcmp(*a, *b);
        return (a && *a) - (b && *b);
}

static int compare_alerts(const void *a, const void *b)
{
        const struct config_alert *x = a, *y = b;
        int order = x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->name, y->name);

        if (order == 0)
                order = compare_lists(x->argv, y->argv);
        if (order == 0)
                order = compare_lists(x->to, y->to);
        if (order == 0)
                order = strcmp(x->url, y->url);
        if (order == 0)
                order = compare_lists(x->about, y->about);
        return order != 0 ? order : x->place.line - y->place.line;
}

static bool name_taken(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->alert_count; i++)
                if (strcmp(c->alert[i].name, name) == 0)
                        return true;
        return false;
}

void build_alerts_name(struct tree *t, struct config *c)
{
        qsort(c->alert, c->alert_count, sizeof(*c->alert), compare_alerts);
        for (size_t i = 0; i < c->alert_count; i++) {
                const char *kind = alert_kind_name(c->alert[i].kind);
                char name[NAME_SIZE];
                if (c->alert[i].name[0])
                        continue;
                snprintf(name, sizeof(name), "%s", kind);
                for (int n = 2; name_taken(c, name); n++)
                        snprintf(name, sizeof(name), "%s-%d", kind, n);
                text_copy(c->alert[i].name, sizeof(c->alert[i].name), name);
        }
        qsort(c->alert, c->alert_count, sizeof(*c->alert), compare_alerts);
}
