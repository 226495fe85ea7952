#include "world_inside.h"

#include <assert.h>

/* --- chance: xorshift64*, good enough to make trouble --- */

static uint64_t random_next(struct world *w)
{
        w->random ^= w->random >> 12;
        w->random ^= w->random << 25;
        w->random ^= w->random >> 27;
        return w->random * 2685821657736338717ULL;
}

uint32_t world_random(struct world *w, uint32_t below)
{
        return below ? (uint32_t)((random_next(w) >> 33) % below) : 0;
}

bool world_chance(struct world *w, double p)
{
        return p > 0 && (double)(random_next(w) >> 11) / 9007199254740992.0 < p;
}

span world_random_span(struct world *w, span from, span to)
{
        return span_us(from.us + (to.us > from.us ? world_random(w, (uint32_t)(to.us - from.us)) : 0));
}

/* --- clocks --- */

instant machine_clock(const struct world *w, const struct machine *m)
{
        return (instant){m->clock_offset + (int64_t)((double)w->now * m->clock_rate)};
}

int64_t machine_truth(const struct machine *m, instant t)
{
        if (t.us > INT64_MAX / 4)
                return INT64_MAX;
        return (int64_t)((double)(t.us - m->clock_offset) * m->clock_inverse) + 1;
}

/* --- the heap of what will happen --- */

static bool earlier(const struct agenda_entry *a, const struct agenda_entry *b)
{
        return a->at != b->at ? a->at < b->at : (int32_t)(a->order - b->order) < 0;
}

void world_happen(struct world *w, span in, struct happening h)
{
        size_t i = w->event_count++;

        assert(w->event_count < EVENTS_MAX);
        uint32_t slot = w->slot_free_count ? w->slot_free[--w->slot_free_count] : w->slot_used++;
        struct agenda_entry e = {.at = w->now + in.us, .order = (uint32_t)w->order++, .slot = slot};
        h.at = e.at;
        w->slot[slot] = h;
        while (i > 0 && earlier(&e, &w->agenda[(i - 1) / 2])) {
                w->agenda[i] = w->agenda[(i - 1) / 2];
                i = (i - 1) / 2;
        }
        w->agenda[i] = e;
}

struct happening world_next_happening(struct world *w)
{
        struct agenda_entry top = w->agenda[0], last = w->agenda[--w->event_count];
        size_t i = 0;

        for (;;) {
                size_t child = 2 * i + 1;
                if (child >= w->event_count)
                        break;
                if (child + 1 < w->event_count && earlier(&w->agenda[child + 1], &w->agenda[child]))
                        child++;
                if (!earlier(&w->agenda[child], &last))
                        break;
                w->agenda[i] = w->agenda[child];
                i = child;
        }
        w->agenda[i] = last;
        w->slot_free[w->slot_free_count++] = top.slot;
        return w->slot[top.slot];
}
