#include "alert/notice.h"

#include "base/bytes.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* version u8, on u16, wall u64, then alert, kind, subject, text and node as texts */
#define RECORD_VERSION 1

size_t notice_encode(const struct notice *n, uint8_t bytes[static NOTICE_RECORD_MAX])
{
        struct writer w;

        writer_init(&w, bytes, NOTICE_RECORD_MAX);
        put_u8(&w, RECORD_VERSION);
        put_u16(&w, (uint16_t)n->on);
        put_u64(&w, (uint64_t)n->wall_us);
        put_text(&w, n->alert);
        put_text(&w, n->kind);
        put_text(&w, n->subject);
        put_text(&w, n->text);
        put_text(&w, n->node);
        assert(!w.failed); /* all of them together fit */
        return (size_t)(w.at - bytes);
}

int notice_decode(const uint8_t *bytes, size_t size, struct notice *ret_notice)
{
        struct notice n = {0};
        struct reader r;

        reader_init(&r, bytes, size);
        uint8_t version = get_u8(&r);
        n.on = get_u16(&r);
        n.wall_us = (int64_t)get_u64(&r);
        get_text(&r, n.alert, sizeof(n.alert));
        get_text(&r, n.kind, sizeof(n.kind));
        get_text(&r, n.subject, sizeof(n.subject));
        get_text(&r, n.text, sizeof(n.text));
        get_text(&r, n.node, sizeof(n.node));
        if (r.failed || version != RECORD_VERSION || n.on == 0 || (n.on & (n.on - 1)) != 0 ||
            n.on >= 1U << ALERT_EVENTS)
                return -EBADMSG;
        *ret_notice = n;
        return 0;
}

const char *notice_time(int64_t wall_us, char text[static NOTICE_TIME])
{
        time_t s = (time_t)(wall_us / 1000000);
        struct tm tm;

        strftime(text, NOTICE_TIME, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &tm));
        return text;
}

void notice_split(const struct notice *n, struct notice_parts *ret_parts)
{
        const char *colon = strchr(n->subject, ':'), *at = colon ? strchr(colon, '@') : NULL;

        memset(ret_parts, 0, sizeof(*ret_parts));
        if (at == NULL)
                return;
        snprintf(ret_parts->watch, sizeof(ret_parts->watch), "%.*s", (int)(colon - n->subject), n->subject);
        snprintf(ret_parts->service, sizeof(ret_parts->service), "%.*s", (int)(at - colon - 1), colon + 1);
        text_copy(ret_parts->host, sizeof(ret_parts->host), at + 1);
}

static FILE *text_open(char **ret_text, size_t *ret_size)
{
        FILE *to = open_memstream(ret_text, ret_size);

        if (to == NULL)
                abort();
        return to;
}

char *notices_subject(const char *cluster, const struct notice *n, size_t count)
{
        char *text = NULL;
        size_t size;
        FILE *to = text_open(&text, &size);

        fprintf(to, "[%s] ", cluster);
        if (count == 1) {
                fprintf(to, "%s: %s", alert_on_name(n->on), n->subject[0] ? n->subject : n->kind);
                fclose(to);
                return text;
        }
        bool first = true;
        for (int i = 0; i < ALERT_EVENTS; i++) {
                size_t of_this = 0;

                for (size_t k = 0; k < count; k++)
                        of_this += n[k].on == 1U << i;
                if (of_this > 0)
                        fprintf(to, "%s%zu %s", first ? "" : ", ", of_this, alert_on_name(1U << i));
                first = first && of_this == 0;
        }
        fprintf(to, ": %s...", n->subject[0] ? n->subject : n->kind);
        fclose(to);
        return text;
}

char *notices_body(const char *cluster, const struct notice *n, size_t count)
{
        char *text = NULL, when[NOTICE_TIME];
        size_t size;
        FILE *to = text_open(&text, &size);

        for (size_t i = 0; i < count; i++)
                fprintf(to, "%s  %s  %s\n    %s\n    seen by %s\n\n", notice_time(n[i].wall_us, when),
                        alert_on_name(n[i].on), n[i].subject[0] ? n[i].subject : n[i].kind, n[i].text,
                        n[i].node);
        fprintf(to, "-- \ncluster %s: 'haven status' and 'haven checks' show what is now\n", cluster);
        fclose(to);
        return text;
}

static void set_text(json_t *object, const char *key, const char *text)
{
        json_t *value = json_string(text);

        /* what is no UTF-8 came from a checked machine */
        if (value == NULL)
                value = json_string("?");
        int r = json_object_set_new(object, key, value);
        assert(r == 0);
}

json_t *notices_json(const char *cluster, const char *id, const struct notice *n, size_t count)
{
        json_t *message = json_object(), *list = json_array();
        char when[NOTICE_TIME];

        assert(message && list);
        set_text(message, "cluster", cluster);
        set_text(message, "id", id);
        for (size_t i = 0; i < count; i++) {
                json_t *one = json_object();
                struct notice_parts parts;

                notice_split(&n[i], &parts);
                set_text(one, "alert", alert_on_name(n[i].on));
                set_text(one, "event", n[i].kind);
                set_text(one, "subject", n[i].subject);
                set_text(one, "watch", parts.watch);
                set_text(one, "service", parts.service);
                set_text(one, "host", parts.host);
                set_text(one, "text", n[i].text);
                set_text(one, "node", n[i].node);
                set_text(one, "time", notice_time(n[i].wall_us, when));
                json_array_append_new(list, one);
        }
        json_object_set_new(message, "alerts", list);
        return message;
}
