/* cluster.h - the brain: who is alive, who leads, who may run what.
 *
 * Pure: no system call, no clock, no allocation, no global. Events with their time go in; what must be done
 * comes out as data. The rules it obeys are those of docs/rules.md, cited by number where the code obeys
 * them; the simulator runs these very files.
 *
 * One turn of the edge:
 *
 *     cluster_step(c, &event, &todo);
 *     write cluster_promise(c) to the ledger                      (rule 5: before anything leaves)
 *     do todo's actions, note its notes, save if todo.save
 *     for each node in todo.speak_to: cluster_speak(c, instant_now(), node, &message) and send it
 *     call again with CLUSTER_EV_TIME no later than cluster_deadline(c)
 */
#pragma once

#include "base/instant.h"
#include "cluster/arbiter.h"
#include "cluster/document.h"
#include "cluster/message.h"
#include "cluster/timing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLUSTER_NODES_MAX  DOCUMENT_NODES_MAX
#define CLUSTER_GROUPS_MAX DOCUMENT_GROUPS_MAX
#define CLUSTER_LINKS_MAX  8
#define CLUSTER_NAME       32

enum cluster_failback { FAILBACK_AT_ONCE, FAILBACK_NEVER, FAILBACK_LATER };

struct cluster_group {
        char name[CLUSTER_NAME];
        uint32_t id; /* text_id(name) */
        uint8_t node_count;
        uint8_t node[CLUSTER_NODES_MAX]; /* in order of preference */
        enum cluster_failback failback;
        span failback_after; /* FAILBACK_LATER */
        span forgive_after;  /* 0: a failure is remembered until cleared */
        bool data;           /* exclusive in its data: rules 14 and 15 bind it */
        bool accept_split;   /* the user took that risk in writing */
        bool everywhere;     /* runs on all its nodes at once, under no lease (everywhere.c) */
        bool follows;        /* named another in its `with`: that one's list and failback count */
        uint16_t load;       /* what it takes of its node's capacity */
        int16_t priority;    /* who is asked first where room is scarce */
        /* bit i: group i of the settings. Each the same seen from both sides, but for `after`. */
        uint64_t with;    /* all that are joined to it, itself too or not; never one that runs everywhere */
        uint64_t apart;   /* never on one node with it */
        uint64_t after;   /* they start before it, and stop after it */
        uint64_t company; /* run everywhere, and it goes only where they have not failed */
};

enum cluster_arbiter { CLUSTER_ARBITER_ABSENT, CLUSTER_ARBITER_WEAK, CLUSTER_ARBITER_STRONG };

struct cluster_settings {
        uint8_t self;
        uint8_t node_count;
        char node_name[CLUSTER_NODES_MAX][CLUSTER_NAME];
        uint32_t node_id[CLUSTER_NODES_MAX];  /* text_id(node_name) */
        uint32_t capacity[CLUSTER_NODES_MAX]; /* 0: without limit */
        uint8_t link_count;
        struct timing timing;
        span warn;         /* silence of a link worth a warning */
        span ungated_wait; /* rule 29: an unproven owner may go on answering so long after its lease; 0: no */
        span start_wait;   /* weak arbiter: how long a starting node waits for the others */
        uint32_t members;  /* digest of the file's nodes: of the cluster, if this file founds it */
        uint64_t config;
        uint8_t feature_level;        /* 0: the release's; the simulator mixes releases */
        enum cluster_arbiter arbiter; /* counts where voters are even in number */
        uint32_t arbiter_id;          /* digest of which one it is */
        span arbiter_dead;            /* strong: D of its own, if longer than the nodes' (disk); 0: no */
        uint64_t vacant;              /* bit i: the file has no node i (any more) */
        uint64_t fenceable;           /* bit i: a device can power node i off */
        span fence_delay[CLUSTER_NODES_MAX]; /* weak arbiter: between two who power each other off */
        uint8_t group_count;
        struct cluster_group group[CLUSTER_GROUPS_MAX];
};

