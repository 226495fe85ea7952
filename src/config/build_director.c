/* Directors: pools of real servers, and the virtual services before them. A check of a pool is written once
 * and meant for each server, as a watch's is for each host. */
#include "config/build_inside.h"

#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "10.0.0.11:80", however it was written: the name in its one form. */
static void name_endpoint(const struct ip *ip, uint16_t port, char *name, size_t size)
{
        char text[IP_TEXT];

        if (port == 0)
                snprintf(name, size, "%s", ip_format(ip, text));
        else
                snprintf(name, size, ip->family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip_format(ip, text), port);
}

static void pool_server(struct tree *t, const struct entry *e, struct config_pool *p, struct config *c)
{
        struct config_real *r = &p->server[p->server_count];
        struct target to = {.object = r, .config = c};
        struct config_real said = {0};

        r->place = e->place;
        if (!e->title || ip_parse_endpoint(e->title, &r->ip, &r->port) < 0) {
                tree_mistake(t, e->place,
                             "'%s' is no server: write it as real 10.0.0.11:80 or real \"[fd00::2]:80\"",
                             e->title ? e->title : "");
                return;
        }
        name_endpoint(&r->ip, r->port, r->name, sizeof(r->name));
        for (size_t i = 0; i < p->server_count; i++)
                if (strcmp(p->server[i].name, r->name) == 0) {
                        complain_twice(t, e, r->name, p->server[i].place, "leave one of them out");
                        return;
                }
        said = *r;
        set_words(t, e, "real", NULL, &to);
        /* what it does not say itself, it has from its pool */
        const struct config_real own = *r;
        *r = p->all;
        memcpy(r->name, said.name, sizeof(r->name));
        r->place = said.place;
        r->ip = said.ip;
        r->port = said.port;
        if (entry_find(e, "forward"))
                r->forward = own.forward;
        if (entry_find(e, "tunnel"))
                r->tunnel = own.tunnel;
        if (entry_find(e, "tunnel-port"))
                r->tunnel_port = own.tunnel_port;
        if (entry_find(e, "tunnel-checksum"))
                r->checksum = own.checksum;
        if (entry_find(e, "weight"))
                r->weight = own.weight;
        if (entry_find(e, "connections"))
                r->upper = own.upper;
        if (entry_find(e, "connections-again"))
                r->lower = own.lower;
        p->server_count++;
}

/* A check that says no port looks at the server's. */
static struct entry *check_for_server(const struct entry *e, const struct config_real *r)
{
        char address[IP_TEXT], port[8];

        ip_format(&r->ip, address);
        snprintf(port, sizeof(port), "%u", r->port);
        struct entry *mine = check_for_host(e, address, r->port ? port : NULL);
        const struct word *w;
        bool has_port = false;
        for (size_t i = 0; (w = word_next("check", e->title, &i));)
                has_port |= strcmp(w->name, "port") == 0;
        if (has_port && r->port && !entry_find(e, "port")) {
                struct entry *setting = entry_new("port", NULL, e->place);
                entry_add_value(setting, port, e->place.line);
                entry_add(mine, setting);
        }
        return mine;
}

