#include "situations.h"

#include "base/text.h"

#include <string.h>

#define SET(field, text) text_copy(field, sizeof(field), text)

static struct view_node *add_node(struct view *v, const char *name, const char *state, const char *text)
{
        struct view_node *n = &v->node[v->node_count++];

        memset(n, 0, sizeof(*n));
        SET(n->name, name);
        SET(n->state, state);
        SET(n->text, text);
        n->self = strcmp(name, v->self) == 0;
        n->boot = 0xfedcba9876543210u;
        n->core = 2;
        return n;
}

static void add_link(struct view_node *n, const char *name, const char *state, int64_t silent_us)
{
        struct view_link *l = &n->link[n->link_count++];

        memset(l, 0, sizeof(*l));
        SET(l->name, name);
        SET(l->state, state);
        l->silent_us = silent_us;
}

static struct view_group *add_group(struct view *v, const char *name, const char *state, const char *node,
                                    const char *epoch)
{
        struct view_group *g = &v->group[v->group_count++];

        memset(g, 0, sizeof(*g));
        SET(g->name, name);
        SET(g->state, state);
        SET(g->node, node);
        SET(g->epoch, epoch);
        return g;
}

static void add_resource(struct view_group *g, const char *name, const char *kind, const char *state,
                         const char *text)
{
        struct view_resource *r = &g->resource[g->resource_count++];

        memset(r, 0, sizeof(*r));
        SET(r->name, name);
        SET(r->kind, kind);
        SET(r->state, state);
        SET(r->text, text);
}

static void add_check(struct view_group *g, const char *name, const char *state, int64_t age_us,
                      const char *text)
{
        struct view_check *c = &g->check[g->check_count++];

        memset(c, 0, sizeof(*c));
        SET(c->name, name);
        SET(c->state, state);
        SET(c->text, text);
        c->age_us = age_us;
}

static void add_refusal(struct view *v, const char *reason, uint64_t count, const char *from)
{
        struct view_refusal *r = &v->refusal[v->refusal_count++];

        memset(r, 0, sizeof(*r));
        SET(r->reason, reason);
        SET(r->last_from, from);
        r->count = count;
}

void situation_calm(struct view *v)
{
        memset(v, 0, sizeof(*v));
        SET(v->cluster, "shop");
        SET(v->self, "alpha");
        SET(v->leader, "alpha");
        v->term = 7;
        SET(v->document, "7.0.12");
        v->quorum_held = true;
        SET(v->arbiter, "ping");
        SET(v->strength, "weak");
        SET(v->arbiter_text, "10.0.0.254 answered 0.4ms ago");
        SET(v->promise, "a network split can run both");
        SET(v->gate, "in-force");
        SET(v->gate_text, "3 interfaces");
        add_node(v, "alpha", "online", "");
        struct view_node *beta = add_node(v, "beta", "online", "");
        add_link(beta, "10.0.0.2", "up", 40000);
        add_link(beta, "192.168.7.2", "up", 41000);

        struct view_group *web = add_group(v, "web", "started", "alpha", "7.3");
        add_resource(web, "10.0.0.111/24", "address", "started", "");
        add_resource(web, "apache2", "service", "started", "");
        add_check(web, "http", "up", 754000000, "");
        struct view_group *mail = add_group(v, "mail", "started", "beta", "6.1");
        add_resource(mail, "10.0.0.112/24", "address", "unknown", "");
        add_check(mail, "smtp", "unknown", -1, "");
}

void situation_night(struct view *v)
{
        situation_calm(v);
        v->node_count = v->group_count = 0;
        v->quorum_held = false;
        SET(v->leader, "");
        SET(v->gate, "impossible");
        SET(v->gate_text, "bpf: Operation not permitted");
        SET(v->promise, ""); /* the renderer has words of its own then */
        add_node(v, "alpha", "online", "");
        struct view_node *beta = add_node(v, "beta", "offline", "silent for 3.2s");
        add_link(beta, "10.0.0.2", "down", 3200000);
        add_link(beta, "192.168.7.2", "down", -1);

        struct view_group *db = add_group(v, "database", "blocked", "", "");
        SET(db->text, "beta may still hold it; power beta off, then: haven clear database");
        add_resource(db, "postgresql", "service", "unknown", "");
        struct view_group *web = add_group(v, "web", "failed", "", "7.3");
        SET(web->text, "failed on every node");
        SET(web->failed_on, "alpha beta");
        add_resource(web, "10.0.0.111/24", "address", "stopped", "");
        add_resource(web, "apache2", "service", "failed", "exit status 1: AH00558\033[31m evil\xc2\x9b");
        add_check(web, "http", "down", 3725000000, "connection refused by 10.0.0.111:80");
        add_refusal(v, "wrong key", 12, "10.0.0.9:694");
        add_refusal(v, "replayed", 1, "");
}

void situation_links(struct view *v)
{
        situation_calm(v);
        v->node_count = v->group_count = 0;
        SET(v->arbiter, "witness");
        SET(v->strength, "strong");
        SET(v->arbiter_text, "");
        SET(v->promise, "no group ever runs on two nodes");
        v->maintenance = true;
        SET(v->maintenance_text, "kernel update, 1h 20m more");
        add_node(v, "alpha", "online", "");
        struct view_node *beta = add_node(v, "beta-with-a-long-name", "online", "");
        beta->config_differs = true;
        add_link(beta, "10.0.0.2", "one-way-in", 40000);
        add_link(beta, "192.168.7.2", "one-way-out", 90061000000);
        struct view_node *gamma = add_node(v, "gamma", "standby", "for 1h 20m more");
        add_link(gamma, "10.0.0.3", "late", 420000);
        add_link(gamma, "192.168.7.3", "up", 39000);
        struct view_group *web = add_group(v, "web", "stopping", "alpha", "7.3");
        add_resource(web, "10.0.0.111/24", "address", "stopped", "");
        add_resource(web, "apache2", "service", "stopping", "waits for systemd");
}
