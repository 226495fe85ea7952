#include "random_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

unsigned random_next(unsigned *seed, unsigned below)
{
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        return *seed % below;
}

static struct ip ip_of(sa_family_t family, unsigned net, unsigned n)
{
        struct ip ip = {.family = family, .bytes = {10, (uint8_t)net, (uint8_t)(n >> 8), (uint8_t)n}};

        if (family == AF_INET6)
                ip = (struct ip){
                        .family = family,
                        .bytes = {0xfd, 0, (uint8_t)net, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n}};
        return ip;
}

static struct real_server random_server(unsigned *seed, const struct virtual_key *key, size_t n)
{
        struct real_server r = {
                .ip = ip_of(key->family, 2, 1 + random_next(seed, (unsigned)n)),
                .port = (uint16_t)(key->mark ? 0 : 8000 + random_next(seed, 2)),
                .forward = (enum forward)random_next(seed, 3),
                .weight = random_next(seed, 4),
        };

        if (r.forward == FORWARD_TUNNEL) {
                r.tunnel = (enum tunnel)random_next(seed, 3);
                r.tunnel_port = r.tunnel == TUNNEL_GUE ? 6080 : 0;
                r.checksum = r.tunnel == TUNNEL_IPIP ? TUNNEL_NO_CHECKSUM
                                                     : (enum tunnel_checksum)random_next(seed, 2);
        }
        if (random_next(seed, 3) == 0) {
                r.upper = 100 + random_next(seed, 2);
                r.lower = random_next(seed, 100);
        }
        return r;
}

static struct virtual_service random_service(unsigned *seed, size_t n)
{
        static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
        static const char *const schedulers[] = {"rr", "wrr", "wlc", "sh", "mh"};
        sa_family_t family = random_next(seed, 2) ? AF_INET : AF_INET6;
        struct virtual_service s = {.key.family = family, .mask_bits = family == AF_INET ? 32 : 128};

        if (random_next(seed, 5) == 0) {
                s.key.mark = 1 + random_next(seed, (unsigned)n);
        } else {
                s.key.protocol = protocols[random_next(seed, 3)];
                s.key.ip = ip_of(family, 1, 1 + random_next(seed, (unsigned)n));
                s.key.port = (uint16_t)(80 + random_next(seed, 2));
        }
        strcpy(s.scheduler, schedulers[random_next(seed, 5)]);
        if (s.key.protocol == IPPROTO_UDP && random_next(seed, 2))
                s.flags |= SERVICE_ONE_PACKET;
        if (random_next(seed, 4) == 0)
                s.flags |= SERVICE_FLAG_1;
        if (random_next(seed, 3) == 0 && !(s.flags & SERVICE_ONE_PACKET)) {
                s.persistence_s = 60 * (1 + random_next(seed, 3));
                s.mask_bits = (uint8_t)(family == AF_INET ? 24 : 64);
        }
        return s;
}

static bool has(const struct virtual_service *s, const struct real_server *r)
{
        uint16_t port = r->forward == FORWARD_MASQ || s->key.mark ? r->port : s->key.port;

        for (size_t i = 0; i < s->count; i++)
                if (ip_equal(&s->server[i].ip, &r->ip) && s->server[i].port == port)
                        return true;
        return false;
}

void random_table(unsigned *seed, size_t services, size_t servers, struct table *ret_table)
{
        const struct virtual_service *twin;

        *ret_table = (struct table){0};
        for (size_t i = 0; i < services; i++) {
                struct virtual_service s = random_service(seed, services);
                bool there = false;
                for (size_t j = 0; j < ret_table->count && !there; j++)
                        there = virtual_key_compare(&ret_table->service[j].key, &s.key) == 0;
                if (there)
                        continue;
                struct virtual_service *added = table_add(ret_table, &s);
                assert(added);
                for (size_t j = random_next(seed, (unsigned)servers + 1); j > 0; j--) {
                        struct real_server r = random_server(seed, &s.key, servers);
                        int error = has(added, &r) ? 0 : service_add(added, &r);
                        assert(!error);
                }
        }
        bool unique = table_sort(ret_table, &twin);
        assert(unique);
}
