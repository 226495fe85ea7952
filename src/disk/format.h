/* format.h - the bytes of the arbiter's disk: a header, and for each node an area that it alone writes.
 *
 *     0                  header block: whose area this is
 *     DISK_SCRATCH       a block that `haven disk measure` writes and nobody reads
 *     DISK_AREA_START    area of node 0, node 1, ... (order of the sorted membership), DISK_AREA each:
 *         record 0, record 1     the node's vote in the arbiter's name; written in turn, so that a write that
 *                                was torn leaves the one before it
 *         mail to node 0, 1, ... the newest packet for that node (the disk as a link)
 *
 * Everything is written in whole blocks of 4096 bytes. A record counts only if its checksum, its place and
 * the identity of the area are right. The checksum finds torn writes; the tag, keyed with the cluster's key,
 * says that one of ours wrote it. docs/protocol.md shows all of it byte by byte. Plain data, no system call.
 */
#pragma once

#include "cluster/document.h"
#include "cluster/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_MAGIC        "HAVENDSK"
#define DISK_VERSION      1
#define DISK_BLOCK        4096
#define DISK_UUID         16
#define DISK_CLUSTER      32               /* of the cluster's name, with the end */
#define DISK_NODES_MAX    16               /* as many as a configuration may have */
#define DISK_RECORD_HEAD  256              /* the document stands behind it */
#define DISK_RECORD       (8 * DISK_BLOCK) /* head and the longest document */
#define DISK_MAIL         (8 * DISK_BLOCK) /* head and the longest packet */
#define DISK_MAIL_HEAD    64
#define DISK_MAIL_MAX     (DISK_MAIL - DISK_MAIL_HEAD)
#define DISK_SCRATCH      DISK_BLOCK /* a block for measuring: nobody reads it */
#define DISK_AREA_START   (16 * DISK_BLOCK)
#define DISK_AREA         (2 * DISK_RECORD + DISK_NODES_MAX * DISK_MAIL)
#define DISK_BYTES(nodes) ((uint64_t)DISK_AREA_START + (uint64_t)(nodes)*DISK_AREA)
#define DISK_KEY          32
#define DISK_KEYS_MAX     2

struct disk_header {
        uint8_t uuid[DISK_UUID]; /* of this area: what an earlier one left on the same disk is void */
        char cluster[DISK_CLUSTER];
        uint8_t node_count;
        uint64_t made; /* seconds since 1970, for people */
};

enum disk_kind {
        DISK_BALLOT = 1, /* wants the arbiter's vote for itself in `term` */
        DISK_RENEWAL,    /* leads `term` and goes on leading */
};

/* What a node has written about the arbiter's vote. */
struct disk_record {
        uint8_t node;
        enum disk_kind kind;
        struct incarnation writer;
        uint64_t seq; /* counts up over all lives of the node */
        uint32_t term;
        struct version version; /* of the document that stands in it */
        uint64_t written;       /* seconds since 1970, for people */
        span promise; /* so long binds it whoever reads it (in ms, rounded up); 0: the cluster's D */
        uint16_t document_n;
        const uint8_t *document; /* as document_encode() made it; decoded: points into the bytes */
};

enum disk_refusal {
        DISK_OK,
        DISK_BLANK,    /* nothing was ever written there */
        DISK_NOT_OURS, /* something else stands there, or a record of another area or node */
        DISK_FUTURE,   /* a later release wrote it */
        DISK_TORN,     /* the checksum is wrong: a write was cut, or is under way */
        DISK_FORGED,   /* the tag is wrong: not made with this cluster's key */
        DISK_BAD,      /* values that cannot be */
};
const char *disk_refusal_text(enum disk_refusal refusal);

/* Derived from the key file's secrets and the cluster's name; the first one seals, any of them opens. Zero
 * keys: nothing is sealed or asked for a seal (`haven disk show` without a key). */
struct disk_keys {
        size_t count;
        uint8_t key[DISK_KEYS_MAX][DISK_KEY];
};
void disk_key_derive(const uint8_t secret[static DISK_KEY], const char *cluster,
                     uint8_t ret_key[static DISK_KEY]);

uint64_t disk_record_place(uint8_t node, unsigned which);
uint64_t disk_mail_place(uint8_t from, uint8_t to);

void disk_header_encode(const struct disk_header *h, uint8_t block[static DISK_BLOCK]);
enum disk_refusal disk_header_decode(const uint8_t block[static DISK_BLOCK], struct disk_header *ret_header);

/* Fills whole blocks; the number of bytes to be written. */
size_t disk_record_encode(const struct disk_record *r, const uint8_t uuid[static DISK_UUID],
                          const struct disk_keys *keys, uint8_t bytes[static DISK_RECORD]);
/* How many bytes the record has whose first block this is; one block if it is none. */
size_t disk_record_length(const uint8_t block[static DISK_BLOCK]);
enum disk_refusal disk_record_decode(const uint8_t *bytes, size_t n, const uint8_t uuid[static DISK_UUID],
                                     uint8_t node, const struct disk_keys *keys,
                                     struct disk_record *ret_record);

/* The newer of a node's two records. DISK_OK or DISK_BLANK; any other answer means that what the node wrote
 * last cannot be told, and nothing may be concluded. A torn record beside a good one is what a write that was
 * cut leaves: it never took place. */
enum disk_refusal disk_newest(const uint8_t *const bytes[static 2], const size_t n[static 2],
                              const uint8_t uuid[static DISK_UUID], uint8_t node,
                              const struct disk_keys *keys, struct disk_record *ret_record,
                              unsigned *ret_which);

/* Mail: a sealed packet as it is. The number of bytes to be written. */
size_t disk_mail_encode(uint64_t number, const uint8_t uuid[static DISK_UUID], const uint8_t *packet,
                        size_t n, uint8_t bytes[static DISK_MAIL]);
size_t disk_mail_length(const uint8_t block[static DISK_BLOCK]);
enum disk_refusal disk_mail_decode(const uint8_t *bytes, size_t n, const uint8_t uuid[static DISK_UUID],
                                   uint64_t *ret_number, const uint8_t **ret_packet, size_t *ret_n);
