#include "config/judge_director.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct config_pool *find_pool(const struct config_director *d, const char *name)
{
        for (size_t i = 0; i < d->pool_count; i++)
                if (strcmp(d->pool[i].name, name) == 0)
                        return &d->pool[i];
        return NULL;
}

static sa_family_t family_of(const struct config_virtual *v)
{
        if (v->mark)
                return v->version == IP_VERSION_6 ? AF_INET6 : AF_INET;
        return v->ip.family;
}

static void judge_server(struct tree *t, const struct config_virtual *v, const struct config_real *r,
                         struct config_place place)
{
        bool masq = r->forward == FORWARD_MASQ;

        /* the kernel takes another family through a tunnel only (ip_vs_ctl.c) */
        if (r->ip.family != family_of(v) && r->forward != FORWARD_TUNNEL)
                tree_mistake(t, place, "real %s cannot stand behind virtual %s: one is IPv4, the other IPv6",
                             r->name, v->name);
        if (!masq && !v->mark && r->port && r->port != v->port)
                tree_mistake(t, place,
                             "real %s: without forward = masq packets keep the port of virtual %s, which is "
                             "%u: write "
                             "that port, or none",
                             r->name, v->name, v->port);
        if (r->lower > r->upper)
                tree_mistake(t, place, "real %s: connections-again is more than connections", r->name);
        if (r->forward == FORWARD_TUNNEL && (r->tunnel == TUNNEL_GUE) != (r->tunnel_port != 0))
                tree_mistake(t, place, "real %s: tunnel-port belongs to tunnel = gue, and that needs it",
                             r->name);
}

/* The same server in two pools would be two entries for the kernel, and it takes one. */
static void judge_twice(struct tree *t, const struct config_director *d, const struct config_virtual *v)
{
        for (char **one = v->pool; one && *one; one++)
                for (char **two = one + 1; *two; two++) {
                        const struct config_pool *p = find_pool(d, *one), *q = find_pool(d, *two);
                        for (size_t i = 0; p && q && i < p->server_count; i++)
                                for (size_t j = 0; j < q->server_count; j++)
                                        if (strcmp(p->server[i].name, q->server[j].name) == 0)
                                                tree_mistake(t, v->place,
                                                             "virtual %s has real %s twice, by pool %s and "
                                                             "pool %s",
                                                             v->name, p->server[i].name, *one, *two);
                }
}

static void judge_numbers(struct tree *t, const struct config_virtual *v)
{
        if (!v->mark && v->port == 0 && v->persistence.us == 0)
                tree_mistake(t, v->place,
                             "virtual %s has no port: write it as %s:80; all ports together need persistence",
                             v->name, v->name);
        if (v->persistence.us % 1000000 != 0)
                tree_mistake(t, v->place, "virtual %s: persistence is in whole seconds", v->name);
        if (v->mask_bits > (family_of(v) == AF_INET6 ? 128 : 32))
                tree_mistake(t, v->place, "virtual %s: persistence-mask of IPv4 is 32 bits at most", v->name);
        if (v->one_packet && (v->mark || v->transport != TRANSPORT_UDP))
                tree_mistake(t, v->place, "virtual %s: one-packet is for protocol = udp", v->name);
        if (v->quorum_down > v->quorum)
                tree_mistake(t, v->place,
                             "virtual %s: quorum-down is more than quorum: it would be up and down at once",
                             v->name);
}

/* What nftables cannot do (director/nft/text.h). With backend = auto that is said at the start, if need be.
 */
static const char *beyond_nft(const struct config_virtual *v)
{
        static const char *const known[] = {"rr", "wrr", "sh", "mh"};
        bool known_scheduler = false;

        for (size_t i = 0; i < COUNT(known); i++)
                known_scheduler |= strcmp(v->scheduler, known[i]) == 0;
        return v->mark            ? "take a firewall mark"
               : v->port == 0     ? "take all ports at once"
               : v->one_packet    ? "schedule each packet: leave out one-packet"
               : v->retriever[0]  ? "look into packets: leave out persistence-engine"
               : !known_scheduler ? "count connections: its schedulers are rr, wrr, sh and mh"
                                  : NULL;
}

static void judge_nft_server(struct tree *t, const struct config_virtual *v, const struct config_real *r,
                             struct config_place place)
{
        if (r->forward != FORWARD_MASQ)
                tree_mistake(t, place,
                             "real %s behind virtual %s: backend = nft only rewrites: forward = masq",
                             r->name, v->name);
        if (r->upper)
                tree_mistake(t, place,
                             "real %s behind virtual %s: backend = nft cannot count connections: leave out "
                             "connections",
                             r->name, v->name);
}

