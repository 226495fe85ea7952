#include "config/print_inside.h"

#include <stdlib.h>
#include <string.h>

void print_words(const char *section, const char *kind, const struct target *from, const char *indent,
                 FILE *to)
{
        const struct word *w;

        for (size_t i = 0; (w = word_next(section, kind, &i));) {
                char *text = word_text(w, from);
                if (text && strcmp(text, "{}") != 0 && strcmp(text, "\"\"") != 0 && text[0] != '\0')
                        fprintf(to, "%s%s = %s\n", indent, w->name, text);
                free(text);
        }
}

void print_pool(const struct config *c, const struct config_pool *p, FILE *to)
{
        struct target from = {.object = (void *)&p->all, .config = c};

        fprintf(to, "        pool %s {\n", p->name);
        print_words("pool", NULL, &from, "            ", to);
        for (size_t i = 0; i < p->server_count; i++) {
                from.object = &p->server[i];
                fputs("            real ", to);
                quoted_print(p->server[i].name, to);
                fputs(" {\n", to);
                print_words("real", NULL, &from, "                ", to);
                fputs("            }\n", to);
        }
        for (size_t i = 0; i < p->check_count; i++) {
                fprintf(to, "            check %s {\n", check_kind_name(p->check[i].check[0]->kind));
                for (const char *line = p->check[i].text; line && *line; line += strcspn(line, "\n") + 1)
                        fprintf(to, "                %.*s\n", (int)strcspn(line, "\n"), line);
                fputs("            }\n", to);
        }
        fputs("        }\n", to);
}

void print_virtual(const struct config *c, const struct config_virtual *v, FILE *to)
{
        struct target from = {.object = (void *)v, .config = c};

        fputs("        virtual ", to);
        quoted_print(v->name, to);
        fputs(" {\n", to);
        print_words("virtual", NULL, &from, "            ", to);
        fputs("        }\n", to);
}

void print_director(const struct config *c, const struct config_director *d, FILE *to)
{
        struct target from = {.object = (void *)d, .config = c};

        print_words("director", NULL, &from, "        ", to);
        for (size_t i = 0; i < d->pool_count; i++)
                print_pool(c, &d->pool[i], to);
        for (size_t i = 0; i < d->virtual_count; i++)
                print_virtual(c, &d->virtual[i], to);
}
