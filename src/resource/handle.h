/* handle.h - timers and watched descriptors of the event loop that may be given up at any moment.
 *
 * libuv closes its handles in a later turn of the loop; these live on the heap until then, so that their
 * owner need not wait. After everything was freed, the loop must turn once more to give back the memory. */
#pragma once

#include "base/instant.h"

#include <uv.h>

struct loop_timer;
typedef void loop_timer_fn(void *user);

/* NULL: no memory. */
struct loop_timer *loop_timer_new(uv_loop_t *loop, loop_timer_fn *on_time, void *user);
/* One shot; replaces what was set before. */
void loop_timer_set(struct loop_timer *t, span in);
void loop_timer_clear(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

struct loop_watch;
/* `events` are UV_READABLE and so on; UV_READABLE | UV_WRITABLE when the descriptor broke. */
typedef void loop_watch_fn(void *user, int events);

/* Watches `fd`, which stays the caller's and must stay open until loop_watch_free(). NULL: not possible. */
struct loop_watch *loop_watch_new(uv_loop_t *loop, int fd, int events, loop_watch_fn *on_event, void *user);
void loop_watch_set(struct loop_watch *w, int events);
void loop_watch_free(struct loop_watch *w);