static void judge_nft(struct tree *t, const struct config_director *d, const struct config_virtual *v)
{
        const char *no = beyond_nft(v);

        if (no)
                tree_mistake(t, v->place, "virtual %s: backend = nft cannot %s", v->name, no);
        for (char **name = v->pool; name && *name; name++) {
                const struct config_pool *p = find_pool(d, *name);
                for (size_t i = 0; p && i < p->server_count; i++)
                        judge_nft_server(t, v, &p->server[i], p->server[i].place);
        }
        if (v->has_fallback && v->fallback.forward != FORWARD_MASQ)
                tree_mistake(t, v->place, "virtual %s: backend = nft only rewrites: fallback-forward = masq",
                             v->name);
}

static void judge_virtual(struct tree *t, const struct config_director *d, const struct config_virtual *v)
{
        for (char **name = v->pool; name && *name; name++) {
                const struct config_pool *p = find_pool(d, *name);
                if (!p)
                        tree_mistake(t, v->place, "virtual %s: there is no pool '%s' in this director",
                                     v->name, *name);
                for (size_t i = 0; p && i < p->server_count; i++)
                        judge_server(t, v, &p->server[i], p->server[i].place);
        }
        if (v->has_fallback) {
                struct config_real fallback = v->fallback;
                snprintf(fallback.name, sizeof(fallback.name), "fallback");
                judge_server(t, v, &fallback, v->place);
        }
        if (d->backend == BACKEND_NFT)
                judge_nft(t, d, v);
        judge_twice(t, d, v);
        judge_numbers(t, v);
}

static bool same_key(const struct config_virtual *a, const struct config_virtual *b)
{
        if (a->mark || b->mark)
                return a->mark == b->mark && a->version == b->version;
        return ip_equal(&a->ip, &b->ip) && a->port == b->port && a->transport == b->transport;
}

/* The kernel has one table: two directors that may meet on a node must not want the same of it. */
static void judge_against(struct tree *t, const struct config_director *d, size_t count,
                          const struct config_virtual *v)
{
        char place[PLACE_TEXT];

        for (size_t i = 0; i < count; i++)
                if (same_key(&d->virtual[i], v))
                        tree_mistake(t, v->place, "virtual %s is there already, on %s", v->name,
                                     tree_place(t, v->place.file, d->virtual[i].place, place));
}

static void judge_director(struct tree *t, const struct config *c, size_t group, size_t resource)
{
        const struct config_director *d = c->group[group].resource[resource].director;

        if (d->backend == BACKEND_NFT && d->sync_interface[0])
                tree_mistake(t, c->group[group].resource[resource].place,
                             "backend = nft cannot tell the standby of connections: leave out "
                             "sync-interface; with scheduler = mh they mostly go on");
        if (d->backend == BACKEND_IPVS && d->masquerade)
                tree_mistake(t, c->group[group].resource[resource].place,
                             "masquerade is for backend = nft: IPVS does not change who the client is");
        for (size_t i = 0; i < d->virtual_count; i++) {
                judge_virtual(t, d, &d->virtual[i]);
                for (size_t g = 0; g <= group; g++)
                        for (size_t r = 0; r < (g < group ? c->group[g].resource_count : resource); r++)
                                if (c->group[g].resource[r].director)
                                        judge_against(t, c->group[g].resource[r].director,
                                                      c->group[g].resource[r].director->virtual_count,
                                                      &d->virtual[i]);
                judge_against(t, d, i, &d->virtual[i]);
        }
}

/* The kernel has one pair of sync daemons, and what one director does not know another may have set up. */
static void judge_alone(struct tree *t, const struct config *c)
{
        const struct config_resource *first = NULL;
        bool sync = false, sweep = false;
        char place[PLACE_TEXT];

        for (size_t g = 0; g < c->group_count; g++)
                for (size_t i = 0; i < c->group[g].resource_count; i++) {
                        const struct config_resource *r = &c->group[g].resource[i];
                        if (!r->director)
                                continue;
                        if (first && (sweep || r->director->sweep))
                                tree_mistake(t, r->place,
                                             "sweep would remove the services of another director, on %s",
                                             tree_place(t, r->place.file, first->place, place));
                        if (sync && r->director->sync_interface[0])
                                tree_mistake(t, r->place,
                                             "sync-interface stands in one director only: it tells of all "
                                             "connections");
                        first = r;
                        sync |= r->director->sync_interface[0] != '\0';
                        sweep |= r->director->sweep;
                }
}

void judge_directors(struct tree *t, const struct config *c)
{
        for (size_t g = 0; g < c->group_count; g++)
                for (size_t r = 0; r < c->group[g].resource_count; r++)
                        if (c->group[g].resource[r].director)
                                judge_director(t, c, g, r);
        judge_alone(t, c);
}
