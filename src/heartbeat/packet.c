#include "heartbeat/packet.h"

#include "base/bytes.h"
#include "cluster/version.h"

#include <assert.h>
#include <errno.h>

/* The body, big-endian: a fixed part that every message has, then sections, which are fields (bytes.h). What
 * is absent stands at its default. Known sections have exactly the content written here. To say more, a
 * release adds a section at the end of the enum: its put_...() in packet_encode(), its case in get_section().
 * Releases that do not know it skip it, unless its tag has the bit SECTION_REQUIRED: then they refuse the
 * whole packet, so that is for what is sent only once the document's feature level allows it. */
#define SECTION_REQUIRED 0x80

enum section {
        SECTION_ECHO = 1,  /* boot u64, core u32, seq u32 */
        SECTION_COMMITTED, /* version; absent: the same as `newest` */
        SECTION_ANSWER,    /* term u32, seq u32 */
        SECTION_GRANT,     /* seq u32, length u64, version */
        SECTION_BALLOT,    /* kind u8, flags u8 (1 reply, 2 granted), term u32, age u64 */
        SECTION_ORDER,     /* kind u8, id u32, group u32, node u8, lasts u64 */
        SECTION_RESULT,    /* id u32, error i8 */
        SECTION_HOLDS,     /* per group: group u32, state u8 with flags below, epoch, [sealed] */
        SECTION_DOCUMENT,  /* document.c's encoding */
        SECTION_WATCHDOG,  /* watchdog u64; absent: not armed */
        SECTION_NAMES,     /* from_id u32, to_id u32: text_id of their names */
        SECTION_POST,      /* what rides along (src/watch/board.h); not part of the message */
        SECTIONS,
};

/* Flags of the fixed part. Readers ignore bits they do not know. */
enum {
        FLAG_WANTS_ANSWER = 1U << 0,
        FLAG_WANTS_GRANT = 1U << 1,
        FLAG_READMITS = 1U << 2,
        FLAG_INVALID_VOTER = 1U << 3,
        FLAG_LEAVING = 1U << 4,
        FLAG_RESIGNED = 1U << 5,
        FLAG_LEADS = 1U << 6,
        FLAG_LEFT = 1U << 7,
};

enum { BALLOT_FLAG_REPLY = 1U << 0, BALLOT_FLAG_GRANTED = 1U << 1, BALLOT_FLAGS = 3 };

/* In the upper half of a hold's state. */
enum {
        HOLD_FLAG_UNFIT = 1U << 4,
        HOLD_FLAG_START_FAILED = 1U << 5,
        HOLD_FLAG_REFUSED = 1U << 6,
        HOLD_FLAG_SEALED = 1U << 7, /* `sealed` follows; else it is the same as `epoch` */
};

static const char *const refusal_name[PACKET_REFUSALS] = {
        [PACKET_ACCEPTED] = "accepted",
        [PACKET_STRANGER] = "stranger",
        [PACKET_NOISE] = "noise on the line",
        [PACKET_TOO_SHORT] = "too short",
        [PACKET_TOO_LONG] = "too long",
        [PACKET_NOT_HAVEN] = "not haven",
        [PACKET_FUTURE_VERSION] = "future version",
        [PACKET_OTHER_CLUSTER] = "other cluster",
        [PACKET_UNKNOWN_KEY] = "unknown key",
        [PACKET_BROKEN_SEAL] = "broken seal",
        [PACKET_BAD_LENGTH] = "bad length",
        [PACKET_BAD_VALUE] = "value out of range",
        [PACKET_BAD_DOCUMENT] = "bad document",
        [PACKET_UNKNOWN_SECTION] = "unknown section required",
        [PACKET_OTHER_MEMBERSHIP] = "other membership",
        [PACKET_FROM_SELF] = "from self",
        [PACKET_UNKNOWN_SENDER] = "unknown sender",
        [PACKET_WRONG_SENDER] = "wrong sender",
        [PACKET_NOT_FOR_US] = "not for us",
        [PACKET_OLD_INCARNATION] = "old incarnation",
        [PACKET_REPLAYED] = "replayed",
};

