#include "director/nft/text.h"

#include "base/text.h"
#include "director/nft/name.h"
#include "director/nft/slots.h"

#include <stdlib.h>
#include <string.h>

/* Any number, but the same one on every director: else a client's hash would lead elsewhere after a move. */
#define HASH_SEED        "0x68617665"
#define PERSISTENTS_MOST 65535 /* clients that are remembered for one server */

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (strcmp(list[i], name) == 0)
                        return true;
        return false;
}

static bool picks_by_hash(const struct virtual_service *s)
{
        static const char *const hashing[] = {"sh", "mh"};

        return is_one_of(s->scheduler, hashing, COUNT(hashing));
}

static bool scheduler_is_known(const struct virtual_service *s)
{
        /* those that count connections go by the weights alone */
        static const char *const turning[] = {"rr", "wrr", "lc", "wlc", "sed", "nq"};

        return picks_by_hash(s) || is_one_of(s->scheduler, turning, COUNT(turning));
}

bool nft_can(const struct virtual_service *s, char why[static NFT_WHY])
{
        char key[VIRTUAL_TEXT];
        const char *no = NULL;

        if (s->key.mark)
                no = "a firewall mark";
        else if (s->key.port == 0)
                no = "all ports at once";
        else if (s->flags & SERVICE_ONE_PACKET)
                no = "one-packet";
        else if (s->retriever[0])
                no = "a persistence-engine";
        else if (!scheduler_is_known(s))
                no = s->scheduler;
        for (size_t i = 0; i < s->count && !no; i++) {
                const struct real_server *r = &s->server[i];
                if (r->forward != FORWARD_MASQ)
                        no = r->forward == FORWARD_DIRECT ? "forward = direct" : "forward = tunnel";
                else if (r->upper)
                        no = "a limit of connections";
        }
        if (s->count >= (picks_by_hash(s) ? HASH_SLOTS : SLOTS_MAX) && !no)
                no = "so many servers";
        if (no)
                snprintf(why, NFT_WHY, "%s: nftables cannot do %s, only IPVS can",
                         virtual_key_format(&s->key, key), no);
        return !no;
}

/* --- names --- */

static uint16_t port_of(const struct virtual_service *s, const struct real_server *r)
{
        return r->port ? r->port : s->key.port;
}

static const char *server_name(const struct virtual_service *s, const struct real_server *r,
                               char name[static NFT_NAME])
{
        return nft_server_name(&s->key, &r->ip, port_of(s, r), name);
}

static char version_of(const struct virtual_service *s)
{
        return s->key.family == AF_INET6 ? '6' : '4';
}

/* What the rules of one family call themselves. */
static const char *ip_word(sa_family_t family)
{
        return family == AF_INET6 ? "ip6" : "ip";
}

static bool is_loopback(const struct ip *ip)
{
        struct ip six;

        return ip->family == AF_INET ? ip->bytes[0] == 127 : ip_parse("::1", &six) == 0 && ip_equal(ip, &six);
}

/* --- servers --- */

/* Who its client is: an address, or its network. */
static void put_client(const struct virtual_service *s, FILE *to)
{
        unsigned bits = s->key.family == AF_INET6 ? 128 : 32;
        struct ip mask = {.family = s->key.family};
        char text[IP_TEXT];

        fprintf(to, "%s saddr", ip_word(s->key.family));
        if (s->mask_bits == 0 || s->mask_bits >= bits)
                return;
        for (unsigned i = 0; i < s->mask_bits; i++)
                mask.bytes[i / 8] |= (uint8_t)(0x80u >> i % 8);
        fprintf(to, " & %s", ip_format(&mask, text));
}

