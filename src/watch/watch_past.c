#include "watch/watch_past.h"

#include "base/bytes.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* version u8, name text, wall u64, status u16, what was said text; more may follow one day */
#define RECORD_VERSION 1

size_t watch_past_encode(const struct watch_past *p, uint8_t bytes[static WATCH_PAST_MAX])
{
        struct writer w;

        writer_init(&w, bytes, WATCH_PAST_MAX);
        put_u8(&w, RECORD_VERSION);
        put_text(&w, p->name);
        put_u64(&w, (uint64_t)p->wall_us);
        put_u16(&w, (uint16_t)p->status);
        put_text(&w, p->said);
        assert(!w.failed); /* all of them together fit */
        return (size_t)(w.at - bytes);
}

int watch_past_decode(const uint8_t *bytes, size_t n, struct watch_past *ret_past)
{
        struct watch_past p = {0};
        struct reader r;

        reader_init(&r, bytes, n);
        uint8_t version = get_u8(&r);
        get_text(&r, p.name, sizeof(p.name));
        p.wall_us = (int64_t)get_u64(&r);
        p.status = get_u16(&r);
        get_text(&r, p.said, sizeof(p.said));
        if (r.failed || version != RECORD_VERSION || p.wall_us <= 0)
                return -EBADMSG;
        *ret_past = p;
        return 0;
}

const char *watch_past_name(const struct watches *w, const struct watched *t, int check,
                            char text[static WATCH_PAST_NAME])
{
        char name[WATCHED_NAME];
        size_t n;

        text_copy(text, WATCH_PAST_NAME, watched_name(w, t, name));
        n = strlen(text);
        snprintf(text + n, WATCH_PAST_NAME - n, "/%s", watches_check_name(w, t, check));
        return text;
}

bool watch_past_is_ours(const struct config *config, const char *name)
{
        const char *slash = strrchr(name, '/');
        char watched[WATCH_PAST_NAME];
        int watch, service, host;

        if (slash == NULL)
                return false;
        snprintf(watched, sizeof(watched), "%.*s", (int)(slash - name), name);
        if (config_find_watched(config, watched, &watch, &service, &host) < 0 || host < 0)
                return false;
        const struct config_service *s = &config->watch[watch].service[service];
        for (size_t i = 0; i < s->check_count; i++)
                if (strcmp(s->check[i].name, slash + 1) == 0)
                        return s->check[i].check[host]->kind == CHECK_TRAP;
        return false;
}
