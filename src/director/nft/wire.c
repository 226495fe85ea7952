#include "director/nft/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LINE_SIZE 256

void nft_wire_put(const struct table *t, FILE *to)
{
        char ip[IP_TEXT];

        for (size_t i = 0; i < t->count; i++) {
                const struct virtual_service *s = &t->service[i];
                fprintf(to, "service %u %s %u %s %" PRIu32 " %" PRIu32 " %u\n", s->key.protocol,
                        ip_format(&s->key.ip, ip), s->key.port, s->scheduler, s->flags, s->persistence_s,
                        s->mask_bits);
                for (size_t k = 0; k < s->count; k++) {
                        const struct real_server *r = &s->server[k];
                        fprintf(to, "server %s %u %" PRIu32 "\n", ip_format(&r->ip, ip), r->port, r->weight);
                }
        }
        fputs(NFT_WIRE_END "\n", to);
}

static int take_service(const char *line, struct table *to, struct virtual_service **ret_service)
{
        struct virtual_service s = {0};
        unsigned protocol, port, mask;
        char ip[IP_TEXT];

        if (sscanf(line, "service %u %45s %u %15s %" SCNu32 " %" SCNu32 " %u", &protocol, ip, &port,
                   s.scheduler, &s.flags, &s.persistence_s, &mask) != 7 ||
            ip_parse(ip, &s.key.ip) < 0)
                return -EBADMSG;
        s.key.protocol = (uint8_t)protocol;
        s.key.port = (uint16_t)port;
        s.key.family = s.key.ip.family;
        s.mask_bits = (uint8_t)mask;
        *ret_service = table_add(to, &s);
        return *ret_service ? 0 : -ENOMEM;
}

static int take_server(const char *line, struct virtual_service *to)
{
        struct real_server r = {0};
        unsigned port;
        char ip[IP_TEXT];

        if (!to || sscanf(line, "server %45s %u %" SCNu32, ip, &port, &r.weight) != 3 ||
            ip_parse(ip, &r.ip) < 0)
                return -EBADMSG;
        r.port = (uint16_t)port;
        return service_add(to, &r);
}

int nft_wire_get(FILE *from, struct table *ret_table)
{
        struct virtual_service *service = NULL;
        const struct virtual_service *twin;
        char line[LINE_SIZE];
        bool whole = false;
        int error = 0;

        *ret_table = (struct table){0};
        while (!error && !whole && fgets(line, sizeof(line), from)) {
                whole = strcmp(line, NFT_WIRE_END "\n") == 0;
                if (whole)
                        break;
                error = strncmp(line, "server ", 7) == 0 ? take_server(line, service)
                                                         : take_service(line, ret_table, &service);
        }
        if (!error && (!whole || !table_sort(ret_table, &twin)))
                error = -EBADMSG;
        if (error)
                table_free(ret_table);
        return error;
}
