/* What comes in: who is speaking, does it prove that it hears us, what does it say of itself.
 *
 * A message counts only with proof: its echo names our core's incarnation and a message of ours sent less
 * than `dead` ago. So replays, one-way links and packets of before our start are seen for what they are;
 * without proof a message does no more than make us answer, so that the peer can prove itself. */
#include "cluster/brain.h"

#include <string.h>

static int incarnation_compare(struct incarnation a, struct incarnation b)
{
        if (a.boot != b.boot)
                return a.boot < b.boot ? -1 : 1;
        return a.core < b.core ? -1 : a.core > b.core;
}

const struct sent *sent_find(const struct peer *p, uint32_t seq)
{
        const struct sent *s = &p->sent[seq % SENT_MAX];

        return seq != 0 && s->seq == seq ? s : NULL;
}

static bool proves(const struct cluster *c, const struct peer *p, const struct message *m)
{
        if (incarnation_compare(m->echo.of, c->self) != 0)
                return false;
        const struct sent *s = sent_find(p, m->echo.seq);
        return s && span_between(s->at, c->now).us < c->timing.dead.us;
}

/* Another core or another boot speaks: all that the former one said and was owed is void. */
static void meet_incarnation(struct cluster *c, uint8_t from, struct incarnation incarnation)
{
        struct peer *p = &c->peer[from];
        bool rebooted = p->incarnation.boot != incarnation.boot;

        if (p->incarnation.boot != 0 || p->incarnation.core != 0)
                note(c, NOTE_TRACE, node_name(c, from),
                     "new incarnation %llu.%u (was %llu.%u) -> %s restarted",
                     (unsigned long long)incarnation.boot, incarnation.core,
                     (unsigned long long)p->incarnation.boot, p->incarnation.core,
                     rebooted ? "havend" : "its core");
        p->incarnation = incarnation;
        p->met = c->now;
        p->heard_seq = p->proven_seq = p->lead_seq = 0;
        p->prevoted = p->voted = p->prevote_given = false;
        p->result = (struct order_result){0};
        p->speak = true;
        if (rebooted) {
                p->heard = INSTANT_LONG_AGO;
                p->is = (struct peer_facts){0};
        }
}

/* After two held it, neighbours may have learnt either: whoever keeps it says so again. */
static void announce(struct cluster *c, uint8_t group)
{
        if (c->tenure[group].hold == HOLD_STARTED && !c->settings->group[group].everywhere)
                act(c, ACTION_ANNOUNCE, group, c->tenure[group].epoch, false);
}

static void read_facts(struct cluster *c, struct peer *p, const struct message *m)
{
        struct peer_facts *is = &p->is;

        memset(is->knows, 0, sizeof(is->knows));
        is->members = m->members;
        is->config = m->config;
        is->feature_level = m->feature_level;
        is->invalid_voter = m->invalid_voter;
        is->leaving = m->leaving;
        is->resigned = m->resigned;
        is->leads = m->leads;
        is->left = m->left;
        is->term = m->term;
        is->newest = m->newest;
        is->committed = m->committed;
        is->watchdog = m->watchdog;
        for (uint8_t i = 0; i < m->hold_count; i++) {
                int g = group_index(c, m->hold[i].group);
                if (g < 0)
                        continue;
                if (is->hold[g].state >= HOLD_STARTING && m->hold[i].state == HOLD_NONE)
                        announce(c, (uint8_t)g);
                is->knows[g] = true;
                is->hold[g] = m->hold[i];
        }
}

static void link_heard(struct cluster *c, uint8_t from, uint8_t link)
{
        if (link < CLUSTER_LINKS_MAX)
                c->peer[from].link[link].heard = c->now;
}

void hear_copy(struct cluster *c, uint8_t from, uint8_t link)
{
        if (from < c->settings->node_count && !is_self(c, from))
                link_heard(c, from, link);
}

static void notice_config(struct cluster *c, uint8_t from, uint64_t before)
{
        const struct peer *p = &c->peer[from];

        if (p->is.config == before)
                return;
        if (p->is.config != c->settings->config)
                note(c, NOTE_CONFIG, node_name(c, from),
                     "its configuration file differs from ours -> shown, not acted upon; make them equal and "
                     "reload");
        else if (before != 0)
                note(c, NOTE_CONFIG, node_name(c, from), "its configuration file equals ours again");
}

