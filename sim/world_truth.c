#include "world_arbiter.h"

#include <string.h>

static const char *const violation_names[] = {
        [VIOLATION_TWO_OWNERS] = "two owners", [VIOLATION_NO_OWNER] = "no owner",
        [VIOLATION_MOVED] = "moved",           [VIOLATION_TWO_LEADERS] = "two leaders",
        [VIOLATION_FORK] = "document forked",  [VIOLATION_COMPANY] = "company",
        [VIOLATION_REVIVED] = "revived",       [VIOLATION_STORM] = "storm",
};

const char *violation_name(enum violation v)
{
        return violation_names[v];
}

const char *world_name(const struct world *w, uint8_t node)
{
        return node < w->config.nodes ? w->settings[0][0].node_name[node] : "nobody";
}

void world_violate(struct world *w, enum violation v, const char *what, uint8_t a, uint8_t b)
{
        if (w->violations[v]++ == 0 && !w->violation[0])
                snprintf(w->violation, sizeof(w->violation), "seed %llu at %.3fms: %s: %s and %s",
                         (unsigned long long)w->config.seed, (double)w->now / 1000, what, world_name(w, a),
                         world_name(w, b));
        if (w->config.trace)
                fprintf(w->config.trace, "[%10.3f] VIOLATION %s: %s and %s\n", (double)w->now / 1000, what,
                        world_name(w, a), world_name(w, b));
}

void world_found(struct world *w, enum violation v, const char *what)
{
        if (w->violations[v]++ == 0 && !w->violation[0])
                snprintf(w->violation, sizeof(w->violation), "seed %llu at %.3fms: %s",
                         (unsigned long long)w->config.seed, (double)w->now / 1000, what);
        if (w->config.trace)
                fprintf(w->config.trace, "[%10.3f] VIOLATION %s\n", (double)w->now / 1000, what);
}

/* --- who holds what --- */

/* With the supervisor standing still, or gone, what is exclusive in its address only ends at the kernel's
 * gate; what is exclusive in its data goes on. */
static bool holds(const struct world *w, const struct machine *m, uint8_t g)
{
        if (!m->powered || !m->held[g].exclusive)
                return false;
        return !(m->supervisor_paused || m->held[g].orphan) || m->held[g].everywhere || w->config.data ||
               instant_before(machine_clock(w, m), m->held[g].gate);
}

int world_holders(const struct world *w, uint8_t g, uint8_t *ret_first, uint8_t *ret_second)
{
        int n = 0;

        for (uint8_t i = 0; i < w->config.nodes; i++) {
                if (!holds(w, &w->machine[i], g))
                        continue;
                *(n == 0 ? ret_first : ret_second) = i;
                n++;
        }
        return n;
}

/* More than one may run it only if each was started to run everywhere. */
static bool all_everywhere(const struct world *w, uint8_t g)
{
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (holds(w, &w->machine[i], g) && !w->machine[i].held[g].everywhere)
                        return false;
        return true;
}

/* How long, up to `until`, this node held the group with its gate closed. */
static int64_t closed_since_accounted(const struct world *w, const struct machine *m, uint8_t g,
                                      int64_t until)
{
        bool held = m->powered && m->held[g].exclusive && !m->held[g].everywhere;
        int64_t from = held ? machine_truth(m, m->ledger.lease_end) : INT64_MAX;

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
                bool both = n > 1 && !all_everywhere(w, g);
                if (n == 0)
                        w->unheld[g] += until - w->accounted;
                else if (both)
                        w->both[g] += until - w->accounted;
                w->both_since[g] = both ? w->both_since[g] + until - w->accounted : 0;
                if (w->both_since[g] > w->both_longest)
                        w->both_longest = w->both_since[g];
                for (uint8_t i = 0; i < w->config.nodes; i++)
                        w->closed[g] += closed_since_accounted(w, &w->machine[i], g, until);
        }
        w->accounted = until;
}

/* Two who vote beside each other, and one's file no longer names the other: there is no link between them. */
static bool parted_by_file(const struct world *w, uint8_t from, uint8_t to)
{
        const struct machine *m = &w->machine[from];
        bool linked = m->named & 1ULL << to && w->machine[to].named & 1ULL << from;

        return !linked && m->core_up && cluster_votes(m->brain, from) && cluster_votes(m->brain, to);
}