/* What stands in the ledger and outlives the core (rule 5). */
struct cluster_tenure {
        uint32_t group;
        enum hold_state hold;
        struct epoch epoch;
        struct epoch sealed;
};

struct cluster_promise {
        uint32_t term;
        instant last_answer; /* when this node last answered a leader, led, or started */
        bool leading;
        instant lease_end;
        uint64_t heard; /* bit i: node i was heard since the supervisor started */
        uint8_t tenure_count;
        struct cluster_tenure tenure[CLUSTER_GROUPS_MAX];
};

/* What stands on disk. */
struct cluster_state {
        bool voter; /* false while a node without history waits to be readmitted (rule 6) */
        uint32_t term;
        uint8_t voted_for; /* NODE_NONE */
        struct document document;
        struct version committed;
        struct arbiter_memory told; /* by a strong arbiter */
};

struct cluster_start {
        struct incarnation incarnation;
        bool state_valid;           /* else: no vote until readmitted (rule 6) */
        struct cluster_state state; /* empty if not valid */
        bool first_core;            /* of this supervisor: nothing was promised or held since it started */
        struct cluster_promise
                promise; /* from the ledger; of a first core: last_answer = start of the supervisor */
        instant now;
};

enum cluster_event_kind {
        CLUSTER_EV_TIME,    /* nothing but the time */
        CLUSTER_EV_MESSAGE, /* the first copy of a message that opened its seal */
        CLUSTER_EV_COPY,    /* another copy of it, on another link: proves that link */
        CLUSTER_EV_SAVED,   /* what cluster_state_to_save() gave under `serial` is on disk */
        CLUSTER_EV_WARMED,  /* group results, with the epoch they belong to */
        CLUSTER_EV_STARTED,
        CLUSTER_EV_START_FAILED, /* and everything of it was stopped again */
        CLUSTER_EV_REFUSED,      /* not started: somebody else answers for its address; nothing of it runs */
        CLUSTER_EV_RELEASED,     /* all that is exclusive is gone; the warm part may still stop */
        CLUSTER_EV_STOPPED,
        CLUSTER_EV_STOP_FAILED,
        CLUSTER_EV_FAILED,   /* started, broke, cannot be mended in place */
        CLUSTER_EV_FIT,      /* `yes`: this node can serve the group, or cannot */
        CLUSTER_EV_ARBITER,  /* answer to todo.question */
        CLUSTER_EV_ORDER,    /* from an operator on this node */
        CLUSTER_EV_LEAVE,    /* give everything away, then end */
        CLUSTER_EV_FENCED,   /* the end of ACTION_FENCE: `yes`: node is off, a query of its power confirmed it
                              */
        CLUSTER_EV_WATCHDOG, /* ours is armed: `wait` as in struct message; 0: it is not */
};

struct cluster_event {
        enum cluster_event_kind kind;
        instant now; /* read after whatever the event reports had happened (rule 19) */
        const struct message *message;
        uint8_t from; /* COPY */
        uint8_t link; /* MESSAGE, COPY */
        uint32_t serial;
        uint8_t group; /* index into settings.group */
        struct epoch epoch;
        bool yes;      /* FIT; FENCED; ARBITER, weak */
        instant asked; /* ARBITER: read before anything of the question left (rules 21, 24) */
        const struct arbiter_answer
                *arbiter; /* ARBITER, strong; NULL: nothing came from it, `text` says why */
        struct order order;
        uint8_t node;     /* FENCED */
        span wait;        /* WATCHDOG */
        const char *text; /* why, for people; may be NULL */
};

enum cluster_action_kind {
        ACTION_WARM,
        ACTION_START,
        ACTION_STOP,
        ACTION_ADOPT,
        ACTION_ANNOUNCE,
        ACTION_ASK,  /* whether somebody answers for its addresses: it may have to be taken soon */
        ACTION_FENCE /* power `node` off, and make sure; its end is CLUSTER_EV_FENCED */
};

