/* Terms, campaigns and votes (rules.md rules 1-8; Raft 5.2 and 9.6 for the frame).
 *
 * Elections are early, takings late: a voter refuses only within E of hearing a leader, and each vote says
 * how long ago its voter last answered one. What the votes cannot vouch for is not taken until it has run
 * out. */
#include "cluster/brain.h"

static bool leader_is_near(const struct cluster *c)
{
        return c->leader != NODE_NONE && !is_self(c, c->leader) &&
               span_between(c->leader_heard, c->now).us < c->timing.election.us;
}

static span own_age(const struct cluster *c)
{
        return span_max(SPAN_ZERO, span_between(c->promise.last_answer, c->now));
}

static void set_role(struct cluster *c, enum role role)
{
        c->role = role;
        c->changed = true;
}

static void campaign_stop(struct cluster *c)
{
        c->campaign = BALLOT_NONE;
        c->prevoted = c->voted = false;
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                c->peer[i].prevoted = c->peer[i].voted = false;
        c->arbiter.prevoted = c->arbiter.voted = false;
}

/* Candidates are staggered by rank, so that the first usually wins; a failed try waits longer each time. */
static void campaign_schedule(struct cluster *c, instant from)
{
        const struct timing *t = &c->timing;
        span rank = span_times(t->stagger, c->settings->self * (1 + c->tries % 4));

        c->campaign_due = instant_add(from, span_add(t->election, rank));
}

void step_down(struct cluster *c, const char *why)
{
        if (c->role == ROLE_LEADER) {
                /* leading was promising: count it as an answer given now (rule 2) */
                c->promise.last_answer = c->now;
                note(c, NOTE_LEADER, node_name(c, c->settings->self), "term %u: %s -> no longer leader",
                     c->state.term, why);
        }
        campaign_stop(c);
        c->lead_lease_end = INSTANT_LONG_AGO;
        if (is_self(c, c->leader))
                c->leader = NODE_NONE;
        set_role(c, ROLE_FOLLOWER);
        campaign_schedule(c, c->now);
}

void term_raise(struct cluster *c, uint32_t term)
{
        if (c->role != ROLE_FOLLOWER)
                step_down(c, "a higher term was heard");
        c->state.term = term;
        c->state.voted_for = NODE_NONE;
        c->leader = NODE_NONE;
        c->resigned = false;
        save(c);
}

/* The core before us had got further than its disk (rule 5). It told no vote in that term, for those wait for
 * the disk; but it may have let go of what that term gave, and what an older one gave would be over here. */
void election_resume_term(struct cluster *c, uint32_t term)
{
        if (c->valid && term > c->state.term)
                term_raise(c, term);
}

/* Rule 7: whoever refuses because it knows a newer document hands it over. speak.c does, seeing `newest`. */
static bool candidate_is_current(const struct cluster *c, const struct message *m)
{
        return version_compare(m->newest, c->state.document.version) >= 0;
}

/* A leader's own request to be replaced is no disturbance: its core was restarted, or it resigned. */
static bool leader_forbids(const struct cluster *c, uint8_t candidate)
{
        return leads_with_lease(c) || (leader_is_near(c) && c->leader != candidate);
}

/* A request stands in every message of a campaign. It is answered at once when the answer is new, and with
 * every beat; two candidates that answered each request at once would answer each other for ever. */
static void judge_prevote(struct cluster *c, uint8_t from, const struct message *m)
{
        struct peer *p = &c->peer[from];
        bool given = c->valid && m->ballot.term > c->state.term && candidate_is_current(c, m) &&
                     !leader_forbids(c, from);

        p->speak |= given != p->prevote_given || m->ballot.term != p->prevote_term;
        p->prevote_term = m->ballot.term;
        p->prevote_given = given;
}

static void judge_vote(struct cluster *c, uint8_t from, const struct message *m)
{
        if (!c->valid || m->ballot.term != c->state.term || c->state.voted_for != NODE_NONE)
                return;
        if (!candidate_is_current(c, m)) {
                c->peer[from].speak |= instant_reached(c->now, c->peer[from].document_due);
                return;
        }
        if (leader_forbids(c, from) || c->role == ROLE_LEADER)
                return;
        note(c, NOTE_TRACE, node_name(c, from),
             "term %u: asks for our vote, document current, no leader near -> granted", m->ballot.term);
        c->state.voted_for = from;
        if (c->role == ROLE_CANDIDATE)
                step_down(c, "voted for another");
        campaign_schedule(c, c->now);
        save(c); /* the reply leaves when it is on disk */
}

void raise_take_after_left(struct cluster *c, span left)
{
        c->take_after = instant_max(
                c->take_after, instant_add(c->now, span_us(left.us + left.us * 2 * DRIFT_PERCENT / 100)));
}

void raise_take_after(struct cluster *c, span age)
{
        raise_take_after_left(c, span_max(SPAN_ZERO, span_sub(c->timing.dead, age)));
}

static void count_reply(struct cluster *c, uint8_t from, const struct message *m)
{
        struct peer *p = &c->peer[from];

        if (!m->ballot.granted || m->ballot.kind != c->campaign || !peer_counts(c, from))
                return;
        if (c->campaign == BALLOT_PREVOTE && m->ballot.term == c->state.term + 1)
                p->prevoted = true;
        if (c->campaign == BALLOT_VOTE && m->ballot.term == c->state.term && !p->voted) {
                p->voted = true;
                raise_take_after(c, m->ballot.age);
        }
}

