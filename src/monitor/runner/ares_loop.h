/* ares_loop.h - a channel of c-ares on the loop: its sockets, and the time at which it wants to be called. */
#pragma once

#include <ares.h>
#include <stdbool.h>
#include <uv.h>

#define ARES_SOCKETS_MAX 8

struct ares_watched;

/* After every call from the loop into c-ares, which may have called back meanwhile: not from within it, so
 * that the channel may be closed here. */
typedef void ares_turn_fn(void *user);

struct ares_loop {
        ares_channel channel;
        uv_timer_t timer;
        struct ares_watched *socket[ARES_SOCKETS_MAX];
        ares_turn_fn *on_turn;
        void *user;
};

/* With `options` and their mask as for ares_init_options(3), whose sock_state_cb is ours. 0 or a negative
 * errno; in either case ares_loop_close() is owed. */
int ares_loop_open(struct ares_loop *l, uv_loop_t *loop, struct ares_options *options, int mask,
                   ares_turn_fn *on_turn, void *user);
/* After queries were made, and in every turn that does not close it: goes on when c-ares wants to. */
void ares_loop_wait(struct ares_loop *l);
/* Calls on_turn from the loop, soon: for what was over within the query. */
void ares_loop_wake(struct ares_loop *l);
/* Queries that are under way are called back within with ARES_EDESTRUCTION. `l` can go when `on_closed`
 * comes, with `owner` in the handle's data. */
void ares_loop_close(struct ares_loop *l, uv_close_cb on_closed, void *owner);

/* A status of c-ares as a negative errno, for what can fail before a query is made. */
int ares_failure(int status);
