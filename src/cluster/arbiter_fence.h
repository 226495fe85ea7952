/* arbiter_fence.h - the fence arbiter of a pair: the vote of a node that was powered off for certain
 * (rules.md rule 23).
 *
 * Pure, as all of src/cluster; the edge keeps one per node beside the brain and answers its questions by it.
 * It says yes only while the other node is off: from the start of the status query that said so until
 * anything of it is heard again. So never do both get its vote. It need not be renewed by further queries, as
 * a vote among more nodes would: a node that was switched on and is not heard cannot lead without powering us
 * off first. It keeps no documents: who comes back alone goes on from what it has, which may be older than
 * what the other did meanwhile; nothing runs twice by that, since the other is off.
 *
 * A node powers nobody off whom it has not heard since havend started: two that cannot hear each other would
 * end each other in turn at every boot. Nor does a core that has not listened for D itself: what was silent
 * before it started, or while it stood still, was not silent for that reason. */
#pragma once

#include "cluster/arbiter.h"
#include "cluster/cluster.h"

#include <stddef.h>

struct arbiter_fence {
        span dead;       /* D */
        span head_start; /* of a leader, who may hold everything, before the other shoots too */

        instant off_at; /* the other was off then, and off it is until it is heard; LONG_AGO: never */
        bool running;   /* it is being powered off */
        bool led;       /* we led when it fell silent */
        instant due;    /* LONG_AGO: not wanted */
        unsigned tries; /* since first_try */
        instant first_try;
};

/* Answers `q`, asked `now`, by what is seen of the other. True: have it powered off now, and call
 * arbiter_fence_ended(). `text` says why, for people, in words that follow the other's name. */
bool arbiter_fence_ask(struct arbiter_fence *f, const struct arbiter_question *q,
                       const struct cluster_sight *other, instant now, struct arbiter_answer *ret_answer,
                       const char **ret_text);
/* `asked`: when the status query left that said off. */
void arbiter_fence_ended(struct arbiter_fence *f, bool off, instant asked, instant now);
/* A person says that it is off. Ignored unless it was silent for D. */
void arbiter_fence_confirmed(struct arbiter_fence *f, const struct cluster_sight *other, instant now);
