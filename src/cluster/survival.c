/* What the cluster can bear right now, for people. */
#include "cluster/brain.h"

#include <stdio.h>

static bool counts(const struct cluster *c, uint8_t node, instant now)
{
        const struct peer *p = &c->peer[node];

        return p->heard.us && !p->is.left && peer_counts(c, node) &&
               span_between(p->heard, now).us < c->settings->timing.dead.us;
}

/* It is looked at once a second; two looks in vain and it is gone. */
static bool arbiter_present(const struct cluster *c, instant now)
{
        span patience = span_max(span_s(3), span_times(c->settings->timing.dead, 2));

        return arbiter_is_strong(c) && !c->arbiter.lost && c->arbiter.answered.us != 0 &&
               span_between(c->arbiter.answered, now).us < patience.us;
}

struct survival cluster_survival(const struct cluster *c, instant now)
{
        uint64_t set = voters_of(c).set[0];
        struct survival s = {.needed = votes_needed(c, set),
                             .arbiter_answered = c->arbiter.answered,
                             .arbiter_strong = arbiter_is_strong(c),
                             .arbiter_present = arbiter_present(c, now),
                             .arbiter_lost = arbiter_is_strong(c) && c->arbiter.lost,
                             .arbiter_older = arbiter_is_strong(c) && c->arbiter.older};

        for (uint8_t i = 0; i < c->settings->node_count; i++)
                s.votes += set & 1ULL << i && (is_self(c, i) ? c->valid : counts(c, i, now));
        /* a weak one votes for whoever asks, in the place of half of the nodes */
        s.votes += arbiter_is_strong(c) ? s.arbiter_present : arbiter_kind(c) == CLUSTER_ARBITER_WEAK;
        return s;
}

void survival_text(const struct survival *s, char *text, size_t size)
{
        const char *arbiter = !s->arbiter_strong || s->arbiter_present ? ""
                              : s->arbiter_older ? "; the arbiter's state is an older copy of it"
                              : s->arbiter_lost  ? "; the arbiter has lost its state"
                                                 : "; the arbiter does not answer";

        if (s->votes < s->needed)
                snprintf(text, size, "nothing may run: %u of the %u votes that it takes%s", s->votes,
                         s->needed, arbiter);
        else if (s->votes == s->needed)
                snprintf(text, size, "the next failure stops the service%s", arbiter);
        else if (s->votes == s->needed + 1)
                snprintf(text, size, "one more %s may fail%s",
                         s->arbiter_present ? "node, or the arbiter," : "node", arbiter);
        else
                snprintf(text, size, "%d more nodes may fail%s", s->votes - s->needed, arbiter);
}