const char *packet_refusal_name(enum packet_refusal refusal)
{
        assert(refusal < PACKET_REFUSALS);
        return refusal_name[refusal];
}

/* Encoding */

static void put_epoch(struct writer *w, struct epoch e)
{
        put_u32(w, e.term);
        put_u32(w, e.n);
}

static void put_span(struct writer *w, span s)
{
        assert(s.us >= 0 && s.us <= SPAN_FOREVER.us);
        put_u64(w, (uint64_t)s.us);
}

static void put_fixed(struct writer *w, const struct message *m)
{
        unsigned flags = 0;

        flags |= m->wants_answer ? FLAG_WANTS_ANSWER : 0U;
        flags |= m->wants_grant ? FLAG_WANTS_GRANT : 0U;
        flags |= m->readmits ? FLAG_READMITS : 0U;
        flags |= m->invalid_voter ? FLAG_INVALID_VOTER : 0U;
        flags |= m->leaving ? FLAG_LEAVING : 0U;
        flags |= m->resigned ? FLAG_RESIGNED : 0U;
        flags |= m->leads ? FLAG_LEADS : 0U;
        flags |= m->left ? FLAG_LEFT : 0U;

        put_u8(w, m->from);
        put_u8(w, m->to);
        put_u64(w, m->incarnation.boot);
        put_u32(w, m->incarnation.core);
        put_u32(w, m->seq);
        put_u32(w, m->members);
        put_u64(w, m->config);
        put_u8(w, m->feature_level);
        put_u8(w, m->hears);
        put_u16(w, (uint16_t)flags);
        put_u32(w, m->term);
        put_u8(w, m->leader);
        version_put(w, m->newest);
}

static void put_names(struct writer *w, const struct message *m)
{
        if (m->from_id == 0)
                return;
        uint8_t *content = field_begin(w, SECTION_NAMES);
        put_u32(w, m->from_id);
        put_u32(w, m->to_id);
        part_end(w, content);
}

static void put_echo(struct writer *w, const struct echo *e)
{
        if (e->of.boot == 0 && e->of.core == 0 && e->seq == 0)
                return;
        uint8_t *content = field_begin(w, SECTION_ECHO);
        put_u64(w, e->of.boot);
        put_u32(w, e->of.core);
        put_u32(w, e->seq);
        part_end(w, content);
}

static void put_committed(struct writer *w, const struct message *m)
{
        if (version_equal(m->committed, m->newest))
                return;
        uint8_t *content = field_begin(w, SECTION_COMMITTED);
        version_put(w, m->committed);
        part_end(w, content);
}

static void put_answer(struct writer *w, const struct answer *a)
{
        if (!a->present)
                return;
        uint8_t *content = field_begin(w, SECTION_ANSWER);
        put_u32(w, a->term);
        put_u32(w, a->seq);
        part_end(w, content);
}

static void put_grant(struct writer *w, const struct grant *g)
{
        if (!g->present)
                return;
        uint8_t *content = field_begin(w, SECTION_GRANT);
        put_u32(w, g->seq);
        put_span(w, g->length);
        version_put(w, g->version);
        part_end(w, content);
}

static void put_ballot(struct writer *w, const struct ballot *b)
{
        if (b->kind == BALLOT_NONE)
                return;
        uint8_t *content = field_begin(w, SECTION_BALLOT);
        put_u8(w, (uint8_t)b->kind);
        put_u8(w, (uint8_t)((b->reply ? BALLOT_FLAG_REPLY : 0) | (b->granted ? BALLOT_FLAG_GRANTED : 0)));
        put_u32(w, b->term);
        put_span(w, b->age);
        part_end(w, content);
}