static bool somebody_apart(const struct world *w)
{
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                if (w->machine[i].powered && (w->machine[i].paused || !w->machine[i].core_up))
                        return true;
                for (uint8_t j = 0; j < w->config.nodes; j++)
                        if (i != j && (world_cut_off(w, i, j) || parted_by_file(w, i, j) ||
                                       w->delay[i][j].us > w->config.heartbeat.us))
                                return true;
        }
        return false;
}

void world_note_apart(struct world *w)
{
        if (somebody_apart(w))
                w->apart = w->now;
}

/* Of an even number, so that the arbiter has a vote beside them. */
static bool voters_even(const struct world *w, const struct document *d)
{
        uint64_t voters = d->voters ? d->voters : world_founders(w);

        return __builtin_popcountll(voters) % 2 == 0 ||
               (d->before && __builtin_popcountll(d->before) % 2 == 0);
}

static bool weak(const struct world *w)
{
        if (w->settings[0][0].arbiter != CLUSTER_ARBITER_WEAK)
                return false;
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (voters_even(w, &w->machine[i].disk.document) ||
                    (w->machine[i].core_up && voters_even(w, cluster_document(w->machine[i].brain))))
                        return true;
        return false;
}

/* What a weak arbiter cannot know: whether who is silent is dead, cut off, or stands still. */
static bool weak_admits(struct world *w)
{
        world_note_apart(w);
        return weak(w) && !w->config.data && w->apart >= 0 && w->now - w->apart <= w->dead_most.us;
}

/* `takes`: a node has just taken it. Else two that were admitted when they took it may hold it on, while one
 * cannot stop it. */
static void check_holders(struct world *w, uint8_t g, bool takes)
{
        uint8_t a = NODE_NONE, b = NODE_NONE;
        int n = world_holders(w, g, &a, &b);

        if (n > 0 && all_everywhere(w, g)) {
                w->moves[g] += takes;
                return;
        }
        if (n > 1 && takes && weak_admits(w))
                w->admitted++;
        else if (n > 1 && takes)
                world_violate(w, VIOLATION_TWO_OWNERS, w->settings[0][0].group[g].name, a, b);
        if (n >= 1 && w->last_holder[g] != a) {
                w->last_holder[g] = a;
                w->moves[g]++;
        }
}

/* --- how groups stand to each other --- */

static bool holds_two(const struct machine *m, uint8_t a, uint8_t b)
{
        return m->powered && m->held[a].exclusive && m->held[b].exclusive;
}

/* A weak arbiter's other side knows nothing of who is where. */
static void check_apart(struct world *w, const struct machine *m)
{
        if (w->config.words & WORDS_APART && !weak(w) && holds_two(m, 0, 2))
                world_violate(w, VIOLATION_COMPANY, "group0 and group2 on one node", machine_index(w, m),
                              NODE_NONE);
}

void world_check_order(struct world *w, const struct machine *m, uint8_t g)
{
        if (!(w->config.words & WORDS_AFTER) || g != 1 || weak(w))
                return;
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (w->machine[i].held[0].exclusive && !w->machine[i].held[0].starting)
                        return;
        if (w->now - w->gone[0] > w->dead_most.us * 11 / 10) /* else it was, as far as this node can know */
                world_violate(w, VIOLATION_COMPANY, "group1 started before group0", machine_index(w, m),
                              NODE_NONE);
}

bool world_keeps_company(const struct world *w)
{
        unsigned words = w->config.words;

        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct machine *m = &w->machine[i];
                unsigned load = 0;
                for (uint8_t g = 0; g < w->config.groups; g++)
                        load += m->powered && m->held[g].exclusive;
                if (words & WORDS_WITH && m->powered && m->held[0].exclusive != m->held[1].exclusive)
                        return false;
                if ((words & WORDS_APART && holds_two(m, 0, 2)) || (words & WORDS_ROOM && load > 2))
                        return false;
        }
        return true;
}

void machine_set_exclusive(struct world *w, struct machine *m, uint8_t g, bool held)
{
        bool takes = held && !m->held[g].exclusive;

        world_account(w, w->now);
        if (m->held[g].exclusive && !held)
                w->gone[g] = w->now;
        m->held[g].exclusive = held;
        m->held[g].releasing = false;
        m->held[g].orphan = false;
        m->held[g].gate = m->ledger.lease_end;
        check_holders(w, g, takes);
        if (takes)
                check_apart(w, m);
        supervisor_watch(w, m);
}

/* --- leaders and documents --- */

/* A weak arbiter may elect two after a split: that is what makes it weak. */
static void check_leaders(struct world *w, const struct machine *m)
{
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct machine *other = &w->machine[i];
                if (other != m && other->core_up && other->ledger.leading &&
                    other->ledger.term == m->ledger.term)
                        world_violate(w, VIOLATION_TWO_LEADERS, "two leaders of one term",
                                      machine_index(w, m), i);
        }
}

