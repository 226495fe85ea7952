/* agent.h - one call of a fence agent, by the fence-agents' convention.
 *
 * The agent gets no arguments but all it is to know as KEY=VALUE lines on its standard input, so that no
 * password stands in a list of processes. Its exit status is the answer: 0 done (of a status query: on), 2
 * off (status only), anything else, and a call that took too long, is no answer at all. */
#pragma once

#include "config/config.h"

#include <uv.h>

enum agent_action { AGENT_OFF, AGENT_ON, AGENT_STATUS };
const char *agent_action_name(enum agent_action action);

enum agent_result { AGENT_DONE, AGENT_IS_OFF, AGENT_FAILED };

#define AGENT_TEXT  160
#define AGENT_INPUT 16384

/* What a call needs, copied from the configuration, which may change meanwhile. Wiped by agent_forget(). */
struct agent {
        char name[NAME_SIZE]; /* of the device */
        char program[256 + 16];
        bool as_user;
        unsigned uid, gid; /* of as_user */
        span timeout;
        bool confirm, on_again;
        bool proves; /* its "off" is proof in itself: a pill that was taken */
        int level;
        char input[AGENT_INPUT]; /* all but the action */
};

struct fencer_pill;
/* `pill`: NULL where none can be given. 0, or a negative errno with what is wrong, and what would be right,
 * in `text`. */
int agent_prepare(const struct config *c, const struct config_fence *f, int node,
                  const struct fencer_pill *pill, struct agent *ret_agent, char text[static AGENT_TEXT]);
void agent_forget(struct agent *a);

/* `text` is the last line that the agent said, or what became of it. */
typedef void agent_end_fn(void *user, enum agent_result result, const char *text);

struct agent_call;
/* 0, or a negative errno: then there is no callback. `a` must stay until the end. */
int agent_start(uv_loop_t *loop, const struct agent *a, enum agent_action action, agent_end_fn *on_end,
                void *user, struct agent_call **ret_call);
/* Kills it; no callback. */
void agent_stop(struct agent_call *call);
