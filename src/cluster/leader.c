/* Leading: a lease from the answers of a quorum, leases granted from it, versions committed by it; and
 * following, the other half of the same conversation (rules.md rules 3, 4, 9, 10). */
#include "cluster/brain.h"

#include <string.h>

static span drifted(span s)
{
        return span_us(s.us + s.us * 2 * DRIFT_PERCENT / 100);
}

static void committed(struct cluster *c)
{
        c->committed = c->state.document;
        c->state.committed = c->state.document.version;
        c->changed = true;
        save(c);
}

/* --- following --- */

static void readmit(struct cluster *c, uint8_t from, const struct message *m)
{
        const struct sent *heard = sent_find(&c->peer[from], m->echo.seq);

        /* the document says how long its promises may have lasted; without it that is not known. What the
         * leader says counts from when that was over: its lease of before may rest on what we have forgotten
         */
        if (c->valid || !m->readmits || c->state.document.version.n == 0 || !heard ||
            instant_before(heard->at, instant_add(c->started, c->timing.wait)))
                return;
        c->valid = true;
        c->state.term = m->term;
        c->state.voted_for = from; /* whatever it voted in this term before, it votes no other way now */
        note(c, NOTE_MEMBER, node_name(c, c->settings->self),
             "term %u: leader %s holds its lease without us -> readmitted", m->term, node_name(c, from));
        save(c);
}

static void take_grant(struct cluster *c, struct peer *leader, const struct grant *g)
{
        const struct sent *s = sent_find(leader, g->seq);

        if (!g->present || !s || !c->valid || unnamed_runs(c) || !self_arranged(c, &c->state.document))
                return;
        /* a lease under a document that we do not have yet may be about a group that we have lost */
        if (version_compare(c->state.document.version, g->version) < 0)
                return;
        c->promise.lease_end =
                instant_max(c->promise.lease_end, instant_add(s->at, span_min(g->length, c->timing.lease)));
}

static void answer(struct cluster *c, struct peer *leader, const struct message *m)
{
        if (!c->valid)
                return;
        c->promise.last_answer = c->now;
        if (m->wants_answer)
                leader->owes_answer = leader->speak = true;
}

/* Two leaders of one term exist only after a split under a weak arbiter; the order of versions decides (rule
 * 25). */
static bool accept_leader(struct cluster *c, uint8_t from)
{
        if (c->role == ROLE_LEADER) {
                if (from < c->settings->self)
                        return false;
                note(c, NOTE_SPLIT, node_name(c, from),
                     "term %u: it leads too, a split has healed -> following it", c->state.term);
        }
        if (c->leader != NODE_NONE && c->leader > from && !is_self(c, c->leader))
                return false;
        if (c->role != ROLE_FOLLOWER)
                step_down(c, "another leads");
        if (c->leader != from)
                note(c, NOTE_TRACE, node_name(c, from), "term %u: leads -> following", c->state.term);
        c->leader = from;
        return true;
}

void follower_heard_leader(struct cluster *c, uint8_t from, const struct message *m)
{
        struct peer *leader = &c->peer[from];

        if (!accept_leader(c, from))
                return;
        c->leader_heard = c->now;
        leader->lead_seq = m->seq;
        c->tries = 0;
        if (m->has_document && version_compare(m->document.version, c->state.document.version) > 0)
                document_adopt(c, &m->document, from);
        readmit(c, from, m);
        if (m->committed.n != 0 && version_equal(m->committed, c->state.document.version) &&
            !version_equal(c->committed.version, m->committed))
                committed(c);
        take_grant(c, leader, &m->grant);
        answer(c, leader, m);
}

/* Rule 27: what we must obey and do not understand we do not follow. Without it no grant counts here. */
static bool understood(struct cluster *c, const struct document *d, uint8_t from)
{
        if (d->feature_level <= feature_level(c))
                return true;
        if (c->level_missed != d->feature_level)
                note(c, NOTE_MEMBER, node_name(c, from),
                     "the cluster has reached feature level %u, this node's haven knows %u -> not followed; "
                     "install the later haven here",
                     d->feature_level, feature_level(c));
        c->level_missed = d->feature_level;
        return false;
}

