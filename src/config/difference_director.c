/* What differs between two directors: pool by pool, and service by service, as they are written. */
#include "config/print_inside.h"

#include <stdlib.h>
#include <string.h>

typedef void print_fn(const void *object, FILE *to);

static void print_one_pool(const void *object, FILE *to)
{
        print_pool(NULL, object, to);
}

static void print_one_virtual(const void *object, FILE *to)
{
        print_virtual(NULL, object, to);
}

static char *text_of(print_fn *print, const void *object)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                abort();
        print(object, to);
        fclose(to);
        return text;
}

static int tell(FILE *to, const char *who, const char *kind, const char *name, const char *what)
{
        if (to)
                fprintf(to, "%s: %s %s %s\n", who, kind, name, what);
        return 1;
}

static bool same(print_fn *print, const void *a, const void *b)
{
        char *x = text_of(print, a), *y = text_of(print, b);
        bool equal = strcmp(x, y) == 0;

        free(x);
        free(y);
        return equal;
}

static const struct config_pool *find_pool(const struct config_director *d, const struct config_pool *like)
{
        for (size_t i = 0; i < d->pool_count; i++)
                if (strcmp(d->pool[i].name, like->name) == 0)
                        return &d->pool[i];
        return NULL;
}

static const struct config_virtual *find_virtual(const struct config_director *d,
                                                 const struct config_virtual *like)
{
        for (size_t i = 0; i < d->virtual_count; i++)
                if (strcmp(d->virtual[i].name, like->name) == 0 &&
                    d->virtual[i].transport == like->transport && d->virtual[i].version == like->version)
                        return &d->virtual[i];
        return NULL;
}

int compare_directors(const struct config_director *a, const struct config_director *b, const char *who,
                      FILE *to)
{
        int count = 0;

        for (size_t i = 0; i < a->pool_count; i++)
                if (!find_pool(b, &a->pool[i]))
                        count += tell(to, who, "pool", a->pool[i].name, "removed");
        for (size_t i = 0; i < b->pool_count; i++) {
                const struct config_pool *old = find_pool(a, &b->pool[i]);
                if (!old || !same(print_one_pool, old, &b->pool[i]))
                        count += tell(to, who, "pool", b->pool[i].name, old ? "changed" : "added");
        }
        for (size_t i = 0; i < a->virtual_count; i++)
                if (!find_virtual(b, &a->virtual[i]))
                        count += tell(to, who, "virtual", a->virtual[i].name, "removed");
        for (size_t i = 0; i < b->virtual_count; i++) {
                const struct config_virtual *old = find_virtual(a, &b->virtual[i]);
                if (!old || !same(print_one_virtual, old, &b->virtual[i]))
                        count += tell(to, who, "virtual", b->virtual[i].name, old ? "changed" : "added");
        }
        return count;
}
