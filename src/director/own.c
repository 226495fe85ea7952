#include "director/own.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *one, const void *two)
{
        const struct ip *a = one, *b = two;

        if (a->family != b->family)
                return a->family < b->family ? -1 : 1;
        return memcmp(a->bytes, b->bytes, ip_size(a));
}

int own_read(struct own *o)
{
        struct ifaddrs *all;
        size_t most = 0;

        if (getifaddrs(&all) == -1)
                return -errno;
        for (const struct ifaddrs *i = all; i; i = i->ifa_next)
                most++;
        struct own read = {.ip = calloc(most + 1, sizeof(*read.ip))};
        for (const struct ifaddrs *i = all; i && read.ip; i = i->ifa_next) {
                struct ip *ip = &read.ip[read.count];
                if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
                        continue;
                ip_from_sockaddr(i->ifa_addr, ip);
                read.count += !ip_is_loopback(ip);
        }
        freeifaddrs(all);
        if (!read.ip)
                return -ENOMEM;
        if (read.count > 1)
                qsort(read.ip, read.count, sizeof(*read.ip), compare);
        own_free(o);
        *o = read;
        return 0;
}

void own_free(struct own *o)
{
        free(o->ip);
        *o = (struct own){0};
}

bool own_has(const struct own *o, const struct ip *ip)
{
        return o->count && bsearch(ip, o->ip, o->count, sizeof(*o->ip), compare);
}
