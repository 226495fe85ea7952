/* inquiry.h - the bodies of the packets between a node and the witness: a question, its answer.
 *
 * Sealed like a heartbeat (seal.h) with the cluster's key, but under a name of their own (inquiry_seal_name),
 * so that neither can be taken for the other. docs/protocol.md shows them byte by byte. Nothing here keeps
 * state. */
#pragma once

#include "cluster/witness.h"
#include "config/config.h"
#include "heartbeat/packet.h"

#define INQUIRY_SEAL_NAME (NAME_SIZE + 8)

/* "CLUSTER/witness": no cluster can be called so. */
const char *inquiry_seal_name(const char *cluster, char name[static INQUIRY_SEAL_NAME]);

/* Bytes written, or -EMSGSIZE. */
int question_encode(const struct witness_question *q, uint8_t *body, size_t size);
int answer_encode(const struct witness_answer *a, uint8_t *body, size_t size);

/* On any other answer than PACKET_ACCEPTED the result is worth nothing. Documents point into `body`. */
enum packet_refusal question_decode(const uint8_t *body, size_t n, struct witness_question *ret_question);
enum packet_refusal answer_decode(const uint8_t *body, size_t n, struct witness_answer *ret_answer);
