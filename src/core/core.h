/* core.h - the process that thinks and acts: it turns what happens into events for src/cluster, and what that
 * decides into deeds of the other rooms. It decides nothing itself.
 *
 * One loop, one thread but for the writing of the state file. Every event goes through core_event(); deeds
 * may report at once, so events that arise during a turn wait for its end. */
#pragma once

#include "api/api.h"
#include "api/journal.h"
#include "cluster/arbiter_fence.h"
#include "cluster/cluster.h"
#include "config/config.h"
#include "core/writer.h"
#include "disk/disk.h"
#include "fence/fencer.h"
#include "heartbeat/transport.h"
#include "main/inherit.h"
#include "main/options.h"
#include "main/state.h"
#include "monitor/checker.h"
#include "monitor/ping.h"
#include "resource/engine.h"
#include "takeover/takeover.h"

#include <stdbool.h>
#include <uv.h>

#define CORE_QUEUE_MAX  256 /* events that arise within one turn; every group may report a few times */
#define CORE_ORDERS_MAX TODO_ORDERS_MAX

struct core_event {
        struct cluster_event event;
        char text[NOTE_TEXT];
};

/* An operator who waits for the end of an order. */
struct core_order {
        uint32_t id; /* 0: free */
        struct api_reply *reply;
};

struct core {
        struct options options;
        struct inheritance inherited;
        uv_loop_t *loop;
        struct config *config;
        int self; /* index into config->node */
        struct cluster_settings *settings;
        struct cluster *brain;

        struct transport *transport;
        struct takeover *takeover;
        struct engine *engine;
        struct checker *checker;         /* NULL: nothing has a check */
        char checker_program[PATH_SIZE]; /* haven-checker */
        struct watching *watching;
        bool unwell; /* a check of this node's own is down */
        size_t unfit_count;
        uint32_t unfit[GROUPS_MAX]; /* groups that the engine says this node cannot serve */
        struct pinger *pinger;      /* NULL: the arbiter is another */
        struct fencer *fencer;
        struct arbiter_fence fence_arbiter;
        uv_timer_t fence_timer; /* its answer to the question */
        struct arbiter_answer fence_answer;
        instant fence_asked;
        int32_t watchdog_state; /* as told to the brain */
        struct journal *journal;
        struct api *api;

        uv_timer_t timer;
        uv_signal_t term, hup, usr2;
        uv_poll_t life;

        bool turning;
        struct todo todo;
        struct message message;
        size_t queued;
        struct core_event queue[CORE_QUEUE_MAX];

        struct writer *writer;
        uv_timer_t save_retry;
        bool saving;
        uint32_t save_serial; /* of what is being written */

        char gate_text[TAKEOVER_REASON]; /* why it could not be had; "" */

        struct disk *disk;     /* NULL: the arbiter is another */
        struct child *pill;    /* haven-pill; NULL: none runs */
        int pill_socket;       /* to it; -1: none */
        instant pill_due;      /* when it is started again */
        char pill_device[256]; /* that it reads */
        struct disk_keys pill_keys;
        bool founds;                 /* our state is from before the cluster: the file numbers us */
        struct witness_way *witness; /* NULL: the arbiter is another */
        struct etcd_way *etcd;       /* likewise */
        bool pinging;
        instant arbiter_answered; /* LONG_AGO: not yet */
        char arbiter_text[128];

        uint32_t next_order;
        struct core_order order[CORE_ORDERS_MAX];

        struct config *before; /* reload --confirm: what we go back to; else NULL */
        uv_timer_t confirm;
        bool exiting;
        bool ends;         /* core_again() */
        bool file_refused; /* before.c: to be told */
        bool succeeded;    /* exiting, and another core goes on with what is held */
};

/* turn.c */
/* Gives the event to the brain and does what it says. The time is read here; `text` is copied. */
void core_event(struct core *core, const struct cluster_event *event);
void core_ledger_read(struct core *core, struct cluster_promise *ret_promise);
void core_begin(struct core *core);

/* group.c */
void core_act(struct core *core, const struct cluster_action *action);
void core_report(void *user, const struct engine_report *report);
void core_check_result(void *user, uint32_t id, const struct check_result *result);
int core_checks_open(struct core *core);
/* Whether the ledger still has an address that the configuration no longer names. */
bool core_address_forgotten(const struct core *core);
/* After a reload: the ledger names the addresses that are held now, no others. */
void core_addresses_reload(struct core *core);
/* After a reload: ends the checks that are gone, starts new and changed ones where their group runs. */
void core_checks_reload(struct core *core, const struct config *old);
uint32_t core_check_id(const struct config_group *g, const struct config_check *check);
/* Removes floating addresses that an earlier run left in the kernel. */
void core_clear_leftovers(struct core *core);

/* health.c */
/* Runs this node's own checks; after a reload, those that differ. `old`: NULL at the start. */
void core_health_open(struct core *core, const struct config *old);
/* False: the number is of no check of this node. */
bool core_health_result(struct core *core, uint32_t id, const struct check_result *result);
/* Which of them is down, for people; "" none is. */
void core_health_text(struct core *core, char *text, size_t size);
/* A list of its checks. */
json_t *core_health_report(const struct core *core);
/* The engine says whether this node can serve the group. */
void core_health_fit(struct core *core, int group, bool fit, const char *text);

