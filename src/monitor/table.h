/* table.h - objects by number: a sorted array of pointers, for some thousands of them.
 *
 * The table does not own what it points to. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TABLE_MAX 65536

struct table_entry {
        uint32_t id;
        void *object;
};

struct table {
        struct table_entry *entry;
        size_t count;
        size_t room;
};

/* NULL if it is not there. */
void *table_find(const struct table *t, uint32_t id);
/* The object with the lowest number that is not below `*id`, and its number; NULL past the end. Safe against
 * changes between two calls: for (id = 0; (x = table_next(t, &id)) != NULL; id++). Ids stay below UINT32_MAX.
 */
void *table_next(const struct table *t, uint32_t *id);
/* The number must be free. 0, -ENOMEM, or -ENOSPC at TABLE_MAX. */
int table_put(struct table *t, uint32_t id, void *object);
/* Returns what was there, or NULL. */
void *table_take(struct table *t, uint32_t id);
void table_done(struct table *t);
