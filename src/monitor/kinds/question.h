/* question.h - one question by UDP to one station, put again until an answer makes sense: after 500 ms, 1 s,
 * 2 s, and then every 4 s (RFC 3261 17.1.2.2; RFC 2865 2.5 leaves it to the client).
 *
 * The socket is connected: only that station is heard, and where nobody listens, it says so. */
#pragma once

#include "monitor/probe.h"

#define QUESTION_MAX 4096 /* bytes, of a question and of an answer */

struct question;

/* What came. True: it is decided, and how; else it was nothing, and something else may come. */
typedef bool question_heard_fn(void *user, const uint8_t *bytes, size_t n, struct ending *ret_ending);

struct question_setup {
        const struct config_check *check; /* whom, and from where */
        question_heard_fn *on_heard;
        probe_done_fn *on_done; /* once; then the question is gone */
        void *user;             /* of both */
};

/* 0 or a negative errno. Nothing is asked yet. */
int question_new(uv_loop_t *loop, const struct question_setup *setup, struct question **ret_question);
/* What its packets come from. */
int question_source(const struct question *q, struct ip *ret_ip, uint16_t *ret_port);
/* Asks; the bytes are copied. */
void question_ask(struct question *q, const void *bytes, size_t n);
/* Without a call. */
void question_free(struct question *q);