static void put_server(const struct nft_style *style, const struct virtual_service *s,
                       const struct real_server *r, FILE *to)
{
        char name[NFT_NAME], ip[IP_TEXT];
        bool six = s->key.family == AF_INET6;

        server_name(s, r, name);
        fprintf(to, "add counter inet %s %s\n", style->table, name);
        fprintf(to, "add chain inet %s %s\n", style->table, name);
        if (s->persistence_s)
                fprintf(to, "add set inet %s %s { type %s; size %d; flags dynamic,timeout; timeout %us; }\n",
                        style->table, name, six ? "ipv6_addr" : "ipv4_addr", PERSISTENTS_MOST,
                        s->persistence_s);
        fprintf(to, "add rule inet %s %s ", style->table, name);
        if (s->persistence_s) {
                fprintf(to, "update @%s { ", name);
                put_client(s, to);
                fputs(" } ", to);
        }
        fprintf(to, "counter name \"%s\" meta l4proto %s ", name, protocol_name(s->key.protocol));
        if (is_loopback(&r->ip)) /* what comes from outside is refused there */
                fprintf(to, "redirect to :%u\n", port_of(s, r));
        else
                fprintf(to, six ? "dnat ip6 to [%s]:%u\n" : "dnat ip to %s:%u\n", ip_format(&r->ip, ip),
                        port_of(s, r));
}

/* Once its service's chain is empty. */
static void put_server_gone(const struct nft_style *style, const struct virtual_service *s,
                            const struct real_server *r, FILE *to)
{
        char name[NFT_NAME];

        server_name(s, r, name);
        fprintf(to, "delete chain inet %s %s\n", style->table, name);
        if (s->persistence_s)
                fprintf(to, "delete set inet %s %s\n", style->table, name);
        fprintf(to, "delete counter inet %s %s\n", style->table, name);
}

/* Who is in the table no more, has no connections any more: rules alone would leave them what they have. */
static void put_forgotten(const struct table *wanted, const struct virtual_service *actual, FILE *to)
{
        const struct virtual_service *s = table_service(wanted, &actual->key);
        char name[NFT_NAME];

        for (size_t i = 0; i < actual->count; i++)
                if (!s || !service_server(s, &actual->server[i].ip, actual->server[i].port))
                        fprintf(to, "forget %s\n", server_name(actual, &actual->server[i], name));
}

/* --- who is next --- */

static size_t slots_of(const struct virtual_service *s, uint16_t slot[static SLOTS_MAX])
{
        uint32_t *weight = calloc(s->count + 1, sizeof(*weight)), *seed = calloc(s->count + 1, sizeof(*seed));
        char text[SERVER_TEXT];
        size_t count = 0;

        for (size_t i = 0; weight && seed && i < s->count; i++) {
                const struct real_server *r = &s->server[i];
                weight[i] = strcmp(s->scheduler, "rr") == 0 ? r->weight != 0 : r->weight;
                seed[i] = text_id(endpoint_format(&r->ip, port_of(s, r), text));
        }
        if (weight && seed)
                count = picks_by_hash(s) ? slots_by_hash(weight, seed, s->count, slot)
                                         : slots_in_turn(weight, s->count, slot);
        free(weight);
        free(seed);
        return count;
}

/* Who is asked for in which order, a number of a slot. */
static void put_order(const struct virtual_service *s, size_t count, FILE *to)
{
        if (picks_by_hash(s))
                fprintf(to, "jhash %s saddr%s mod %zu seed " HASH_SEED, ip_word(s->key.family),
                        s->flags & SERVICE_FLAG_2 ? " . th sport" : "", count);
        else
                fprintf(to, "numgen inc mod %zu", count);
}

/* The slots have a map of their own name, like the service's chain: for one without a name the kernel goes
 * through all that is in the transaction. Ranges would be fewer words, but two elements for each. */
static void put_map(const struct nft_style *style, const struct virtual_service *s, FILE *to)
{
        char name[NFT_NAME];

        fprintf(to, "add map inet %s %s { typeof numgen inc mod 2 : verdict; }\n", style->table,
                nft_service_name(&s->key, name));
}

static void put_slots(const struct nft_style *style, const struct virtual_service *s, const uint16_t *slot,
                      size_t count, FILE *to)
{
        char name[NFT_NAME];
        size_t named = SIZE_MAX;

        fprintf(to, "add element inet %s %s { ", style->table, nft_service_name(&s->key, name));
        for (size_t i = 0; i < count; i++) {
                if (slot[i] != named)
                        server_name(s, &s->server[slot[i]], name);
                named = slot[i];
                fprintf(to, "%s%zu : goto %s", i ? ", " : "", i, name);
        }
        fputs(" }\n", to);
}

