#include "main/core.h"

#include "base/text.h"

#include <string.h>

static const enum cluster_failback failback[] = {
        [FAILBACK_AUTO] = FAILBACK_AT_ONCE,
        [FAILBACK_MANUAL] = FAILBACK_NEVER,
        [FAILBACK_AFTER] = FAILBACK_LATER,
};

static void make_group(const struct config_group *from, struct cluster_group *to)
{
        text_copy(to->name, sizeof(to->name), from->name);
        to->id = from->id;
        to->node_count = (uint8_t)from->node_count;
        memcpy(to->node, from->node, from->node_count);
        to->failback = failback[from->failback];
        to->failback_after = from->failback_after;
        to->forgive_after = from->forgive_after;
        to->data = from->exclusive == EXCLUSIVE_DATA;
        to->accept_split = from->accept_split;
}

void core_settings_make(const struct config *config, int self, struct cluster_settings *ret_settings)
{
        struct cluster_settings *s = ret_settings;

        memset(s, 0, sizeof(*s));
        s->self = (uint8_t)self;
        s->node_count = (uint8_t)config->node_count;
        for (size_t i = 0; i < config->node_count; i++)
                text_copy(s->node_name[i], CLUSTER_NAME, config->node[i].name);
        s->link_count = (uint8_t)config->link_count;
        s->timing = timing_derive(config->heartbeat, config->dead);
        s->warn = config->warn;
        s->start_wait = config->start_wait;
        s->members = config->members_digest;
        s->config = config->digest;
        /* an odd number of nodes always has a majority or has none: a further vote would only make it even */
        s->arbiter = config->node_count % 2 ? CLUSTER_ARBITER_ABSENT : CLUSTER_ARBITER_WEAK;
        s->group_count = (uint8_t)config->group_count;
        for (size_t i = 0; i < config->group_count; i++)
                make_group(&config->group[i], &s->group[i]);
}
