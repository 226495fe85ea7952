#include "resource/handle.h"

#include <stdlib.h>

struct loop_timer {
        uv_timer_t uv;
        loop_timer_fn *on_time;
        void *user;
};

static void on_timer_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void on_timer(uv_timer_t *uv)
{
        struct loop_timer *t = uv->data;

        t->on_time(t->user);
}

struct loop_timer *loop_timer_new(uv_loop_t *loop, loop_timer_fn *on_time, void *user)
{
        struct loop_timer *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        t->on_time = on_time;
        t->user = user;
        uv_timer_init(loop, &t->uv);
        t->uv.data = t;
        return t;
}

void loop_timer_set(struct loop_timer *t, span in)
{
        /* the loop counts from its last reading of the clock, which may be long ago */
        uv_update_time(t->uv.loop);
        uv_timer_start(&t->uv, on_timer, (uint64_t)span_to_ms(in), 0);
}

void loop_timer_clear(struct loop_timer *t)
{
        uv_timer_stop(&t->uv);
}

void loop_timer_free(struct loop_timer *t)
{
        if (t)
                uv_close((uv_handle_t *)&t->uv, on_timer_closed);
}

struct loop_watch {
        uv_poll_t uv;
        loop_watch_fn *on_event;
        void *user;
};

static void on_watch_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
        struct loop_watch *w = uv->data;

        w->on_event(w->user, status < 0 ? UV_READABLE | UV_WRITABLE : events);
}

struct loop_watch *loop_watch_new(uv_loop_t *loop, int fd, int events, loop_watch_fn *on_event, void *user)
{
        struct loop_watch *w = calloc(1, sizeof(*w));

        if (!w)
                return NULL;
        w->on_event = on_event;
        w->user = user;
        if (uv_poll_init(loop, &w->uv, fd) < 0) {
                free(w);
                return NULL;
        }
        w->uv.data = w;
        uv_poll_start(&w->uv, events, on_poll);
        return w;
}

void loop_watch_set(struct loop_watch *w, int events)
{
        uv_poll_start(&w->uv, events, on_poll);
}

void loop_watch_free(struct loop_watch *w)
{
        if (w)
                uv_close((uv_handle_t *)&w->uv, on_watch_closed);
}
