#include "config/config.h"

#include "base/text.h"
#include "config/build.h"
#include "config/command.h"
#include "config/judge.h"
#include "config/read.h"
#include "config/words.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const resource_kinds[] = {"address", "service",  "process",
                                             "script",  "director", "realserver"};
static const char *const arbiter_kinds[] = {"none", "ping", "disk", "fence", "witness", "etcd"};

static const char *const alert_kinds[] = {"exec", "mail", "webhook", "mon", "journal"};

const char *resource_kind_name(enum resource_kind kind)
{
        return resource_kinds[kind];
}

const char *alert_kind_name(enum alert_kind kind)
{
        return alert_kinds[kind];
}

const char *alert_on_name(unsigned on)
{
        for (int i = 0; i < ALERT_EVENTS; i++)
                if (on == 1U << i)
                        return alert_events[i];
        assert(!"an alert about one thing has one bit");
        return NULL;
}

const char *arbiter_kind_name(enum arbiter_kind kind)
{
        return arbiter_kinds[kind];
}

bool arbiter_kind_is_strong(enum arbiter_kind kind)
{
        switch (kind) {
        case ARBITER_NONE:
        case ARBITER_PING: return false;
        case ARBITER_DISK:
        case ARBITER_FENCE:
        case ARBITER_WITNESS:
        case ARBITER_ETCD: return true;
        }
        return false;
}

/* Paths to a disk fail over within some seconds (fast_io_fail_tmo of most is 5 s). */
#define DISK_DEAD span_s(5)

span config_disk_dead(const struct config *c)
{
        return c->arbiter.disk_dead.us ? c->arbiter.disk_dead : DISK_DEAD;
}

int config_find_node(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->node_count; i++)
                if (strcmp(c->node[i].name, name) == 0)
                        return (int)i;
        return -1;
}

int config_find_group(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->group_count; i++)
                if (strcmp(c->group[i].name, name) == 0)
                        return (int)i;
        return -1;
}

int config_find_watch(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->watch_count; i++)
                if (strcmp(c->watch[i].name, name) == 0)
                        return (int)i;
        return -1;
}

/* The text of `n` characters among names that lie `size` apart, or -1. */
static int find_in(const void *names, size_t count, size_t size, const char *text, size_t n)
{
        for (size_t i = 0; i < count; i++) {
                const char *name = (const char *)names + i * size;
                if (strncmp(name, text, n) == 0 && name[n] == '\0')
                        return (int)i;
        }
        return -1;
}

int config_find_watched(const struct config *c, const char *text, int *ret_watch, int *ret_service,
                        int *ret_host)
{
        size_t watch = strcspn(text, ":");
        const char *service = text[watch] ? text + watch + 1 : "";
        size_t n = strcspn(service, "@");

        *ret_host = -1;
        *ret_watch = find_in(c->watch, c->watch_count, sizeof(*c->watch), text, watch);
        if (*ret_watch < 0)
                return -EINVAL;
        const struct config_watch *w = &c->watch[*ret_watch];
        *ret_service = find_in(w->service, w->service_count, sizeof(*w->service), service, n);
        if (*ret_service < 0)
                return -EINVAL;
        for (size_t i = 0; service[n] && i < w->host_count; i++)
                if (strcmp(w->host[i], service + n + 1) == 0)
                        *ret_host = (int)i;
        return service[n] && *ret_host < 0 ? -EINVAL : 0;
}

static void free_director(struct config_director *d)
{
        for (size_t i = 0; d && i < d->pool_count; i++) {
                struct config_pool *p = &d->pool[i];
                for (size_t k = 0; p->check && k < p->check_count; k++) {
                        for (size_t j = 0; p->check[k].check && j < p->server_count; j++) {
                                if (p->check[k].check[j])
                                        check_done(p->check[k].check[j]);
                                free(p->check[k].check[j]);
                        }
                        free(p->check[k].check);
                        free(p->check[k].text);
                }
                free(p->server);
                free(p->check);
        }
        for (size_t i = 0; d && i < d->virtual_count; i++)
                command_free(d->virtual[i].pool);
        if (d) {
                command_free(d->ldirectord);
                free(d->pool);
                free(d->virtual);
        }
        free(d);
}

static void free_watch(struct config_watch *w)
{
        for (size_t s = 0; w->service && s < w->service_count; s++) {
                struct config_service *service = &w->service[s];
                for (size_t i = 0; service->check && i < service->check_count; i++) {
                        for (size_t h = 0; h < w->host_count; h++) {
                                if (service->check[i].check[h])
                                        check_done(service->check[i].check[h]);
                                free(service->check[i].check[h]);
                        }
                        free(service->check[i].check);
                        free(service->check[i].text);
                }
                free(service->check);
                command_free(service->depends);
        }
        free(w->service);
        command_free(w->host);
        command_free(w->depends);
}

