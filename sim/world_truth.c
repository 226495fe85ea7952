#include "world_inside.h"

#include <string.h>

const char *world_name(const struct world *w, uint8_t node)
{
        return node < w->config.nodes ? w->settings[0].node_name[node] : "nobody";
}

static void violate(struct world *w, enum violation v, const char *what, uint8_t a, uint8_t b)
{
        if (w->violations[v]++ == 0 && !w->violation[0])
                snprintf(w->violation, sizeof(w->violation), "seed %llu at %.3fms: %s: %s and %s",
                         (unsigned long long)w->config.seed, (double)w->now / 1000, what, world_name(w, a),
                         world_name(w, b));
        if (w->config.trace)
                fprintf(w->config.trace, "[%10.3f] VIOLATION %s: %s and %s\n", (double)w->now / 1000, what,
                        world_name(w, a), world_name(w, b));
}

int world_holders(const struct world *w, uint8_t g, uint8_t *ret_first, uint8_t *ret_second)
{
        int n = 0;

        for (uint8_t i = 0; i < w->config.nodes; i++) {
                if (!w->machine[i].powered || !w->machine[i].held[g].exclusive)
                        continue;
                *(n == 0 ? ret_first : ret_second) = i;
                n++;
        }
        return n;
}

/* How long, up to `until`, this node held the group with its gate closed. */
static int64_t closed_since_accounted(const struct world *w, const struct machine *m, uint8_t g,
                                      int64_t until)
{
        int64_t from = m->powered && m->held[g].exclusive ? machine_truth(m, m->ledger.lease_end) : INT64_MAX;

        from = from > w->accounted ? from : w->accounted;
        return from < until ? until - from : 0;
}

void world_account(struct world *w, int64_t until)
{
        if (until == w->accounted)
                return;
        for (uint8_t g = 0; g < w->config.groups; g++) {
                uint8_t a, b;
                int n = world_holders(w, g, &a, &b);
                if (n == 0)
                        w->unheld[g] += until - w->accounted;
                else if (n > 1)
                        w->both[g] += until - w->accounted;
                for (uint8_t i = 0; i < w->config.nodes; i++)
                        w->closed[g] += closed_since_accounted(w, &w->machine[i], g, until);
        }
        w->accounted = until;
}

static bool somebody_apart(const struct world *w)
{
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                if (w->machine[i].powered && (w->machine[i].paused || !w->machine[i].core_up))
                        return true;
                for (uint8_t j = 0; j < w->config.nodes; j++)
                        if (i != j && world_cut_off(w, i, j))
                                return true;
        }
        return false;
}

/* To be called before a fault ends. */
void world_note_apart(struct world *w)
{
        if (somebody_apart(w))
                w->apart = w->now;
}

/* What a weak arbiter cannot know: whether who is silent is dead, cut off, or stands still. */
static bool weak_admits(struct world *w)
{
        world_note_apart(w);
        return w->settings[0].arbiter == CLUSTER_ARBITER_WEAK && !w->config.data && w->apart >= 0 &&
               w->now - w->apart <= w->config.dead.us;
}

static void check_holders(struct world *w, uint8_t g)
{
        uint8_t a = NODE_NONE, b = NODE_NONE;
        int n = world_holders(w, g, &a, &b);

        if (n > 1 && weak_admits(w))
                w->admitted++;
        else if (n > 1)
                violate(w, VIOLATION_TWO_OWNERS, w->settings[0].group[g].name, a, b);
        if (n >= 1 && w->last_holder[g] != a) {
                w->last_holder[g] = a;
                w->moves[g]++;
        }
}

/* A weak arbiter may elect two after a split: that is what makes it weak. */
void world_check_leaders(struct world *w)
{
        if (w->settings[0].arbiter == CLUSTER_ARBITER_WEAK)
                return;
        for (uint8_t i = 0; i < w->config.nodes; i++)
                for (uint8_t j = i + 1; j < w->config.nodes; j++) {
                        const struct machine *a = &w->machine[i], *b = &w->machine[j];
                        if (a->core_up && b->core_up && a->ledger.leading && b->ledger.leading &&
                            a->ledger.term == b->ledger.term)
                                violate(w, VIOLATION_TWO_LEADERS, "two leaders of one term", i, j);
                }
}

void machine_set_exclusive(struct world *w, struct machine *m, uint8_t g, bool held)
{
        world_account(w, w->now);
        m->held[g].exclusive = held;
        check_holders(w, g);
}

/* --- questions --- */

span world_now(const struct world *w)
{
        return span_us(w->now);
}

bool world_paused(const struct world *w, uint8_t node)
{
        return w->machine[node].paused;
}

bool world_up(const struct world *w, uint8_t node)
{
        return w->machine[node].powered;
}

uint8_t world_holder(const struct world *w, uint8_t group)
{
        uint8_t a = NODE_NONE, b;

        world_holders(w, group, &a, &b);
        return a;
}

uint8_t world_leader(const struct world *w)
{
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (w->machine[i].core_up && !w->machine[i].paused && w->machine[i].ledger.leading &&
                    instant_before(machine_clock(w, &w->machine[i]), w->machine[i].ledger.lease_end))
                        return i;
        return NODE_NONE;
}

const struct cluster *world_brain(const struct world *w, uint8_t node)
{
        return w->machine[node].core_up ? w->machine[node].brain : NULL;
}

struct epoch world_epoch(const struct world *w, uint8_t node, uint8_t group)
{
        return w->machine[node].held[group].epoch;
}

span world_gate_closed(const struct world *w, uint8_t group)
{
        return span_us(w->closed[group]);
}

span world_unheld(const struct world *w, uint8_t group)
{
        return span_us(w->unheld[group]);
}

span world_both_held(const struct world *w, uint8_t group)
{
        return span_us(w->both[group]);
}

uint32_t world_moves(const struct world *w, uint8_t group)
{
        return w->moves[group];
}

void world_reset_figures(struct world *w)
{
        world_account(w, w->now);
        memset(w->unheld, 0, sizeof(w->unheld));
        memset(w->both, 0, sizeof(w->both));
        memset(w->closed, 0, sizeof(w->closed));
        memset(w->moves, 0, sizeof(w->moves));
}

uint32_t world_admitted(const struct world *w)
{
        return w->admitted;
}

uint32_t world_violations(const struct world *w, enum violation v)
{
        return w->violations[v];
}

const char *world_violation_text(const struct world *w)
{
        return w->violation;
}

const char *world_story(struct world *w)
{
        w->story[w->story_length] = '\0';
        w->story_length = 0;
        return w->story;
}