struct cluster_action {
        enum cluster_action_kind kind;
        uint8_t group;
        uint8_t node; /* FENCE */
        struct epoch epoch;
        bool probe; /* START: nothing proves that the old owner let go: ask the network first */
};

/* Kinds of what is worth telling. Each has a name that scripts may rely on. */
enum note_kind {
        NOTE_TRACE, /* log only */
        NOTE_NODE_UP,
        NOTE_NODE_DOWN,
        NOTE_LINK,
        NOTE_LEADER,
        NOTE_QUORUM_LOST,
        NOTE_QUORUM,
        NOTE_LEASE_LOST,
        NOTE_GROUP_MOVED,
        NOTE_GROUP_STARTED,
        NOTE_GROUP_STOPPED,
        NOTE_GROUP_FAILED,
        NOTE_GROUP_BLOCKED,
        NOTE_SPLIT,
        NOTE_PAUSED,
        NOTE_ORDER,
        NOTE_MEMBER,
        NOTE_CONFIG,
        NOTE_FENCE,
};
const char *note_kind_name(enum note_kind kind);

#define NOTE_TEXT 224
struct note {
        enum note_kind kind;
        char subject[CLUSTER_NAME]; /* node or group; may be empty */
        char text[NOTE_TEXT];
};

#define TODO_NOTES_MAX   48
#define TODO_ACTIONS_MAX (2 * CLUSTER_GROUPS_MAX + CLUSTER_NODES_MAX)
#define TODO_ORDERS_MAX  4

enum order_error {
        ORDER_DONE,
        ORDER_NO_LEADER,    /* nobody leads, or the leader did not answer in time */
        ORDER_UNKNOWN,      /* the leader does not know that group or node */
        ORDER_NOT_POSSIBLE, /* e.g. the node is not in the group's list or not online */
        ORDER_BUSY,         /* too many orders at once */
        ORDER_ALIVE,        /* it is heard, so it is not off */
        ORDER_NO_DEVICE,    /* nothing can power that node off */
        ORDER_SELF,         /* the leader does not power itself off */
};

struct order_done {
        uint32_t id;
        enum order_error error;
};

struct todo {
        uint64_t speak_to; /* bit i: node i must hear from us now */
        bool save;         /* cluster_state_to_save() has news */
        bool exit;         /* after speaking: this node has left */
        bool rearrange;    /* the document on disk numbers nodes otherwise, or more: a core with settings
                              made by it is to follow this one */
        struct arbiter_question
                question; /* for the arbiter, after the ledger is written; ARBITER_NOTHING: none. A weak one
                             (ping, none) is asked only whether it sees what we see, whatever the kind */
        uint8_t action_count;
        struct cluster_action action[TODO_ACTIONS_MAX];
        uint8_t note_count;
        struct note note[TODO_NOTES_MAX];
        uint8_t order_count;
        struct order_done order[TODO_ORDERS_MAX];
};

struct cluster; /* plain memory of cluster_size() bytes, given by the caller */

size_t cluster_size(void);
/* `settings` must stay valid and unchanged until cluster_reconfigure(). Fills `todo` with what the ledger
 * demands (adopting what runs, ending what was being released). */
void cluster_init(struct cluster *c, const struct cluster_settings *settings,
                  const struct cluster_start *start, struct todo *todo);
void cluster_step(struct cluster *c, const struct cluster_event *event, struct todo *ret_todo);

/* When CLUSTER_EV_TIME is wanted at the latest. */
instant cluster_deadline(const struct cluster *c);

/* The message to `to`, as of `now`, which must be read just before (rule 19). Numbers it. */
void cluster_speak(struct cluster *c, instant now, uint8_t to, struct message *ret_message);

/* For the ledger; valid until the next step. */
const struct cluster_promise *cluster_promise(const struct cluster *c);

/* What to write to disk now; answer with CLUSTER_EV_SAVED and *ret_serial when it is there, or ask again
 * later if it could not be written. One write at a time. */
void cluster_state_to_save(struct cluster *c, struct cluster_state *ret_state, uint32_t *ret_serial);