static void put_order(struct writer *w, const struct order *o)
{
        if (o->kind == ORDER_NONE)
                return;
        uint8_t *content = field_begin(w, SECTION_ORDER);
        put_u8(w, (uint8_t)o->kind);
        put_u32(w, o->id);
        put_u32(w, o->group);
        put_u8(w, o->node);
        put_span(w, o->lasts);
        part_end(w, content);
}

static void put_result(struct writer *w, const struct order_result *result)
{
        if (result->id == 0)
                return;
        uint8_t *content = field_begin(w, SECTION_RESULT);
        put_u32(w, result->id);
        put_u8(w, (uint8_t)result->error);
        part_end(w, content);
}

static void put_holds(struct writer *w, const struct message *m)
{
        assert(m->hold_count <= DOCUMENT_GROUPS_MAX);
        if (m->hold_count == 0)
                return;
        uint8_t *content = field_begin(w, SECTION_HOLDS);
        for (size_t i = 0; i < m->hold_count; i++) {
                const struct hold *h = &m->hold[i];
                unsigned state = (unsigned)h->state;
                state |= h->unfit ? HOLD_FLAG_UNFIT : 0U;
                state |= h->start_failed ? HOLD_FLAG_START_FAILED : 0U;
                state |= h->refused ? HOLD_FLAG_REFUSED : 0U;
                state |= epoch_equal(h->epoch, h->sealed) ? 0U : HOLD_FLAG_SEALED;
                put_u32(w, h->group);
                put_u8(w, (uint8_t)state);
                put_epoch(w, h->epoch);
                if (state & HOLD_FLAG_SEALED)
                        put_epoch(w, h->sealed);
        }
        part_end(w, content);
}

static void put_document(struct writer *w, const struct message *m)
{
        if (!m->has_document)
                return;
        uint8_t *content = field_begin(w, SECTION_DOCUMENT);
        int n = w->failed ? -EMSGSIZE : document_encode(&m->document, w->at, (size_t)(w->end - w->at));
        if (n < 0) {
                w->failed = true;
                return;
        }
        w->at += n;
        part_end(w, content);
}

static void put_watchdog(struct writer *w, span watchdog)
{
        if (watchdog.us == 0)
                return;
        uint8_t *content = field_begin(w, SECTION_WATCHDOG);
        put_span(w, watchdog);
        part_end(w, content);
}

int packet_encode(const struct message *m, uint8_t *body, size_t size)
{
        struct writer w;

        writer_init(&w, body, size);
        put_fixed(&w, m);
        put_echo(&w, &m->echo);
        put_committed(&w, m);
        put_answer(&w, &m->answer);
        put_grant(&w, &m->grant);
        put_ballot(&w, &m->ballot);
        put_order(&w, &m->order);
        put_result(&w, &m->result);
        put_holds(&w, m);
        put_document(&w, m);
        put_watchdog(&w, m->watchdog);
        put_names(&w, m);
        return w.failed ? -EMSGSIZE : (int)(w.at - body);
}

/* Decoding. The reader remembers what is not there, `good` what cannot be; lengths are judged first. */

static struct version get_version(struct reader *r, bool *good)
{
        struct version v = version_get(r);

        *good = *good && (v.author < DOCUMENT_NODES_MAX || v.author == NODE_NONE);
        return v;
}

static struct epoch get_epoch(struct reader *r)
{
        struct epoch e;

        e.term = get_u32(r);
        e.n = get_u32(r);
        return e;
}

static span get_span(struct reader *r, bool *good)
{
        uint64_t us = get_u64(r);

        *good = *good && us <= (uint64_t)SPAN_FOREVER.us;
        return span_us((int64_t)us);
}

static uint8_t get_node(struct reader *r, bool *good)
{
        uint8_t node = get_u8(r);

        *good = *good && node < DOCUMENT_NODES_MAX;
        return node;
}

static uint8_t get_node_or_none(struct reader *r, bool *good)
{
        uint8_t node = get_u8(r);

        *good = *good && (node < DOCUMENT_NODES_MAX || node == NODE_NONE);
        return node;
}

