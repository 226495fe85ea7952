/* board.h - small records that every node has: what is known of failures, who has acknowledged them, what
 * has been told to whom and what still waits to be told.
 *
 * Nothing of it is relevant to safety, so it is no part of the cluster's document and needs no quorum: the
 * newest writing of a record wins everywhere, by a logical clock (Lamport), ties by the writer's identity.
 * An erased record leaves a mark behind, so that a node that was away cannot bring it back; marks go after a
 * week. Nodes exchange posts, a few records at a time, until each has what the other has: see board_post().
 * Pure: no clock, no system call. Memory grows with the records, up to BOARD_RECORDS_MAX. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_VALUE_MAX    1000
#define BOARD_RECORDS_MAX  8192
#define BOARD_MARKS_MAX    2048            /* of erased records; beyond it the oldest goes */
#define BOARD_MARK_SECONDS (7 * 24 * 3600) /* so long an erased record is remembered */
#define BOARD_PEERS_MAX    16
#define BOARD_POST_MIN     (48 + BOARD_VALUE_MAX) /* room in which every record fits */

/* Of a kind that a node does not know it keeps and passes on what others write. */
enum board_kind {
        BOARD_TARGET = 1, /* a failure: state, since when, what has been told */
        BOARD_WATCH,      /* a watch as its runner sees it: how many are up and down */
        BOARD_MARK,       /* an acknowledgement, a silence, what is disabled */
        BOARD_NOTICE,     /* something to be told, not told yet */
        BOARD_PAST,       /* what a check was told last, by a trap */
        BOARD_SENT,       /* when messages of an alert went */
};

struct board_record {
        uint64_t key;
        uint8_t kind;
        bool erased;
        uint64_t clock;  /* logical; of the newest writing */
        uint32_t author; /* who wrote it */
        uint32_t wall;   /* UTC seconds then, for the end of marks */
        uint32_t seq;    /* when it was changed here, counted up */
        int8_t from;     /* the peer it came from; -1: written here */
        uint16_t n;
        uint8_t bytes[]; /* n */
};

struct board;

/* `author`: this node's text_id; `instance`: another number at each start. NULL: out of memory. */
struct board *board_new(uint32_t author, uint64_t instance);
void board_free(struct board *b);

/* The identity of a record: of its kind and what it is about. */
uint64_t board_key(enum board_kind kind, const char *name);
/* Writes a record; `wall` is UTC in seconds. 0; -EALREADY: it is just so; -ENOSPC; -EMSGSIZE. */
int board_put(struct board *b, uint64_t key, enum board_kind kind, const void *bytes, size_t n,
              uint32_t wall);
/* Nothing happens when there is no such record. */
void board_erase(struct board *b, uint64_t key, uint32_t wall);
/* NULL: none, or an erased one. Valid until the next change. */
const struct board_record *board_get(const struct board *b, uint64_t key);
/* Whether it was erased, and that is still remembered. */
bool board_is_erased(const struct board *b, uint64_t key);
/* The first record of the kind with a key of at least `from`, or NULL: for going through them all. */
const struct board_record *board_next(const struct board *b, enum board_kind kind, uint64_t from);
size_t board_count(const struct board *b, enum board_kind kind);
/* Counts up with each change. */
uint32_t board_seq(const struct board *b);

/* What to send to a peer now, in a buffer of at least BOARD_POST_MIN bytes: bytes written; 0: nothing. A post
 * may be lost, doubled or late; the next one says the same again until it is known to have arrived. */
size_t board_post(struct board *b, int peer, uint8_t *bytes, size_t size);
/* Called for each record that a peer's post changed here. May write to the board. */
typedef void board_changed_fn(void *user, const struct board_record *record);
/* Takes a peer's post. 0, or -EBADMSG: nothing was changed. */
int board_take(struct board *b, int peer, const uint8_t *bytes, size_t n, board_changed_fn *on_changed,
               void *user);
/* Whether we have had all that the peer had when it was first heard of, and it has had ours. */
bool board_met(const struct board *b, int peer);
/* Whether a peer is known to have this record as it is now. */
bool board_shared(const struct board *b, const struct board_record *record);

/* The whole board for the disk: the caller frees *ret_bytes. 0 or -ENOMEM. */
int board_encode(const struct board *b, uint8_t **ret_bytes, size_t *ret_n);
/* Into an empty board. 0; -EBADMSG: it is none, or damaged; what was read so far stays. */
int board_decode(struct board *b, const uint8_t *bytes, size_t n);
