#include "heartbeat/window.h"

#include <assert.h>

static int incarnation_compare(struct incarnation a, struct incarnation b)
{
        if (a.boot != b.boot)
                return a.boot < b.boot ? -1 : 1;
        return a.core == b.core ? 0 : a.core < b.core ? -1 : 1;
}

enum window_verdict window_hear(struct window *w, unsigned link, struct incarnation of, uint32_t seq)
{
        assert(link < WINDOW_LINKS);
        int age = w->heard ? incarnation_compare(of, w->of) : 1;
        if (age < 0)
                return WINDOW_OLD_INCARNATION;
        if (age > 0)
                *w = (struct window){.of = of}; /* a new start: numbers begin again */
        bool is_new = !w->heard || seq > w->seq;
        if (!is_new && w->seq - seq > WINDOW_LAG)
                return WINDOW_REPLAYED;
        if (w->link[link].heard && seq <= w->link[link].seq)
                return WINDOW_REPLAYED;
        w->link[link].heard = true;
        w->link[link].seq = seq;
        if (!is_new)
                return WINDOW_COPY;
        w->heard = true;
        w->seq = seq;
        return WINDOW_NEW;
}
