#include "monitor/packet.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define DURATION_MAX_US (INT64_C(7) * 24 * 3600 * 1000000) /* a check less often than weekly is a mistake */

int packet_check_usable(const struct config_check *check)
{
        bool known = check->kind == CHECK_TCP || check->kind == CHECK_HTTP;

        if (!known || check->interval.us < 1000 || check->interval.us > DURATION_MAX_US ||
            check->timeout.us < 1000 || check->timeout.us > DURATION_MAX_US)
                return -EINVAL;
        if (check->rise < 1 || check->rise > VERDICT_RUN_MAX || check->fall < 1 ||
            check->fall > VERDICT_RUN_MAX)
                return -EINVAL;
        if (check->kind == CHECK_TCP && check->ip.family != AF_INET && check->ip.family != AF_INET6)
                return -EINVAL;
        if (check->kind == CHECK_HTTP && (check->url[0] == '\0' || check->status_min < 100 ||
                                          check->status_max > 999 || check->status_min > check->status_max))
                return -EINVAL;
        return 0;
}

static void put_long_text(struct writer *w, const char *text)
{
        size_t n = strlen(text);

        put_u16(w, (uint16_t)n);
        put_bytes(w, text, n);
}

static void get_long_text(struct reader *r, char *text, size_t size)
{
        size_t n = get_u16(r);
        const uint8_t *bytes = get_bytes(r, n);

        text[0] = '\0';
        if (bytes == NULL || n >= size || memchr(bytes, '\0', n) != NULL) {
                r->failed = true;
                return;
        }
        memcpy(text, bytes, n);
        text[n] = '\0';
}

static void put_verdict(struct writer *w, const struct verdict *v)
{
        put_u8(w, (uint8_t)v->state);
        put_u64(w, (uint64_t)v->since.us);
        put_u64(w, v->history);
        put_u8(w, v->known);
        put_u8(w, v->blind);
}

static void get_verdict(struct reader *r, struct verdict *v)
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

static void put_check(struct writer *w, const struct config_check *c)
{
        put_u8(w, (uint8_t)c->kind);
        put_u64(w, (uint64_t)c->interval.us);
        put_u64(w, (uint64_t)c->timeout.us);
        put_u8(w, (uint8_t)c->rise);
        put_u8(w, (uint8_t)c->fall);
        put_u8(w, c->ip.family == AF_INET ? 4 : c->ip.family == AF_INET6 ? 6 : 0);
        put_bytes(w, c->ip.bytes, sizeof(c->ip.bytes));
        put_u16(w, c->port);
        put_u16(w, (uint16_t)c->status_min);
        put_u16(w, (uint16_t)c->status_max);
        put_long_text(w, c->url);
        put_long_text(w, c->host);
        put_long_text(w, c->expect);
}

static void get_check(struct reader *r, struct config_check *c)
{
        const uint8_t *bytes;
        uint8_t family;

        c->kind = (enum check_kind)get_u8(r);
        c->interval.us = (int64_t)get_u64(r);
        c->timeout.us = (int64_t)get_u64(r);
        c->rise = get_u8(r);
        c->fall = get_u8(r);
        family = get_u8(r);
        c->ip.family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : 0;
        bytes = get_bytes(r, sizeof(c->ip.bytes));
        if (bytes != NULL)
                memcpy(c->ip.bytes, bytes, sizeof(c->ip.bytes));
        c->port = get_u16(r);
        c->status_min = get_u16(r);
        c->status_max = get_u16(r);
        get_long_text(r, c->url, sizeof(c->url));
        get_long_text(r, c->host, sizeof(c->host));
        get_long_text(r, c->expect, sizeof(c->expect));
        if (packet_check_usable(c) != 0)
                r->failed = true;
}

static void put_outcome(struct writer *w, const struct outcome *o)
{
        put_u8(w, (uint8_t)o->reason);
        put_u32(w, (uint32_t)o->detail);
        put_u64(w, (uint64_t)o->took.us);
}

static void get_outcome(struct reader *r, struct outcome *o)
{
        uint8_t reason = get_u8(r);

        o->reason = (enum reason)reason;
        o->detail = (int)get_u32(r);
        o->took.us = (int64_t)get_u64(r);
        if (reason >= REASONS || o->detail < 0 || o->took.us < 0)
                r->failed = true;
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
                put_check(&w, &p->check);
                break;
        case PACKET_STOP: put_u32(&w, p->id); break;
        case PACKET_REPORT:
                put_u32(&w, p->id);
                put_u32(&w, p->generation);
                put_verdict(&w, &p->verdict);
                put_outcome(&w, &p->outcome);
                put_u64(&w, (uint64_t)p->at.us);
                break;
        case PACKET_BEAT: break;
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
                get_check(&r, &p.check);
                break;
        case PACKET_STOP: p.id = get_u32(&r); break;
        case PACKET_REPORT:
                p.id = get_u32(&r);
                p.generation = get_u32(&r);
                get_verdict(&r, &p.verdict);
                get_outcome(&r, &p.outcome);
                p.at.us = (int64_t)get_u64(&r);
                if (p.at.us < 0)
                        r.failed = true;
                break;
        case PACKET_BEAT: break;
        default: r.failed = true; break;
        }
        if (r.failed || reader_left(&r) != 0)
                return -EBADMSG;
        *ret_packet = p;
        return 0;
}
