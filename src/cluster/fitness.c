/* Who is fit for what: the facts that placement (placement.h) is computed from. */
#include "cluster/brain.h"

#include <string.h>

bool peer_present(const struct cluster *c, uint8_t node)
{
        return is_self(c, node) || peer_heard_within(c, node, c->timing.dead);
}

/* What a node is to every group: FIT, or why to none. */
static enum place place_of_node(const struct cluster *c, uint8_t node)
{
        bool self = is_self(c, node);

        if (!peer_present(c, node))
                return PLACE_OFFLINE;
        if (self ? c->leaving : c->peer[node].is.leaving)
                return PLACE_LEAVING;
        if (!is_voter(c, node) || c->settings->vacant & 1ULL << node)
                return PLACE_NO_VOTE;
        if (c->state.document.member[node].standby)
                return PLACE_STANDBY;
        if (!self && !peer_counts(c, node))
                return PLACE_NO_VOTE;
        return PLACE_FIT;
}

static bool failed(const struct assignment *a, uint8_t node)
{
        return a && a->failed & 1ULL << node;
}

static bool company_failed(const struct cluster *c, uint64_t company, uint8_t node)
{
        for (; company; company &= company - 1) {
                uint32_t id = c->settings->group[__builtin_ctzll(company)].id;
                if (failed(document_group_const(&c->state.document, id), node))
                        return true;
        }
        return false;
}

static enum place place_of(const struct cluster *c, uint8_t g, const struct assignment *a, uint8_t node)
{
        const struct cluster_group *group = &c->settings->group[g];
        const struct peer_facts *is = &c->peer[node].is;
        bool self = is_self(c, node);

        if (!memchr(group->node, node, group->node_count))
                return PLACE_ELSEWHERE;
        if (!self && !is->knows[g])
                return PLACE_UNKNOWN;
        if (failed(a, node))
                return PLACE_FAILED;
        if (company_failed(c, group->company, node))
                return PLACE_COMPANY;
        if (c->care[g].refused_node == node && instant_before(c->now, c->care[g].refused_until))
                return PLACE_REFUSED;
        return (self ? c->tenure[g].unfit : is->hold[g].unfit) ? PLACE_UNFIT : PLACE_FIT;
}

enum place fitness(const struct cluster *c, uint8_t g, uint8_t node)
{
        enum place p = place_of_node(c, node);

        return p == PLACE_FIT
                       ? place_of(c, g, document_group_const(&c->state.document, c->settings->group[g].id),
                                  node)
                       : p;
}

/* Each loss of a node within ten minutes doubles its wait, so that flapping moves nothing for long (I5). */
static bool settled(const struct cluster *c, const struct cluster_group *g, uint8_t node)
{
        const struct peer *p = &c->peer[node];
        span wait = c->timing.failback_settle;

        if (is_self(c, node))
                return instant_reached(c->now, instant_add(c->started, wait)) &&
                       (g->failback != FAILBACK_LATER ||
                        instant_reached(c->now, instant_add(c->started, g->failback_after)));
        if (p->flaps > 1)
                wait = span_times(wait, 1 << (p->flaps - 1));
        if (g->failback == FAILBACK_LATER)
                wait = span_max(wait, g->failback_after);
        return p->up && instant_reached(c->now, instant_add(p->up_since, wait));
}

void placement_ask(const struct cluster *c, struct placement_query *ret_query)
{
        struct placement_query *q = ret_query;
        enum place node[CLUSTER_NODES_MAX] = {0};

        q->settings = c->settings;
        q->document = &c->state.document;
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                node[i] = place_of_node(c, i);
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct cluster_group *group = &c->settings->group[g];
                const struct assignment *a = document_group_const(q->document, group->id);
                q->settled[g] = 0;
                for (uint8_t i = 0; i < c->settings->node_count; i++) {
                        q->place[g][i] = (uint8_t)(node[i] == PLACE_FIT ? place_of(c, g, a, i) : node[i]);
                        q->settled[g] |= (uint64_t)settled(c, group, i) << i;
                }
        }
}
