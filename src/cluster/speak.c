/* What goes out. One message says all that its sender is; it leaves when something changed, when it is asked
 * for, and otherwise once a heartbeat.
 *
 * In peace a round costs three messages a pair: the leader's beat, the follower's answer at once, the
 * leader's grant at once. A follower's answer is its heartbeat to the leader, so it beats only if the leader
 * does not. */
#include "cluster/brain.h"

#include <assert.h>
#include <string.h>

static bool follows(const struct cluster *c, uint8_t node)
{
        return c->role == ROLE_FOLLOWER && c->leader == node;
}

void speak_settle(struct cluster *c)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                struct peer *p = &c->peer[i];
                if (is_self(c, i) || c->settings->vacant & 1ULL << i)
                        continue;
                if (c->edited)
                        p->document_due = INSTANT_LONG_AGO;
                p->beat = c->changed || instant_reached(c->now, p->beat_due);
                if (p->beat || p->speak)
                        c->todo->speak_to |= 1ULL << i;
                p->speak = false;
        }
}

instant speak_due(const struct cluster *c)
{
        instant due = INSTANT_NEVER;

        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && !(c->settings->vacant & 1ULL << i))
                        due = instant_min(due, c->peer[i].beat_due);
        /* alone, the lease is renewed by the clock */
        return instant_min(due, instant_add(c->stepped, c->timing.heartbeat));
}

static void next_beat(struct cluster *c, instant now, uint8_t to)
{
        struct peer *p = &c->peer[to];
        span heartbeat = c->timing.heartbeat;

        if (c->role == ROLE_LEADER && !p->beat)
                return; /* a grant: the beat keeps its pace */
        if (follows(c, to))
                heartbeat = span_us(heartbeat.us * 3 / 2);
        p->beat_due = instant_add(p->beat_due, heartbeat);
        if (instant_reached(now, p->beat_due) || instant_before(instant_add(now, heartbeat), p->beat_due))
                p->beat_due = instant_add(now, heartbeat);
}

static void number(struct cluster *c, instant now, uint8_t to, struct message *m)
{
        struct peer *p = &c->peer[to];

        m->seq = p->next_seq++;
        p->sent[m->seq % SENT_MAX] = (struct sent){
                .seq = m->seq, .at = now, .led_term = c->role == ROLE_LEADER ? c->state.term : 0};
}

static void say_ballot(struct cluster *c, instant now, uint8_t to, struct ballot *b)
{
        const struct peer *p = &c->peer[to];
        bool reply_prevote = p->prevote_given && p->prevote_term > c->state.term;
        bool asked = c->campaign == BALLOT_PREVOTE ? p->prevoted : p->voted;

        if (c->campaign != BALLOT_NONE && !asked && !(reply_prevote && to < c->settings->self)) {
                b->kind = c->campaign;
                b->term = c->state.term + (c->campaign == BALLOT_PREVOTE);
        } else if (reply_prevote) {
                *b = (struct ballot){
                        .kind = BALLOT_PREVOTE, .term = p->prevote_term, .reply = true, .granted = true};
        } else if (c->state.voted_for == to && c->saved_vote == to && c->saved_term == c->state.term &&
                   c->valid && c->leader != to) {
                *b = (struct ballot){
                        .kind = BALLOT_VOTE, .term = c->state.term, .reply = true, .granted = true};
                b->age = span_max(SPAN_ZERO, span_between(c->promise.last_answer, now));
        }
}

static void say_grant(struct cluster *c, instant now, uint8_t to, struct grant *g)
{
        struct peer *p = &c->peer[to];
        span length = grant_length(c, now);

        if (c->role != ROLE_LEADER || length.us <= 0 || p->answered.us == 0 || !peer_counts(c, to) ||
            p->is.term != c->state.term)
                return;
        /* our newest document, committed or not: it may give to another what the peer's gives to it, and was
         * made after every lease under that was over (rule 10) */
        *g = (struct grant){.present = true,
                            .seq = p->proven_seq,
                            .length = length,
                            .version = c->state.document.version};
        /* it counts from when it sent what we answer, which is before we heard that: beats to a silent node
         * add nothing to what it has */
        p->granted_until =
                instant_max(p->granted_until,
                            instant_add(p->heard, span_us(length.us + length.us * 2 * DRIFT_PERCENT / 100)));
}