void election_heard(struct cluster *c, uint8_t from, const struct message *m)
{
        if (from == c->leader && (m->resigned || m->left)) {
                note(c, NOTE_LEADER, node_name(c, from), "term %u: leader resigned -> electing another",
                     m->term);
                c->leader = NODE_NONE;
                c->campaign_due = instant_add(c->now, span_times(c->timing.stagger, c->settings->self));
        }
        if (m->ballot.kind == BALLOT_NONE)
                return;
        if (m->ballot.reply)
                count_reply(c, from, m);
        else if (m->invalid_voter)
                return;
        else if (m->ballot.kind == BALLOT_PREVOTE)
                judge_prevote(c, from, m);
        else
                judge_vote(c, from, m);
}

static void campaign_begin(struct cluster *c)
{
        const struct timing *t = &c->timing;

        campaign_stop(c);
        c->campaign = BALLOT_PREVOTE;
        c->campaign_began = c->now;
        c->campaign_end = instant_add(c->now, span_times(t->heartbeat, 3));
        c->leader = NODE_NONE;
        c->prevoted = true;
        c->arbiter_due = c->now;
        set_role(c, ROLE_CANDIDATE);
        arbiter_watch(c);
}

static void campaign_for_real(struct cluster *c)
{
        c->campaign = BALLOT_VOTE;
        c->campaign_end = instant_add(c->now, span_times(c->timing.heartbeat, 3));
        c->state.term++;
        c->state.voted_for = c->settings->self;
        c->take_after = INSTANT_LONG_AGO;
        c->changed = true;
        save(c);
        note(c, NOTE_TRACE, node_name(c, c->settings->self),
             "term %u: a quorum would vote for us -> asking for votes", c->state.term);
}

static uint64_t nodes_for_us(const struct cluster *c, bool real)
{
        uint64_t nodes = 0;

        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && (real ? c->peer[i].voted : c->peer[i].prevoted))
                        nodes |= 1ULL << i;
        return nodes;
}

static bool quorum(struct cluster *c, bool own, bool real)
{
        uint64_t nodes = nodes_for_us(c, real) | (own ? 1ULL << c->settings->self : 0);
        bool arbiter = real ? c->arbiter.voted : c->arbiter.prevoted;

        /* Whoever has no document yet takes its file's word for who votes, and others may have been given
         * another one: a strong arbiter founds no cluster, a majority of the nodes does. */
        if (votes_suffice(c, nodes, arbiter && c->state.document.voters != 0))
                return true;
        return !instant_before(c->arbiter_granted, c->campaign_began) &&
               votes_suffice_with_weak(c, nodes, c->timing.election);
}

static bool peers_elected(const struct cluster *c)
{
        return votes_suffice(c, nodes_for_us(c, true) | 1ULL << c->settings->self, false);
}

static void campaign_count(struct cluster *c)
{
        if (c->campaign == BALLOT_PREVOTE && quorum(c, c->prevoted, false))
                campaign_for_real(c);
        if (c->campaign != BALLOT_VOTE)
                return;
        if (c->saved_term == c->state.term && c->saved_vote == c->settings->self)
                c->voted = true;
        if (!c->voted || !arranged(c) || !quorum(c, true, true))
                return;
        raise_take_after(c, own_age(c));
        c->alone_elected = arbiter_kind(c) == CLUSTER_ARBITER_WEAK && !peers_elected(c);
        if (c->arbiter_granted.us != 0 && !instant_before(c->arbiter_granted, c->campaign_began))
                raise_take_after(c, c->arbiter_age);
        campaign_stop(c);
        c->tries = 0;
        set_role(c, ROLE_LEADER);
        leader_begin(c);
}

/* An arbiter that is slower than the nodes is waited for, where its vote is all that is missing. */
static instant campaign_over(const struct cluster *c)
{
        bool real = c->campaign == BALLOT_VOTE;
        span more = span_sub(arbiter_dead(c), c->timing.dead);

        if (more.us == 0 || c->arbiter.silent_told ||
            !votes_suffice(c, nodes_for_us(c, real) | 1ULL << c->settings->self, true))
                return c->campaign_end;
        return instant_add(c->campaign_end, more);
}

instant election_due(const struct cluster *c)
{
        if (c->role == ROLE_FOLLOWER)
                return c->valid && !c->leaving && is_voter(c, c->settings->self) && arranged(c)
                               ? c->campaign_due
                               : INSTANT_NEVER;
        return c->role == ROLE_CANDIDATE ? campaign_over(c) : INSTANT_NEVER;
}

void election_settle(struct cluster *c)
{
        if (c->role == ROLE_FOLLOWER) {
                if (leader_is_near(c))
                        campaign_schedule(c, c->leader_heard);
                if (!instant_reached(c->now, election_due(c)))
                        return;
                campaign_begin(c);
        }
        if (c->role != ROLE_CANDIDATE)
                return;
        campaign_count(c);
        if (c->role == ROLE_CANDIDATE && instant_reached(c->now, campaign_over(c))) {
                c->tries++;
                step_down(c, "no quorum");
        }
}
