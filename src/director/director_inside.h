/* director_inside.h - what a director is made of; for its own files only, everybody else reads director.h.
 *
 * director.c          its orders and plans, and the turns of the loop
 * director_checks.c   the checks of its plan
 * director_manners.c  what only ldirectord's files ask for: fallback commands, files that close a server
 * backend.h           who has the table: ipvs/backend.c, nft/backend.c
 */
#pragma once

#include "director/backend.h"
#include "director/director.h"
#include "director/keep.h"
#include "director/ldirectord/ldirectord.h"
#include "director/nft/job.h"
#include "director/own.h"

/* What is being done, in turns. */
enum task {
        TASK_NONE,
        TASK_START,
        TASK_STOP,
        TASK_LOOK,
        TASK_VERIFY,
};

/* The checker's number for a check of the plan. */
struct number {
        uint32_t id;
        size_t check;
};

/* How often the table is looked at again: somebody else may have changed it. */
#define LOOK_AGAIN span_s(10)

#define NFT_DIGEST 17

struct director_ipvs {
        struct ipvs kernel;
        enum {
                PHASE_SERVICES, /* read what services there are */
                PHASE_SERVERS,  /* and whom they have */
                PHASE_COMPARE,  /* with what is wanted */
                PHASE_MAKE,     /* make the changes */
        } phase;
        uint32_t order;    /* that `phase` and all below are of */
        struct table mine; /* keys of what we have set up, or will */
        struct table seen; /* the kernel's when it was last read whole, counters included */
        size_t read;       /* services of `actual` whose servers have been read */
        struct changes changes;
        size_t made;
        size_t refused;
        char refusal[CHANGE_TEXT + IPVS_WHY];
        bool known;        /* `actual` is what is in the kernel, unless somebody else has changed it */
        bool brief;        /* this task has taken that for granted */
        int sync_error[2]; /* by enum sync_role, what was said last */
};

struct director_nft {
        char table[280];
        char program[256];
        char digest[NFT_DIGEST]; /* of what was listed after our last change */
        uint32_t generation;     /* of all rules of the kernel, then; 0: not known */
        bool known;              /* `actual` is what is in the kernel, unless the digest is another */
        struct nft_job *job;     /* one at a time */
        enum nft_what what;
        uint32_t order; /* for which it was called */
        instant asked;  /* when somebody wanted to know */
};

struct director {
        struct director_setup setup;
        char name[96];
        char keep_path[256];
        char checker_path[256];
        struct plan *plan;
        struct farm *farm;
        struct number *number; /* of the plan's checks, sorted by id, */
        uint32_t *id;          /* and in their order */
        struct checker *checker;
        struct drains drains;

        bool active;
        bool ready;     /* may be started any time: */
        bool released;  /* and nothing of an earlier director's is held any more */
        bool standing;  /* not active, and something of ours is in the kernel, or may be */
        struct own own; /* this machine's addresses, when the table on standby was last looked at */
        uint32_t order; /* grows with each task: an answer to an earlier one comes too late */
        enum task task;
        bool renewed;        /* the plan is another since the table was set up */
        struct table wanted; /* what the task leads to */
        struct table actual; /* the kernel's, as far as we know; ours only, while active */
        char trouble[CHANGE_TEXT + IPVS_WHY + 64];
        instant look_again;
        instant counted; /* when the counters that are known were read */

        const struct backend *backend;
        struct director_ipvs ipvs;
        struct director_nft nft;

        instant save_due;  /* verdicts have changed, and are written down then; INSTANT_NEVER: none have */
        bool more;         /* services have changed that have not been followed yet */
        instant now;       /* when our turn of the loop began */
        uv_idle_t *soon;   /* something is to be done in the next turn of the loop */
        uv_timer_t *timer; /* or later */
        bool freed;        /* but for this struct, which goes with the timer */

        instant close_due;   /* when the directories that close servers are looked at; INSTANT_NEVER: none */
        bool commands;       /* some service has a fallback command */
        unsigned char *told; /* by service: what its fallback command was run with, enum told */
        struct child *command; /* the one that runs; NULL: none */
};

/* The path of one of its files in the run directory. */
#define DIRECTOR_PATH 300
const char *director_file(const struct director *d, const char *what, char path[static DIRECTOR_PATH]);
/* A service may have to become another. */
void director_look_soon(struct director *d);

/* For the back ends: a task begins, is over with this answer, or failed; there may be something to do. */
void director_begin(struct director *d, enum task task);
void director_end(struct director *d, enum director_event event, const char *text);
void director_failed(struct director *d, const char *text);
void director_turn_soon(struct director *d);
/* `wanted` is what the table shall be by plan, verdicts and time, active or on standby, once the task is
 * over; all that had changed is in it. 0, or -ENOMEM. */
int director_want(struct director *d);
/* Whether its table is looked after, active or on standby. */
bool director_tends(const struct director *d);
/* What has been changed, for the log and whoever listens. */
void director_tell(const struct director *d, const struct changes *c);

/* By id, each its own; and the ids in the order of the checks. NULL: no memory. */
struct number *director_number_checks(const struct plan *p);
uint32_t *director_ids(const struct number *sorted, size_t count);
/* Starts what the plan has, and hears what is known already. */
void director_start_checks(struct director *d);
/* Stops what the plan has no more; `old` is what was started before, `count` of them. */
void director_stop_checks(struct director *d, const struct number *old, size_t count);
/* So that the next daemon need not begin with not knowing. */
void director_save_checks(struct director *d);

/* The plan is new; takes ownership of `told`, a byte for each of its services. */
void director_take_manners(struct director *d, unsigned char *told);
void director_end_manners(struct director *d);
/* Closes and opens servers, when that is due. */
void director_close_servers(struct director *d);
/* Runs the fallback command of a service that has become another, one after the other. */
void director_tell_fallbacks(struct director *d);
