/* table.h - objects by number, for some ten thousands of them: sorted arrays, one for each beginning of a
 * number, so that taking one in moves few others. Numbers are hashes or count up from 0; both do well.
 *
 * The table does not own what it points to. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TABLE_MAX     65536
#define TABLE_SHELVES 512

struct table_shelf;

struct table {
        struct table_shelf *shelf; /* TABLE_SHELVES of them; NULL: empty */
        size_t count;
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
