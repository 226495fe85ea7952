#include "config/config.h"
#include "config/words.h"

#include <stdlib.h>
#include <string.h>

/* Every word of the section, defaults included; what is empty has no words. */
static void print_words(const char *section, const char *kind, const struct target *from, const char *indent,
                        FILE *to)
{
        for (size_t i = 0; i < words_count; i++) {
                if (!word_is_of(&words[i], section, kind))
                        continue;
                char *text = word_text(&words[i], from);
                if (text && strcmp(text, "{}") != 0 && strcmp(text, "\"\"") != 0 && text[0] != '\0')
                        fprintf(to, "%s%s = %s\n", indent, words[i].name, text);
                free(text);
        }
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
                print_words(kind, NULL, &from, "        ", to);
                fputs("    }\n", to);
        }
        for (size_t i = 0; i < g->check_count; i++) {
                const char *kind = check_kind_name(g->check[i].kind);
                from.object = (void *)&g->check[i];
                fprintf(to, "    check %s {\n", kind);
                print_words("check", kind, &from, "        ", to);
                fputs("    }\n", to);
        }
        fputs("}\n", to);
}

void config_print_mistake(FILE *to, const char *file, int line, const char *text)
{
        if (line > 0)
                fprintf(to, "%s:%d: %s\n", file, line, text);
        else
                fprintf(to, "%s: %s\n", file, text);
}

void config_print(const struct config *c, FILE *to)
{
        struct target from = {.object = (void *)c, .config = c};
        const char *arbiter = arbiter_kind_name(c->arbiter.kind);

        fprintf(to, "cluster %s {\n", c->cluster);
        print_words("cluster", NULL, &from, "    ", to);
        fputs("}\n", to);
        for (size_t i = 0; i < c->node_count; i++) {
                from.object = &c->node[i];
                fprintf(to, "node %s {\n", c->node[i].name);
                print_words("node", NULL, &from, "    ", to);
                fputs("}\n", to);
        }
        from.object = (void *)&c->arbiter;
        fprintf(to, "arbiter %s {\n", arbiter);
        print_words("arbiter", arbiter, &from, "    ", to);
        fputs("}\n", to);
        if (c->watchdog.present) {
                from.object = (void *)&c->watchdog;
                fputs("watchdog {\n", to);
                print_words("watchdog", NULL, &from, "    ", to);
                fputs("}\n", to);
        }
        for (size_t i = 0; i < c->fence_count; i++) {
                from.object = &c->fence[i];
                fprintf(to, "fence %s {\n", c->fence[i].name);
                print_words("fence", NULL, &from, "    ", to);
                fputs("}\n", to);
        }
        for (size_t i = 0; i < c->group_count; i++)
                print_group(c, &c->group[i], to);
        for (size_t i = 0; i < c->alert_count; i++) {
                from.object = &c->alert[i];
                fputs("\nalert exec {\n", to);
                print_words("alert", "exec", &from, "    ", to);
                fputs("}\n", to);
        }
}
