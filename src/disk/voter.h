/* voter.h - the arbiter's vote, acted out by the nodes themselves on the sectors of one disk.
 *
 * Disk Paxos (Gafni and Lamport, "Disk Paxos", 2003) for a single disk: each node writes one record of its
 * own and reads those of all others. To act is to write, then to read: of two that act at once, at least one
 * reads what the other wrote. What the arbiter promises (cluster/arbiter.h) follows:
 *
 *     VOTE   write a ballot of the term, then read: another's record of an equal or higher term defeats it
 *            (rules.md rule 21). Whatever changed restarts the age of the vote.
 *     RENEW  write a renewal, then read: the same defeats it. It counts from before the write, and only once
 *            it was read back: a candidate whose ballot landed before it did not see it.
 *
 * Records carry the newest document that was kept with them; of all of them the newest counts (rule 22).
 *
 * Pure: no system call, no clock, no allocation. One operation at a time - at most one write, then a read of
 * all - is handed to the edge, which reports how it ended before it is given the next. That an operation of
 * an earlier life of this node has ended before the first one begins is the edge's to see to. */
#pragma once

#include "base/instant.h"
#include "cluster/arbiter.h"
#include "disk/format.h"

#include <stdbool.h>

#define VOTER_TEXT 160

/* What another node's record said when it was last read. */
struct voter_peer {
        bool there; /* it has written at least once */
        struct incarnation writer;
        uint64_t seq;
        uint32_t term;
        enum disk_kind kind;
        struct version version;
        uint64_t written;
        instant changed; /* no later than this it became what it is; before the first read: unknown */
        instant renewed; /* when a renewal was last seen to have come; LONG_AGO: none */
        span promise;    /* so long what it wrote binds the disk; 0: the cluster's D */
};

struct disk_voter {
        uint8_t self;
        uint8_t node_count; /* of all slots, whether or not somebody has that number */
        struct incarnation writer;
        span interval; /* between reads when nobody asks */

        bool ready;                           /* all was read once: our own record is known */
        struct voter_peer of[DISK_NODES_MAX]; /* of[self]: what we wrote last and know to be there */
        bool written;                         /* by this life, at least tried */
        bool reseal;                          /* our records are to be written again as they are */
        unsigned next_which;                  /* which of our two records is written next */
        uint64_t last_seq;                    /* of our newest write, landed or not */
        uint16_t kept_n;                      /* the document that our record carries */
        struct version kept_version;
        uint8_t kept[DOCUMENT_BYTES_MAX];
        struct version newest; /* of all that was read */
        struct document newest_document;
        bool newest_readable;

        struct arbiter_question question; /* ARBITER_NOTHING: none. Its document is in `asked_document` */
        uint16_t asked_document_n;
        uint8_t asked_document[DOCUMENT_BYTES_MAX];

        bool usable; /* what was read last allows conclusions; else `text` says why not */
        bool busy;
        struct { /* the operation under way */
                instant began;
                bool wrote;
                struct disk_record record;
                struct arbiter_question question;
        } op;
        instant read_due;
        span took;             /* by the last operation */
        char text[VOTER_TEXT]; /* why the last answer was as it was, or what is wrong */
};

/* What the edge has to do: write, then read all records. */
struct voter_operation {
        bool write;
        unsigned which; /* of our two records */
        struct disk_record record;
};

/* How it went. */
struct voter_result {
        bool wrote;     /* the write is on the disk; if one was asked for and it is not, whether it landed is
                           unknown */
        bool read;      /* everything was read after that */
        bool own_stale; /* one of our records is sealed with a key that is to go */
        instant read_began; /* after the write had ended */
        instant read_ended;
        struct { /* by node, of which our own is one; valid until the call returns */
                enum disk_refusal is;
                unsigned which; /* of its two records, DISK_OK */
                struct disk_record record;
        } found[DISK_NODES_MAX];
};

void disk_voter_init(struct disk_voter *v, uint8_t self, uint8_t node_count, struct incarnation writer,
                     span interval, instant now);

/* The area has room for more nodes than we know of: their records count too, for others may know them. Before
 * the first operation. */
void disk_voter_widen(struct disk_voter *v, uint8_t slots);

/* A later question replaces one that was not taken up yet. Copies its document. */
void disk_voter_ask(struct disk_voter *v, const struct arbiter_question *question);

/* Whether something is to be done now; `now` is read just before: a renewal counts from it. */
bool disk_voter_begin(struct disk_voter *v, instant now, struct voter_operation *ret_operation);

/* Has the next operation begin at once, asked or not. */
void disk_voter_wake(struct disk_voter *v, instant now);

/* The end of the operation. True if a question is answered: *ret_answer, asked at *ret_asked. Its document is
 * valid until the next call. Otherwise v->text says what is wrong, if anything is. */
bool disk_voter_done(struct disk_voter *v, const struct voter_result *result,
                     struct arbiter_answer *ret_answer, instant *ret_asked);

/* When disk_voter_begin() wants to be called at the latest; NEVER while an operation is under way. */
instant disk_voter_deadline(const struct disk_voter *v);
