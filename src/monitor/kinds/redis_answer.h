/* redis_answer.h - reads what a Redis server answers to PING, after AUTH where there is a password (its RESP
 * protocol, version 2: https://redis.io/docs/reference/protocol-spec/). No socket, no allocation. */
#pragma once

#include "monitor/probe.h"

#include <stdbool.h>
#include <stddef.h>

#define REDIS_LINE_MAX 512 /* ours are seldom longer than 80 */

struct redis_answer {
        bool login; /* an answer to AUTH comes first */
        char line[REDIS_LINE_MAX];
        size_t n;
};

/* Takes what came. True: it is decided, and how; nothing more is to be read. */
bool redis_answer_read(struct redis_answer *a, const char *bytes, size_t n, struct ending *ret_ending);
