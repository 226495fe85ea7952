/* alert.h - tells people: runs the commands that the configuration names for what happened.
 *
 * The command finds HAVEN_ALERT (down, up, moved, split, blocked), HAVEN_EVENT (the event's kind),
 * HAVEN_SUBJECT, HAVEN_TEXT, HAVEN_CLUSTER, HAVEN_NODE, HAVEN_TIME (UTC, when it happened, not when it is
 * told) and HAVEN_DROPPED (how many before it were never told) in its environment, and the same as NAME=value
 * lines on its standard input. Each alert tells one thing after the other, in order; a command that fails or
 * lasts too long is run again, three times, and then given up. Nothing here waits. */
#pragma once

#include "config/config.h"

#include <uv.h>

#define ALERT_QUEUE_MAX 64 /* waiting for one command; beyond it the oldest is dropped, and that is said */
#define ALERT_TRIES     4

struct alerts;

/* `self`: index into config->node. What is needed of `config` is copied. 0 or a negative errno. */
int alerts_new(uv_loop_t *loop, const struct config *config, int self, struct alerts **ret_alerts);
/* Takes another generation: an alert with the same command keeps what waits for it. 0, or -ENOMEM and nothing
 * changed. */
int alerts_reload(struct alerts *a, const struct config *config, int self);
/* A command that runs goes on by itself; what waits is lost. The loop must run once more. */
void alerts_free(struct alerts *a);

/* Tells everyone who wants it. `on` is one bit of enum alert_on, `kind` the event's kind (view.h), `subject`
 * the node or group. */
void alert_raise(struct alerts *a, unsigned on, const char *kind, const char *subject, const char *text);

/* Waiting and running, over all alerts. */
size_t alerts_waiting(const struct alerts *a);
/* How long after a failure the command is run again the first time; four times as long after each further
 * one. 1 s unless set. */
void alerts_retry_after(struct alerts *a, span first);
