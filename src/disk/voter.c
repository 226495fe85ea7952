#include "disk/voter.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(struct disk_voter *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct disk_voter *v, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(v->text, sizeof(v->text), format, args);
        va_end(args);
}

void disk_voter_init(struct disk_voter *v, uint8_t self, uint8_t node_count, struct incarnation writer,
                     span interval, instant now)
{
        assert(node_count <= DISK_NODES_MAX && self < node_count);
        memset(v, 0, sizeof(*v));
        v->self = self;
        v->node_count = node_count;
        v->writer = writer;
        v->interval = interval;
        v->read_due = now;
        say(v, "not read yet");
}

void disk_voter_widen(struct disk_voter *v, uint8_t slots)
{
        assert(!v->ready && !v->busy && slots <= DISK_NODES_MAX && slots >= v->node_count);
        v->node_count = slots;
}

void disk_voter_ask(struct disk_voter *v, const struct arbiter_question *question)
{
        v->question = *question;
        v->question.document = NULL;
        v->asked_document_n = 0;
        if (!question->document)
                return;
        int n = document_encode(question->document, v->asked_document, sizeof(v->asked_document));
        assert(n > 0); /* DOCUMENT_BYTES_MAX holds the longest */
        v->asked_document_n = (uint16_t)n;
        v->question.newest = question->document->version;
}

/* --- what the records say --- */

static bool is_self(const struct disk_voter *v, uint8_t node)
{
        return node == v->self;
}

static uint32_t others_term(const struct disk_voter *v)
{
        uint32_t term = 0;

        for (uint8_t i = 0; i < v->node_count; i++)
                if (!is_self(v, i) && v->of[i].term > term)
                        term = v->of[i].term;
        return term;
}

static uint32_t known_term(const struct disk_voter *v)
{
        uint32_t others = others_term(v), own = v->of[v->self].term;

        return own > others ? own : others;
}

/* Since then nobody's lease was renewed: not another's, whose record would have changed, and not ours. */
static instant last_change(const struct disk_voter *v)
{
        instant at = INSTANT_LONG_AGO;

        for (uint8_t i = 0; i < v->node_count; i++)
                at = instant_max(at, v->of[i].changed);
        return at;
}

/* A leader that renews is let be: its next renewal is due in an interval and then takes what an operation
 * takes; where its promises outlast the nodes', so much longer, for nothing is taken from it before. */
static bool leader_is_near(const struct disk_voter *v, const struct arbiter_question *q, instant now)
{
        span near = span_max(q->election, span_add(v->interval, span_times(v->took, 2)));

        for (uint8_t i = 0; i < v->node_count; i++) {
                const struct voter_peer *p = &v->of[i];
                if (!is_self(v, i) && p->renewed.us != 0 &&
                    span_between(p->renewed, now).us < span_max(near, span_sub(p->promise, q->dead)).us)
                        return true;
        }
        return false;
}

/* How long what others wrote may bind the disk still. What we promised ourselves is no longer than D. */
static span promised(const struct disk_voter *v, instant now)
{
        span left = SPAN_ZERO;

        for (uint8_t i = 0; i < v->node_count; i++)
                if (!is_self(v, i) && v->of[i].there)
                        left = span_max(left,
                                        span_sub(v->of[i].promise, span_between(v->of[i].changed, now)));
        return left;
}

static void remember(struct voter_peer *p, const struct disk_record *r)
{
        p->there = true;
        p->writer = r->writer;
        p->seq = r->seq;
        p->term = r->term > p->term ? r->term : p->term; /* what was promised stays promised */
        p->kind = r->kind;
        p->version = r->version;
        p->written = r->written;
        p->promise = r->promise;
}

static void note_document(struct disk_voter *v, const struct disk_record *r)
{
        if (!r->document_n || version_compare(r->version, v->newest) <= 0)
                return;
        v->newest = r->version;
        v->newest_readable = document_decode(r->document, r->document_n, &v->newest_document) == 0;
}

/* Of an earlier life: we go on from it. */
static void take_over_own(struct disk_voter *v, const struct disk_record *r, unsigned which, instant ended)
{
        remember(&v->of[v->self], r);
        v->of[v->self].changed = ended;
        v->last_seq = r->seq;
        v->next_which = !which;
        v->kept_n = r->document_n;
        v->kept_version = r->version;
        memcpy(v->kept, r->document, r->document_n);
}

