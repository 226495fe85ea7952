/* watch.h - hears from the kernel what happens to interfaces and addresses, and keeps the tables true.
 *
 * `on_change` is called after everything that was queued has been taken in, never in between: whoever
 * compares what he wants with the tables sees the present state, not its history. */
#pragma once

#include "takeover/interfaces.h"
#include "takeover/netlink.h"

#include <uv.h>

struct watch;
typedef void watch_change_fn(void *user);

/* Subscribes, then reads the whole state through `requests`, so that nothing falls in between. Both tables
 * and `requests` must outlive it. */
int watch_new(uv_loop_t *loop, struct netlink *requests, struct interfaces *tables,
              watch_change_fn *on_change, void *user, struct watch **ret_watch);
/* Nothing is called afterwards; the memory goes in a later turn of the loop. */
void watch_free(struct watch *w);
