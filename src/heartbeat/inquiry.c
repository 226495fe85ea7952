#include "heartbeat/inquiry.h"

#include "base/bytes.h"
#include "cluster/version.h"

#include <errno.h>
#include <stdio.h>

#define KIND_QUESTION 1
#define KIND_ANSWER   2

#define QUESTION_WITHOUT 1U

#define ANSWER_AGAIN 1U
#define ANSWER_YES   2U
#define ANSWER_LOST  4U
#define ANSWER_OLDER 8U

/* After the fixed part come fields (bytes.h). One that is not known is passed over, unless it must be. */
#define FIELD_DOCUMENT 1
#define FIELD_TOLD     2
#define FIELD_REQUIRED 0x80

#define AGE_MOST (365LL * 24 * 3600 * 1000000) /* in microseconds; nobody waits longer */

const char *inquiry_seal_name(const char *cluster, char name[static INQUIRY_SEAL_NAME])
{
        snprintf(name, INQUIRY_SEAL_NAME, "%s/witness", cluster);
        return name;
}

static void put_document(struct writer *w, const uint8_t *bytes, size_t n, const struct version *version)
{
        uint8_t *content = field_begin(w, FIELD_DOCUMENT);

        if (version)
                version_put(w, *version);
        put_bytes(w, bytes, n);
        part_end(w, content);
}

static void put_told(struct writer *w, const struct arbiter_memory *told)
{
        uint8_t *content = field_begin(w, FIELD_TOLD);

        put_u32(w, told->term);
        version_put(w, told->version);
        part_end(w, content);
}

static int written(const struct writer *w, const uint8_t *body)
{
        return w->failed ? -EMSGSIZE : (int)(w->at - body);
}

int question_encode(const struct witness_question *q, uint8_t *body, size_t size)
{
        struct writer w;

        writer_init(&w, body, size);
        put_u8(&w, KIND_QUESTION);
        put_u32(&w, q->from);
        put_u64(&w, q->incarnation.boot);
        put_u32(&w, q->incarnation.core);
        put_u32(&w, q->seq);
        put_u64(&w, q->life);
        put_u8(&w, (uint8_t)q->ask);
        put_u32(&w, q->term);
        version_put(&w, q->newest);
        put_u8(&w, q->without ? QUESTION_WITHOUT : 0);
        put_u64(&w, (uint64_t)q->election.us);
        put_u64(&w, (uint64_t)q->dead.us);
        if (q->told.term)
                put_told(&w, &q->told);
        if (q->version.n)
                put_document(&w, q->document, q->document_size, &q->version);
        return written(&w, body);
}

int answer_encode(const struct witness_answer *a, uint8_t *body, size_t size)
{
        struct writer w;

        writer_init(&w, body, size);
        put_u8(&w, KIND_ANSWER);
        put_u32(&w, a->to);
        put_u64(&w, a->incarnation.boot);
        put_u32(&w, a->incarnation.core);
        put_u32(&w, a->seq);
        put_u64(&w, a->life);
        put_u8(&w, (uint8_t)a->ask);
        put_u32(&w, a->term);
        put_u8(&w, (uint8_t)((a->again ? ANSWER_AGAIN : 0) | (a->yes ? ANSWER_YES : 0) |
                             (a->lost ? ANSWER_LOST : 0) | (a->older ? ANSWER_OLDER : 0)));
        put_u32(&w, a->known);
        put_u64(&w, (uint64_t)a->age.us);
        version_put(&w, a->stored);
        if (a->document_size)
                put_document(&w, a->document, a->document_size, NULL);
        return written(&w, body);
}

/* What stands among the fields that are left. An answer's document has no version before it, and nothing was
 * told to a witness: then these are NULL. */
static enum packet_refusal get_fields(struct reader *r, struct arbiter_memory *ret_told,
                                      struct version *ret_version, const uint8_t **ret_document,
                                      size_t *ret_size)
{
        *ret_document = NULL;
        *ret_size = 0;
        while (!r->failed && reader_left(r) > 0) {
                struct reader content;
                uint8_t tag = get_u8(r);

                get_part(r, &content);
                if (r->failed)
                        break;
                if (tag == FIELD_TOLD && ret_told) {
                        ret_told->term = get_u32(&content);
                        ret_told->version = version_get(&content);
                        r->failed = content.failed || reader_left(&content) > 0;
                        continue;
                }
                if (tag != FIELD_DOCUMENT) {
                        if (tag & FIELD_REQUIRED)
                                return PACKET_UNKNOWN_SECTION;
                        continue;
                }
                if (ret_version)
                        *ret_version = version_get(&content);
                *ret_size = reader_left(&content);
                *ret_document = get_bytes(&content, *ret_size);
                if (content.failed || *ret_size == 0 || *ret_size > DOCUMENT_BYTES_MAX ||
                    (ret_version && ret_version->n == 0))
                        return PACKET_BAD_DOCUMENT;
        }
        return r->failed ? PACKET_BAD_LENGTH : PACKET_ACCEPTED;
}

enum packet_refusal question_decode(const uint8_t *body, size_t n, struct witness_question *ret_question)
{
        struct witness_question *q = ret_question;
        struct reader r;

        reader_init(&r, body, n);
        *q = (struct witness_question){0};
        uint8_t kind = get_u8(&r);
        q->from = get_u32(&r);
        q->incarnation.boot = get_u64(&r);
        q->incarnation.core = get_u32(&r);
        q->seq = get_u32(&r);
        q->life = get_u64(&r);
        uint8_t ask = get_u8(&r);
        q->term = get_u32(&r);
        q->newest = version_get(&r);
        q->without = get_u8(&r) & QUESTION_WITHOUT;
        uint64_t election = get_u64(&r), dead = get_u64(&r);
        if (r.failed)
                return PACKET_BAD_LENGTH;
        if (kind != KIND_QUESTION || ask == ARBITER_NOTHING || ask > ARBITER_RENEW || q->from == 0 ||
            election > AGE_MOST || dead > AGE_MOST)
                return PACKET_BAD_VALUE;
        q->ask = (enum arbiter_ask)ask;
        q->election = span_us((int64_t)election);
        q->dead = span_us((int64_t)dead);
        return get_fields(&r, &q->told, &q->version, &q->document, &q->document_size);
}

enum packet_refusal answer_decode(const uint8_t *body, size_t n, struct witness_answer *ret_answer)
{
        struct witness_answer *a = ret_answer;
        struct reader r;

        reader_init(&r, body, n);
        *a = (struct witness_answer){0};
        uint8_t kind = get_u8(&r);
        a->to = get_u32(&r);
        a->incarnation.boot = get_u64(&r);
        a->incarnation.core = get_u32(&r);
        a->seq = get_u32(&r);
        a->life = get_u64(&r);
        uint8_t ask = get_u8(&r);
        a->term = get_u32(&r);
        uint8_t flags = get_u8(&r);
        a->known = get_u32(&r);
        uint64_t age = get_u64(&r);
        a->stored = version_get(&r);
        if (r.failed)
                return PACKET_BAD_LENGTH;
        if (kind != KIND_ANSWER || ask > ARBITER_RENEW || age > INT64_MAX)
                return PACKET_BAD_VALUE;
        a->ask = (enum arbiter_ask)ask;
        a->again = flags & ANSWER_AGAIN;
        a->yes = flags & ANSWER_YES;
        a->lost = flags & ANSWER_LOST;
        a->older = flags & ANSWER_OLDER;
        a->age = span_us((int64_t)age);
        return get_fields(&r, NULL, NULL, &a->document, &a->document_size);
}
