#include "monitor/runner/due.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void put_at(struct due_heap *h, size_t place, struct due_member m)
{
        h->at[place] = m;
        m.due->place = place;
}

static void rise(struct due_heap *h, size_t place, struct due_member m)
{
        for (; place > 1 && h->at[place / 2].by_ms > m.by_ms; place /= 2)
                put_at(h, place, h->at[place / 2]);
        put_at(h, place, m);
}

static void sink(struct due_heap *h, size_t place, struct due_member m)
{
        for (;;) {
                size_t child = place * 2;

                if (child < h->count && h->at[child + 1].by_ms < h->at[child].by_ms)
                        child++;
                if (child > h->count || h->at[child].by_ms >= m.by_ms)
                        break;
                put_at(h, place, h->at[child]);
                place = child;
        }
        put_at(h, place, m);
}

static void settle(struct due_heap *h, size_t place, struct due_member m)
{
        if (place > 1 && h->at[place / 2].by_ms > m.by_ms)
                rise(h, place, m);
        else
                sink(h, place, m);
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
        assert(d->place == 0 && from_ms <= by_ms);
        if (h->count + 1 >= h->room && grow(h) != 0)
                return -ENOMEM;
        d->from_ms = from_ms;
        h->count++;
        rise(h, h->count, (struct due_member){.by_ms = by_ms, .due = d});
        return 0;
}

void due_move(struct due_heap *h, struct due *d, uint64_t from_ms, uint64_t by_ms)
{
        assert(d->place != 0 && from_ms <= by_ms);
        d->from_ms = from_ms;
        settle(h, d->place, (struct due_member){.by_ms = by_ms, .due = d});
}

void due_remove(struct due_heap *h, struct due *d)
{
        size_t place = d->place;
        struct due_member last;

        if (place == 0)
                return;
        last = h->at[h->count--];
        d->place = 0;
        if (last.due != d)
                settle(h, place, last);
}

struct due *due_first(const struct due_heap *h, uint64_t *ret_by_ms)
{
        if (h->count == 0)
                return NULL;
        *ret_by_ms = h->at[1].by_ms;
        return h->at[1].due;
}

void due_done(struct due_heap *h)
{
        free(h->at);
        *h = (struct due_heap){0};
}
