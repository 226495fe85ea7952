#include "monitor/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ID_SHIFT 23 /* 2^32 numbers on TABLE_SHELVES shelves */
_Static_assert((UINT32_MAX >> ID_SHIFT) + 1 == TABLE_SHELVES, "every number has a shelf");

struct table_entry {
        uint32_t id;
        void *object;
};

struct table_shelf {
        struct table_entry *entry; /* by id */
        uint32_t count;
        uint32_t room;
};

/* Index of the first entry not below `id`. */
static size_t shelf_place(const struct table_shelf *s, uint32_t id)
{
        size_t low = 0, high = s->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (s->entry[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

void *table_find(const struct table *t, uint32_t id)
{
        const struct table_shelf *s;
        size_t i;

        if (t->shelf == NULL)
                return NULL;
        s = &t->shelf[id >> ID_SHIFT];
        i = shelf_place(s, id);
        return i < s->count && s->entry[i].id == id ? s->entry[i].object : NULL;
}

void *table_next(const struct table *t, uint32_t *id)
{
        if (t->shelf == NULL)
                return NULL;
        for (size_t n = *id >> ID_SHIFT; n < TABLE_SHELVES; n++) {
                const struct table_shelf *s = &t->shelf[n];
                size_t i = shelf_place(s, *id);

                if (i == s->count)
                        continue;
                *id = s->entry[i].id;
                return s->entry[i].object;
        }
        return NULL;
}

static int shelf_grow(struct table_shelf *s)
{
        uint32_t room = s->room == 0 ? 8 : s->room * 2;
        struct table_entry *entry = reallocarray(s->entry, room, sizeof(*entry));

        if (entry == NULL)
                return -ENOMEM;
        s->entry = entry;
        s->room = room;
        return 0;
}

int table_put(struct table *t, uint32_t id, void *object)
{
        struct table_shelf *s;
        size_t i;

        assert(id != UINT32_MAX);
        if (t->count == TABLE_MAX)
                return -ENOSPC;
        if (t->shelf == NULL)
                t->shelf = calloc(TABLE_SHELVES, sizeof(*t->shelf));
        if (t->shelf == NULL)
                return -ENOMEM;
        s = &t->shelf[id >> ID_SHIFT];
        if (s->count == s->room && shelf_grow(s) != 0)
                return -ENOMEM;
        i = shelf_place(s, id);
        assert(i == s->count || s->entry[i].id != id);
        memmove(s->entry + i + 1, s->entry + i, (s->count - i) * sizeof(*s->entry));
        s->entry[i] = (struct table_entry){.id = id, .object = object};
        s->count++;
        t->count++;
        return 0;
}

void *table_take(struct table *t, uint32_t id)
{
        struct table_shelf *s;
        void *object;
        size_t i;

        if (t->shelf == NULL)
                return NULL;
        s = &t->shelf[id >> ID_SHIFT];
        i = shelf_place(s, id);
        if (i == s->count || s->entry[i].id != id)
                return NULL;
        object = s->entry[i].object;
        s->count--;
        t->count--;
        memmove(s->entry + i, s->entry + i + 1, (s->count - i) * sizeof(*s->entry));
        return object;
}

void table_done(struct table *t)
{
        for (size_t n = 0; t->shelf != NULL && n < TABLE_SHELVES; n++)
                free(t->shelf[n].entry);
        free(t->shelf);
        *t = (struct table){0};
}
