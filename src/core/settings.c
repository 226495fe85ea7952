#include "core/core.h"

#include "config/settings.h"

#include <string.h>

static void make_fence(const struct config_fence *f, struct cluster_settings *s)
{
        for (size_t i = 0; i < f->node_count; i++) {
                s->fenceable |= 1ULL << f->node[i];
                s->fence_delay[f->node[i]] = span_max(s->fence_delay[f->node[i]], f->delay);
        }
}

void core_settings_make(const struct config *config, int self, struct cluster_settings *ret_settings)
{
        struct cluster_settings *s = ret_settings;

        memset(s, 0, sizeof(*s));
        s->self = (uint8_t)self;
        settings_groups(config, s);
        s->link_count = (uint8_t)config->link_count;
        s->timing = timing_derive(config->heartbeat, config->dead);
        s->warn = config->warn;
        s->start_wait = config->start_wait;
        s->ungated_wait = config->ungated_wait;
        s->members = config->members_digest;
        s->config = config->digest;
        s->arbiter_id = config->arbiter_digest;
        s->arbiter =
                arbiter_kind_is_strong(config->arbiter.kind) ? CLUSTER_ARBITER_STRONG : CLUSTER_ARBITER_WEAK;
        if (config->arbiter.kind == ARBITER_DISK)
                s->arbiter_dead = config_disk_dead(config);
        for (size_t i = 0; i < config->fence_count; i++)
                make_fence(&config->fence[i], s);
}
