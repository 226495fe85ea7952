/* A strong arbiter: one more voter, that never leads (rules.md rules 1, 4, 6, 7, 20). What it is asked and
 * what an answer promises stands in arbiter.h; here is when it is asked, and what its answers count for. */
#include "cluster/brain.h"

#include <stdio.h>

static const char *const ask_names[] = {"nothing", "watch", "prevote", "vote", "renew"};

const char *arbiter_ask_name(enum arbiter_ask ask)
{
        return ask_names[ask];
}

span arbiter_dead(const struct cluster *c)
{
        return arbiter_is_strong(c) ? span_max(c->timing.dead, c->settings->arbiter_dead) : c->timing.dead;
}

span arbiter_lease(const struct cluster *c)
{
        return arbiter_is_strong(c) ? timing_arbiter_lease(&c->timing, c->settings->arbiter_dead)
                                    : c->timing.lease;
}

/* --- asking --- */

/* In peace it is looked at now and then: whether it is there, whether it lost its state. */
static span watch_pace(const struct cluster *c)
{
        return span_max(span_s(1), span_times(c->timing.heartbeat, 2));
}

static enum arbiter_ask what_to_ask(const struct cluster *c)
{
        if (instant_reached(c->now, c->arbiter_needed_until))
                return ARBITER_WATCH;
        if (c->campaign == BALLOT_PREVOTE)
                return ARBITER_PREVOTE;
        if (c->campaign == BALLOT_VOTE)
                return ARBITER_VOTE;
        return c->role == ROLE_LEADER ? ARBITER_RENEW : ARBITER_WATCH;
}

static bool given_already(const struct cluster *c, enum arbiter_ask ask)
{
        return (ask == ARBITER_PREVOTE && c->arbiter.prevoted) || (ask == ARBITER_VOTE && c->arbiter.voted);
}

void arbiter_settle(struct cluster *c)
{
        struct arbiter_question *q = &c->todo->question;
        const struct document *d = &c->state.document;

        if (!arbiter_is_strong(c) || c->left)
                return;
        enum arbiter_ask ask = what_to_ask(c);
        if (ask == ARBITER_WATCH && instant_reached(c->now, c->arbiter_needed_until))
                c->arbiter.vote_told = false;
        uint32_t term = c->state.term + (ask == ARBITER_PREVOTE);
        bool without = c->role == ROLE_LEADER && instant_before(c->now, lease_without_arbiter(c));
        bool keep = (ask == ARBITER_RENEW || (without && c->arbiter.lost)) &&
                    !version_equal(c->arbiter.stored, d->version);
        struct version to_keep = keep ? d->version : (struct version){0};
        bool news = ask != ARBITER_WATCH && (ask != c->arbiter.asked || term != c->arbiter.asked_term ||
                                             (keep && !version_equal(to_keep, c->arbiter.asked_to_keep)));

        if ((!news && !instant_reached(c->now, c->arbiter_due)) || given_already(c, ask))
                return;
        *q = (struct arbiter_question){.ask = ask,
                                       .term = term,
                                       .newest = c->saved_version,
                                       .without = without,
                                       .document = keep ? d : NULL,
                                       .told = c->state.told,
                                       .election = c->timing.election,
                                       .dead = c->timing.dead,
                                       .promise = arbiter_dead(c)};
        c->arbiter.asked = ask;
        c->arbiter.asked_term = term;
        c->arbiter.asked_to_keep = to_keep;
        c->arbiter_due = instant_add(c->now, ask == ARBITER_WATCH ? watch_pace(c) : c->timing.heartbeat);
}

/* --- its answers --- */

/* Once per change: whoever reads the events wants to know when it was gone. */
static void tell_silence(struct cluster *c, const char *text)
{
        span most = span_max(span_times(watch_pace(c), 2), arbiter_dead(c));

        if (c->arbiter.silent_told ||
            span_between(instant_max(c->arbiter.answered, c->started), c->now).us < most.us)
                return;
        c->arbiter.silent_told = true;
        note(c, NOTE_QUORUM, "", "arbiter: does not answer%s%s -> nothing changes while the nodes agree",
             text ? ", " : "", text ? text : "");
}