static void pool_check(struct tree *t, const struct entry *e, struct config_pool *p, struct config *c)
{
        struct config_pool_check *k = &p->check[p->check_count];
        bool good = true;

        k->place = e->place;
        /* pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
        k->check = memory_new(p->server_count + 1, sizeof(*k->check));
        p->check_count++;
        for (size_t i = 0; i < p->server_count && good; i++) {
                size_t mistakes = t->mistake_count;
                struct entry *mine = check_for_server(e, &p->server[i]);
                k->check[i] = memory_new(1, sizeof(**k->check));
                good = build_check(t, mine, k->check[i], c) && t->mistake_count == mistakes;
                entry_free(mine);
        }
        if (!good || p->server_count == 0)
                return;
        k->text = check_text(e, k->check[0], c);
        if (p->server_count > 1 && !check_names_host(e))
                tree_mistake(t, e->place,
                             "check %s looks at the same thing for every server: write %%h where its address "
                             "belongs, "
                             "and %%p for its port",
                             k->check[0]->name);
        for (size_t i = 0; i + 1 < p->check_count; i++)
                if (p->check[i].check[0] && strcmp(p->check[i].check[0]->name, k->check[0]->name) == 0)
                        complain_twice(t, e, k->check[0]->name, p->check[i].place,
                                       "give one of them a name of its own, as in name = front");
}

static void director_pool(struct tree *t, const struct entry *e, struct config_director *d, struct config *c)
{
        struct config_pool *p = &d->pool[d->pool_count];
        struct target to = {.object = &p->all, .config = c};

        for (size_t i = 0; i < d->pool_count; i++)
                if (e->title && strcmp(d->pool[i].name, e->title) == 0) {
                        complain_twice(t, e, e->title, d->pool[i].place, "a pool has one section");
                        return;
                }
        d->pool_count++;
        p->place = e->place;
        take_name(t, e, p->name, sizeof(p->name));
        set_words(t, e, "pool", NULL, &to);
        p->server = memory_new(e->child_count + 1, sizeof(*p->server));
        p->check = memory_new(e->child_count + 1, sizeof(*p->check));
        for (size_t i = 0; i < e->child_count; i++) {
                const struct entry *child = e->child[i];
                if (!child->section || strcmp(child->word, "real") != 0)
                        continue;
                if (p->server_count < SERVERS_MAX)
                        pool_server(t, child, p, c);
                else
                        tree_mistake(t, child->place, "more than %d servers in one pool", SERVERS_MAX);
        }
        if (p->server_count == 0 && !t->cut_short)
                tree_mistake(t, e->place, "pool %s needs a server: real 10.0.0.11:80 { }", p->name);
        for (size_t i = 0; i < e->child_count; i++) {
                const struct entry *child = e->child[i];
                if (!child->section || strcmp(child->word, "check") != 0)
                        continue;
                if (p->check_count < CHECKS_MAX)
                        pool_check(t, child, p, c);
                else
                        tree_mistake(t, child->place, "more than %d checks in one pool", CHECKS_MAX);
        }
}

static bool take_mark(const char *title, struct config_virtual *v)
{
        char *rest;

        if (strncmp(title, "mark:", 5) != 0 || title[5] < '0' || title[5] > '9')
                return false;
        unsigned long mark = strtoul(title + 5, &rest, 10);
        if (*rest != '\0' || mark == 0 || mark > UINT32_MAX)
                return false;
        v->mark = (uint32_t)mark;
        snprintf(v->name, sizeof(v->name), "mark:%lu", mark);
        return true;
}

static void director_virtual(struct tree *t, const struct entry *e, struct config_director *d,
                             struct config *c)
{
        struct config_virtual *v = &d->virtual[d->virtual_count];
        struct target to = {.object = v, .config = c};
        const char *title = e->title ? e->title : "";

        v->place = e->place;
        if (take_mark(title, v)) {
                ;
        } else if (ip_parse_endpoint(title, &v->ip, &v->port) == 0) {
                name_endpoint(&v->ip, v->port, v->name, sizeof(v->name));
        } else {
                tree_mistake(t, e->place,
                             "'%s' is no virtual service: write virtual 10.0.0.111:80, virtual "
                             "\"[fd00::111]:80\", or "
                             "virtual mark:1 for what the firewall marks",
                             title);
                return;
        }
        d->virtual_count++;
        set_words(t, e, "virtual", NULL, &to);
        if (!entry_find(e, "scheduler")) /* nftables does not count connections */
                text_copy(v->scheduler, sizeof(v->scheduler), d->backend == BACKEND_NFT ? "wrr" : "wlc");
        v->has_fallback = v->fallback.ip.family != 0;
        v->fallback.weight = 1;
        if (v->quorum_down == 0)
                v->quorum_down = v->quorum;
}

static int compare_virtuals(const void *one, const void *two)
{
        const struct config_virtual *a = one, *b = two;
        int order = strcmp(a->name, b->name);

        return order ? order : (int)a->transport - (int)b->transport;
}

void build_director(struct tree *t, const struct entry *e, struct config_resource *r,
                    const struct config_group *g, struct config *c)
{
        struct config_director *d = memory_new(1, sizeof(*d));
        struct target to = {.object = d, .config = c};

        static_assert(COUNT(d->node_id) == NODES_MAX, "one for each node of a group");
        r->director = d;
        for (size_t i = 0; i < g->node_count; i++)
                d->node_id[d->node_count++] = c->node[g->node[i]].id;
        set_words(t, e, "director", NULL, &to);
        d->pool = memory_new(e->child_count + 1, sizeof(*d->pool));
        d->virtual = memory_new(e->child_count + 1, sizeof(*d->virtual));
        for (size_t i = 0; i < e->child_count; i++) {
                const struct entry *child = e->child[i];
                bool pool = child->section && strcmp(child->word, "pool") == 0;
                bool virtual = child->section && strcmp(child->word, "virtual") == 0;
                if (pool && d->pool_count == POOLS_MAX)
                        tree_mistake(t, child->place, "more than %d pools in one director", POOLS_MAX);
                else if (pool)
                        director_pool(t, child, d, c);
                else if (virtual && d->virtual_count == VIRTUALS_MAX)
                        tree_mistake(t, child->place, "more than %d virtual services in one director",
                                     VIRTUALS_MAX);
                else if (virtual)
                        director_virtual(t, child, d, c);
        }
        for (char **path = d->ldirectord; path && *path; path++)
                if ((*path)[0] != '/')
                        tree_mistake(t, e->place, "ldirectord: '%s' is no absolute path: begin with '/'",
                                     *path);
        if (d->virtual_count == 0 && !d->ldirectord && !t->cut_short)
                tree_mistake(t, e->place,
                             "director %s needs a virtual service: virtual 10.0.0.111:80 { pool = NAME }",
                             r->name);
        qsort(d->virtual, d->virtual_count, sizeof(*d->virtual), compare_virtuals);
}