/* Servers first: the rules name their chains. */
static void put_choice(const struct nft_style *style, const struct virtual_service *s, FILE *to)
{
        char name[NFT_NAME], server[NFT_NAME];
        uint16_t slot[SLOTS_MAX];
        size_t count = slots_of(s, slot);

        nft_service_name(&s->key, name);
        for (size_t i = 0; s->persistence_s && i < s->count; i++) {
                if (s->server[i].weight == 0)
                        continue;
                fprintf(to, "add rule inet %s %s ", style->table, name);
                put_client(s, to);
                server_name(s, &s->server[i], server);
                fprintf(to, " @%s goto %s\n", server, server);
        }
        if (count == 0)
                return; /* nobody: the packet stays here, and is refused */
        put_slots(style, s, slot, count, to);
        fprintf(to, "add rule inet %s %s ", style->table, name);
        put_order(s, count, to);
        fprintf(to, " vmap @%s\n", name);
}

/* --- services --- */

/* Many elements of one set are one command: each command looks for its set among all of the table. */
struct elements {
        FILE *to;
        const struct nft_style *style;
        const char *set; /* "services" */
        char version;    /* '4', '6' */
        bool any;
};

static FILE *elements_next(struct elements *e)
{
        if (e->any)
                fputs(", ", e->to);
        else
                fprintf(e->to, "add element inet %s %s%c { ", e->style->table, e->set, e->version);
        e->any = true;
        return e->to;
}

static void elements_end(struct elements *e)
{
        if (e->any)
                fputs(" }\n", e->to);
        e->any = false;
}

static void put_key(const struct virtual_service *s, FILE *to)
{
        char ip[IP_TEXT];

        fprintf(to, "%s . %s . %u", ip_format(&s->key.ip, ip), protocol_name(s->key.protocol), s->key.port);
}

static void put_entry(const struct virtual_service *s, struct elements *to)
{
        char name[NFT_NAME];

        put_key(s, elements_next(to));
        fprintf(to->to, " : goto %s", nft_service_name(&s->key, name));
}

/* All of one family that lead to their service's chain, which is there already. */
static void put_entries(const struct nft_style *style, const struct virtual_service *service, size_t count,
                        FILE *to)
{
        struct elements four = {to, style, "services", '4', false}, six = {to, style, "services", '6', false};

        for (size_t i = 0; i < count; i++)
                if (version_of(&service[i]) == '4')
                        put_entry(&service[i], &four);
        elements_end(&four);
        for (size_t i = 0; i < count; i++)
                if (version_of(&service[i]) == '6')
                        put_entry(&service[i], &six);
        elements_end(&six);
}

static void put_service(const struct nft_style *style, const struct virtual_service *s, FILE *to)
{
        char name[NFT_NAME];

        nft_service_name(&s->key, name);
        for (size_t i = 0; i < s->count; i++)
                put_server(style, s, &s->server[i], to);
        fprintf(to, "add chain inet %s %s\n", style->table, name);
        put_map(style, s, to);
        put_choice(style, s, to);
}

static void put_service_gone(const struct nft_style *style, const struct virtual_service *s, FILE *to)
{
        char name[NFT_NAME];

        nft_service_name(&s->key, name);
        fprintf(to, "delete element inet %s services%c { ", style->table, version_of(s));
        put_key(s, to);
        fputs(" }\n", to);
        fprintf(to, "flush chain inet %s %s\n", style->table, name);
        fprintf(to, "delete map inet %s %s\n", style->table, name);
        for (size_t i = 0; i < s->count; i++)
                put_server_gone(style, s, &s->server[i], to);
        fprintf(to, "delete chain inet %s %s\n", style->table, name);
}

static void put_service_change(const struct nft_style *style, const struct virtual_service *wanted,
                               const struct virtual_service *actual, FILE *to)
{
        char name[NFT_NAME];

        nft_service_name(&wanted->key, name);
        fprintf(to, "flush chain inet %s %s\n", style->table, name);
        fprintf(to, "flush map inet %s %s\n", style->table, name);
        for (size_t i = 0; i < wanted->count; i++) {
                const struct real_server *r = &wanted->server[i];
                if (!service_server(actual, &r->ip, r->port))
                        put_server(style, wanted, r, to);
        }
        put_choice(style, wanted, to);
        for (size_t i = 0; i < actual->count; i++) {
                const struct real_server *r = &actual->server[i];
                if (!service_server(wanted, &r->ip, r->port))
                        put_server_gone(style, actual, r, to);
        }
}

