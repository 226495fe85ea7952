/* What operators change in a cluster that runs: the timing in its files, and the release of haven on its
 * nodes. */
#include "world_inside.h"

struct timing world_file_timing(const struct world_config *c, uint32_t file)
{
        int64_t heartbeat = c->heartbeat.us, dead = c->dead.us;

        if (file & FILE_SLOW)
                dead *= 4;
        if (file & FILE_QUICK && heartbeat > 50000) { /* no quicker than a machine can */
                heartbeat = heartbeat * 2 / 5;
                dead = dead * 2 / 5;
        }
        return timing_derive(span_us(heartbeat), span_us(dead));
}

void world_restart_as(struct world *w, uint8_t node, uint32_t release)
{
        world_upgrade(w, node, release);
        world_kill_core(w, node, span_ms(5 + world_random(w, 25)));
}

void world_upgrade_left_behind(struct world *w)
{
        uint8_t most = 0;

        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (w->machine[i].core_up && cluster_document(w->machine[i].brain)->feature_level > most)
                        most = cluster_document(w->machine[i].brain)->feature_level;
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (w->machine[i].core_up && w->settings[i][w->machine[i].settings_used].feature_level < most)
                        world_restart_as(w, i, most - 1U);
}

bool world_has_timing(const struct world *w, uint32_t file)
{
        struct timing wanted = world_file_timing(&w->config, file);

        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct document_timing *t = &cluster_document(w->machine[i].brain)->timing;
                if (w->machine[i].core_up &&
                    (t->heartbeat.us != wanted.heartbeat.us || t->dead.us != wanted.dead.us ||
                     t->lease_dead.us != wanted.dead.us))
                        return false;
        }
        return true;
}

uint8_t world_feature_level(const struct world *w)
{
        uint8_t least = UINT8_MAX;

        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (w->machine[i].core_up && cluster_document(w->machine[i].brain)->feature_level < least)
                        least = cluster_document(w->machine[i].brain)->feature_level;
        return least;
}

uint64_t world_all_nodes(const struct world *w)
{
        return w->config.nodes == 64 ? UINT64_MAX : (1ULL << w->config.nodes) - 1;
}

uint64_t world_founders(const struct world *w)
{
        return w->config.founders ? w->config.founders : world_all_nodes(w);
}

void world_name_nodes(struct world *w, uint8_t node, uint64_t nodes)
{
        if (w->machine[node].named == (nodes | 1ULL << node))
                return;
        world_note_apart(w);
        w->machine[node].named = nodes | 1ULL << node;
        if (w->machine[node].core_up && !w->machine[node].paused)
                machine_kill_core(w, &w->machine[node], span_ms(5 + world_random(w, 25)));
}

void world_join(struct world *w, uint8_t node, uint64_t nodes)
{
        world_lose_state(w, node);
        w->machine[node].named = nodes | 1ULL << node;
        world_power_on(w, node);
}

bool world_has_voters(const struct world *w, uint64_t nodes)
{
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct machine *m = &w->machine[i];
                if (!m->core_up || !(nodes & 1ULL << i))
                        continue;
                const struct document *d = cluster_document(m->brain);
                if (d->voters != nodes || d->before ||
                    !version_equal(cluster_committed(m->brain), d->version))
                        return false;
        }
        return true;
}
