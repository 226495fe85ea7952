/* document.h - the one small thing that a quorum agrees on: who owns what, and what is still owed.
 *
 * The leader alone makes a new version; it is committed when a quorum has it on disk. Plain data, one
 * encoding for wire and disk. */
#pragma once

#include "base/instant.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOCUMENT_NODES_MAX  64 /* the wire and the brain; a configuration has 16 at most */
#define DOCUMENT_GROUPS_MAX 64
#define DOCUMENT_DEBTS_MAX  8    /* unproven holders of one group */
#define DOCUMENT_KEPT_MAX   2048 /* of fields that a later release has put there */
#define DOCUMENT_BYTES_MAX  24576

/* Versions are ordered by term, then author, then n. With a strong arbiter a term has one author; after a
 * split under a weak one it may have two, and this order decides whose document survives. */
struct version {
        uint32_t term;
        uint8_t author;
        uint32_t n; /* 0: the empty document */
};

/* One tenure of one group, never given twice (rule 12). */
struct epoch {
        uint32_t term;
        uint32_t n; /* 0: none */
};

/* A holder that may still hold the group, since nothing proves that it let go (rule 14). */
struct debt {
        uint8_t node;
        uint64_t boot; /* of the holder's supervisor */
        struct epoch epoch;
};

/* On how many nodes it runs: as the leader's file says, once nothing is left of the other way. */
enum group_spread {
        GROUP_ON_ONE,
        GROUP_EVERYWHERE, /* has no owner (everywhere.c) */
        GROUP_ENDING,     /* it did run everywhere; nobody may start it, somebody may still run it */
        GROUP_SPREADS
};
enum group_admin { GROUP_ENABLED, GROUP_DISABLED /* `haven stop` */ };

struct assignment {
        uint32_t group;      /* text_id of its name */
        uint8_t owner;       /* NODE_NONE: nobody */
        uint64_t owner_boot; /* rule 13 */
        struct epoch epoch;
        uint8_t from; /* planned move: who must release `from_epoch` before the owner starts; else NODE_NONE
                       */
        struct epoch from_epoch;
        uint8_t debt_count;
        struct debt debt[DOCUMENT_DEBTS_MAX];
        enum group_admin admin;
        enum group_spread spread;
        uint8_t wanted;  /* `haven move`: preferred until the next failure or `clear`; else NODE_NONE */
        uint64_t failed; /* bit i: node i failed this group */
};

struct member {
        uint32_t name; /* text_id; 0: no leader has written it yet */
        uint64_t boot; /* highest boot of its supervisor known */
        bool standby;
        span standby_left; /* 0: until revoked */
        span watchdog;     /* of `boot`: armed, as in struct message; 0: not */
        bool fencing;      /* the leader is having it powered off */
        uint64_t fenced; /* this boot of its supervisor, and all before, were powered off for certain; 0: none
                          */
};

/* What is in force, whatever the files say (rule 26). While `dead` changes, leases are for a time those of a
 * shorter one: they never outlast what any node takes for dead. */
struct document_timing {
        span heartbeat; /* 0: no leader has written it yet, the file's is in force */
        span dead;
        span lease_dead; /* of which leases are derived: <= dead */
};

struct document {
        struct version version;
        uint32_t members;      /* digest of the file of those who founded the cluster: it says that both
                                  sides number the same nodes, whoever came or went since */
        uint8_t feature_level; /* what every member understands; raised by the leader, never lowered */
        struct document_timing timing;
        bool maintenance;
        span maintenance_left; /* 0: until revoked */
        /* Who votes: bit i, member i. While they change both majorities count, those before and those after
         * (rule 26). A member keeps its number when its vote is gone. */
        uint64_t voters; /* 0: no leader has written it yet */
        uint64_t before; /* 0: they do not change */
        uint8_t member_count;
        struct member member[DOCUMENT_NODES_MAX];
        uint8_t group_count;
        struct assignment group[DOCUMENT_GROUPS_MAX];
        uint16_t kept_bytes; /* fields unknown to this release, handed on as they came; document.c alone looks
                              */
        uint8_t kept[DOCUMENT_KEPT_MAX];
};

/* <0, 0, >0 as a is older than, the same as, newer than b. */
int version_compare(struct version a, struct version b);
int epoch_compare(struct epoch a, struct epoch b);
static inline bool version_equal(struct version a, struct version b)
{
        return version_compare(a, b) == 0;
}
static inline bool epoch_equal(struct epoch a, struct epoch b)
{
        return epoch_compare(a, b) == 0;
}
static inline bool epoch_none(struct epoch e)
{
        return e.n == 0;
}

/* The highest level that this release understands (rules.md rule 27). A field that may safely be passed
 * over needs no new level; what all must obey is used only once the document's feature_level has reached the
 * level in which it came. */
uint8_t release_feature_level(void);

/* NULL if the document does not know the group. */
struct assignment *document_group(struct document *d, uint32_t group);
const struct assignment *document_group_const(const struct document *d, uint32_t group);
/* Finds or adds; NULL when the document is full. */
struct assignment *document_add_group(struct document *d, uint32_t group);
/* With all that is kept of it. */
void document_remove_group(struct document *d, struct assignment *a);

/* Bytes written, or -EMSGSIZE. */
int document_encode(const struct document *d, uint8_t *bytes, size_t size);
/* 0, or -EBADMSG: cut short, too long, values out of range, or more unknown fields than can be kept; then
 * *ret_document is untouched. */
int document_decode(const uint8_t *bytes, size_t n, struct document *ret_document);