static void get_fixed(struct reader *r, struct message *m, bool *good)
{
        m->from = get_node(r, good);
        m->to = get_node(r, good);
        m->incarnation.boot = get_u64(r);
        m->incarnation.core = get_u32(r);
        m->seq = get_u32(r);
        m->members = get_u32(r);
        m->config = get_u64(r);
        m->feature_level = get_u8(r);
        m->hears = get_u8(r);
        uint16_t flags = get_u16(r);
        m->wants_answer = (flags & FLAG_WANTS_ANSWER) != 0;
        m->wants_grant = (flags & FLAG_WANTS_GRANT) != 0;
        m->readmits = (flags & FLAG_READMITS) != 0;
        m->invalid_voter = (flags & FLAG_INVALID_VOTER) != 0;
        m->leaving = (flags & FLAG_LEAVING) != 0;
        m->resigned = (flags & FLAG_RESIGNED) != 0;
        m->leads = (flags & FLAG_LEADS) != 0;
        m->left = (flags & FLAG_LEFT) != 0;
        m->term = get_u32(r);
        m->leader = get_node_or_none(r, good);
        m->newest = get_version(r, good);
        m->committed = m->newest;
}

static void get_echo(struct reader *r, struct message *m)
{
        m->echo.of.boot = get_u64(r);
        m->echo.of.core = get_u32(r);
        m->echo.seq = get_u32(r);
}

static void get_answer(struct reader *r, struct message *m)
{
        m->answer.present = true;
        m->answer.term = get_u32(r);
        m->answer.seq = get_u32(r);
}

static void get_grant(struct reader *r, struct message *m, bool *good)
{
        m->grant.present = true;
        m->grant.seq = get_u32(r);
        m->grant.length = get_span(r, good);
        m->grant.version = get_version(r, good);
}

static void get_ballot(struct reader *r, struct message *m, bool *good)
{
        uint8_t kind = get_u8(r);
        uint8_t flags = get_u8(r);

        *good = *good && (kind == BALLOT_PREVOTE || kind == BALLOT_VOTE);
        *good = *good && (flags & ~(unsigned)BALLOT_FLAGS) == 0;
        m->ballot.kind = kind;
        m->ballot.reply = (flags & BALLOT_FLAG_REPLY) != 0;
        m->ballot.granted = (flags & BALLOT_FLAG_GRANTED) != 0;
        m->ballot.term = get_u32(r);
        m->ballot.age = get_span(r, good);
}

static void get_order(struct reader *r, struct message *m, bool *good)
{
        uint8_t kind = get_u8(r);

        *good = *good && kind > ORDER_NONE && kind <= ORDER_CONFIRM_OFF;
        m->order.kind = kind;
        m->order.id = get_u32(r);
        m->order.group = get_u32(r);
        m->order.node = get_node_or_none(r, good);
        m->order.lasts = get_span(r, good);
}

static void get_result(struct reader *r, struct message *m, bool *good)
{
        m->result.id = get_u32(r);
        m->result.error = (int8_t)get_u8(r);
        *good = *good && m->result.id != 0;
}

static bool message_has_hold(const struct message *m, uint32_t group)
{
        for (size_t i = 0; i < m->hold_count; i++)
                if (m->hold[i].group == group)
                        return true;
        return false;
}

static void get_holds(struct reader *r, struct message *m, bool *good)
{
        while (*good && !r->failed && reader_left(r) > 0) {
                if (m->hold_count == DOCUMENT_GROUPS_MAX) {
                        *good = false;
                        return;
                }
                struct hold *h = &m->hold[m->hold_count];
                h->group = get_u32(r);
                uint8_t state = get_u8(r);
                h->state = state & 0x0f;
                h->unfit = (state & HOLD_FLAG_UNFIT) != 0;
                h->start_failed = (state & HOLD_FLAG_START_FAILED) != 0;
                h->refused = (state & HOLD_FLAG_REFUSED) != 0;
                h->epoch = get_epoch(r);
                h->sealed = state & HOLD_FLAG_SEALED ? get_epoch(r) : h->epoch;
                *good = h->state <= HOLD_FAILED && !message_has_hold(m, h->group);
                m->hold_count++;
        }
}