static void hear_proven(struct cluster *c, uint8_t from, const struct message *m)
{
        struct peer *p = &c->peer[from];
        uint64_t config_before = p->is.config;

        p->heard = c->now;
        p->proven_seq = m->seq;
        c->ever_heard = true;
        read_facts(c, p, m);
        notice_config(c, from, config_before);
        for (uint8_t i = 0; i < c->settings->link_count; i++)
                p->link[i].they_hear = m->hears & 1U << i;
        if (m->members != members(c)) { /* of another membership nothing counts (rule 26) */
                if (c->state.document.version.n == 0 && m->has_document)
                        membership_join(c, &m->document, from);
                return;
        }
        order_heard(c, from, m);
        if (m->term > c->state.term && !m->invalid_voter)
                term_raise(c, m->term);
        election_heard(c, from, m);
        if (m->leads && m->term == c->state.term)
                follower_heard_leader(c, from, m);
        else if (m->has_document && !m->invalid_voter && !m->leads &&
                 version_compare(m->document.version, c->state.document.version) > 0 &&
                 c->role != ROLE_LEADER)
                document_adopt(c, &m->document,
                               from); /* a voter hands over what a candidate lacks (rule 7) */
        if (c->role == ROLE_LEADER)
                leader_heard(c, from, m);
}

void hear_message(struct cluster *c, const struct message *m, uint8_t link)
{
        uint8_t from = m->from;

        if (from >= c->settings->node_count || is_self(c, from) || !is_self(c, m->to))
                return;
        struct peer *p = &c->peer[from];
        int order = incarnation_compare(m->incarnation, p->incarnation);
        if (order < 0 || (order == 0 && m->seq <= p->heard_seq))
                return; /* of a dead boot or core (rule 13), or older than what we know */
        if (order > 0)
                meet_incarnation(c, from, m->incarnation);
        p->heard_seq = m->seq;
        p->heard_at_all = p->silent_from = c->now; /* it lives, whether it hears us or not */
        c->promise.heard |= 1ULL << from;
        link_heard(c, from, link);
        if (proves(c, p, m))
                hear_proven(c, from, m);
        else if (instant_reached(instant_add(c->now, span_us(c->timing.heartbeat.us / 2)), p->beat_due))
                p->speak = true;
}

static void notice_up(struct cluster *c, uint8_t node)
{
        struct peer *p = &c->peer[node];

        if (p->up)
                return;
        p->up = true;
        p->up_since = c->now;
        for (uint8_t g = 0; g < c->settings->group_count; g++)
                announce(c, g);
        p->speak = true; /* to it alone: nothing of what the others hear from us has changed */
        note(c, NOTE_NODE_UP, node_name(c, node), "heard, and it hears us -> online%s",
             p->is.invalid_voter ? ", without a vote: it has no valid state" : "");
}

static void notice_down(struct cluster *c, uint8_t node)
{
        struct peer *p = &c->peer[node];
        char silent[SPAN_TEXT];

        if (!p->up)
                return;
        p->up = false;
        if (span_between(p->flapped, c->now).us > span_s(600).us)
                p->flaps = 0;
        p->flapped = c->now;
        if (!p->is.left && p->flaps < FLAPS_MAX)
                p->flaps++;
        if (p->is.left)
                note(c, NOTE_NODE_DOWN, node_name(c, node), "has left in order -> offline");
        else if (span_between(p->heard_at_all, c->now).us < c->timing.dead.us)
                note(c, NOTE_NODE_DOWN, node_name(c, node),
                     "heard, but it does not hear us on any link (one-way link or firewall) -> offline");
        else
                note(c, NOTE_NODE_DOWN, node_name(c, node), "silent on all links for %s -> offline",
                     span_format(span_us(span_between(p->heard, c->now).us / 1000 * 1000), silent));
}

static void watch_link(struct cluster *c, uint8_t node, uint8_t link)
{
        struct peer_link *l = &c->peer[node].link[link];
        span silent = span_between(l->heard, c->now);
        char text[SPAN_TEXT];

        if (l->heard.us == 0 || c->peer[node].is.left)
                return;
        if (!l->late && silent.us >= c->settings->warn.us) {
                l->late = true;
                note(c, NOTE_LINK, node_name(c, node), "link %u: no heartbeat for %s -> late", link,
                     span_format(span_us(silent.us / 1000 * 1000), text));
        } else if (l->late && silent.us < c->settings->warn.us) {
                l->late = false;
                note(c, NOTE_LINK, node_name(c, node), "link %u: heartbeats arrive again -> up", link);
        }
}

void peers_watch(struct cluster *c)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++) {
                if (is_self(c, i))
                        continue;
                if (peer_heard_within(c, i, c->timing.dead))
                        notice_up(c, i);
                else
                        notice_down(c, i);
                for (uint8_t l = 0; l < c->settings->link_count; l++)
                        watch_link(c, i, l);
        }
}
