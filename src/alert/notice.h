/* notice.h - one thing to be told to one alert, as it waits on the board, and what messages say of it. Pure.
 */
#pragma once

#include "config/config.h"
#include "watch/watch.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define NOTICE_TEXT 256

struct notice {
        char alert[NAME_SIZE]; /* the alert's name */
        unsigned on;           /* one bit of enum alert_on */
        char kind[24];         /* the event's kind (view.h), or "watch" */
        char subject[WATCHED_NAME];
        char text[NOTICE_TEXT];
        char node[NAME_SIZE]; /* which saw it */
        int64_t wall_us;      /* when, UTC */
};

#define NOTICE_RECORD_MAX 640
size_t notice_encode(const struct notice *n, uint8_t bytes[static NOTICE_RECORD_MAX]);
/* 0 or -EBADMSG. */
int notice_decode(const uint8_t *bytes, size_t size, struct notice *ret_notice);

/* "2026-11-21T12:00:05Z". Returns `text`. */
#define NOTICE_TIME 24
const char *notice_time(int64_t wall_us, char text[static NOTICE_TIME]);

/* What stands behind "Subject:", and the body, a paragraph each. The caller frees both. */
char *notices_subject(const char *cluster, const struct notice *n, size_t count);
char *notices_body(const char *cluster, const struct notice *n, size_t count);
/* What is posted to a webhook. `id`: of the message, the same when it is tried again. */
json_t *notices_json(const char *cluster, const char *id, const struct notice *n, size_t count);

/* Of something watched, its parts: "" where the subject is a node or a group. */
struct notice_parts {
        char watch[NAME_SIZE];
        char service[NAME_SIZE];
        char host[64];
};
void notice_split(const struct notice *n, struct notice_parts *ret_parts);
