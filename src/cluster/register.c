#include "cluster/register.h"

#include "base/bytes.h"
#include "cluster/timing.h"
#include "cluster/version.h"

#include <assert.h>
#include <string.h>

#define REGISTER_MAGIC   0x48565247u /* "HVRG" */
#define REGISTER_VERSION 1
#define REGISTER_LIFE    1 /* a store has one life: its key says by itself whether it was lost */

static size_t encode(const struct register_arbiter *r, uint8_t *bytes)
{
        const struct witness_kept *k = &r->witness.kept;
        struct writer w;

        writer_init(&w, bytes, REGISTER_BYTES_MAX);
        put_u32(&w, REGISTER_MAGIC);
        put_u8(&w, REGISTER_VERSION);
        if (!k->voter) /* what stood here was older than what had been told */
                return (size_t)(w.at - bytes);
        put_u32(&w, k->term);
        put_u32(&w, k->vote);
        version_put(&w, k->version);
        put_u32(&w, r->next.renewed_of);
        put_u64(&w, r->next.renewal);
        put_u32(&w, (uint32_t)k->document_size);
        put_bytes(&w, k->document, k->document_size);
        assert(!w.failed);
        return (size_t)(w.at - bytes);
}

static bool decode(struct register_arbiter *r, const uint8_t *bytes, size_t n, uint64_t *ret_renewal)
{
        struct witness_kept *k = &r->kept;
        struct reader in;

        reader_init(&in, bytes, n);
        if (get_u32(&in) != REGISTER_MAGIC || get_u8(&in) != REGISTER_VERSION)
                return false;
        *k = (struct witness_kept){0};
        if (reader_left(&in) == 0)
                return true;
        k->term = get_u32(&in);
        k->vote = get_u32(&in);
        k->version = version_get(&in);
        r->renewed_of = get_u32(&in);
        *ret_renewal = get_u64(&in);
        k->document_size = get_u32(&in);
        const uint8_t *document =
                k->document_size <= sizeof(k->document) ? get_bytes(&in, k->document_size) : NULL;
        if (!document || in.failed || reader_left(&in))
                return false;
        memcpy(k->document, document, k->document_size);
        k->voter = true;
        return true;
}

bool register_observed(struct register_arbiter *r, instant now, int64_t revision, const uint8_t *bytes,
                       size_t n)
{
        bool there = revision != 0, was_voter = r->kept.voter;
        uint64_t renewal = 0;

        /* the same revision says nothing: a backup may have been put back and have caught up */
        if (there && !decode(r, bytes, n, &renewal)) {
                r->seen = false;
                return false;
        }
        if (!there) {
                r->kept = (struct witness_kept){0};
                r->renewed_of = 0;
        }
        if (!r->seen || there != r->there || was_voter != r->kept.voter)
                r->first_seen = now;
        if (!r->seen || there != r->there || renewal != r->renewal)
                r->renewed = now; /* it was some time before this */
        r->renewal = renewal;
        r->revision = revision;
        r->there = there;
        r->seen = true;
        return true;
}

/* Never what stood there before, also not by a history that a backup has undone. */
static uint64_t new_renewal(const struct register_arbiter *r, const struct witness_question *q, instant now)
{
        uint64_t renewal = (uint64_t)now.us ^ q->incarnation.boot * 0x9e3779b97f4a7c15u ^
                           (((uint64_t)q->from << 32 | q->incarnation.core) * 0xbf58476d1ce4e5b9u);

        return renewal != r->renewal ? renewal : renewal + 1;
}

enum register_verdict register_judge(struct register_arbiter *r, instant now, instant asked_at,
                                     const struct witness_question *q, struct witness_answer *ret_answer,
                                     uint8_t *bytes, size_t *ret_n)
{
        struct witness_question asked = *q;
        struct witness *w = &r->witness;

        assert(r->seen);
        witness_init(w, &r->kept, REGISTER_LIFE, r->first_seen);
        w->renewed = r->renewed;
        w->renewed_of = r->renewed_of;
        asked.life = REGISTER_LIFE;
        asked.seq = 1;
        /* rule 6: when it was asked we know here, so it needs no other proof */
        w->waited = true;
        asked.without &= span_between(r->first_seen, asked_at).us >= timing_stretched(q->dead).us;
        (void)witness_judge(w, now, &asked, ret_answer);
        bool renewed = ret_answer->yes && q->ask == ARBITER_RENEW;
        if (!w->dirty && !renewed)
                return REGISTER_ANSWER;
        r->next.renewed_of = w->renewed_of;
        r->next.renewal = renewed ? new_renewal(r, q, now) : r->renewal;
        *ret_n = encode(r, bytes);
        return REGISTER_SWAP;
}

void register_swapped(struct register_arbiter *r, instant now, int64_t revision)
{
        if (!r->there || r->kept.voter != r->witness.kept.voter)
                r->first_seen = now;
        if (r->next.renewal != r->renewal || !r->there)
                r->renewed = now;
        r->kept = r->witness.kept;
        r->renewed_of = r->next.renewed_of;
        r->renewal = r->next.renewal;
        r->revision = revision;
        r->there = true;
}