/* Of this cluster: founded by the same; or, before we have any, by our file, or one that has taken us in. */
static bool is_ours(const struct cluster *c, const struct document *d)
{
        if (c->state.document.version.n)
                return d->members == c->state.document.members;
        return d->members == c->settings->members || names_us(c, d);
}

void document_adopt(struct cluster *c, const struct document *d, uint8_t from)
{
        if (!is_ours(c, d) || !understood(c, d, from))
                return;
        if (self_arranged(c, d) && d->member[c->settings->self].boot > c->self.boot && c->valid) {
                c->valid = false;
                note(c, NOTE_MEMBER, node_name(c, c->settings->self),
                     "the cluster remembers our boot %llu, our state says %llu: it is an older copy -> no "
                     "vote; stop "
                     "havend, run 'haven init --force', start it",
                     (unsigned long long)d->member[c->settings->self].boot, (unsigned long long)c->self.boot);
        }
        if (c->alone.n != 0)
                note(c, NOTE_SPLIT, node_name(c, from),
                     "a split has healed: our document %u.%u.%u, made alone, is set aside for %u.%u.%u",
                     c->alone.term, c->alone.author, c->alone.n, d->version.term, d->version.author,
                     d->version.n);
        c->alone = (struct version){0};
        c->state.document = *d;
        membership_apply(c);
        save(c);
}

/* --- leading --- */

/* Rule 1, for what we were elected with. A taking that we do not know to be committed may be of a leader that
 * had been overtaken by another, which renewed what it took: it waits as long as one of ours would, or for
 * the word of those from whom it was taken. */
static bool inherits_a_taking(const struct cluster *c)
{
        const struct document *d = &c->state.document;

        for (uint8_t i = 0; i < d->group_count; i++) {
                const struct assignment *a = &d->group[i];
                int g = group_index(c, a->group);
                for (uint8_t j = 0; j < a->debt_count; j++) {
                        const struct debt *debt = &a->debt[j];
                        if (g < 0 || !peer_released(c, debt->node, (uint8_t)g, debt->boot, debt->epoch))
                                return true;
                }
        }
        return false;
}

void leader_begin(struct cluster *c)
{
        struct document *d = &c->state.document;

        c->leader = c->settings->self;
        c->elected = c->lease_missed_since = c->now;
        c->lead_lease_end = INSTANT_LONG_AGO;
        c->arbiter.renewed = INSTANT_LONG_AGO;
        c->quorum_told = true;
        c->commit_after = version_equal(c->committed.version, d->version) ? INSTANT_LONG_AGO : c->take_after;
        membership_found(c);
        d->version = (struct version){.term = c->state.term, .author = c->settings->self, .n = 1};
        membership_begin(c);
        if (c->alone_elected)
                fencing_distrust(c);
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                c->peer[i].answered = c->peer[i].answered_when = INSTANT_LONG_AGO;
                c->peer[i].result = (struct order_result){0};
                c->peer[i].document_due = c->now;
                c->peer[i].beat_due = c->now;
                c->standby_since[i] = c->now;
                c->peer[i].fencing.off_at = c->now; /* at the latest, if it is off */
        }
        for (uint8_t g = 0; g < CLUSTER_GROUPS_MAX; g++)
                c->care[g] = (struct care){.refused_node = NODE_NONE};
        c->maintenance_since = c->now;
        note(c, NOTE_LEADER, node_name(c, c->settings->self), "term %u: elected -> leader", c->state.term);
        save(c);
}

