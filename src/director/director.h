/* director.h - one director of this machine: has its servers checked, and while it is active keeps the
 * kernel's IPVS table as these checks and its plan say.
 *
 * Checks run from the beginning, on the standby too: who takes over knows already who works. Where it may be
 * started any time, IPVS has its table already (standby.h). It works in
 * portions, a few milliseconds at a time, since it lives in the loop that also carries heartbeats. A director
 * is the owner of the services in its plan, and of those that it has set up before; what else is in the table
 * is somebody else's. */
#pragma once

#include "director/farm.h"
#include "director/ipvs/ipvs.h"
#include "director/plan.h"
#include "director/standby.h"
#include "monitor/checker.h"

#include <uv.h>

struct director;

enum director_event {
        /* answers to director_start(), director_stop(), director_look() */
        DIRECTOR_EV_STARTED,
        DIRECTOR_EV_START_FAILED,
        DIRECTOR_EV_STOPPED,
        DIRECTOR_EV_STOP_FAILED,
        DIRECTOR_EV_PRESENT,
        DIRECTOR_EV_ABSENT,
        /* at any time */
        DIRECTOR_EV_NOTE,
};

typedef void director_event_fn(void *user, enum director_event event, const char *text);

/* Who has the table. */
enum director_backend {
        DIRECTOR_IPVS,
        DIRECTOR_NFT,  /* nftables, by haven-nft: rewriting only */
        DIRECTOR_AUTO, /* IPVS where the kernel has it */
};

struct director_setup {
        uv_loop_t *loop;
        const char *name;
        const char *checker;     /* absolute path of haven-checker */
        const char *keep;        /* what the names of its files in the run directory begin with */
        struct sync_daemon sync; /* without an interface: the connections are told to nobody */
        bool idle;               /* not on this node: nothing is checked, nobody is listened to */
        enum director_backend backend;
        bool masquerade; /* nftables: servers see the director as the client */
        bool sweep;      /* also what is nobody's is cleared away */
        bool leaves;     /* a stop leaves in the table what the plan says that stays */
        director_event_fn *on_event;
        /* The rest may be NULL: whether this node is a real server of the address, by configuration; a change
         * was made in the kernel's table; a check has something to say. */
        bool (*serves)(void *user, const struct ip *ip);
        void (*on_change)(void *user, const struct change *change);
        void (*on_look)(void *user, size_t check, const struct check_result *result);
        void *user;
};

/* Takes ownership of what is in `plan`, also when it fails. Without IPVS in the kernel it is made all the
 * same, and does not start. 0 or a negative errno. */
int director_new(const struct director_setup *setup, struct plan *plan, struct director **ret_director);
/* What is in the kernel stays. The loop must turn once more. */
void director_free(struct director *d);
/* What is in the kernel of one that is not active goes, before this returns. */
void director_withdraw(struct director *d);
/* Another plan in the place of this one: only what differs is changed. Takes ownership. 0, or -ENOMEM: the
 * old one stays. */
int director_set_plan(struct director *d, struct plan *plan);

/* The table is set up, and kept. Ends in STARTED or START_FAILED, never before it returns. */
void director_start(struct director *d);
/* What is ours leaves the table, or is made what it is on standby. Ends in STOPPED or STOP_FAILED, never
 * before it returns. */
void director_stop(struct director *d);
/* Whether it may be started any time, so that its table is kept in the kernel already. Not before this is
 * called, and not as long as `held`: an earlier director has to be looked after, or stopped, first. */
void director_ready(struct director *d, bool ready, bool held);
/* Whether a director before us has left the table there; it is kept up from then on. Ends in PRESENT or
 * ABSENT. */
void director_look(struct director *d);

/* Drains the server, or no longer; kept across restarts of the daemon. How many places it has in the plan. */
size_t director_drain(struct director *d, const struct ip *ip, uint16_t port, bool drain);

/* For people. */
const char *director_name(const struct director *d);
const struct plan *director_plan(const struct director *d);
const struct farm *director_farm(const struct director *d);
bool director_active(const struct director *d);
/* Not active, but its table is in the kernel. */
bool director_stands_by(const struct director *d);
/* Of a service, on a node that is not active. */
enum standing director_standing(const struct director *d, size_t service);
/* What the table's entry of a service is to be as things are; or would be, where there is none. The servers
 * are the caller's to free. 0, or -ENOMEM. */
int director_service(const struct director *d, size_t i, instant now, struct virtual_service *ret_service);
/* "" when all is well; else what is wrong with the table. */
const char *director_trouble(const struct director *d);
/* Who has its table: "ipvs", "nft". */
const char *director_backend(const struct director *d);
/* Whether that counts bytes and packets, not connections alone. */
bool director_counts_bytes(const struct director *d);
/* What the kernel has, counters included: services of the plan, and how many others there are. To be freed
 * with table_free(). A small table of IPVS is read now. All others, which take long, are as they were so long
 * ago, and are read again soon if that is more than a second. */
int director_read(struct director *d, struct table *ret_table, size_t *ret_foreign, span *ret_age);
/* What check `check` of the plan says. False: nothing yet. */
bool director_check(const struct director *d, size_t check, struct check_result *ret_result,
                    char text[static REASON_TEXT]);
