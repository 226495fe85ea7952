#include "director/plan.h"

#include "base/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void plan_free(struct plan *p)
{
        for (size_t i = 0; i < p->service_count; i++) {
                for (size_t j = 0; j < p->service[i].server_count; j++)
                        free(p->service[i].server[j].check);
                free(p->service[i].server);
        }
        for (size_t i = 0; i < p->check_count; i++)
                check_done(&p->check[i].check);
        free(p->service);
        free(p->check);
        *p = (struct plan){0};
}

static struct virtual_service service_of(const struct config_virtual *v)
{
        static const uint8_t protocols[] = {[TRANSPORT_TCP] = IPPROTO_TCP,
                                            [TRANSPORT_UDP] = IPPROTO_UDP,
                                            [TRANSPORT_SCTP] = IPPROTO_SCTP};
        static const uint32_t flags[] = {SERVICE_FLAG_1, SERVICE_FLAG_2, SERVICE_FLAG_3};
        struct virtual_service s = {
                .key = {.family = v->ip.family,
                        .port = v->port,
                        .ip = v->ip,
                        .protocol = protocols[v->transport]},
                .flags = v->one_packet ? SERVICE_ONE_PACKET : 0,
                .persistence_s = (uint32_t)(v->persistence.us / 1000000),
                .mask_bits = (uint8_t)v->mask_bits,
        };

        if (v->mark)
                s.key = (struct virtual_key){.family = v->version == IP_VERSION_6 ? AF_INET6 : AF_INET,
                                             .mark = v->mark};
        if (s.mask_bits == 0)
                s.mask_bits = s.key.family == AF_INET6 ? 128 : 32;
        for (size_t i = 0; i < COUNT(flags); i++)
                if (v->flags & 1U << i)
                        s.flags |= flags[i];
        text_copy(s.scheduler, sizeof(s.scheduler), v->scheduler);
        text_copy(s.retriever, sizeof(s.retriever), v->retriever);
        return s;
}

static struct real_server real_of(const struct config_real *r, const struct virtual_key *key)
{
        struct real_server real = {
                .ip = r->ip,
                .port = r->port ? r->port : key->port,
                .forward = r->forward,
                .weight = (uint32_t)r->weight,
                .upper = (uint32_t)r->upper,
                .lower = (uint32_t)r->lower,
        };

        if (r->forward == FORWARD_TUNNEL) {
                real.tunnel = r->tunnel;
                real.tunnel_port = r->tunnel_port;
                real.checksum = r->checksum;
        }
        return real;
}

static const struct config_pool *find_pool(const struct config_director *d, const char *name,
                                           size_t *ret_first_check)
{
        *ret_first_check = 0;
        for (size_t i = 0; i < d->pool_count; i++) {
                if (strcmp(d->pool[i].name, name) == 0)
                        return &d->pool[i];
                *ret_first_check += d->pool[i].server_count * d->pool[i].check_count;
        }
        return NULL;
}

/* All checks of all pools, server by server. */
static int put_checks(const struct config_director *d, struct plan *to)
{
        size_t count = 0;

        for (size_t i = 0; i < d->pool_count; i++)
                count += d->pool[i].server_count * d->pool[i].check_count;
        to->check = calloc(count + 1, sizeof(*to->check));
        if (!to->check)
                return -ENOMEM;
        for (size_t i = 0; i < d->pool_count; i++) {
                const struct config_pool *p = &d->pool[i];
                for (size_t j = 0; j < p->server_count; j++)
                        for (size_t k = 0; k < p->check_count; k++) {
                                struct plan_check *c = &to->check[to->check_count];
                                if (check_copy(p->check[k].check[j], &c->check) < 0)
                                        return -ENOMEM;
                                to->check_count++;
                                snprintf(c->name, sizeof(c->name), "%s %s %s", p->name, p->server[j].name,
                                         c->check.name);
                        }
        }
        return 0;
}

static int put_server(struct plan_service *to, const struct config_pool *p, size_t server, size_t first_check)
{
        struct plan_server *s = &to->server[to->server_count++];

        s->real = real_of(&p->server[server], &to->service.key);
        s->check = calloc(p->check_count + 1, sizeof(*s->check));
        if (!s->check)
                return -ENOMEM;
        for (size_t k = 0; k < p->check_count; k++)
                s->check[s->check_count++] = first_check + server * p->check_count + k;
        return 0;
}

static int put_service(const struct config_director *d, const struct config_virtual *v, struct plan *to)
{
        struct plan_service *s = &to->service[to->service_count++];
        size_t count = 0, first;

        *s = (struct plan_service){
                .service = service_of(v),
                .has_fallback = v->has_fallback,
                .failed = v->failed == FAILED_SERVER_QUIESCE ? FAILED_QUIESCE : FAILED_REMOVE,
                .slow_start = v->slow_start,
                .quorum = (unsigned)v->quorum,
                .quorum_down = (unsigned)v->quorum_down,
        };
        if (v->has_fallback)
                s->fallback = real_of(&v->fallback, &s->service.key);
        for (char **name = v->pool; name && *name; name++)
                count += find_pool(d, *name, &first)->server_count;
        s->server = calloc(count + 1, sizeof(*s->server));
        if (!s->server)
                return -ENOMEM;
        for (char **name = v->pool; name && *name; name++) {
                const struct config_pool *p = find_pool(d, *name, &first);
                for (size_t i = 0; i < p->server_count; i++)
                        if (put_server(s, p, i, first) < 0)
                                return -ENOMEM;
        }
        return 0;
}

int plan_from_config(const struct config_director *d, struct plan *ret_plan)
{
        *ret_plan = (struct plan){0};
        int error = put_checks(d, ret_plan);

        ret_plan->service = calloc(d->virtual_count + 1, sizeof(*ret_plan->service));
        if (!ret_plan->service)
                error = -ENOMEM;
        for (size_t i = 0; i < d->virtual_count && !error; i++)
                error = put_service(d, &d->virtual[i], ret_plan);
        if (error)
                plan_free(ret_plan);
        return error;
}