/* --- the table --- */

struct place {
        const struct virtual_service *service;
        const struct real_server *server;
};

static int compare_places(const void *one, const void *two)
{
        const struct place *a = one, *b = two;
        int by = memcmp(a->server->ip.bytes, b->server->ip.bytes, ip_size(&a->server->ip));

        if (!by)
                by = (int)a->service->key.protocol - (int)b->service->key.protocol;
        return by ? by : (int)port_of(a->service, a->server) - (int)port_of(b->service, b->server);
}

/* All places of servers of one family, same servers side by side. NULL: none. */
static struct place *places_of(const struct table *t, char version, size_t *ret_count)
{
        size_t most = 0, n = 0;

        for (size_t i = 0; i < t->count; i++)
                most += t->service[i].count;
        struct place *all = calloc(most + 1, sizeof(*all));
        for (size_t i = 0; all && i < t->count; i++) {
                const struct virtual_service *s = &t->service[i];
                for (size_t k = 0; version_of(s) == version && k < s->count; k++)
                        if (!is_loopback(&s->server[k].ip))
                                all[n++] = (struct place){s, &s->server[k]};
        }
        if (n)
                qsort(all, n, sizeof(*all), compare_places);
        *ret_count = n;
        return all;
}

static void put_endpoint(const struct place *p, FILE *to)
{
        char ip[IP_TEXT];

        fprintf(to, "%s . %s . %u", ip_format(&p->server->ip, ip), protocol_name(p->service->key.protocol),
                port_of(p->service, p->server));
}

/* How many stand behind one service, or many, side by side. */
static size_t count_same(const struct place *at, const struct place *end)
{
        size_t same = 1;

        while (at + same < end && compare_places(at, at + same) == 0)
                same++;
        return same;
}

static void put_sorted_reals(const struct nft_style *style, char version, const struct place *all,
                             size_t count, FILE *to)
{
        struct elements reals = {to, style, "reals", version, false},
                        back = {to, style, "back", version, false},
                        shared = {to, style, "shared", version, false};
        const struct place *end = all + count;
        char ip[IP_TEXT];

        for (const struct place *p = all; p < end; p += count_same(p, end))
                put_endpoint(p, elements_next(&reals));
        elements_end(&reals);
        for (const struct place *p = all; p < end; p += count_same(p, end))
                if (count_same(p, end) == 1) {
                        put_endpoint(p, elements_next(&back));
                        fprintf(to, " : %s . %u", ip_format(&p->service->key.ip, ip), p->service->key.port);
                }
        elements_end(&back);
        for (const struct place *p = all; p < end; p += count_same(p, end))
                if (count_same(p, end) > 1)
                        put_endpoint(p, elements_next(&shared));
        elements_end(&shared);
}

/* What a packet that comes from a server may belong to. One that stands behind one service only tells by
 * itself which. */
static void put_reals(const struct nft_style *style, const struct table *t, FILE *to)
{
        static const char versions[] = {'4', '6'};
        static const char *const sets[] = {"set", "reals", "map", "back", "set", "shared"};

        for (size_t v = 0; v < COUNT(versions); v++) {
                const char version = versions[v];
                size_t count = 0;
                struct place *all = places_of(t, version, &count);
                for (size_t i = 0; i < COUNT(sets); i += 2)
                        fprintf(to, "flush %s inet %s %s%c\n", sets[i], style->table, sets[i + 1], version);
                put_sorted_reals(style, version, all, count, to);
                free(all);
        }
}

