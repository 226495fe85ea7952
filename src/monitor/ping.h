/* ping.h - asks whether one of a few addresses answers an ICMP echo (RFC 792, RFC 4443): the weak arbiter.
 *
 * All targets are asked at once, three times within the timeout; the first true answer ends it. An answer
 * counts when it comes from the target and carries this question's random cookie, so neither a late answer to
 * an earlier question nor one meant for another program is taken. Sockets exist only while a question is
 * open. */
#pragma once

#include "base/instant.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define PING_TARGETS_MAX 8
#define PING_ASKS_MAX    16 /* questions open at one time */

struct pinger;

struct ping_answer {
        bool any;        /* someone answered */
        int which;       /* index into the targets; -1: none */
        span rtt;        /* of that answer */
        instant sent_at; /* when the echo that was answered left: the target was reachable after that */
};

typedef void ping_fn(void *user, const struct ping_answer *answer);

/* 0 or -ENOMEM. */
int pinger_new(uv_loop_t *loop, struct pinger **ret_pinger);
/* Open questions are dropped without a call. The loop must run once more. */
void pinger_free(struct pinger *p);

/* Calls back exactly once, from the loop (and the pinger must not be freed there): on the first answer, or
 * with `any` false at the timeout. 0; -EINVAL for no or too many targets; -EBUSY at PING_ASKS_MAX; -EPERM and
 * the like if no ICMP socket may be had: then there is no call. */
int pinger_ask(struct pinger *p, const struct ip *targets, size_t n, span timeout, ping_fn *on_answer,
               void *user);
