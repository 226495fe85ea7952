/* witness.h - a third machine's vote in one cluster: what it remembers, and how it judges what it is asked.
 *
 * Pure, as the brain: no system call, no clock, no allocation. The edge (src/witness, and the
 * simulator) opens the seal, keeps `kept` on disk and sends the answers. The rules of an arbiter stand in
 * arbiter.h. Documents are bytes here: a witness need not be of the cluster's release to hand them on. */
#pragma once

#include "cluster/arbiter.h"
#include "cluster/message.h"

#include <stddef.h>

/* What must be found again after a restart. */
struct witness_kept {
        bool voter; /* false: nothing was found; readmitted by a leader that needs it not (rule 6) */
        uint32_t term;
        uint32_t vote; /* of that term: a node, as text_id() of its name, whatever its number; 0: none */
        struct version version;
        size_t document_size;
        uint8_t document[DOCUMENT_BYTES_MAX];
};

#define WITNESS_ASKERS_MAX (2 * DOCUMENT_NODES_MAX) /* nodes that were replaced count for a while */

struct witness {
        struct witness_kept kept;
        bool dirty;    /* `kept` is not on disk as it stands: no answer may leave before it is */
        uint64_t life; /* of this process, by chance: questions prove by it that they are of now */
        bool older;    /* `kept` was older than what it had told, and is forgotten */
        bool waited; /* without state: so long that whatever was promised is over; `life` is of after that */
        instant started;
        instant renewed; /* when it last renewed a lease; LONG_AGO: not in this life */
        uint32_t renewed_of;
        struct witness_asker { /* newest question of each node: older ones and copies are not judged again */
                uint32_t node; /* 0: free */
                struct incarnation incarnation;
                uint32_t seq;
                instant at;
        } asker[WITNESS_ASKERS_MAX];
};

struct witness_question {
        uint32_t from;                  /* text_id() of the asker's name */
        struct incarnation incarnation; /* of the asker */
        uint32_t seq;                   /* counts up per core */
        uint64_t life;                  /* of the witness, as last heard; 0: not yet */
        enum arbiter_ask ask;
        uint32_t term;
        struct version newest;
        bool without;
        span election, dead;
        struct arbiter_memory told; /* the asker, by this witness */
        struct version version;     /* of the document that follows; n = 0: none does */
        size_t document_size;
        const uint8_t *document;
};

struct witness_answer {
        uint32_t to;
        struct incarnation incarnation; /* of the question, */
        uint32_t seq;                   /* its number, */
        enum arbiter_ask ask;           /* its kind */
        uint32_t term;                  /* and term */
        uint64_t life;
        bool again; /* asked of an earlier life and not judged: ask again, naming this one */
        bool yes, lost, older;
        uint32_t known;
        span age;
        struct version stored;
        size_t document_size; /* 0: none */
        const uint8_t *document;
};

/* From the brain's words (arbiter.h) into these and back, for whoever carries them. Of a question `seq` and
 * `life` are the carrier's to fill in; its document, if any, is written to `bytes` and must stay there. Of an
 * answer's document `document` gets what this release can read. */
struct witness_question witness_question_of(const struct arbiter_question *q, const char *name,
                                            struct incarnation self,
                                            uint8_t bytes[static DOCUMENT_BYTES_MAX]);
struct arbiter_answer witness_answer_for(const struct witness_answer *a, struct document *document);

enum witness_verdict {
        WITNESS_ANSWERS,
        WITNESS_OLD, /* a copy, a replay, or overtaken by a newer one: no answer */
};

/* `kept` as found on disk, or all zero. `life` is random and not 0. */
void witness_init(struct witness *w, const struct witness_kept *kept, uint64_t life, instant now);

/* Judges one question. The answer points into `w`, until the next call. It must not leave while w->dirty;
 * once `kept` is on disk the caller clears that. If the disk fails the question is dropped, and the next one
 * finds it dirty still. */
enum witness_verdict witness_judge(struct witness *w, instant now, const struct witness_question *q,
                                   struct witness_answer *ret_answer);