/* watch.c */
int core_watch_open(struct core *core);
void core_watch_close(struct core *core);
/* After a reload: what is here too goes on. 0 or -ENOMEM. */
int core_watch_reload(struct core *core);
/* After each turn: which watches run here, and who tells. */
void core_watch_turn(struct core *core);
/* Of a check whose number has WATCH_CHECKS in it. */
void core_watch_result(struct core *core, uint32_t id, const struct check_result *result);
/* Hooks of the transport. */
size_t core_watch_post(void *user, int node, uint8_t *bytes, size_t size);
void core_watch_heard(void *user, int node, const uint8_t *bytes, size_t n);
/* Tells whoever wants it: one bit of enum alert_on, about a node or a group. */
void core_watch_raise(struct core *core, unsigned on, const char *kind, const char *subject,
                      const char *text);

/* watch_view.c */
void core_watch_view(const struct core *core, struct view *ret_view);
json_t *core_watch_report(void *user);
/* Carries out ack, silence, disable and enable; answers `reply`. */
void core_watch_order(struct core *core, const struct api_command *c, struct api_reply *reply);

/* arbiter_fence.c */
int core_arbiter_fence_open(struct core *core);
void core_arbiter_fence_ask(struct core *core, const struct arbiter_question *q);
/* A powering off has ended; a person says that the node is off. */
void core_arbiter_fenced(struct core *core, int node, bool off, instant asked);
void core_arbiter_confirmed(struct core *core, int node);

/* fence.c */
int core_fence_open(struct core *core);
/* Powers it off; the brain is told the end. */
void core_fence(struct core *core, int node);
/* Wants the watchdog armed when that is right, and tells the brain when it is. */
void core_watchdog(struct core *core);
/* For the status; "" without one. */
const char *core_watchdog_text(struct core *core, char text[static VIEW_WATCHDOG]);
/* Resets this node if the group's configuration wants that. */
void core_stop_failed(struct core *core, int group);

/* arbiter.c */
void core_ask_arbiter(struct core *core);
/* What the arbiter said last, for people. */
void core_arbiter_said(struct core *core, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* arbiter_witness.c */
/* 0, or a negative errno. */
int core_arbiter_witness_open(struct core *core, const struct keyring *keys);
void core_arbiter_witness_ask(struct core *core, const struct arbiter_question *q);
void core_arbiter_witness_keys(struct core *core, const struct keyring *keys);
void core_arbiter_witness_close(struct core *core);

/* arbiter_etcd.c */
int core_arbiter_etcd_open(struct core *core);
void core_arbiter_etcd_ask(struct core *core, const struct arbiter_question *q);
void core_arbiter_etcd_close(struct core *core);

/* gate.c */
/* Which lease gate is ours. */
uint32_t core_gate_instance(const struct core *core);
/* Puts the lease gate in place, or away, as the configuration wants it. What an earlier run left in the
 * kernel must be gone by then. */
void core_gate_open(struct core *core);
void core_gate_view(const struct core *core, struct view *ret_view);

/* arbiter_disk.c */
void core_arbiter_disk_keys(struct core *core, const struct keyring *keys);
/* 0, or a negative errno. */
/* Whether our number is ours for certain: what is written under it on a disk cannot be another's. */
bool core_numbered(const struct core *core);

/* pill.c: poison pills, given and taken */
int core_pill_open(struct core *core, const struct keyring *keys);
/* The fencer is there: what it needs to give one. */
void core_pill_tell(struct core *core);
void core_pill_close(struct core *core);
void core_pill_keys(struct core *core, const struct keyring *keys);
/* Each turn: haven-pill runs where the configuration wants it. */
void core_pill_turn(struct core *core);
int core_arbiter_disk_open(struct core *core, const struct keyring *keys);
/* What it answered last, and how the disk does. */
void core_arbiter_disk_view(const struct core *core, char *text, size_t size);
void core_arbiter_disk_ask(struct core *core, const struct arbiter_question *q);

/* history.c */
void core_note(struct core *core, const struct note *note);
void core_tell(struct core *core, const char *kind, const char *subject, unsigned alert, const char *text);

/* state.c */
void core_save(struct core *core);
void core_saved(void *user, int error);
/* 0, or a negative errno after having logged what is wrong; `ret_start` gets the state. */
void core_load(struct core *core, struct cluster_start *ret_start);

/* Whether this release understands what stands in the state (rules.md rule 27); if not, standard error
 * says so.
 */
bool core_understands(const struct state *state);

/* settings.c */
void core_settings_make(const struct config *config, int self, struct cluster_settings *ret_settings);

/* restart.c */
/* An operator wants havend restarted with nothing stopped: the program in its place is tried, then the
 * supervisor becomes it. Answers `reply`. */
void core_restart(struct core *core, struct api_reply *reply);
/* In the program that is tried: whether it could serve with this configuration and state. An exit status. */
int core_rehearse(struct core *core);

/* before.c */
/* Once the ledger is known: goes on with the configuration before, where the file cannot name what runs. */
void core_before_choose(struct core *core);
void core_before_tell(struct core *core);
/* What is in force from now on, for the core that follows. */
void core_before_keep(struct core *core);

/* view.c */
void core_view(void *user, struct view *ret_view);
int core_explain(void *user, const char *group, char *text, size_t size);

/* lvs.c */
json_t *core_lvs(void *user);
void core_drain(struct core *core, const struct api_command *c, struct api_reply *reply);
/* command.c */
void core_command(void *user, const struct api_command *command, struct api_reply *reply);
void core_order_done(struct core *core, const struct order_done *done);

/* reload.c */
/* Reads the file again and changes what differs. `text` says what changed, or why nothing did. With
 * `confirm`, goes back by itself unless core_confirm() comes within it. 0 or a negative errno. */
/* Ends this core when what it just said has been heard; the next one adopts what runs. */
void core_again(struct core *core, const char *why);
int core_reload(struct core *core, span confirm, char *text, size_t size);
int core_confirm(struct core *core);
