#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static char *texts[128];
static size_t text_count;

static void on_result(void *user, uint32_t id, const struct check_result *result)
{
        struct stage *s = user;

        assert_true(id < STAGE_IDS);
        s->last[id] = *result;
        s->last[id].text = s->last[id].said = NULL;
        snprintf(s->text[id], REASON_TEXT, "%s", result->text);
        s->results[id]++;
        if (result->changed)
                s->failures[id] = result->failures;
}

void stage_open(struct stage *s, const char *program)
{
        memset(s, 0, sizeof(*s));
        assert_int_equal(uv_loop_init(&s->loop), 0);
        assert_int_equal(checker_new(&s->loop, program, on_result, s, &s->checker), 0);
}

void stage_close(struct stage *s)
{
        checker_free(s->checker);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&s->loop), 0);
        while (text_count > 0)
                free(texts[--text_count]);
}

static void on_impatient(uv_timer_t *timer)
{
        *(bool *)timer->data = true;
}

void stage_until(struct stage *s, stage_done_fn *done, int arg, const char *what)
{
        bool over = false;
        uv_timer_t timer;

        uv_timer_init(&s->loop, &timer);
        timer.data = &over;
        uv_update_time(&s->loop);
        uv_timer_start(&timer, on_impatient, PATIENCE_MS, 0);
        while (!over && !done(s, arg))
                uv_run(&s->loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        uv_run(&s->loop, UV_RUN_NOWAIT);
        if (over)
                fail_msg("waited in vain for %s; newest: %s", what, s->text[arg & 0x3f]);
}

static bool has_state(const struct stage *s, int arg)
{
        return s->results[arg & 0x3f] > 0 && s->last[arg & 0x3f].state == (enum verdict_state)(arg >> 6);
}

static bool has_reason(const struct stage *s, int arg)
{
        return s->results[arg & 0x3f] > 0 && s->last[arg & 0x3f].reason == (enum reason)(arg >> 6);
}

void stage_until_state(struct stage *s, uint32_t id, enum verdict_state state)
{
        stage_until(s, has_state, (int)id | (int)state << 6, verdict_name(state));
}

void stage_until_reason(struct stage *s, uint32_t id, enum reason reason)
{
        stage_until(s, has_reason, (int)id | (int)reason << 6, reason_name(reason));
}

char *stage_text(const char *format, ...)
{
        va_list args;

        assert_true(text_count < sizeof(texts) / sizeof(texts[0]));
        va_start(args, format);
        assert_int_not_equal(vasprintf(&texts[text_count], format, args), -1);
        va_end(args);
        return texts[text_count++];
}

struct config_check any_check(enum check_kind kind)
{
        struct config_check c;

        check_init(&c, kind);
        c.interval = c.quick = span_ms(50);
        c.timeout = span_ms(250);
        c.rise = c.fall = 2;
        ip_parse("127.0.0.1", &c.ip);
        return c;
}

struct config_check tcp_check(int port)
{
        struct config_check c = any_check(CHECK_TCP);

        c.port = (uint16_t)port;
        return c;
}

struct config_check http_check(const char *host, int port, const char *path)
{
        struct config_check c = any_check(CHECK_HTTP);

        c.ip = (struct ip){0};
        c.http.url = stage_text("http://%s:%d%s", host, port, path);
        return c;
}