static bool observe_own(struct disk_voter *v, const struct voter_result *result)
{
        const struct disk_record *r = &result->found[v->self].record;
        const struct voter_peer *own = &v->of[v->self];
        bool there = result->found[v->self].is == DISK_OK;

        if (there)
                note_document(v, r);
        /* until we have written, the last write of an earlier life may still arrive */
        if (!v->written) {
                if (there)
                        take_over_own(v, r, result->found[v->self].which, result->read_ended);
                return true;
        }
        if (there && r->seq > v->last_seq) {
                say(v, "another machine writes in our name: two nodes have one name, or one was cloned");
                return false;
        }
        if (own->there && (!there || r->seq < own->seq)) {
                say(v, "what we have written is not there any more");
                return false;
        }
        return true;
}

static void observe(struct disk_voter *v, uint8_t node, const struct voter_result *result)
{
        const struct disk_record *r = &result->found[node].record;
        struct voter_peer *p = &v->of[node];
        bool changed = result->found[node].is == DISK_OK &&
                       (!p->there || p->seq != r->seq || p->writer.boot != r->writer.boot ||
                        p->writer.core != r->writer.core);

        /* any change counts, whatever it says: it may have come at any time up to now (rule 21) */
        if (!v->ready || changed)
                p->changed = result->read_ended;
        if (!changed)
                return;
        if (r->kind == DISK_RENEWAL && v->ready)
                p->renewed = result->read_ended;
        remember(p, r);
        note_document(v, r);
}

/* False if nothing may be concluded from it. */
static bool observe_all(struct disk_voter *v, const struct voter_result *result)
{
        for (uint8_t i = 0; i < v->node_count; i++)
                if (result->found[i].is != DISK_OK && result->found[i].is != DISK_BLANK) {
                        say(v, "the record of node %u cannot be used: %s", i,
                            disk_refusal_text(result->found[i].is));
                        return false;
                }
        if (!observe_own(v, result))
                return false;
        for (uint8_t i = 0; i < v->node_count; i++)
                if (!is_self(v, i))
                        observe(v, i, result);
        v->ready = true;
        return true;
}

/* --- deciding --- */

/* Why `term` cannot be had, as far as was read; NULL: nothing is in its way. */
static const char *obstacle(const struct disk_voter *v, const struct arbiter_question *q)
{
        if (others_term(v) >= q->term || v->of[v->self].term > q->term)
                return "a record of that term or a higher one is there";
        if (q->ask != ARBITER_RENEW && version_compare(v->newest, q->newest) > 0)
                return "a newer document is there";
        return NULL;
}

/* Whether our record stands for a vote or a lease in that term already. */
static bool stands(const struct disk_voter *v, uint32_t term)
{
        return v->of[v->self].there && v->of[v->self].term == term;
}

static bool has_to_write(const struct disk_voter *v, const struct arbiter_question *q, instant now)
{
        switch (q->ask) {
        case ARBITER_NOTHING:
        case ARBITER_WATCH:
        case ARBITER_PREVOTE: return false;
        case ARBITER_VOTE: return !stands(v, q->term) && !obstacle(v, q) && !leader_is_near(v, q, now);
        case ARBITER_RENEW: return !obstacle(v, q);
        }
        return false;
}

static void keep_document(struct disk_voter *v)
{
        if (!v->asked_document_n || version_compare(v->question.newest, v->kept_version) < 0)
                return;
        memcpy(v->kept, v->asked_document, v->asked_document_n);
        v->kept_n = v->asked_document_n;
        v->kept_version = v->question.newest;
}

static void make_record(struct disk_voter *v, enum disk_kind kind, uint32_t term)
{
        v->written = true;
        v->op.record = (struct disk_record){.node = v->self,
                                            .kind = kind,
                                            .writer = v->writer,
                                            .seq = ++v->last_seq,
                                            .term = term,
                                            .promise = v->question.promise,
                                            .version = v->kept_version,
                                            .document_n = v->kept_n,
                                            .document = v->kept};
}

void disk_voter_wake(struct disk_voter *v, instant now)
{
        v->read_due = instant_min(v->read_due, now);
}

