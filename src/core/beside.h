/* beside.h - a thread beside the loop that does one thing whenever it is asked, so that a slow disk delays no
 * heartbeat.
 *
 * A thread of our own, asked and answering by eventfd, instead of libuv's pool: libuv wakes its loop by a
 * flag on which the loop spins while a worker is in the midst of setting it. Our loop has real-time priority;
 * preempting such a worker on its own processor it would spin until the kernel throttles it, for a second.
 *
 * What the work reads and writes belongs to the thread while beside_busy(), and to the loop otherwise. */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct beside;

struct beside_setup {
        uv_loop_t *loop;
        int policy, priority; /* of sched_setscheduler(2), where permitted */
        void (*work)(void *user);
        void (*on_done)(void *user); /* from the loop: it is done, and another may be asked for */
        void *user;
};

/* 0 or a negative errno. */
int beside_new(const struct beside_setup *setup, struct beside **ret_beside);
/* Waits for the work under way, and ends the thread. The loop must turn once more. False: what was asked for
 * last may not have been begun. */
bool beside_free(struct beside *b);

bool beside_busy(const struct beside *b);
/* Not while it is busy. */
void beside_ask(struct beside *b);
