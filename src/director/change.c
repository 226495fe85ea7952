/* change.c - what leads from the kernel's table to the wanted one. Both are sorted, so one pass does it. */
#include "director/table.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void changes_free(struct changes *c)
{
        free(c->change);
        *c = (struct changes){0};
}

static int put(struct changes *to, enum change_kind kind, const struct virtual_service *service,
               const struct real_server *server)
{
        if (to->count == to->room) {
                size_t room = to->room ? 2 * to->room : 16;
                struct change *grown = reallocarray(to->change, room, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                to->change = grown;
                to->room = room;
        }
        to->change[to->count++] = (struct change){.kind = kind, .service = service, .server = server};
        return 0;
}

/* What is to come and to stay; then what is to go. */
static int put_servers(struct changes *to, const struct virtual_service *wanted,
                       const struct virtual_service *actual, bool going)
{
        size_t w = 0, a = 0;
        int error = 0;

        while (!error && (w < wanted->count || a < actual->count)) {
                const struct real_server *new = w < wanted->count ? &wanted->server[w] : NULL;
                const struct real_server *old = a < actual->count ? &actual->server[a] : NULL;
                int by = !new ? 1 : !old ? -1 : real_server_compare(new, old);
                w += by <= 0;
                a += by >= 0;
                if (by < 0 && !going)
                        error = put(to, CHANGE_SERVER_ADD, wanted, new);
                else if (by > 0 && going)
                        error = put(to, CHANGE_SERVER_REMOVE, actual, old);
                else if (by == 0 && !going && !server_same(new, old))
                        error = put(to, CHANGE_SERVER_SET, wanted, new);
        }
        return error;
}

int changes_of_service(const struct virtual_service *wanted, const struct virtual_service *actual,
                       struct changes *to)
{
        int error = service_same(wanted, actual) ? 0 : put(to, CHANGE_SERVICE_SET, wanted, NULL);

        if (!error)
                error = put_servers(to, wanted, actual, false);
        return error ? error : put_servers(to, wanted, actual, true);
}

static int put_new(struct changes *to, const struct virtual_service *wanted)
{
        int error = put(to, CHANGE_SERVICE_ADD, wanted, NULL);

        for (size_t i = 0; i < wanted->count && !error; i++)
                error = put(to, CHANGE_SERVER_ADD, wanted, &wanted->server[i]);
        return error;
}

int changes_between(const struct table *wanted, const struct table *actual, const struct table *mine,
                    bool sweep, struct changes *to)
{
        size_t w = 0, a = 0;
        int error = 0;

        while (!error && (w < wanted->count || a < actual->count)) {
                const struct virtual_service *new = w < wanted->count ? &wanted->service[w] : NULL;
                const struct virtual_service *old = a < actual->count ? &actual->service[a] : NULL;
                int by = !new ? 1 : !old ? -1 : virtual_key_compare(&new->key, &old->key);
                w += by <= 0;
                a += by >= 0;
                if (by < 0)
                        error = put_new(to, new);
                else if (by == 0)
                        error = changes_of_service(new, old, to);
                else if (sweep || (mine && table_service(mine, &old->key)))
                        continue; /* last of all, below */
                else
                        to->foreign++;
        }
        for (a = 0; a < actual->count && !error; a++) {
                const struct virtual_key *key = &actual->service[a].key;
                if (!table_service(wanted, key) && (sweep || (mine && table_service(mine, key))))
                        error = put(to, CHANGE_SERVICE_REMOVE, &actual->service[a], NULL);
        }
        return error;
}

const char *forward_name(enum forward forward)
{
        static const char *const names[] = {"masq", "direct", "tunnel"};

        return names[forward];
}

const char *tunnel_name(enum tunnel tunnel)
{
        static const char *const names[] = {"ipip", "gue", "gre"};

        return names[tunnel];
}

const char *protocol_name(uint8_t protocol)
{
        switch (protocol) {
        case IPPROTO_TCP: return "tcp";
        case IPPROTO_UDP: return "udp";
        case IPPROTO_SCTP: return "sctp";
        default: return "?";
        }
}

const char *endpoint_format(const struct ip *ip, uint16_t port, char text[static SERVER_TEXT])
{
        char address[IP_TEXT];

        snprintf(text, SERVER_TEXT, ip->family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip_format(ip, address),
                 port);
        return text;
}

const char *virtual_key_format(const struct virtual_key *key, char text[static VIRTUAL_TEXT])
{
        char endpoint[SERVER_TEXT];

        if (key->mark)
                snprintf(text, VIRTUAL_TEXT, "mark%s %u", key->family == AF_INET6 ? "6" : "", key->mark);
        else
                snprintf(text, VIRTUAL_TEXT, "%s %s", protocol_name(key->protocol),
                         endpoint_format(&key->ip, key->port, endpoint));
        return text;
}

const char *change_format(const struct change *c, char text[static CHANGE_TEXT])
{
        char key[VIRTUAL_TEXT], server[SERVER_TEXT] = "", how[80] = "";
        static const char *const verb[] = {
                [CHANGE_SERVICE_ADD] = "added",        [CHANGE_SERVICE_SET] = "changed",
                [CHANGE_SERVER_ADD] = "adding",        [CHANGE_SERVER_SET] = "setting",
                [CHANGE_SERVER_REMOVE] = "taking out", [CHANGE_SERVICE_REMOVE] = "removed",
        };

        virtual_key_format(&c->service->key, key);
        if (c->server)
                endpoint_format(&c->server->ip, c->server->port, server);
        if (c->server && (c->kind == CHANGE_SERVER_ADD || c->kind == CHANGE_SERVER_SET))
                snprintf(how, sizeof(how), " %s weight %u", forward_name(c->server->forward),
                         c->server->weight);
        else if (c->kind == CHANGE_SERVICE_ADD || c->kind == CHANGE_SERVICE_SET)
                snprintf(how, sizeof(how), ", scheduler %s", c->service->scheduler);
        snprintf(text, CHANGE_TEXT, "%s: %s%s%s%s", key, verb[c->kind], server[0] ? " " : "", server, how);
        return text;
}
