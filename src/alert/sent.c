#include "alert/sent.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* version u8, count u8, then for each moment: wall u64, messages u16 */
#define RECORD_VERSION 1

size_t sent_encode(const struct sent *s, uint8_t bytes[static SENT_RECORD_MAX])
{
        struct writer w;

        writer_init(&w, bytes, SENT_RECORD_MAX);
        put_u8(&w, RECORD_VERSION);
        put_u8(&w, (uint8_t)s->count);
        for (size_t i = 0; i < s->count; i++) {
                put_u64(&w, (uint64_t)s->moment[i].wall_us);
                put_u16(&w, s->moment[i].messages);
        }
        assert(!w.failed);
        return (size_t)(w.at - bytes);
}

int sent_decode(const uint8_t *bytes, size_t n, struct sent *ret_sent)
{
        struct sent s = {0};
        struct reader r;

        reader_init(&r, bytes, n);
        uint8_t version = get_u8(&r);
        s.count = get_u8(&r);
        if (r.failed || version != RECORD_VERSION || s.count > SENT_MOMENTS)
                return -EBADMSG;
        for (size_t i = 0; i < s.count; i++) {
                s.moment[i].wall_us = (int64_t)get_u64(&r);
                s.moment[i].messages = get_u16(&r);
                if (s.moment[i].wall_us < (i > 0 ? s.moment[i - 1].wall_us : 0))
                        r.failed = true;
        }
        if (r.failed)
                return -EBADMSG;
        *ret_sent = s;
        return 0;
}

static void drop(struct sent *s, size_t i)
{
        memmove(&s->moment[i], &s->moment[i + 1], (s->count - i - 1) * sizeof(s->moment[0]));
        s->count--;
}

/* Two neighbours become the later one, so that the limit waits a little longer, never less: those of which
 * the fewest messages go the shortest way. */
static void join_two(struct sent *s)
{
        int64_t least = INT64_MAX;
        size_t best = 0;

        for (size_t i = 0; i + 1 < s->count; i++) {
                int64_t way =
                        (s->moment[i + 1].wall_us - s->moment[i].wall_us) / 1000 * s->moment[i].messages;

                if (way < least) {
                        least = way;
                        best = i;
                }
        }
        unsigned messages = (unsigned)s->moment[best].messages + s->moment[best + 1].messages;
        s->moment[best + 1].messages = messages > UINT16_MAX ? UINT16_MAX : (uint16_t)messages;
        drop(s, best);
}

void sent_add(struct sent *s, int64_t wall_us, span window)
{
        while (s->count > 0 && s->moment[s->count - 1].wall_us > wall_us)
                s->count--;
        while (s->count > 0 && s->moment[0].wall_us + window.us <= wall_us)
                drop(s, 0);
        if (s->count == SENT_MOMENTS)
                join_two(s);
        s->moment[s->count].wall_us = wall_us;
        s->moment[s->count++].messages = 1;
}

span sent_wait(const struct sent *s, int most, span window, int64_t wall_us)
{
        int left = most;

        for (size_t i = s->count; i-- > 0;) {
                if (s->moment[i].wall_us > wall_us)
                        continue;
                int64_t over = s->moment[i].wall_us + window.us;
                if (over <= wall_us)
                        break;
                left -= s->moment[i].messages;
                if (left <= 0)
                        return span_us(over - wall_us);
        }
        return SPAN_ZERO;
}