static uint64_t digest(const struct document *d)
{
        uint64_t sum = 14695981039346656037ULL;

#define MIX(value) (sum = (sum ^ (uint64_t)(value)) * 1099511628211ULL)
        for (uint8_t i = 0; i < d->member_count; i++) {
                MIX(d->member[i].boot);
                MIX(d->member[i].standby);
                MIX(d->member[i].name);
        }
        MIX(d->voters);
        MIX(d->before);
        for (uint8_t g = 0; g < d->group_count; g++) {
                const struct assignment *a = &d->group[g];
                MIX(a->group);
                MIX(a->owner);
                MIX(a->epoch.term);
                MIX(a->epoch.n);
                MIX(a->from);
                MIX(a->admin);
                MIX(a->debt_count);
                MIX(a->spread);
        }
#undef MIX
        return sum;
}

static void check_commit(struct world *w, const struct machine *m)
{
        const struct document *d = cluster_document(m->brain);
        struct commit is = {.version = d->version, .digest = digest(d)};

        for (uint32_t i = w->commit_count; i > 0; i--) {
                const struct commit *was = &w->commit[(i - 1) % COMMITS_MAX];
                if (!version_equal(was->version, is.version))
                        continue;
                if (was->digest != is.digest)
                        world_violate(w, VIOLATION_FORK, "one committed version, two contents",
                                      machine_index(w, m), NODE_NONE);
                return;
        }
        if (w->commit_count < COMMITS_MAX)
                w->commit[w->commit_count++] = is;
        if (version_compare(is.version, w->committed) > 0)
                w->committed = is.version;
}

/* Others may have started it already, or do so at the next word of ours. */
static void check_sealed(struct world *w, const struct machine *m)
{
        for (uint8_t i = 0; i < m->ledger.tenure_count; i++) {
                const struct cluster_tenure *t = &m->ledger.tenure[i];
                bool runs = t->hold == HOLD_STARTING || t->hold == HOLD_STARTED || t->hold == HOLD_FAILED;
                if (runs && !epoch_none(t->epoch) && epoch_compare(t->epoch, t->sealed) <= 0)
                        world_violate(w, VIOLATION_REVIVED, "an epoch that is over runs again",
                                      machine_index(w, m), NODE_NONE);
        }
}

/* I1 and I3, after each step. */
void world_check_step(struct world *w, struct machine *m)
{
        const struct document *d = cluster_document(m->brain);
        bool leads = m->ledger.leading,
             elected = leads && (!m->seen_leading || m->seen_term != m->ledger.term);

        check_sealed(w, m);
        if (!weak(w)) {
                if (elected) {
                        check_leaders(w, m);
                        /* a fence arbiter keeps no documents; one whose votes came late may be elected after
                         * a higher term has committed: it is told by the first who hears it */
                        if (version_compare(m->seen, w->committed) < 0 &&
                            w->committed.term <= m->ledger.term && w->config.arbiter != &arbiter_fence)
                                world_violate(w, VIOLATION_FORK, "elected without what was committed",
                                              machine_index(w, m), NODE_NONE);
                }
                struct version committed = cluster_committed(m->brain);
                if (!version_equal(committed, m->seen_committed) && version_equal(committed, d->version))
                        check_commit(w, m);
                m->seen_committed = committed;
        }
        m->seen_leading = leads;
        m->seen_term = m->ledger.term;
        m->seen = d->version;
}

/* --- questions --- */

span world_now(const struct world *w)
{
        return span_us(w->now);
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

bool world_runs(const struct world *w, uint8_t node, uint8_t group)
{
        return w->machine[node].powered && w->machine[node].held[group].exclusive;
}

bool world_everywhere(const struct world *w, uint8_t group)
{
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct machine *m = &w->machine[i];
                int index = m->core_up ? machine_group(w, m, group) : -1;
                if (index >= 0 && !machine_settings(w, m)->group[index].everywhere)
                        return false;
        }
        return group > 0 && group == w->config.groups - 1;
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

span world_both_longest(const struct world *w)
{
        return span_us(w->both_longest);
}

uint32_t world_moves(const struct world *w, uint8_t group)
{
        return w->moves[group];
}

uint32_t world_said_most(const struct world *w)
{
        return w->said_most;
}

uint64_t world_steps(const struct world *w)
{
        return w->steps;
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
