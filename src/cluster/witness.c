#include "cluster/witness.h"

#include "base/text.h"
#include "cluster/timing.h"

#include <assert.h>
#include <string.h>

struct witness_question witness_question_of(const struct arbiter_question *q, const char *name,
                                            struct incarnation self, uint8_t bytes[static DOCUMENT_BYTES_MAX])
{
        struct witness_question w = {.from = text_id(name),
                                     .incarnation = self,
                                     .ask = q->ask,
                                     .term = q->term,
                                     .newest = q->newest,
                                     .without = q->without,
                                     .election = q->election,
                                     .dead = q->dead,
                                     .told = q->told};

        if (!q->document)
                return w;
        int n = document_encode(q->document, bytes, DOCUMENT_BYTES_MAX);
        assert(n > 0);
        w.version = q->document->version;
        w.document_size = (size_t)n;
        w.document = bytes;
        return w;
}

struct arbiter_answer witness_answer_for(const struct witness_answer *a, struct document *document)
{
        struct arbiter_answer told = {.ask = a->ask,
                                      .term = a->term,
                                      .yes = a->yes,
                                      .lost = a->lost,
                                      .older = a->older,
                                      .known = a->known,
                                      .age = a->age,
                                      .stored = a->stored};

        if (a->document && document_decode(a->document, a->document_size, document) == 0)
                told.document = document;
        return told;
}

void witness_init(struct witness *w, const struct witness_kept *kept, uint64_t life, instant now)
{
        assert(life != 0);
        memset(w, 0, sizeof(*w));
        w->kept = *kept;
        if (!w->kept.voter)
                w->kept = (struct witness_kept){0};
        w->life = life;
        w->started = now;
}

static struct witness_asker *asker_of(struct witness *w, uint32_t node)
{
        struct witness_asker *a = w->asker;

        for (size_t i = 0; i < WITNESS_ASKERS_MAX; i++)
                if (w->asker[i].node == node)
                        return &w->asker[i];
        for (size_t i = 1; i < WITNESS_ASKERS_MAX; i++)
                if (instant_before(w->asker[i].at, a->at))
                        a = &w->asker[i];
        *a = (struct witness_asker){.node = node};
        return a;
}

/* A node's questions are numbered; what was recorded and is sent again is not newer than all before. */
static bool overtaken(const struct witness_asker *a, const struct witness_question *q)
{
        if (q->incarnation.boot != a->incarnation.boot)
                return q->incarnation.boot < a->incarnation.boot;
        if (q->incarnation.core != a->incarnation.core)
                return q->incarnation.core < a->incarnation.core;
        return q->seq <= a->seq;
}

static void keep_document(struct witness *w, const struct witness_question *q)
{
        if (q->version.n == 0 || version_compare(q->version, w->kept.version) <= 0)
                return;
        assert(q->document_size <= sizeof(w->kept.document));
        memcpy(w->kept.document, q->document, q->document_size);
        w->kept.document_size = q->document_size;
        w->kept.version = q->version;
        w->dirty = true;
}

static void enter_term(struct witness *w, uint32_t term, uint32_t vote)
{
        w->kept.term = term;
        w->kept.vote = vote;
        w->dirty = true;
}

/* Rule 6: nothing was told before it stood on disk, so what is older than that is an older copy, and no
 * state. That is written down: the next start must not find it again. */
static void notice_older(struct witness *w, instant now, const struct witness_question *q)
{
        if (!w->kept.voter ||
            (q->told.term <= w->kept.term && version_compare(q->told.version, w->kept.version) <= 0))
                return;
        w->kept = (struct witness_kept){0};
        w->older = w->dirty = true;
        w->waited = false;
        w->started = now;
        w->renewed = INSTANT_LONG_AGO;
}

/* Rule 6: whatever it had promised is over after `dead`. A leader's lease of before that may still rest on
 * voters that have elected another with our forgotten vote: only what was asked afterwards counts, and proves
 * it by a life that nobody knew before. */
