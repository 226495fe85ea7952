/* The supervisor, an actor of its own: it reads the ledger, and when the lease in it is over and something is
 * still held, it takes that away and ends the core (src/supervisor/release.c). It stands still by
 * itself, or with the core; then only the kernel's gate is left (held.gate). */
#include "world_inside.h"

static bool in_ledger(const struct held *h)
{
        return h->exclusive && !h->everywhere && !h->orphan;
}

/* A release that a core goes on with is its own: of what is exclusive in its address the supervisor takes the
 * address away by then, and nothing else. For data a watchdog is not fed meanwhile, and ends it with the
 * machine; that end is played as the supervisor's. */
static bool is_the_cores(const struct world *w, const struct machine *m, const struct held *h)
{
        return m->core_up && h->releasing && !w->config.watchdog.us;
}

static bool holds_any(const struct world *w, const struct machine *m)
{
        for (uint8_t g = 0; g < w->config.groups; g++)
                if (in_ledger(&m->held[g]) && !(w->config.data && is_the_cores(w, m, &m->held[g])))
                        return true;
        return false;
}

static bool runs_everywhere(const struct world *w, const struct machine *m, uint32_t group)
{
        for (uint8_t g = 0; g < w->config.groups; g++)
                if (world_group_id(g) == group)
                        return m->held[g].exclusive && m->held[g].everywhere;
        return false;
}

void supervisor_watch(struct world *w, struct machine *m)
{
        m->release_at = INT64_MAX;
        if (!m->powered || !holds_any(w, m))
                return;
        /* it wakes half of the margin after the lease, and must be through before the margin is over */
        span after = span_us(cluster_timing(m->brain).margin.us / 2 + m->release_late.us);
        m->release_at = machine_truth(m, instant_add(m->ledger.lease_end, after));
}

/* Addresses that the core has begun to release. False: more than that is held. */
static bool remove_addresses(struct world *w, struct machine *m)
{
        for (uint8_t g = 0; g < w->config.groups; g++)
                if (in_ledger(&m->held[g]) && !is_the_cores(w, m, &m->held[g]))
                        return false;
        for (uint8_t g = 0; g < w->config.groups; g++)
                if (in_ledger(&m->held[g]) && !w->config.data)
                        machine_set_exclusive(w, m, g, false);
        supervisor_watch(w, m);
        return true;
}

void supervisor_release(struct world *w, struct machine *m)
{
        if (remove_addresses(w, m))
                return;
        for (uint8_t i = 0; i < m->ledger.tenure_count; i++) {
                struct cluster_tenure *t = &m->ledger.tenure[i];
                if (t->hold == HOLD_NONE || t->hold == HOLD_WARM || runs_everywhere(w, m, t->group))
                        continue; /* nothing of it is held in the ledger; what was in the cgroup is gone */
                t->hold = HOLD_STOPPING;
                t->sealed = epoch_compare(t->epoch, t->sealed) > 0 ? t->epoch : t->sealed;
        }
        for (uint8_t g = 0; g < w->config.groups; g++)
                if (m->held[g].exclusive && !m->held[g].orphan)
                        machine_set_exclusive(w, m, g, false);
        m->release_late =
                world_random_span(w, SPAN_ZERO, span_us(cluster_timing(m->brain).margin.us * 4 / 10));
        if (m->core_up)
                machine_kill_core(w, m, world_random_span(w, span_ms(5), span_ms(40)));
        supervisor_watch(w, m);
}