bool disk_voter_begin(struct disk_voter *v, instant now, struct voter_operation *ret_operation)
{
        bool asked = v->ready && v->question.ask != ARBITER_NOTHING;

        if (v->busy || (!asked && !instant_reached(now, v->read_due)))
                return false;
        v->busy = true;
        v->op.began = now;
        v->op.wrote = false;
        v->op.question.ask = ARBITER_NOTHING;
        if (asked) {
                v->op.question = v->question;
                v->op.wrote = has_to_write(v, &v->question, now);
                if (v->op.wrote) {
                        keep_document(v);
                        make_record(v, v->question.ask == ARBITER_VOTE ? DISK_BALLOT : DISK_RENEWAL,
                                    v->question.term);
                }
                v->question.ask = ARBITER_NOTHING;
        } else if (v->reseal && v->usable) {
                /* it says what it said: of a renewal others think that it may be of now, and wait for longer
                 */
                v->op.wrote = true;
                make_record(v, v->of[v->self].kind, v->of[v->self].term);
                v->op.record.promise = v->of[v->self].promise;
        }
        *ret_operation = (struct voter_operation){
                .write = v->op.wrote, .which = v->next_which, .record = v->op.record};
        return true;
}

static bool judge(struct disk_voter *v, const struct voter_result *result, struct arbiter_answer *answer)
{
        const struct arbiter_question *q = &v->op.question;
        const char *in_the_way = obstacle(v, q);

        switch (q->ask) {
        case ARBITER_NOTHING:
        case ARBITER_WATCH: say(v, "no one else is in its way"); return true;
        case ARBITER_PREVOTE:
        case ARBITER_VOTE:
                if (!in_the_way && !(q->ask == ARBITER_VOTE && stands(v, q->term)) &&
                    leader_is_near(v, q, result->read_began))
                        in_the_way = "a leader has just renewed its lease there";
                answer->age = span_max(SPAN_ZERO, span_between(last_change(v), result->read_began));
                answer->left = promised(v, result->read_began);
                break;
        case ARBITER_RENEW: break;
        }
        say(v, "%s", in_the_way ? in_the_way : "nobody else has written a term so high");
        return !in_the_way && (q->ask == ARBITER_PREVOTE || stands(v, q->term));
}

/* The write of this operation has ended. */
static void written(struct disk_voter *v)
{
        remember(&v->of[v->self], &v->op.record);
        if (v->op.record.kind == DISK_RENEWAL)
                v->of[v->self].changed = v->op.began;
        note_document(v, &v->op.record);
        v->next_which = !v->next_which;
}

bool disk_voter_done(struct disk_voter *v, const struct voter_result *result,
                     struct arbiter_answer *ret_answer, instant *ret_asked)
{
        const struct arbiter_question *q = &v->op.question;

        assert(v->busy);
        v->busy = false;
        v->read_due = instant_add(v->op.began, v->interval);
        if (v->op.wrote && result->wrote)
                written(v);
        v->usable = result->read && observe_all(v, result);
        v->reseal = result->own_stale;
        if (!v->usable || (v->op.wrote && !result->wrote)) {
                /* after a failure, not at once again */
                v->read_due = instant_max(v->read_due, instant_add(result->read_ended, v->interval));
                return false;
        }
        v->took = span_between(v->op.began, result->read_ended);
        if (q->ask == ARBITER_NOTHING)
                return false;
        *ret_answer = (struct arbiter_answer){
                .ask = q->ask, .term = q->term, .known = known_term(v), .stored = v->newest};
        ret_answer->yes = judge(v, result, ret_answer);
        if (q->ask == ARBITER_RENEW && !v->op.wrote)
                ret_answer->yes =
                        false; /* the obstacle went, but the lease was not renewed before the read */
        if (version_compare(v->newest, q->newest) > 0 && v->newest_readable)
                ret_answer->document = &v->newest_document;
        *ret_asked = v->op.began;
        return true;
}

instant disk_voter_deadline(const struct disk_voter *v)
{
        if (v->busy)
                return INSTANT_NEVER;
        return v->ready && v->question.ask != ARBITER_NOTHING ? INSTANT_LONG_AGO : v->read_due;
}
