/* engine.h - runs the groups of this node: starts their resources in order, stops them in reverse, looks
 * after them in between. It does what it is told; where a group belongs is decided in src/cluster.
 *
 * A group has two parts. The warm part (resources with `warm = yes`, or nothing) may run beside the old owner
 * during a planned move; the rest is exclusive. ENGINE_WARM starts the warm part alone. */
#pragma once

#include "base/instant.h"
#include "config/config.h"
#include "takeover/takeover.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct engine;
struct director;

struct engine_epoch {
        uint32_t term;
        uint32_t n;
};

enum engine_report_kind {
        ENGINE_WARMED,       /* the warm part runs */
        ENGINE_STARTED,      /* everything runs */
        ENGINE_START_FAILED, /* a resource did not start, in-place retries included; all was stopped again */
        ENGINE_REFUSED,      /* not started: somebody else answers for an address; all was stopped again */
        ENGINE_RELEASED,     /* while stopping: all that is exclusive is gone, the warm part still stops */
        ENGINE_STOPPED,      /* nothing of it runs */
        ENGINE_STOP_FAILED,  /* something cannot be stopped: it may still run. Never report STOPPED after this
                                until a later stop succeeded. Also instead of START_FAILED, and while mending,
                                when the stop that these need fails: `text` then names both reasons */
        ENGINE_FAILED,       /* broke while started and cannot be mended in place: `restart` is used up.
                                What is left keeps running until told to stop */
        ENGINE_BROKEN, /* broke, or did not start at once; `text` says what is done about it; for the events
                          only */
        ENGINE_RESTARTED, /* broke and was mended in place; for the events only */
        ENGINE_UNFIT,     /* this node cannot serve the group now (carrier lost, interface missing) */
        ENGINE_FIT,       /* it can again */
        ENGINE_NOTE,      /* worth an event line (verified, conflict, restored...), nothing changes */
};

struct engine_report {
        enum engine_report_kind kind;
        int group; /* index into config.group */
        struct engine_epoch epoch;
        const char *text; /* the reason, for people; valid during the call */
};

/* Orders may be given from inside, but for engine_free() and engine_reload(). */
typedef void engine_report_fn(void *user, const struct engine_report *report);

struct engine_setup {
        uv_loop_t *loop;
        const struct config *config;
        int self; /* index into config.node */
        struct takeover *takeover;
        const char *cgroup_root; /* directory of cgroup2 that is ours, "" if the machine has none */
        const char *run_dir;
        const char *checker; /* absolute path of haven-checker, for directors; "" if there is none */
        int life_fd;         /* read end of the supervisor's pipe: EOF when the supervisor is dead */
        engine_report_fn *on_report;
        void *user;
};

int engine_new(const struct engine_setup *setup, struct engine **ret_engine);
/* Frees everything; what runs goes on running (a core that exits to be replaced). */
void engine_free(struct engine *e);

enum engine_part { ENGINE_WARM, ENGINE_ALL };

/* Starts the group under `epoch`, which processes find in HAVEN_EPOCH as "TERM.N". Starting what runs already
 * is right (WARM, then ALL). `probe`: ask for the addresses before taking them. */
void engine_start(struct engine *e, int group, struct engine_epoch epoch, enum engine_part part, bool probe);
/* Stops it in reverse order: what is exclusive, then RELEASED, then the warm part. A start under way is cut
 * short first. Always ends in STOPPED or STOP_FAILED. What nobody has looked at yet (after engine_new()) is
 * really stopped too: the way to make sure that nothing runs. */
void engine_stop(struct engine *e, int group);
/* Takes over what a former core left running, by looking: everything there -> STARTED at once; else what is
 * missing is restarted in place. */
void engine_adopt(struct engine *e, int group, struct engine_epoch epoch);
/* The lease of this node now ends then: passed on to the kernel (valid_lft of all held addresses). To be
 * called before the first start or adoption; until then addresses are taken without an end. */
void engine_lease(struct engine *e, instant lease_end);
/* A group's checks (src/monitor) say that it does not work although it runs: mend in place, then FAILED. */
void engine_check_failed(struct engine *e, int group, const char *text);
/* The group may have to be started soon, with `probe`: asks already whether somebody answers for its
 * addresses. */
void engine_ask(struct engine *e, int group);
/* While it is on, what breaks is left as it is, and said; when it goes off, it is mended. */
void engine_maintenance(struct engine *e, bool on);
/* Whether the group may have to be started here any time: what can be made ready beforehand is. `held`: this
 * node held it under an earlier core, and has not let go of it. To be said as often as one likes. */
void engine_ready(struct engine *e, int group, bool ready, bool held);
/* Nothing will be started any more: what was made ready goes, before this returns. */
void engine_withdraw(struct engine *e);
/* Announces the group's addresses again. */
void engine_announce(struct engine *e, int group);
/* A new generation of the configuration (reload). Groups absent from it must have been stopped; groups that
 * are equal go on untouched; resources that differ are stopped and started where the group runs. */
int engine_reload(struct engine *e, const struct config *config);

/* What runs, for status and for the ledger. */
struct engine_resource_view {
        const char *name;
        const char *kind;
        const char *state; /* "stopped starting started stopping failed waiting unknown" */
        const char *text;  /* detail for people, may be "" */
};
size_t engine_resource_count(const struct engine *e, int group);
struct engine_resource_view engine_resource(const struct engine *e, int group, size_t i);
/* The group's director objects in order, NULL past the end. */
struct director *engine_director(const struct engine *e, int group, size_t i);
/* The group's address objects in order, NULL past the end; for the ledger. */
struct address *engine_address(const struct engine *e, int group, size_t i);
