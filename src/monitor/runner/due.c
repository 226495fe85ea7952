#include "monitor/runner/due.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void put_at(struct due_heap *h, size_t place, struct due *d)
{
        h->at[place].due = d;
        d->place = place;
}

static void rise(struct due_heap *h, struct due *d)
{
        size_t place = d->place;

        for (; place > 1 && h->at[place / 2].due->by_ms > d->by_ms; place /= 2)
                put_at(h, place, h->at[place / 2].due);
        put_at(h, place, d);
}

static void sink(struct due_heap *h, struct due *d)
{
        size_t place = d->place;

        for (;;) {
                size_t child = place * 2;

                if (child < h->count && h->at[child + 1].due->by_ms < h->at[child].due->by_ms)
                        child++;
                if (child > h->count || h->at[child].due->by_ms >= d->by_ms)
                        break;
                put_at(h, place, h->at[child].due);
                place = child;
        }
        put_at(h, place, d);
}

static int grow(struct due_heap *h)
{
        size_t room = h->room == 0 ? 16 : h->room * 2;
        struct due_member *at = reallocarray(h->at, room, sizeof(*at));

        if (at == NULL)
                return -ENOMEM;
        h->at = at;
        h->room = room;
        return 0;
}

int due_add(struct due_heap *h, struct due *d, uint64_t from_ms, uint64_t by_ms)
{
        assert(d->place == 0);
        if (h->count + 1 >= h->room && grow(h) != 0)
                return -ENOMEM;
        h->count++;
        d->place = h->count;
        d->by_ms = by_ms;
        d->from_ms = from_ms;
        rise(h, d);
        return 0;
}

void due_move(struct due_heap *h, struct due *d, uint64_t from_ms, uint64_t by_ms)
{
        assert(d->place != 0 && from_ms <= by_ms);
        d->from_ms = from_ms;
        d->by_ms = by_ms;
        rise(h, d);
        sink(h, d);
}

void due_remove(struct due_heap *h, struct due *d)
{
        size_t place = d->place;
        struct due *last;

        if (place == 0)
                return;
        last = h->at[h->count--].due;
        d->place = 0;
        if (last == d)
                return;
        put_at(h, place, last);
        rise(h, last);
        sink(h, last);
}

struct due *due_first(const struct due_heap *h)
{
        return h->count == 0 ? NULL : h->at[1].due;
}

void due_done(struct due_heap *h)
{
        free(h->at);
        *h = (struct due_heap){0};
}
