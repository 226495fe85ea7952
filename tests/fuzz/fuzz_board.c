/* What arrives from another node beside its heartbeats: any bytes as a post, as the record of a failure, of a
 * mark, of a notice, and as the file on the disk. What is taken is within its limits and can be read again.
 */
#include "alert/notice.h"
#include "alert/sent.h"
#include "watch/board.h"
#include "watch/watch.h"
#include "watch/watch_past.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char text[] = "cluster c { key = /k }\nnode a { address = 10.0.0.1 }\n"
                           "watch w { hosts = {10.1.0.1, 10.1.0.2} service s { check tcp { port = 80 } } }\n"
                           "alert exec { command = /page }\n";

static void on_mistake(void *user, const char *file, int line, const char *why)
{
        assert(!"the configuration is right");
}

static void on_changed(void *user, const struct board_record *r)
{
        struct watch_time time = {.now = {1000000}, .wall_us = 1000000};
        struct watch_mark mark;
        struct notice notice;

        assert(r->n <= BOARD_VALUE_MAX && (!r->erased || r->n == 0));
        (void)watch_learn(user, r->bytes, r->n, &time);
        if (watch_mark_read(r->bytes, r->n, &mark) == 0)
                watches_mark(user, &mark);
        (void)notice_decode(r->bytes, r->n, &notice);
}

/* What was read can be written, and is as it was. */
static void try_records(const uint8_t *data, size_t n)
{
        uint8_t past_bytes[WATCH_PAST_MAX], sent_bytes[SENT_RECORD_MAX];
        struct watch_past past;
        struct sent sent;

        if (watch_past_decode(data, n, &past) == 0)
                assert(watch_past_encode(&past, past_bytes) <= n);
        if (sent_decode(data, n, &sent) == 0) {
                assert(sent_encode(&sent, sent_bytes) <= n);
                sent_add(&sent, 5, span_s(1));
                assert(sent.count <= SENT_MOMENTS);
        }
}

static void on_notice(void *user, const struct watch_notice *n)
{
        assert(n->alert == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct config *config;
        struct watch_time time = {.now = {2000000}, .wall_us = 2000000};
        struct board *b = board_new(1, 1), *file = board_new(1, 1);
        uint8_t post[2000], record[WATCH_RECORD_MAX];
        struct watch_mark mark;
        struct notice notice;

        if (!config)
                config = config_parse(text, "text", on_mistake, NULL);
        struct watches *w = watches_new(config);
        assert(b && file && w);
        if (board_take(b, 3, data, n, on_changed, w) == 0) {
                size_t answer = board_post(b, 3, post, sizeof(post));
                assert(answer <= sizeof(post));
        }
        (void)board_decode(file, data, n);
        try_records(data, n);
        if (watch_learn(w, data, n, &time) >= 0)
                (void)watch_record(w, 0, record);
        if (watch_mark_read(data, n, &mark) == 0)
                assert(watch_mark_record(&mark, record) <= WATCH_RECORD_MAX);
        if (notice_decode(data, n, &notice) == 0) {
                uint8_t bytes[NOTICE_RECORD_MAX];
                assert(notice_encode(&notice, bytes) <= NOTICE_RECORD_MAX);
        }
        watches_run(w, 0, true, &time);
        (void)watches_step(w, &time, on_notice, NULL);
        watches_free(w);
        board_free(b);
        board_free(file);
        return 0;
}
