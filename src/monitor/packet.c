#include "monitor/packet.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void put_verdict(struct writer *w, const struct verdict *v)
{
        put_u8(w, (uint8_t)v->state);
        put_u64(w, (uint64_t)v->since.us);
        put_u64(w, v->history);
        put_u8(w, v->known);
        put_u8(w, v->blind);
}

void get_verdict(struct reader *r, struct verdict *v)
{
        uint8_t state = get_u8(r);

        v->state = (enum verdict_state)state;
        v->since.us = (int64_t)get_u64(r);
        v->history = get_u64(r);
        v->known = get_u8(r);
        v->blind = get_u8(r);
        if (state >= VERDICT_STATES || v->since.us < 0 || v->known > VERDICT_RUN_MAX ||
            v->blind > VERDICT_RUN_MAX)
                r->failed = true;
}

static void put_outcome(struct writer *w, const struct outcome *o, const char *said)
{
        put_u8(w, (uint8_t)o->reason);
        put_u32(w, (uint32_t)o->detail);
        put_u64(w, (uint64_t)o->took.us);
        put_u64(w, (uint64_t)o->told.us);
        put_u32(w, (uint32_t)o->failures);
        put_text(w, said);
}

static void get_outcome(struct reader *r, struct outcome *o, char said[static SAID_TEXT])
{
        uint8_t reason = get_u8(r);

        o->reason = (enum reason)reason;
        o->detail = (int)get_u32(r);
        o->took.us = (int64_t)get_u64(r);
        o->told.us = (int64_t)get_u64(r);
        o->failures = (int)get_u32(r);
        get_text(r, said, SAID_TEXT);
        if (r->failed || !said_is_clean(said, strlen(said)) || reason >= REASONS || o->detail < 0 ||
            o->took.us < 0 || o->told.us < 0 || o->failures < 0 || o->failures > FAILURES_MAX)
                r->failed = true;
}

static void put_steady(struct writer *w, const struct packet *p)
{
        for (size_t i = 0; i < p->steady_count; i++) {
                put_u32(w, p->steady[i].id);
                put_u32(w, p->steady[i].generation);
                put_u64(w, (uint64_t)p->steady[i].took.us);
                put_u64(w, (uint64_t)p->steady[i].at.us);
        }
}

/* As many as there are, to the end of the packet. */
static void get_steady(struct reader *r, struct packet *p)
{
        while (!r->failed && reader_left(r) > 0 && p->steady_count < STEADY_MAX) {
                struct steady *s = &p->steady[p->steady_count++];

                s->id = get_u32(r);
                s->generation = get_u32(r);
                s->took.us = (int64_t)get_u64(r);
                s->at.us = (int64_t)get_u64(r);
                if (s->took.us < 0 || s->at.us < 0)
                        r->failed = true;
        }
}

size_t checker_packet_encode(const struct packet *p, uint8_t bytes[static PACKET_MAX])
{
        struct writer w;

        writer_init(&w, bytes, PACKET_MAX);
        put_u8(&w, (uint8_t)p->type);
        switch (p->type) {
        case PACKET_START:
                put_u32(&w, p->id);
                put_u32(&w, p->generation);
                put_verdict(&w, &p->verdict);
                put_outcome(&w, &p->outcome, p->said);
                put_u16(&w, (uint16_t)p->count);
                put_bytes(&w, p->check, p->check_size);
                break;
        case PACKET_STOP: put_u32(&w, p->id); break;
        case PACKET_REPORT:
                put_u32(&w, p->id);
                put_u32(&w, p->generation);
                put_verdict(&w, &p->verdict);
                put_outcome(&w, &p->outcome, p->said);
                put_u64(&w, (uint64_t)p->at.us);
                break;
        case PACKET_BEAT: break;
        case PACKET_STEADY: put_steady(&w, p); break;
        }
        assert(!w.failed);
        return (size_t)(w.at - bytes);
}

int checker_packet_decode(const uint8_t *bytes, size_t size, struct packet *ret_packet)
{
        struct reader r;
        struct packet p = {0};

        reader_init(&r, bytes, size);
        p.type = (enum packet_type)get_u8(&r);
        switch (p.type) {
        case PACKET_START:
                p.id = get_u32(&r);
                p.generation = get_u32(&r);
                get_verdict(&r, &p.verdict);
                get_outcome(&r, &p.outcome, p.said);
                p.count = get_u16(&r);
                p.check_size = reader_left(&r);
                p.check = get_bytes(&r, p.check_size);
                if (p.check_size == 0 || p.check_size > CHECK_BYTES_MAX)
                        r.failed = true;
                break;
        case PACKET_STOP: p.id = get_u32(&r); break;
        case PACKET_REPORT:
                p.id = get_u32(&r);
                p.generation = get_u32(&r);
                get_verdict(&r, &p.verdict);
                get_outcome(&r, &p.outcome, p.said);
                p.at.us = (int64_t)get_u64(&r);
                if (p.at.us < 0)
                        r.failed = true;
                break;
        case PACKET_BEAT: break;
        case PACKET_STEADY: get_steady(&r, &p); break;
        default: r.failed = true; break;
        }
        if (r.failed || reader_left(&r) != 0)
                return -EBADMSG;
        *ret_packet = p;
        return 0;
}
