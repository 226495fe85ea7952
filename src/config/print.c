#include "config/config.h"
#include "config/print_inside.h"

#include <stdlib.h>
#include <string.h>

static void print_checks(const struct config *c, const struct config_check *check, size_t count, FILE *to)
{
        for (size_t i = 0; i < count; i++) {
                struct target from = {.object = (void *)&check[i], .config = c};
                const char *kind = check_kind_name(check[i].kind);

                fprintf(to, "    check %s {\n", kind);
                print_words("check", kind, &from, "        ", to);
                fputs("    }\n", to);
        }
}

static void print_node(const struct config *c, const struct config_node *n, FILE *to)
{
        struct target from = {.object = (void *)n, .config = c};

        fprintf(to, "node %s {\n", n->name);
        print_words("node", NULL, &from, "    ", to);
        print_checks(c, n->check, n->check_count, to);
        fputs("}\n", to);
}

static void print_group(const struct config *c, const struct config_group *g, FILE *to)
{
        struct target from = {.object = (void *)g, .config = c};

        fprintf(to, "\ngroup %s {\n", g->name);
        print_words("group", NULL, &from, "    ", to);
        for (size_t i = 0; i < g->resource_count; i++) {
                const struct config_resource *r = &g->resource[i];
                const char *kind = resource_kind_name(r->kind);
                from.object = (void *)r;
                fprintf(to, "    %s ", kind);
                quoted_print(r->name, to);
                fputs(" {\n", to);
                if (r->director)
                        print_director(c, r->director, to);
                else
                        print_words(kind, NULL, &from, "        ", to);
                fputs("    }\n", to);
        }
        print_checks(c, g->check, g->check_count, to);
        fputs("}\n", to);
}

static void print_service(const struct config *c, const struct config_service *s, FILE *to)
{
        struct target from = {.object = (void *)s, .config = c};

        fprintf(to, "    service %s {\n", s->name);
        print_words("watch service", NULL, &from, "        ", to);
        for (size_t i = 0; i < s->check_count; i++) {
                fprintf(to, "        check %s {\n", check_kind_name(s->check[i].kind));
                for (const char *line = s->check[i].text; line && *line; line += strcspn(line, "\n") + 1)
                        fprintf(to, "            %.*s\n", (int)strcspn(line, "\n"), line);
                fputs("        }\n", to);
        }
        fputs("    }\n", to);
}

static void print_watch(const struct config *c, const struct config_watch *w, FILE *to)
{
        struct target from = {.object = (void *)w, .config = c};

        fprintf(to, "\nwatch %s {\n", w->name);
        print_words("watch", NULL, &from, "    ", to);
        for (size_t i = 0; i < w->service_count; i++)
                print_service(c, &w->service[i], to);
        fputs("}\n", to);
}

void config_print_mistake(FILE *to, const char *file, int line, const char *text)
{
        if (line > 0)
                fprintf(to, "%s:%d: %s\n", file, line, text);
        else
                fprintf(to, "%s: %s\n", file, text);
}

/* "node alpha {", its words, "}". */
static void print_section(const struct config *c, const char *section, const char *kind, const char *title,
                          const void *object, FILE *to)
{
        struct target from = {.object = (void *)object, .config = c};

        fprintf(to, "%s%s%s {\n", section, title ? " " : "", title ? title : "");
        print_words(section, kind, &from, "    ", to);
        fputs("}\n", to);
}

void config_print(const struct config *c, FILE *to)
{
        const char *arbiter = arbiter_kind_name(c->arbiter.kind);

        print_section(c, "cluster", NULL, c->cluster, c, to);
        for (size_t i = 0; i < c->node_count; i++)
                print_node(c, &c->node[i], to);
        print_section(c, "arbiter", arbiter, arbiter, &c->arbiter, to);
        if (c->watchdog.present)
                print_section(c, "watchdog", NULL, NULL, &c->watchdog, to);
        for (size_t i = 0; i < c->fence_count; i++)
                print_section(c, "fence", NULL, c->fence[i].name, &c->fence[i], to);
        for (size_t i = 0; i < c->group_count; i++)
                print_group(c, &c->group[i], to);
        for (size_t i = 0; i < c->watch_count; i++)
                print_watch(c, &c->watch[i], to);
        for (size_t i = 0; i < c->alert_count; i++) {
                const char *kind = alert_kind_name(c->alert[i].kind);
                fputs("\n", to);
                print_section(c, "alert", kind, kind, &c->alert[i], to);
        }
}
