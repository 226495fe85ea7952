#include "director/places.h"

#include <errno.h>
#include <stdlib.h>

static int compare_places(const void *one, const void *two)
{
        const struct place *a = one, *b = two;

        int by = real_server_compare(a->real, b->real);

        return by || a->service == b->service ? by : a->service < b->service ? -1 : 1;
}

int places_list(const struct plan *plan, struct places *ret_places)
{
        size_t count = 0, n = 0;

        for (size_t i = 0; i < plan->service_count; i++)
                count += plan->service[i].server_count;
        struct place *place = calloc(count + 1, sizeof(*place));
        if (!place)
                return -ENOMEM;
        for (size_t i = 0; i < plan->service_count; i++)
                for (size_t j = 0; j < plan->service[i].server_count; j++)
                        place[n++] = (struct place){i, j, &plan->service[i].server[j].real};
        qsort(place, n, sizeof(*place), compare_places);
        *ret_places = (struct places){n, place};
        return 0;
}

void places_free(struct places *p)
{
        free(p->place);
        *p = (struct places){0};
}

/* How many stand before the server. */
static size_t before(const struct places *p, const struct real_server *r)
{
        size_t low = 0, high = p->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (real_server_compare(p->place[middle].real, r) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

const struct place *places_find(const struct places *p, const struct ip *ip, uint16_t port, size_t *ret_count)
{
        size_t first = before(p, &(struct real_server){.ip = *ip, .port = port}), n = 0;

        while (first + n < p->count && ip_equal(&p->place[first + n].real->ip, ip) &&
               (port == 0 || p->place[first + n].real->port == port))
                n++;
        *ret_count = n;
        return p->place + first;
}