static void wait_out(struct witness *w, instant now, const struct witness_question *q)
{
        span silence = span_us(q->dead.us + q->dead.us * 2 * DRIFT_PERCENT / 100);

        if (w->kept.voter || w->waited || span_between(w->started, now).us < silence.us)
                return;
        w->waited = true;
        if (++w->life == 0)
                w->life = 1;
}

/* Whatever it had voted for or kept is known to the quorum that this leader's lease rests on. */
static void readmit(struct witness *w, const struct witness_question *q)
{
        if (w->kept.voter || !w->waited || !q->without || q->version.n == 0)
                return;
        w->kept.voter = true;
        w->older = false;
        enter_term(w, q->term, q->from);
        keep_document(w, q);
}

/* One that has just started may have renewed until it ended: the leader asks again before it would be missed.
 */
static bool leader_is_near(const struct witness *w, instant now, const struct witness_question *q)
{
        instant renewed = instant_max(w->started, w->renewed);

        return w->renewed_of != q->from && span_between(renewed, now).us < q->election.us;
}

static bool would_vote(const struct witness *w, instant now, const struct witness_question *q)
{
        const struct witness_kept *k = &w->kept;

        if (q->term < k->term || (q->term == k->term && k->vote != 0 && k->vote != q->from))
                return false;
        return !leader_is_near(w, now, q) && version_compare(q->newest, k->version) >= 0;
}

static bool vote(struct witness *w, instant now, const struct witness_question *q)
{
        if (!would_vote(w, now, q))
                return false;
        if (q->term != w->kept.term || q->from != w->kept.vote)
                enter_term(w, q->term, q->from);
        return true;
}

static bool renew(struct witness *w, instant now, const struct witness_question *q)
{
        if (q->term < w->kept.term)
                return false;
        if (q->term > w->kept.term)
                enter_term(w, q->term, q->from);
        keep_document(w, q);
        w->renewed = now;
        w->renewed_of = q->from;
        return true;
}

static bool judge(struct witness *w, instant now, const struct witness_question *q)
{
        switch (q->ask) {
        case ARBITER_NOTHING: return false;
        case ARBITER_WATCH: return true;
        case ARBITER_PREVOTE: return would_vote(w, now, q);
        case ARBITER_VOTE: return vote(w, now, q);
        case ARBITER_RENEW: return renew(w, now, q);
        }
        return false;
}

enum witness_verdict witness_judge(struct witness *w, instant now, const struct witness_question *q,
                                   struct witness_answer *ret_answer)
{
        struct witness_answer *a = ret_answer;

        assert(q->from != 0);
        struct witness_asker *asker = asker_of(w, q->from);
        if (overtaken(asker, q))
                return WITNESS_OLD;
        asker->incarnation = q->incarnation;
        asker->seq = q->seq;
        asker->at = now;
        wait_out(w, now, q);
        *a = (struct witness_answer){.to = q->from,
                                     .incarnation = q->incarnation,
                                     .seq = q->seq,
                                     .ask = q->ask,
                                     .term = q->term,
                                     .life = w->life,
                                     .again = q->life != w->life};
        /* a question of an earlier life may be a recording: it proves nothing but is told how to prove itself
         */
        if (!a->again) {
                notice_older(w, now, q);
                readmit(w, q);
                a->yes = w->kept.voter && judge(w, now, q);
                /* as of before this answer: a renewal is of now, a vote of when it last renewed */
                a->age = span_between(instant_max(w->started, w->renewed), now);
        }
        a->lost = !w->kept.voter;
        a->older = w->older;
        a->known = w->kept.term;
        a->stored = w->kept.version;
        if (!a->again && version_compare(w->kept.version, q->newest) > 0) {
                a->document = w->kept.document;
                a->document_size = w->kept.document_size;
        }
        return WITNESS_ANSWERS;
}
