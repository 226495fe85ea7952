#include "cluster/timing.h"

/* x / (1 + rho): what a span counted by a fast clock is worth at least. */
static span shrunk(span x)
{
        return span_us(x.us * 100 / (100 + DRIFT_PERCENT));
}

/* x (1 + rho) / (1 - rho): waiting so long by the fastest clock is at least x by the slowest. */
span timing_stretched(span x)
{
        return span_us((x.us * (100 + DRIFT_PERCENT) + 99 - DRIFT_PERCENT) / (100 - DRIFT_PERCENT));
}

/* L / (1 - rho) + M <= D / (1 + rho), solved for L */
static span lease_within(span dead, span margin)
{
        return span_us(span_sub(shrunk(dead), margin).us * (100 - DRIFT_PERCENT) / 100);
}

struct timing timing_derive(span heartbeat, span dead)
{
        struct timing t = {.heartbeat = heartbeat, .dead = dead};

        t.margin = span_us(dead.us / 10);
        t.lease = lease_within(dead, t.margin);
        /* 2.2 H, but early enough that a new leader renews leases before they end */
        t.election =
                span_min(span_us(heartbeat.us * 22 / 10), span_sub(t.lease, span_us(heartbeat.us * 6 / 10)));
        t.stagger = span_us(heartbeat.us / 5);
        /* 2.5 H, but early enough that an answer within one H still renews the lease */
        t.arbiter_after = span_min(span_us(heartbeat.us * 5 / 2), span_sub(t.lease, heartbeat));
        t.wait = timing_stretched(dead);
        t.failback_settle = span_max(span_s(1), span_times(dead, 2));
        return t;
}

span timing_arbiter_lease(const struct timing *t, span arbiter_dead)
{
        return span_max(t->lease, lease_within(arbiter_dead, t->margin));
}

bool timing_check(const struct timing *t)
{
        span lease_true = span_us(t->lease.us * 100 / (100 - DRIFT_PERCENT));

        return t->heartbeat.us > 0 && span_add(lease_true, t->margin).us <= shrunk(t->dead).us && /* safety */
               t->lease.us >= t->heartbeat.us * 2 &&                  /* one lost round survived */
               t->election.us + t->heartbeat.us / 2 <= t->lease.us && /* no blink when the leader dies */
               t->arbiter_after.us + t->heartbeat.us <= t->lease.us;  /* the arbiter answers in time */
}

struct timing timing_between(span heartbeat, span dead, span lease_dead)
{
        struct timing t = timing_derive(heartbeat, lease_dead), waiting = timing_derive(heartbeat, dead);

        t.dead = dead;
        t.wait = waiting.wait;
        t.failback_settle = waiting.failback_settle;
        return t;
}

bool timing_possible(span heartbeat, span dead, span lease_dead)
{
        if (heartbeat.us <= 0 || heartbeat.us > dead.us || dead.us > span_s(3600).us ||
            lease_dead.us > dead.us)
                return false;
        struct timing t = timing_between(heartbeat, dead, lease_dead);
        return timing_check(&t);
}