static enum packet_refusal get_section(uint8_t tag, struct reader *r, struct message *m)
{
        bool good = true;

        switch (tag) {
        case SECTION_ECHO: get_echo(r, m); break;
        case SECTION_COMMITTED: m->committed = get_version(r, &good); break;
        case SECTION_ANSWER: get_answer(r, m); break;
        case SECTION_GRANT: get_grant(r, m, &good); break;
        case SECTION_BALLOT: get_ballot(r, m, &good); break;
        case SECTION_ORDER: get_order(r, m, &good); break;
        case SECTION_RESULT: get_result(r, m, &good); break;
        case SECTION_HOLDS: get_holds(r, m, &good); break;
        case SECTION_WATCHDOG: m->watchdog = get_span(r, &good); break;
        case SECTION_NAMES:
                m->from_id = get_u32(r);
                m->to_id = get_u32(r);
                good = m->from_id != 0;
                break;
        case SECTION_POST: return PACKET_ACCEPTED;
        case SECTION_DOCUMENT:
                m->has_document = true;
                return document_decode(r->at, reader_left(r), &m->document) == 0 ? PACKET_ACCEPTED
                                                                                 : PACKET_BAD_DOCUMENT;
        default: return tag & SECTION_REQUIRED ? PACKET_UNKNOWN_SECTION : PACKET_ACCEPTED;
        }
        if (r->failed)
                return PACKET_BAD_LENGTH;
        if (!good)
                return PACKET_BAD_VALUE;
        return reader_left(r) > 0 ? PACKET_BAD_LENGTH : PACKET_ACCEPTED;
}

enum packet_refusal packet_decode(const uint8_t *body, size_t n, struct message *ret_message)
{
        struct reader r;
        struct reader content;
        unsigned seen = 0;
        bool good = true;

        *ret_message = (struct message){.order.node = NODE_NONE};
        reader_init(&r, body, n);
        get_fixed(&r, ret_message, &good);
        if (r.failed)
                return PACKET_BAD_LENGTH;
        if (!good)
                return PACKET_BAD_VALUE;
        while (reader_left(&r) > 0) {
                uint8_t tag = get_u8(&r);
                get_part(&r, &content);
                if (r.failed)
                        return PACKET_BAD_LENGTH;
                if (tag < SECTIONS && seen & 1U << tag)
                        return PACKET_BAD_VALUE; /* said twice: which of them is meant? */
                seen |= tag < SECTIONS ? 1U << tag : 0U;
                enum packet_refusal refusal = get_section(tag, &content, ret_message);
                if (refusal != PACKET_ACCEPTED)
                        return refusal;
        }
        return PACKET_ACCEPTED;
}

/* --- what rides along --- */

#define FIXED_SIZE (2 + 8 + 4 + 4 + 4 + 8 + 1 + 1 + 2 + 4 + 1 + 9)

size_t packet_post_add(uint8_t *body, size_t n, size_t size, const uint8_t *post, size_t post_n)
{
        struct writer w;

        writer_init(&w, body + n, size - n);
        uint8_t *content = field_begin(&w, SECTION_POST);
        put_bytes(&w, post, post_n);
        part_end(&w, content);
        return w.failed ? n : n + (size_t)(w.at - (body + n));
}

const uint8_t *packet_post(const uint8_t *body, size_t n, size_t *ret_n)
{
        struct reader r, content;

        reader_init(&r, body, n);
        (void)get_bytes(&r, FIXED_SIZE);
        while (!r.failed && reader_left(&r) > 0) {
                uint8_t tag = get_u8(&r);
                get_part(&r, &content);
                if (r.failed || tag != SECTION_POST)
                        continue;
                *ret_n = reader_left(&content);
                return content.at;
        }
        return NULL;
}
