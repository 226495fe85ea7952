/* What others must know of a failure, and of what people said about it, as bytes for the board. Instants
 * travel as UTC: of two machines, and of two boots, nothing else is common. A clock that is wrong shifts a
 * reminder. */
#include "watch/watch_inside.h"

#include "base/bytes.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

/* version u8, name text, state u8, flags u8 (1: flapping), since u64, what it said text, then for each alert
 * that was told: text_id of its name u32, flags u8 (1: of the acknowledgement too), times u32, when u64.
 *
 * What has come later stands in entries of the same form, under names that no alert can have: who does not
 * know them passes them over like those of an alert that it does not have. */
#define RECORD_VERSION 1
#define ENTRY_FAILURES "(failures)" /* times: so many in a row */
#define ENTRY_FLIP     "(flip)"     /* when: it came or went; the newest first */

enum { FLAG_FLAPPING = 1, FLAG_TOLD_ACKNOWLEDGED = 1 };

static int64_t to_wall(instant at, const struct watched *t)
{
        return t->since_wall_us + span_between(t->since, at).us;
}

instant watch_instant(int64_t wall_us, const struct watch_time *time)
{
        int64_t ago = time->wall_us - wall_us;

        return (instant){ago < 0 ? time->now.us : ago >= time->now.us ? 1 : time->now.us - ago};
}

static void put_entry(struct writer *out, const struct watched *t, const char *name, unsigned flags,
                      uint32_t times, instant at)
{
        put_u32(out, text_id(name));
        put_u8(out, (uint8_t)flags);
        put_u32(out, times);
        put_u64(out, (uint64_t)to_wall(at, t));
}

size_t watch_record(const struct watches *w, size_t i, uint8_t bytes[static WATCH_RECORD_MAX])
{
        const struct watched *t = &w->watched[i];
        char name[WATCHED_NAME];
        struct writer out;
        bool told = false;

        for (int a = 0; a < ALERTS_MAX; a++)
                told |= t->told[a].told;
        if (t->state != WATCHED_DOWN && !t->flapping && !told && t->flip_count == 0)
                return 0;
        writer_init(&out, bytes, WATCH_RECORD_MAX);
        put_u8(&out, RECORD_VERSION);
        put_text(&out, watched_name(w, t, name));
        put_u8(&out, (uint8_t)t->state);
        put_u8(&out, t->flapping ? FLAG_FLAPPING : 0);
        put_u64(&out, (uint64_t)t->since_wall_us);
        put_text(&out, t->text);
        for (size_t a = 0; a < w->config->alert_count; a++)
                if (t->told[a].told)
                        put_entry(&out, t, w->config->alert[a].name,
                                  t->told[a].told_acknowledged ? FLAG_TOLD_ACKNOWLEDGED : 0, t->told[a].times,
                                  t->told[a].at);
        if (watches_counted(w, i) > 0 && watched_failures(t) > 0)
                put_entry(&out, t, ENTRY_FAILURES, 0, (uint32_t)watched_failures(t), t->since);
        for (int k = 0; k < t->flip_count; k++)
                put_entry(&out, t, ENTRY_FLIP, 0, 0, t->flip[k]);
        return out.failed ? 0 : (size_t)(out.at - bytes);
}

static void learn_entries(const struct watches *w, struct watched *t, struct reader *r,
                          const struct watch_time *time)
{
        memset(t->told, 0, sizeof(t->told));
        rows_continue(t, 0);
        t->flip_count = 0;
        while (!r->failed && reader_left(r) > 0) {
                uint32_t name = get_u32(r);
                uint8_t flags = get_u8(r);
                uint32_t times = get_u32(r);
                instant at = watch_instant((int64_t)get_u64(r), time);

                if (r->failed)
                        return;
                if (name == text_id(ENTRY_FAILURES))
                        rows_continue(t, times < WATCHED_ROW ? (int)times : WATCHED_ROW);
                else if (name == text_id(ENTRY_FLIP) && t->flip_count < WATCHED_FLIPS)
                        t->flip[t->flip_count++] = at;
                for (size_t a = 0; a < w->config->alert_count; a++)
                        if (text_id(w->config->alert[a].name) == name)
                                t->told[a] = (struct watched_told){.told = true,
                                                                   .told_acknowledged = flags & 1,
                                                                   .times = times,
                                                                   .at = at};
        }
}

int watch_learn(struct watches *w, const uint8_t *bytes, size_t n, const struct watch_time *time)
{
        char name[WATCHED_NAME], text[WATCHED_TEXT];
        struct reader r;

        reader_init(&r, bytes, n);
        uint8_t version = get_u8(&r);
        get_text(&r, name, sizeof(name));
        uint8_t state = get_u8(&r), flags = get_u8(&r);
        int64_t since = (int64_t)get_u64(&r);
        get_text(&r, text, sizeof(text));
        if (r.failed || version != RECORD_VERSION || state > WATCHED_DOWN)
                return -EBADMSG;
        int i = watches_find(w, name);
        if (i < 0)
                return -ENOENT;
        struct watched *t = &w->watched[i];
        if (w->here[t->watch])
                return -EBUSY;
        struct watched fresh = *t;
        fresh.state = (enum watched_state)state;
        fresh.flapping = flags & FLAG_FLAPPING;
        fresh.since_wall_us = since;
        fresh.since = watch_instant(since, time);
        text_copy(fresh.text, sizeof(fresh.text), text);
        learn_entries(w, &fresh, &r, time);
        if (r.failed)
                return -EBADMSG;
        *t = fresh;
        return i;
}

void watch_forget(struct watches *w, size_t i, const struct watch_time *time)
{
        struct watched *t = &w->watched[i];

        if (w->here[t->watch])
                return;
        t->state = WATCHED_UP; /* or nobody has looked yet: it is known to whoever runs it */
        t->since = time->now;
        t->since_wall_us = time->wall_us;
        t->flapping = false;
        t->flip_count = 0;
        rows_continue(t, 0);
        t->text[0] = '\0';
        memset(t->told, 0, sizeof(t->told));
}

/* --- marks: version u8, kind u8, about text, since u64, until u64, who text, what text --- */

size_t watch_mark_record(const struct watch_mark *m, uint8_t bytes[static WATCH_RECORD_MAX])
{
        struct writer out;

        writer_init(&out, bytes, WATCH_RECORD_MAX);
        put_u8(&out, RECORD_VERSION);
        put_u8(&out, (uint8_t)m->kind);
        put_text(&out, m->about);
        put_u64(&out, (uint64_t)m->since_wall_us);
        put_u64(&out, (uint64_t)m->until_wall_us);
        put_text(&out, m->who);
        put_text(&out, m->text);
        return (size_t)(out.at - bytes);
}

int watch_mark_read(const uint8_t *bytes, size_t n, struct watch_mark *ret_mark)
{
        struct watch_mark m = {0};
        struct reader r;

        reader_init(&r, bytes, n);
        uint8_t version = get_u8(&r), kind = get_u8(&r);
        get_text(&r, m.about, sizeof(m.about));
        m.since_wall_us = (int64_t)get_u64(&r);
        m.until_wall_us = (int64_t)get_u64(&r);
        get_text(&r, m.who, sizeof(m.who));
        get_text(&r, m.text, sizeof(m.text));
        if (r.failed || version != RECORD_VERSION || kind > MARK_DISABLED || m.about[0] == '\0')
                return -EBADMSG;
        m.kind = (enum watch_mark_kind)kind;
        *ret_mark = m;
        return 0;
}