void config_free(struct config *c)
{
        if (!c)
                return;
        for (size_t g = 0; c->group && g < c->group_count; g++) {
                struct config_group *group = &c->group[g];
                for (size_t i = 0; group->resource && i < group->resource_count; i++) {
                        command_free(group->resource[i].argv);
                        command_free(group->resource[i].environment);
                        free_director(group->resource[i].director);
                }
                free(group->resource);
                for (size_t i = 0; group->check && i < group->check_count; i++)
                        check_done(&group->check[i]);
                free(group->check);
                command_free(group->with);
                command_free(group->apart);
                command_free(group->after);
        }
        for (size_t i = 0; c->fence && i < c->fence_count; i++) {
                command_free(c->fence[i].option);
                command_free(c->fence[i].plug);
        }
        for (size_t i = 0; c->watch && i < c->watch_count; i++)
                free_watch(&c->watch[i]);
        free(c->watch);
        for (size_t i = 0; c->alert && i < c->alert_count; i++) {
                command_free(c->alert[i].argv);
                command_free(c->alert[i].about);
                command_free(c->alert[i].to);
                command_free(c->alert[i].header);
        }
        command_free(c->arbiter.endpoint);
        for (size_t i = 0; c->node && i < c->node_count; i++) {
                for (size_t k = 0; c->node[i].check && k < c->node[i].check_count; k++)
                        check_done(&c->node[i].check[k]);
                free(c->node[i].check);
        }
        free(c->node);
        free(c->fence);
        free(c->group);
        free(c->alert);
        free(c);
}

bool config_fence_is_pill(const struct config_fence *f)
{
        return strcmp(f->agent, "disk") == 0;
}

const char *config_pill_device(const struct config *c)
{
        const struct config_fence *pill = NULL;

        for (size_t i = 0; i < c->fence_count && !pill; i++)
                if (config_fence_is_pill(&c->fence[i]))
                        pill = &c->fence[i];
        for (char **o = pill ? pill->option : NULL; o && *o; o++)
                if (strncmp(*o, "device=", 7) == 0)
                        return *o + 7;
        return pill ? c->arbiter.device : NULL;
}

bool config_can_fence(const struct config *c, int node)
{
        for (size_t i = 0; i < c->fence_count; i++)
                if (memchr(c->fence[i].node, node, c->fence[i].node_count))
                        return true;
        return false;
}

static void renumber(uint8_t *node, size_t count, const uint8_t *to)
{
        for (size_t i = 0; i < count; i++)
                node[i] = to[node[i]];
}

int config_arrange(struct config *c, const uint32_t *ids, size_t count)
{
        struct config_node *node = memory_new(NODES_MAX + 1, sizeof(*node));
        uint8_t to[NODES_MAX];
        size_t next = count;

        if (count > NODES_MAX) {
                free(node);
                return -E2BIG;
        }
        for (size_t i = 0; i < count; i++)
                node[i].id = ids[i];
        for (size_t i = 0; i < c->node_count; i++) {
                uint32_t id = c->node[i].id;
                size_t place = 0;
                while (place < count && ids[place] != id)
                        place++;
                place = place < count ? place : next++;
                if (place >= NODES_MAX) {
                        free(node);
                        return -E2BIG;
                }
                node[place] = c->node[i];
                to[i] = (uint8_t)place;
        }
        free(c->node);
        c->node = node;
        c->node_count = next;
        for (size_t g = 0; g < c->group_count; g++)
                renumber(c->group[g].node, c->group[g].node_count, to);
        for (size_t f = 0; f < c->fence_count; f++)
                renumber(c->fence[f].node, c->fence[f].node_count, to);
        config_links_make(c);
        return 0;
}

static uint64_t fnv64(uint64_t hash, const char *text, size_t n)
{
        for (size_t i = 0; i < n; i++)
                hash = (hash ^ (uint8_t)text[i]) * 1099511628211ULL;
        return hash;
}

/* Whatever makes two files mean the same gives the same digest: order, comments and includes do not count. */
static void digest(struct config *c)
{
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                abort();
        config_print(c, to);
        fclose(to);
        c->digest = fnv64(14695981039346656037ULL, text, size);
        free(text);
        uint64_t members = 14695981039346656037ULL;
        for (size_t i = 0; i < c->node_count; i++)
                members = fnv64(members, c->node[i].name, strlen(c->node[i].name) + 1);
        const char *arbiter = arbiter_kind_name(c->arbiter.kind);
        members = fnv64(members, arbiter, strlen(arbiter));
        /* a vote on another disk is none on this one: such nodes are no cluster */
        members = fnv64(members, c->arbiter.device, strlen(c->arbiter.device));
        c->members_digest = (uint32_t)(members ^ members >> 32);
        uint64_t vote = fnv64(14695981039346656037ULL, arbiter, strlen(arbiter));
        vote = fnv64(vote, c->arbiter.device, strlen(c->arbiter.device));
        c->arbiter_digest = (uint32_t)(vote ^ vote >> 32);
}

static struct config *finish(struct tree *t, const char *path, config_mistake_fn *on_mistake, void *user)
{
        struct config *c = memory_new(1, sizeof(*c));

        text_copy(c->path, sizeof(c->path), path);
        build(t, c);
        judge(t, c);
        tree_report(t, on_mistake, user);
        if (t->mistake_count) {
                config_free(c);
                c = NULL;
        } else {
                digest(c);
        }
        tree_done(t);
        return c;
}

struct config *config_load(const char *path, config_mistake_fn *on_mistake, void *user)
{
        struct tree t;

        tree_init(&t);
        read_path(&t, path);
        return finish(&t, path, on_mistake, user);
}

struct config *config_parse(const char *text, const char *name, config_mistake_fn *on_mistake, void *user)
{
        struct tree t;

        tree_init(&t);
        read_text(&t, name, text);
        return finish(&t, name, on_mistake, user);
}
