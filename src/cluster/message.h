/* message.h - what nodes say to each other: one kind of message, the whole state of its sender, said again
 * and again. Nothing depends on one message arriving (rules.md rule 17); a newer one replaces all before
 * it.
 *
 * This is the decoded form; src/heartbeat puts it on the wire. Nodes are indices in the sorted membership,
 * the same everywhere, guarded by `members`. */
#pragma once

#include "base/instant.h"
#include "cluster/document.h"

#include <stdbool.h>
#include <stdint.h>

#define NODE_NONE 0xff

/* Who is speaking: which boot of its supervisor, and which core under that supervisor. Both only grow. */
struct incarnation {
        uint64_t boot;
        uint32_t core;
};

/* Proof that the sender hears the receiver now: the newest message of the receiver that it has heard. */
struct echo {
        struct incarnation of; /* the receiver's, as heard */
        uint32_t seq;
};

/* A follower's answer to its leader (rule 4): promises bind to it, echoes never do. */
struct answer {
        bool present;
        uint32_t term;
        uint32_t seq; /* of a message that the leader sent as leader of that term; its incarnation is the
                         echo's */
};

/* The leader's grant of a lease (rules 9, 10), counted by the receiver from when it sent message `seq`. */
struct grant {
        bool present;
        uint32_t seq;
        span length;
        struct version version; /* of the document that it holds under */
};

enum ballot_kind { BALLOT_NONE, BALLOT_PREVOTE, BALLOT_VOTE };

/* A candidate's request, and a voter's reply to it. */
struct ballot {
        enum ballot_kind kind;
        uint32_t term;
        bool reply;
        bool granted;
        span age; /* in a granted reply: since the voter last answered a leader, led, or started (rule 1) */
};

enum hold_state {
        HOLD_NONE,     /* holds nothing of it, and the epoch named is sealed (or none was ever held) */
        HOLD_WARM,     /* the warm part runs for the epoch named */
        HOLD_STARTING, /* from here on it may hold exclusive resources */
        HOLD_STARTED,
        HOLD_STOPPING,
        HOLD_STUCK,  /* a stop failed: it may hold them for good */
        HOLD_FAILED, /* started, but broken beyond mending in place */
};

struct hold {
        uint32_t group; /* text_id of its name */
        enum hold_state state;
        struct epoch epoch;  /* of what is held; with HOLD_NONE: the highest epoch sealed here */
        struct epoch sealed; /* the highest epoch sealed: never started again */
        bool unfit;          /* the node cannot serve the group now */
        bool refused;        /* the epoch `sealed` was not started: somebody else answers for its address */
        bool start_failed; /* the epoch `sealed` ended because it did not start or broke: counts as a failure
                            */
};

/* An operator's order on its way to the leader. */
enum order_kind {
        ORDER_NONE,
        ORDER_MOVE,
        ORDER_STOP,
        ORDER_START,
        ORDER_CLEAR,
        ORDER_STANDBY,
        ORDER_ONLINE,
        ORDER_MAINTENANCE_ON,
        ORDER_MAINTENANCE_OFF,
        ORDER_FENCE,       /* power that node off */
        ORDER_CONFIRM_OFF, /* a person says that it is off */
};

struct order {
        enum order_kind kind;
        uint32_t id;    /* counts up per core; 0: none */
        uint32_t group; /* text_id, 0: none */
        uint8_t node;   /* NODE_NONE: none */
        span lasts;     /* 0: until revoked */
};

struct order_result {
        uint32_t id;  /* of the receiver's order that this answers; 0: none */
        int8_t error; /* 0 done; else enum order_error in cluster.h */
};

struct message {
        uint8_t from;
        uint8_t to;
        uint32_t from_id, to_id; /* text_id of their names, which say the same whoever numbers them; 0: an
                                    earlier release's */
        struct incarnation incarnation;
        uint32_t seq;      /* counts up per core incarnation, never repeats */
        bool wants_answer; /* a leader's beat: followers answer at once */
        bool wants_grant;  /* a follower's answer: the leader grants at once */
        bool readmits; /* a leader that has its lease without the receiver takes it in as a voter (rule 6) */
        uint32_t members;      /* digest of the membership; of another membership nothing counts */
        uint64_t config;       /* digest of the configuration file; a difference is shown */
        uint8_t feature_level; /* the highest that the sender understands (rule 27) */
        uint8_t hears;         /* bit i: the sender has lately heard the receiver on link i */
        bool invalid_voter;    /* has no valid state: its votes and answers do not count (rule 6) */
        bool leaving;          /* on its way out: give it nothing, take what it has */
        bool resigned;         /* led, and gave up leading: elect another at once */
        bool leads;            /* leader of `term` */
        bool left;             /* last words: holds nothing, exits now */
        span watchdog; /* the sender's is armed: so long after the end of its last lease its machine has
                          been reset if it still held anything; 0: not armed (rule 15) */
        uint32_t term;
        uint8_t leader;        /* of that term as far as known; NODE_NONE */
        struct version newest; /* document that the sender has on disk */
        struct version committed;
        struct echo echo; /* of the receiver; zero: has not heard it */
        struct answer answer;
        struct grant grant;
        struct ballot ballot;
        struct order order;
        struct order_result result;
        bool has_document; /* the sender's newest, in full */
        uint8_t hold_count;
        /* what follows is large, and void beyond the counts */
        struct hold hold[DOCUMENT_GROUPS_MAX];
        struct document document;
};
