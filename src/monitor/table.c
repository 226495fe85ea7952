#include "monitor/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Index of the first entry not below `id`. */
static size_t table_place(const struct table *t, uint32_t id)
{
        size_t low = 0, high = t->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (t->entry[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

void *table_find(const struct table *t, uint32_t id)
{
        size_t i = table_place(t, id);

        return i < t->count && t->entry[i].id == id ? t->entry[i].object : NULL;
}

void *table_next(const struct table *t, uint32_t *id)
{
        size_t i = table_place(t, *id);

        if (i == t->count)
                return NULL;
        *id = t->entry[i].id;
        return t->entry[i].object;
}

int table_put(struct table *t, uint32_t id, void *object)
{
        size_t i = table_place(t, id);

        assert(i == t->count || t->entry[i].id != id);
        assert(id != UINT32_MAX);
        if (t->count == TABLE_MAX)
                return -ENOSPC;
        if (t->count == t->room) {
                size_t room = t->room == 0 ? 8 : t->room * 2;
                struct table_entry *entry = reallocarray(t->entry, room, sizeof(*entry));

                if (entry == NULL)
                        return -ENOMEM;
                t->entry = entry;
                t->room = room;
        }
        memmove(t->entry + i + 1, t->entry + i, (t->count - i) * sizeof(*t->entry));
        t->entry[i] = (struct table_entry){.id = id, .object = object};
        t->count++;
        return 0;
}

void *table_take(struct table *t, uint32_t id)
{
        size_t i = table_place(t, id);
        void *object;

        if (i == t->count || t->entry[i].id != id)
                return NULL;
        object = t->entry[i].object;
        t->count--;
        memmove(t->entry + i, t->entry + i + 1, (t->count - i) * sizeof(*t->entry));
        return object;
}

void table_done(struct table *t)
{
        free(t->entry);
        *t = (struct table){0};
}
