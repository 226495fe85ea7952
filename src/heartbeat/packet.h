/* packet.h - a message on the wire: how it is written, and by what names it is refused.
 *
 * A packet is a clear header, a sealed body and the seal's tag; seal.h makes the outer form, this file the
 * body. docs/protocol.md shows both byte by byte. Nothing here keeps state. */
#pragma once

#include "cluster/message.h"

#include <stddef.h>
#include <stdint.h>

/* Clear header: magic u32, version u8, cluster u32, key u32, nonce[24]. Magic and version stand where they
 * stand for ever, so that a later release can be named; the rest may change with the version. */
#define PACKET_MAGIC   0x4841564eU /* "HAVN" */
#define PACKET_VERSION 1
#define PACKET_HEADER  (4 + 1 + 4 + 4 + 24)
#define PACKET_TAG     16

#define PACKET_BODY_MAX (2048 + DOCUMENT_BYTES_MAX)
#define PACKET_MAX      (PACKET_HEADER + PACKET_BODY_MAX + PACKET_TAG)

/* Why a packet did not count, in the order in which it is asked. */
enum packet_refusal {
        PACKET_ACCEPTED,
        PACKET_STRANGER,         /* from an address that no node has on this link */
        PACKET_NOISE,            /* bytes on a serial line that are no frame */
        PACKET_TOO_SHORT,        /* shorter than any packet */
        PACKET_TOO_LONG,         /* longer than any packet */
        PACKET_NOT_HAVEN,        /* does not begin as ours do */
        PACKET_FUTURE_VERSION,   /* a later release speaks, in a way we cannot read */
        PACKET_OTHER_CLUSTER,    /* names another cluster */
        PACKET_UNKNOWN_KEY,      /* sealed with a key that our key file does not have */
        PACKET_BROKEN_SEAL,      /* changed on its way, or made without the key */
        PACKET_BAD_LENGTH,       /* cut short, or longer than what it says */
        PACKET_BAD_VALUE,        /* a value that cannot be */
        PACKET_BAD_DOCUMENT,     /* the document in it cannot be read */
        PACKET_UNKNOWN_SECTION,  /* holds what must be understood, and we do not */
        PACKET_OTHER_MEMBERSHIP, /* its list of members differs from ours, and so do sender or receiver */
        PACKET_FROM_SELF,        /* our own, reflected */
        PACKET_UNKNOWN_SENDER,   /* from a node that the configuration does not have */
        PACKET_WRONG_SENDER,     /* sealed by one node, sent from the address of another */
        PACKET_NOT_FOR_US,       /* meant for another node */
        PACKET_OLD_INCARNATION,  /* from before the sender's last start, or the sender lost its state */
        PACKET_REPLAYED,         /* not newer than what we have heard on that link */
        PACKET_REFUSALS,
};

/* "broken seal", for people. */
const char *packet_refusal_name(enum packet_refusal refusal);

/* Writes the body. Bytes written, or -EMSGSIZE. */
int packet_encode(const struct message *m, uint8_t *body, size_t size);

/* Puts a post behind the message of a body of `n` bytes: what rides along and is no part of the message.
 * Returns the bytes of both; `n` when it does not fit. */
size_t packet_post_add(uint8_t *body, size_t n, size_t size, const uint8_t *post, size_t post_n);
/* The post of a body that packet_decode() has accepted, or NULL. */
const uint8_t *packet_post(const uint8_t *body, size_t n, size_t *ret_n);

/* Reads a body that seal_open() has found genuine. On any other answer than PACKET_ACCEPTED, *ret_message is
 * worth nothing. Node indices in an accepted message are below DOCUMENT_NODES_MAX, or NODE_NONE where
 * message.h allows it; a group is in `hold` once at most. */
enum packet_refusal packet_decode(const uint8_t *body, size_t n, struct message *ret_message);