void leader_heard(struct cluster *c, uint8_t from, const struct message *m)
{
        struct peer *p = &c->peer[from];
        const struct sent *s = m->answer.present ? sent_find(p, m->answer.seq) : NULL;

        if (peer_counts(c, from) && version_compare(p->is.newest, c->state.document.version) > 0) {
                /* both led a part of a split, in one term: the newer document's holder must lead, for ours
                 * cannot be given to it */
                note(c, NOTE_SPLIT, node_name(c, from),
                     "has a newer document than its leader: a split has healed");
                step_down(c, "another has the newer document");
                return;
        }
        /* rule 4: of this term, to something sent as leader of this term, from a voter that counts */
        if (!s || m->answer.term != c->state.term || s->led_term != c->state.term || !peer_counts(c, from))
                return;
        p->answered = instant_max(p->answered, s->at);
        p->answered_when = c->now;
        if (m->wants_grant)
                p->speak = true;
}

instant lease_without_arbiter(const struct cluster *c)
{
        return quorum_supports_until(c, false);
}

void leader_by_new_voters(struct cluster *c)
{
        c->lead_lease_end = instant_min(c->lead_lease_end, quorum_supports_until(c, true));
}

static void renew_lease(struct cluster *c)
{
        c->lead_lease_end = instant_max(c->lead_lease_end, quorum_supports_until(c, true));
        /* What we hold ourselves, as what others hold by our grants, is over within L once we say and hear
         * nothing any more, however long an arbiter's promise lasts: so long vouches a node that voted for
         * us, and we when we vote for another. */
        if (!unnamed_runs(c))
                c->promise.lease_end =
                        instant_max(c->promise.lease_end,
                                    instant_min(c->lead_lease_end, instant_add(c->now, c->timing.lease)));
        if (leads_with_lease(c)) {
                if (!c->quorum_told)
                        note(c, NOTE_QUORUM, node_name(c, c->settings->self),
                             "term %u: a quorum answers again", c->state.term);
                c->quorum_told = true;
                c->lease_missed_since = c->now;
                return;
        }
        if (c->quorum_told && c->lead_lease_end.us != 0) {
                note(c, NOTE_QUORUM_LOST, node_name(c, c->settings->self),
                     "term %u: no quorum answered within the lease -> nothing exclusive may run here",
                     c->state.term);
                c->quorum_told = false;
        }
        /* an arbiter that answers, if slowly, is waited for */
        span patience = c->arbiter.silent_told ? c->timing.dead : arbiter_dead(c);
        if (span_between(c->lease_missed_since, c->now).us > patience.us)
                step_down(c, "no quorum answered within dead"); /* rule 3 */
}

static void count_commit(struct cluster *c)
{
        struct version v = c->state.document.version;
        uint64_t votes = version_equal(c->saved_version, v) ? 1ULL << c->settings->self : 0;

        bool done = version_equal(c->committed.version, v);
        if (done && c->alone.n == 0)
                return;
        if (!instant_reached(c->now, c->commit_after) && inherits_a_taking(c))
                return;
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && peer_counts(c, i) && peer_heard_within(c, i, c->timing.dead) &&
                    c->peer[i].is.term == c->state.term && version_equal(c->peer[i].is.newest, v))
                        votes |= 1ULL << i;
        if (votes_suffice(c, votes, version_equal(c->arbiter.stored, v))) {
                /* the others have it too now, if they had not */
                c->alone = (struct version){0};
                if (!done)
                        committed(c);
        } else if (!done && votes_suffice_with_weak(c, votes, c->timing.arbiter_after)) {
                c->alone = v;
                committed(c);
        }
}

void leader_settle(struct cluster *c)
{
        if (c->role != ROLE_LEADER)
                return;
        renew_lease(c);
        if (c->role == ROLE_LEADER)
                count_commit(c);
}

span grant_length(const struct cluster *c, instant now)
{
        return span_min(c->timing.lease, span_between(now, c->lead_lease_end)); /* rule 9 */
}

instant leases_over(const struct cluster *c, uint8_t node)
{
        const struct peer *p = &c->peer[node];
        instant over = instant_max(c->take_after, instant_add(p->granted_until, drifted(c->timing.margin)));

        /* by a weak vote of its own it may have led until we last heard it */
        if (arbiter_kind(c) == CLUSTER_ARBITER_WEAK && p->heard.us && !p->is.left)
                over = instant_max(over, instant_add(p->silent_from, c->timing.wait));
        return over;
}