/* After a split under a weak arbiter: while a node holds what our document owes it, the document is being
 * mended (govern.c, heal) and would only make it let go. */
static bool document_would_harm(const struct cluster *c, uint8_t to)
{
        if (arbiter_kind(c) != CLUSTER_ARBITER_WEAK)
                return false;
        for (uint8_t g = 0; g < c->settings->group_count; g++) {
                const struct assignment *a =
                        document_group_const(&c->state.document, c->settings->group[g].id);
                for (uint8_t i = 0; a && i < a->debt_count; i++)
                        if (a->debt[i].node == to && fitness(c, g, to) == PLACE_FIT &&
                            peer_holds(c, to, g, a->debt[i].epoch))
                                return true;
        }
        return false;
}

static void say_document(struct cluster *c, instant now, uint8_t to, struct message *m)
{
        struct peer *p = &c->peer[to];
        bool led = c->leader != NODE_NONE && span_between(c->leader_heard, now).us < c->timing.election.us;
        bool candidate = p->is.term >= c->state.term && !led;

        if (c->role != ROLE_LEADER && !candidate)
                return;
        if (!peer_heard_within(c, to, c->timing.dead) || c->state.document.version.n == 0 ||
            version_compare(p->is.newest, c->state.document.version) >= 0)
                return;
        if (instant_before(now, p->document_due) || document_would_harm(c, to))
                return;
        m->has_document = true;
        m->document = c->state.document;
        p->document_due = instant_add(now, span_us(c->timing.heartbeat.us / 2));
}

static void say_order(struct cluster *c, uint8_t to, struct message *m)
{
        struct peer *p = &c->peer[to];

        if (c->order_count && follows(c, to) && arranged(c))
                m->order = c->order[0];
        if (c->role == ROLE_LEADER && p->result.id &&
            version_compare(c->committed.version, p->result_due) >= 0)
                m->result = p->result;
}

static void say_self(const struct cluster *c, instant now, uint8_t to, struct message *m)
{
        const struct peer *p = &c->peer[to];

        m->from = c->settings->self;
        m->to = to;
        m->from_id = c->settings->node_id[m->from];
        m->to_id = c->settings->node_id[to];
        m->incarnation = c->self;
        m->members = members(c);
        m->config = c->settings->config;
        m->feature_level = feature_level(c);
        m->invalid_voter = !c->valid;
        m->leaving = c->leaving;
        m->resigned = c->resigned;
        m->left = c->left;
        m->leads = c->role == ROLE_LEADER;
        m->watchdog = c->watchdog;
        m->term = c->state.term;
        m->leader = c->leader;
        m->newest = c->saved_version;
        m->committed = c->committed.version;
        m->echo = (struct echo){.of = p->incarnation, .seq = p->heard_seq};
        for (uint8_t l = 0; l < c->settings->link_count; l++)
                if (p->link[l].heard.us && span_between(p->link[l].heard, now).us < c->timing.dead.us)
                        m->hears |= (uint8_t)(1U << l);
        m->hold_count = c->settings->group_count;
        for (uint8_t g = 0; g < m->hold_count; g++)
                m->hold[g] = tenure_hold(c, g);
        unnamed_say(c, m);
}

void cluster_speak(struct cluster *c, instant now, uint8_t to, struct message *ret_message)
{
        struct message *m = ret_message;
        struct peer *p = &c->peer[to];

        assert(to < c->settings->node_count && !is_self(c, to));
        memset(m, 0, offsetof(struct message, hold));
        say_self(c, now, to, m);
        number(c, now, to, m);
        say_ballot(c, now, to, &m->ballot);
        m->wants_answer = m->leads && p->beat;
        if (follows(c, to) && c->valid && p->lead_seq) {
                m->answer = (struct answer){.present = true, .term = c->state.term, .seq = p->lead_seq};
                m->wants_grant = p->owes_answer;
        }
        p->owes_answer = false;
        say_grant(c, now, to, &m->grant);
        m->readmits = m->leads && !peer_counts(c, to) && instant_before(now, c->lead_lease_end);
        say_order(c, to, m);
        say_document(c, now, to, m);
        next_beat(c, now, to);
}