static void tell_answer(struct cluster *c, const struct arbiter_answer *a, const char *text)
{
        bool asked_much = a->ask != ARBITER_WATCH && a->ask != ARBITER_PREVOTE;

        if (c->arbiter.silent_told)
                note(c, NOTE_QUORUM, "", "arbiter: answers again");
        if (a->lost && !c->arbiter.lost)
                note(c, NOTE_QUORUM, "", "arbiter: %s -> no vote until a leader readmits it",
                     a->older ? "its state is older than what it has told (put back from a copy?)"
                              : "has lost its state");
        else if (!a->lost && c->arbiter.lost)
                note(c, NOTE_QUORUM, "", "arbiter: readmitted");
        if (asked_much && (!c->arbiter.vote_told || a->yes == c->arbiter_refused))
                note(c, NOTE_QUORUM, "", "arbiter: %s in term %u%s%s",
                     a->yes ? "stands in for the silent" : "refuses", a->term, text ? ", " : "",
                     text ? text : "");
        if (asked_much)
                c->arbiter_refused = !a->yes;
        c->arbiter.vote_told |= asked_much;
        c->arbiter.silent_told = false;
        c->arbiter.older = a->lost && (a->older || c->arbiter.older);
        c->arbiter.lost = a->lost;
}

/* By this it is known again when an older copy of its memory answers. One that says itself that it has none
 * begins anew. */
static void remember(struct cluster *c, const struct arbiter_answer *a)
{
        struct arbiter_memory *told = &c->state.told, was = *told;

        if (a->lost)
                *told = (struct arbiter_memory){0};
        else if (a->known > told->term)
                told->term = a->known;
        if (!a->lost && a->known && version_compare(a->stored, told->version) > 0)
                told->version = a->stored;
        if (told->term != was.term || !version_equal(told->version, was.version))
                save(c);
}

static void take_vote(struct cluster *c, const struct arbiter_answer *a, instant asked)
{
        if (instant_before(asked, c->campaign_began))
                return;
        if (a->ask == ARBITER_PREVOTE && c->campaign == BALLOT_PREVOTE && a->term == c->state.term + 1)
                c->arbiter.prevoted = true;
        if (a->ask == ARBITER_VOTE && c->campaign == BALLOT_VOTE && a->term == c->state.term &&
            !c->arbiter.voted) {
                c->arbiter.voted = true;
                raise_take_after(c, a->age);
                raise_take_after_left(c, a->left);
        }
}

void arbiter_strong_answered(struct cluster *c, const struct cluster_event *event)
{
        const struct arbiter_answer *a = event->arbiter;

        if (!a) {
                tell_silence(c, event->text);
                return;
        }
        /* whatever it promised so long ago is over */
        if (span_between(event->asked, c->now).us >= arbiter_dead(c).us)
                return;
        c->arbiter.answered = c->now;
        tell_answer(c, a, event->text);
        remember(c, a);
        c->arbiter.stored = a->stored;
        if (a->lost)
                c->arbiter.stored = (struct version){0};
        if (a->known > c->state.term && c->valid)
                term_raise(c, a->known);
        /* a voter hands over what we lack (rule 7); a leader's document is the newest there can be of its
         * term */
        if (a->document && c->role != ROLE_LEADER && c->valid &&
            version_compare(a->document->version, c->state.document.version) > 0)
                document_adopt(c, a->document, NODE_NONE);
        if (!a->yes || a->lost)
                return;
        take_vote(c, a, event->asked);
        if (a->ask == ARBITER_RENEW && c->role == ROLE_LEADER && a->term == c->state.term)
                c->arbiter.renewed = instant_max(c->arbiter.renewed, event->asked);
}
