/* action.h - runs one command to its end: with a time limit, TERM then KILL, and a bounded capture of what it
 * prints. The command has PATH and LC_ALL=C from its environment and is a session of its own; what it leaves
 * running in the background is not touched by the action's end. */
#pragma once

#include "base/instant.h"

#include <stdbool.h>
#include <uv.h>

#define ACTION_TEXT 1280 /* the last 1 KiB of the output and how it ended */

struct action;

struct action_want {
        char *const *argv; /* argv[0] is the path */
        char *const *env;
        const char *cgroup; /* directory, "" for none */
        span timeout;       /* zero: none */
};

struct action_result {
        int status;         /* as waitpid() gives it; -1: it did not end even after KILL */
        bool timed_out;     /* ended by us because the time was up */
        bool cut_short;     /* ended by us because action_end() was called */
        const char *output; /* both streams: the first 4 KiB and the last; valid during the call */
        const char *text;   /* one line for people: how it ended and the end of what it said */
};

/* The action has freed itself after the call. */
typedef void action_done_fn(void *user, const struct action_result *result);

/* Copies nothing that must outlive the call. 0 or a negative errno; never calls back before it has returned.
 */
int action_run(uv_loop_t *loop, const struct action_want *want, action_done_fn *on_done, void *user,
               struct action **ret_action);
/* TERM now, KILL after ACTION_GRACE; `on_done` is called when it has ended. */
void action_end(struct action *a);
/* Forgets it: it goes on by itself, and `on_done` is not called. */
void action_free(struct action *a);

#define ACTION_GRACE span_s(2)
