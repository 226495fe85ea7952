/* register.h - a vote kept in one key of a store that can compare and swap (etcd): rules.md rule 24.
 *
 * The store has no clock and judges nothing. Each node reads the key, judges for itself by the very rules of
 * a witness (witness.h), and writes what came of it on the condition that the key is still at the revision
 * that it judged by: then nobody has voted or renewed in between. How long ago a lease was renewed each node
 * knows by its own clock only, from when it first saw that renewal: never too long ago.
 *
 * Pure. Only one exchange with the store at a time:
 *
 *     read -> register_observed() -> register_judge() -> REGISTER_SWAP: swap -> register_swapped(), answer
 *                                                        not swapped: register_observed(), judge again */
#pragma once

#include "cluster/witness.h"

#define REGISTER_BYTES_MAX (64 + DOCUMENT_BYTES_MAX)

struct register_arbiter {
        bool there, seen;
        int64_t revision;   /* of the key; 0: it is not there */
        instant first_seen; /* since when it is there, or is not; has a vote, or has none */
        struct witness_kept kept;
        uint32_t renewed_of;
        uint64_t renewal; /* another one each time; 0: none */
        instant renewed;  /* when it was first seen */
        struct witness witness;
        struct { /* what the swap under way writes */
                uint32_t renewed_of;
                uint64_t renewal;
        } next;
};

/* What a reading that has just come back says. revision 0: there is no such key. False if the value is none
 * of ours: it is not judged by. */
bool register_observed(struct register_arbiter *r, instant now, int64_t revision, const uint8_t *bytes,
                       size_t n);

enum register_verdict {
        REGISTER_ANSWER, /* as it is */
        REGISTER_SWAP    /* once `bytes` stand in place of revision r->revision */
};
/* Judges what was asked at `asked_at` by what was last observed. The answer points into `r`. `bytes` has room
 * for REGISTER_BYTES_MAX. */
enum register_verdict register_judge(struct register_arbiter *r, instant now, instant asked_at,
                                     const struct witness_question *q, struct witness_answer *ret_answer,
                                     uint8_t *bytes, size_t *ret_n);
/* The swap was done; the key has this revision now. */
void register_swapped(struct register_arbiter *r, instant now, int64_t revision);