/* New settings with the same members and timing. Groups are matched by id; one that is held must still be
 * there
 * (-EBUSY: the caller refuses the reload and names cluster_holds()). */
int cluster_reconfigure(struct cluster *c, const struct cluster_settings *settings);
bool cluster_holds(const struct cluster *c, uint32_t group);

/* --- what is known, for status and explain --- */

enum node_state { NODE_ONLINE, NODE_STANDBY, NODE_OFFLINE, NODE_LEAVING };
enum link_state { LINK_UP, LINK_LATE, LINK_ONE_WAY_IN, LINK_ONE_WAY_OUT, LINK_DOWN };
enum group_state {
        GROUP_STARTED,
        GROUP_STARTING,
        GROUP_STOPPING,
        GROUP_STOPPED,
        GROUP_FAILED,
        GROUP_BLOCKED
};
const char *node_state_name(enum node_state s);
const char *link_state_name(enum link_state s);
const char *group_state_name(enum group_state s);
const char *order_error_text(enum order_error e);

enum node_state cluster_node(const struct cluster *c, uint8_t node, instant now, char *text, size_t size);
enum link_state cluster_link(const struct cluster *c, uint8_t node, uint8_t link, instant now,
                             span *ret_silent);
enum group_state cluster_group(const struct cluster *c, uint8_t group, instant now, char *text, size_t size);
/* Of a group that runs everywhere: its state on that node. */
enum group_state cluster_group_on(const struct cluster *c, uint8_t group, uint8_t node, instant now);
struct timing cluster_timing(const struct cluster *c); /* in force, whatever the file says */
const struct document *cluster_document(const struct cluster *c);
struct version cluster_committed(const struct cluster *c); /* the newest that this node knows to be */
uint8_t cluster_leader(const struct cluster *c);           /* NODE_NONE */
uint32_t cluster_term(const struct cluster *c);
bool cluster_has_lease(const struct cluster *c, instant now);
struct incarnation cluster_incarnation(const struct cluster *c, uint8_t node);
/* What the fence arbiter judges another node by. */
struct cluster_sight {
        bool met;            /* heard since the supervisor started, by whichever of its cores */
        instant heard;       /* when anything of it was last, by this core; LONG_AGO: not yet */
        instant silent_from; /* since when this core has listened to it in vain */
        bool voteless; /* it has left in order, or is heard to have no valid state: it votes for nobody and
                          leads nothing, as if it were off */
};
struct cluster_sight cluster_sight(const struct cluster *c, uint8_t node);
enum fence_state { FENCE_NONE, FENCE_RUNNING, FENCE_OFF /* powered off for certain, and not back */ };
enum fence_state cluster_fence(const struct cluster *c, uint8_t node);
/* The time of its watchdog, 0 if none is armed, as the document says. */
span cluster_watchdog(const struct cluster *c, uint8_t node);
bool cluster_config_differs(const struct cluster *c, uint8_t node);
/* The kind that votes beside the nodes now; ABSENT: they are odd in number. */
enum cluster_arbiter cluster_arbiter(const struct cluster *c);
/* Whether it has a vote, as the newest document says. */
bool cluster_votes(const struct cluster *c, uint8_t node);
/* What the cluster can bear right now, as far as this node sees. */
struct survival {
        uint8_t votes;            /* of nodes and arbiter that could be counted on now, */
        uint8_t needed;           /* and as many it takes */
        bool arbiter_strong;      /* a strong arbiter is in force, */
        bool arbiter_present;     /* and could be counted on */
        bool arbiter_lost;        /* it has lost its state, */
        bool arbiter_older;       /* or got an older one back */
        instant arbiter_answered; /* a strong one, last; LONG_AGO: not yet */
};
struct survival cluster_survival(const struct cluster *c, instant now);
/* "one more node may fail" and the like. */
void survival_text(const struct survival *s, char *text, size_t size);
/* Where the group should be and why, node by node. */
void cluster_explain(const struct cluster *c, uint8_t group, instant now, char *text, size_t size);
