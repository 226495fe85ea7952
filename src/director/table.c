#include "director/table.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_numbers(uint64_t a, uint64_t b)
{
        return a < b ? -1 : a > b;
}

static int compare_ips(const struct ip *a, const struct ip *b)
{
        int by = compare_numbers(a->family, b->family);

        return by || a->family == 0 ? by : memcmp(a->bytes, b->bytes, ip_size(a));
}

int virtual_key_compare(const struct virtual_key *a, const struct virtual_key *b)
{
        int by = compare_numbers(a->mark, b->mark);

        if (!by)
                by = compare_numbers(a->family, b->family);
        if (by || a->mark)
                return by;
        by = compare_ips(&a->ip, &b->ip);
        if (!by)
                by = compare_numbers(a->port, b->port);
        return by ? by : compare_numbers(a->protocol, b->protocol);
}

static int compare_services(const void *one, const void *two)
{
        const struct virtual_service *a = one, *b = two;

        return virtual_key_compare(&a->key, &b->key);
}

int real_server_compare(const struct real_server *a, const struct real_server *b)
{
        int by = compare_ips(&a->ip, &b->ip);

        return by ? by : compare_numbers(a->port, b->port);
}

static int compare_servers(const void *one, const void *two)
{
        return real_server_compare(one, two);
}

/* One more place in a growing array; NULL: no memory, and nothing changed. */
static void *grow(void *array, size_t *room, size_t count, size_t size)
{
        size_t wanted = *room ? 2 * *room : 8;

        if (count < *room)
                return array;
        void *grown = reallocarray(array, wanted, size);
        if (grown)
                *room = wanted;
        return grown;
}

void table_free(struct table *t)
{
        for (size_t i = 0; i < t->count; i++)
                free(t->service[i].server);
        free(t->service);
        *t = (struct table){0};
}

struct virtual_service *table_add(struct table *t, const struct virtual_service *s)
{
        struct virtual_service *grown = grow(t->service, &t->room, t->count, sizeof(*grown));

        if (!grown)
                return NULL;
        t->service = grown;
        struct virtual_service *added = &t->service[t->count++];
        *added = *s;
        added->server = NULL;
        added->count = added->room = 0;
        return added;
}

int table_add_whole(struct table *t, struct virtual_service *s)
{
        struct virtual_service *added = table_add(t, s);

        if (!added) {
                service_done(s);
                return -ENOMEM;
        }
        added->server = s->server;
        added->count = s->count;
        added->room = s->room;
        return 0;
}

int service_add(struct virtual_service *s, const struct real_server *r)
{
        struct real_server *grown = grow(s->server, &s->room, s->count, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        s->server = grown;
        struct real_server *added = &s->server[s->count++];
        *added = *r;
        if (added->forward != FORWARD_MASQ && !s->key.mark)
                added->port = s->key.port;
        return 0;
}

void service_done(struct virtual_service *s)
{
        free(s->server);
        s->server = NULL;
        s->count = s->room = 0;
}

bool service_sort(struct virtual_service *s)
{
        if (s->count > 1)
                qsort(s->server, s->count, sizeof(*s->server), compare_servers);
        for (size_t i = 1; i < s->count; i++)
                if (compare_servers(&s->server[i - 1], &s->server[i]) == 0)
                        return false;
        return true;
}

bool table_sort(struct table *t, const struct virtual_service **ret_twin)
{
        bool unique = true;

        if (t->count > 1)
                qsort(t->service, t->count, sizeof(*t->service), compare_services);
        for (size_t i = 0; i < t->count && unique; i++) {
                bool twin = i > 0 && compare_services(&t->service[i - 1], &t->service[i]) == 0;
                unique = !twin && service_sort(&t->service[i]);
                if (!unique)
                        *ret_twin = &t->service[i];
        }
        return unique;
}

struct virtual_service *table_service(const struct table *t, const struct virtual_key *key)
{
        struct virtual_service sought = {.key = *key};

        return t->count ? bsearch(&sought, t->service, t->count, sizeof(*t->service), compare_services)
                        : NULL;
}

struct real_server *service_server(const struct virtual_service *s, const struct ip *ip, uint16_t port)
{
        struct real_server sought = {.ip = *ip, .port = port};

        return s->count ? bsearch(&sought, s->server, s->count, sizeof(*s->server), compare_servers) : NULL;
}

bool service_same(const struct virtual_service *a, const struct virtual_service *b)
{
        /* the mask has a meaning with persistence only */
        return !strcmp(a->scheduler, b->scheduler) && a->flags == b->flags &&
               a->persistence_s == b->persistence_s && (!a->persistence_s || a->mask_bits == b->mask_bits) &&
               !strcmp(a->retriever, b->retriever);
}

bool server_same(const struct real_server *wanted, const struct real_server *actual)
{
        bool forward = actual->local || wanted->forward == actual->forward;

        if (!actual->local && wanted->forward == FORWARD_TUNNEL)
                forward = forward && wanted->tunnel == actual->tunnel &&
                          wanted->tunnel_port == actual->tunnel_port && wanted->checksum == actual->checksum;
        return forward && wanted->weight == actual->weight && wanted->upper == actual->upper &&
               wanted->lower == actual->lower;
}