static void put_family(const struct nft_style *style, sa_family_t family, FILE *to)
{
        const char *t = style->table, *ip = ip_word(family);
        int v = family == AF_INET6 ? 6 : 4;

        fprintf(to, "add map inet %s services%d { type ipv%d_addr . inet_proto . inet_service : verdict; }\n",
                t, v, v);
        fprintf(to, "add set inet %s reals%d { type ipv%d_addr . inet_proto . inet_service; }\n", t, v, v);
        fprintf(to, "add set inet %s shared%d { type ipv%d_addr . inet_proto . inet_service; }\n", t, v, v);
        fprintf(to,
                "add map inet %s back%d { type ipv%d_addr . inet_proto . inet_service : ipv%d_addr . "
                "inet_service; }\n",
                t, v, v, v);
        fprintf(to, "add rule inet %s prerouting %s daddr . meta l4proto . th dport vmap @services%d\n", t,
                ip, v);
        fprintf(to, "add rule inet %s output %s daddr . meta l4proto . th dport vmap @services%d\n", t, ip,
                v);
        /* A director that takes over knows nothing of the connections. It learns of each from its next
         * packet: with sh and mh a client's is sent to the same server again; a server's is one of the
         * service that it stands behind. Where that is not sure it waits for the client's, for the client
         * would answer it with a reset. */
        fprintf(to,
                "add rule inet %s forward ct state new tcp flags & (syn|ack) != syn "
                "%s saddr . meta l4proto . th sport @shared%d drop\n",
                t, ip, v);
        fprintf(to,
                "add rule inet %s postrouting ct direction original tcp flags & (syn|ack) != syn "
                "snat %s to %s saddr . meta l4proto . th sport map @back%d\n",
                t, ip, ip, v);
        if (style->masquerade)
                fprintf(to,
                        "add rule inet %s postrouting ct status dnat %s daddr . meta l4proto . th dport "
                        "@reals%d masquerade\n",
                        t, ip, v);
}

void nft_put_nothing(const struct nft_style *style, FILE *to)
{
        /* so that it is there to be deleted */
        fprintf(to, "add table inet %s\ndelete table inet %s\n", style->table, style->table);
}

void nft_put_whole(const struct nft_style *style, const struct table *wanted, FILE *to)
{
        const char *t = style->table;

        nft_put_nothing(style, to);
        fprintf(to, "add table inet %s\n", t);
        fprintf(to, "add chain inet %s prerouting { type nat hook prerouting priority dstnat; }\n", t);
        fprintf(to, "add chain inet %s output { type nat hook output priority -100; }\n", t);
        fprintf(to, "add chain inet %s forward { type filter hook forward priority filter; }\n", t);
        fprintf(to, "add chain inet %s postrouting { type nat hook postrouting priority srcnat; }\n", t);
        put_family(style, AF_INET, to);
        put_family(style, AF_INET6, to);
        for (size_t i = 0; i < wanted->count; i++)
                put_service(style, &wanted->service[i], to);
        put_entries(style, wanted->service, wanted->count, to);
        put_reals(style, wanted, to);
}

static bool same_servers(const struct virtual_service *a, const struct virtual_service *b, bool *ret_members)
{
        bool same = a->count == b->count;

        *ret_members = same;
        for (size_t i = 0; i < a->count; i++) {
                const struct real_server *other = service_server(b, &a->server[i].ip, a->server[i].port);
                *ret_members &= other != NULL;
                same = same && other && server_same(&a->server[i], other);
        }
        return same;
}

bool nft_put_changes(const struct nft_style *style, const struct table *wanted, const struct table *actual,
                     FILE *to)
{
        bool any = false, moved = false, members;

        for (size_t i = 0; i < actual->count; i++) {
                if (table_service(wanted, &actual->service[i].key))
                        continue;
                put_service_gone(style, &actual->service[i], to);
                any = moved = true;
        }
        for (size_t i = 0; i < wanted->count; i++) {
                const struct virtual_service *w = &wanted->service[i], *a = table_service(actual, &w->key);
                if (a && service_same(w, a)) {
                        bool same = same_servers(w, a, &members);
                        if (!same)
                                put_service_change(style, w, a, to);
                        any |= !same;
                        moved |= !members;
                        continue;
                }
                if (a)
                        put_service_gone(style, a, to);
                put_service(style, w, to);
                put_entries(style, w, 1, to);
                any = moved = true;
        }
        if (moved)
                put_reals(style, wanted, to);
        for (size_t i = 0; moved && i < actual->count; i++)
                put_forgotten(wanted, &actual->service[i], to);
        return any;
}
