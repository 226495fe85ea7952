/* brain.h - the brain's memory and the steps it is made of; for the files of src/cluster only.
 *
 * A step applies one event and then settles: a fixed row of small, idempotent passes that bring what we do in
 * line with what we know. No pass waits for another; each may run at any time and finds nothing to do most of
 * the time.
 *
 *     lease_expire      what we hold without a lease is let go, before anything else is looked at
 *     (the event)
 *     peers_watch       who is there, who is late, who is gone
 *     arbiter_watch     whether a voter is missing that the arbiter must stand in for
 *     election_settle   campaigns, votes, leading, stepping down
 *     leader_settle     the leader's lease, commits
 *     foresee           what may have to be taken soon is asked about early
 *     govern            the leader's decisions: the next version of the document
 *     tenure_settle     what this node starts and stops
 *     arbiter_settle    what a strong arbiter is asked
 *     speak_settle      who must hear from us
 */
#pragma once

#include "cluster/cluster.h"
#include "cluster/placement.h"

#define FLAPS_MAX 6   /* losses of a node that count: its groups return after half a minute at the latest */
#define SENT_MAX  256 /* messages to one peer whose send times are remembered: over 5 D at the usual rates */

struct sent {
        uint32_t seq;
        instant at;
        uint32_t led_term; /* sent as leader of that term; 0: not as leader */
};

struct peer_link {
        instant heard;  /* newest message on it */
        bool they_hear; /* as they last said */
        bool late;      /* warned of */
};

/* What the peer's newest proven message says of itself, by our indices. */
struct peer_facts {
        uint32_t members;
        uint64_t config;
        bool invalid_voter, leaving, resigned, leads, left;
        uint32_t term;
        uint8_t feature_level;
        struct version newest, committed;
        span watchdog;
        bool knows[CLUSTER_GROUPS_MAX];
        struct hold hold[CLUSTER_GROUPS_MAX];
};

/* Its powering off, as the node that leads sees it, beside the document. */
struct fencing {
        bool running;      /* ACTION_FENCE has not ended */
        bool ordered;      /* by an operator: at once, without limit */
        instant due;       /* LONG_AGO: not wanted */
        uint64_t boot;     /* newest one known when it began, */
        uint64_t off_boot; /* and once it was off: to be written into the document */
        instant off_at;
        uint8_t tries; /* since first_try */
        instant first_try;
        bool limit_told;
};

struct peer {
        struct incarnation incarnation;
        uint32_t heard_seq;   /* newest message heard, */
        uint32_t proven_seq;  /* newest that proved that it hears us, */
        uint32_t lead_seq;    /* newest that it sent as our leader */
        instant met;          /* when this incarnation was first heard */
        instant heard_at_all; /* newest message */
        instant heard;        /* newest message that proves that it hears us now */
        instant silent_from;  /* since when we have listened in vain: `heard_at_all`, less the time we stood
                                 still.  A weak arbiter outvotes the silent only: over a one-way link the one
                                 that hears  gives way to the one that does not, and never do both take */
        bool up;              /* as told in the notes */
        instant up_since;
        uint8_t flaps; /* times lost lately; each doubles the wait before groups return */
        instant flapped;
        struct peer_link link[CLUSTER_LINKS_MAX];
        struct peer_facts is;

        uint32_t next_seq;
        struct sent sent[SENT_MAX];
        instant beat_due;     /* when it must hear from us again */
        instant document_due; /* when the document may be sent to it again */
        bool speak;           /* it must hear from us at the end of this step */
        bool beat;            /* and, if we lead, it is to answer */
        bool owes_answer;     /* its beat is not answered yet */

        bool prevote_given; /* by us to it, */
        uint32_t prevote_term;
        bool prevoted, voted; /* by it to our campaign */

        instant answered;      /* send time of our newest message, as leader of this term, that it answered */
        instant answered_when; /* when that answer came */
        instant granted_until; /* no lease that we gave it lasts longer */

        struct order_result result; /* of its newest order */
        struct version result_due;  /* said once this version is committed */

        struct fencing fencing;
};

enum role { ROLE_FOLLOWER, ROLE_CANDIDATE, ROLE_LEADER };

/* One group on this node. */
struct tenure {
        enum hold_state hold;
        struct epoch epoch;  /* held, being started or being stopped */
        struct epoch sealed; /* never started again */
        bool warm_ready;
        bool released; /* STOPPING: all that is exclusive is gone */
        bool unasked;  /* STOPPING: the stop has still to be asked for */
        bool start_failed, refused;
        bool unfit;
        bool adopted;  /* STARTING: not started by this core */
        instant retry; /* STUCK: when the stop is tried again */
        char text[NOTE_TEXT];
};

/* One group as its leader sees it, beside the document. */
struct care {
        instant forgive[CLUSTER_NODES_MAX]; /* when a failure of that node is forgotten */
        uint8_t refused_node;
        instant refused_until;
        uint8_t refusals;
        bool blocked_told;
        struct epoch owed_epoch; /* ours, for which somebody has not been proven to have let go; */
        instant owed_since;      /* since when we know */
        struct epoch foreseen;   /* of a silent owner, for whose taking all was asked already */
};

struct cluster {
        const struct cluster_settings *settings;
        struct timing timing; /* in force: the document's */
        struct incarnation self;
        instant now; /* of this step */
        instant started;
        instant stepped; /* time of the step before */
        bool first_core;
        bool ever_heard; /* any peer since the start */

        struct cluster_state state; /* as it should be on disk */
        struct document committed;
        bool valid; /* has valid state, so may vote */
        uint32_t save_serial, saved_serial;
        uint32_t saved_term;
        uint8_t saved_vote;
        struct version saved_version;
        struct { /* what the write under way will have saved */
                uint32_t serial, term;
                uint8_t vote;
                struct version version;
        } writing;

        enum role role;
        uint8_t leader; /* of state.term */
        instant leader_heard;
        instant campaign_due; /* not before this */
        instant campaign_end; /* give up then */
        instant campaign_began;
        enum ballot_kind campaign;
        uint8_t tries;
        bool prevoted, voted; /* by ourselves to our campaign */
        instant take_after;   /* rule 1: nothing is taken from a silent node before */
        instant commit_after; /* leader: the same for takings that it was elected with and that may not be
                                 committed */
        instant elected;
        bool alone_elected; /* by a weak arbiter in place of a voter: our document may have been overtaken */
        instant lead_lease_end; /* what a quorum's answers in this term give */
        instant lease_missed_since;
        struct version alone; /* newest version that we committed by a weak arbiter in place of a voter */
        bool resigned, leaving, left;
        instant resigned_at;
        bool quorum_told;

        instant arbiter_needed_until;
        instant arbiter_due;
        instant arbiter_granted; /* weak: when the question left that it last said yes to; LONG_AGO: none */
        bool arbiter_refused;
        span arbiter_age;             /* weak: of its vote */
        struct {                      /* strong: another voter */
                bool prevoted, voted; /* for our campaign */
                instant renewed; /* when the newest question left that it renewed our lease of this term by */
                instant answered;                  /* when it last answered anything; LONG_AGO: never */
                bool vote_told, silent_told, lost; /* as told in the notes; as it says itself */
                bool older;                        /* why it is lost */
                struct version stored;             /* document that it keeps, as it last said */
                enum arbiter_ask asked;            /* newest question, */
                uint32_t asked_term;               /* its term */
                struct version asked_to_keep;      /* and document */
        } arbiter;

        span watchdog; /* ours, armed; 0: not */

        struct cluster_promise promise;
        struct peer peer[CLUSTER_NODES_MAX];
        struct tenure tenure[CLUSTER_GROUPS_MAX];
        struct cluster_tenure unnamed[CLUSTER_GROUPS_MAX]; /* groups that our settings do not have */
        uint8_t unnamed_count;
        struct care care[CLUSTER_GROUPS_MAX];

        uint32_t next_order;
        struct order order[TODO_ORDERS_MAX]; /* of this node's operators, oldest first */
        instant order_end[TODO_ORDERS_MAX];
        uint8_t order_count;
        bool order_applied;                       /* order[0], by us as leader, in... */
        struct version order_version;             /* ...this version: done once it is committed */
        instant standby_since[CLUSTER_NODES_MAX]; /* leader: from when standby_left counts */
        instant maintenance_since;

        uint8_t level_missed;          /* of a document that we cannot read, as told in the notes */
        struct version timing_version; /* leader: the document that brought this timing, or our first; */
        uint64_t timing_known;         /* bit i: node i has it, committed and on disk; */
        instant timing_common;         /* since when all have; NEVER: not yet */
        instant timing_wanted;         /* since when files want another; LONG_AGO: they do not */
        instant rearrange_due;         /* LONG_AGO: not wanted */
        const char *timing_objection;  /* that has been told, */
        uint8_t timing_objector;       /* and against whom */
        bool edited;                   /* the document, in this step */
        bool changed;                  /* something all peers should know at once */
        struct todo *todo;
};

/* --- small questions, answered in cluster.c --- */
static inline bool is_self(const struct cluster *c, uint8_t node)
{
        return node == c->settings->self;
}
const char *node_name(const struct cluster *c, uint8_t node);
int group_index(const struct cluster *c, uint32_t id);
/* The digest that every message must bear for anything in it to count: those who founded the cluster, and the
 * arbiter that they share. */
uint32_t members(const struct cluster *c);
/* Whether our settings number the nodes as the document does. */
bool arranged(const struct cluster *c);
/* Heard within `silence`, with proof that it hears us. */
bool peer_heard_within(const struct cluster *c, uint8_t node, span silence);
/* Whether its votes and answers count. */
bool peer_counts(const struct cluster *c, uint8_t node);
bool leads_with_lease(const struct cluster *c);
/* The highest that this node understands (rule 27). */
uint8_t feature_level(const struct cluster *c);

void note(struct cluster *c, enum note_kind kind, const char *subject, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void act(struct cluster *c, enum cluster_action_kind kind, uint8_t group, struct epoch epoch, bool probe);
void act_on_node(struct cluster *c, enum cluster_action_kind kind, uint8_t node);
void save(struct cluster *c);

/* voters.c */
struct voters {
        uint64_t set[2];
        uint8_t count; /* 2 while they change */
};
struct voters voters_of(const struct cluster *c);
/* Who is in any of the sets. */
uint64_t voters_all(const struct cluster *c);
/* Whom our file names. */
uint64_t voters_named(const struct cluster *c);
static inline bool is_voter(const struct cluster *c, uint8_t node)
{
        return voters_all(c) & 1ULL << node;
}
uint8_t votes_needed(const struct cluster *c, uint64_t set);
/* Whether these nodes, and a strong arbiter or not, are a quorum of each set. */
bool votes_suffice(const struct cluster *c, uint64_t nodes, bool strong);
/* The same where a weak arbiter has said yes, and votes wherever it may stand in. */
bool votes_suffice_with_weak(const struct cluster *c, uint64_t nodes, span silence);
/* Until when a quorum of each set supports us: each vote for a lease from when it was asked for what it gave.
 * LONG_AGO: some set does not. */
instant quorum_supports_until(const struct cluster *c, bool with_arbiter);
/* ABSENT where no set has one beside it. */
enum cluster_arbiter arbiter_kind(const struct cluster *c);

/* hear.c */
void hear_message(struct cluster *c, const struct message *m, uint8_t link);
void hear_copy(struct cluster *c, uint8_t from, uint8_t link);
void peers_watch(struct cluster *c);
/* Send time of message `seq` to that peer, or NULL if it was too long ago. */
const struct sent *sent_find(const struct peer *p, uint32_t seq);

/* arbiter.c */
void arbiter_watch(struct cluster *c);
void arbiter_answered(struct cluster *c, const struct cluster_event *event);
/* Whether a weak one's vote may count now: only in the place of voters that are silent. */
bool arbiter_stands_in(const struct cluster *c, uint64_t set, span silence);

/* arbiter_strong.c */
static inline bool arbiter_is_strong(const struct cluster *c)
{
        return arbiter_kind(c) == CLUSTER_ARBITER_STRONG;
}
/* D and L of its own: no shorter than the nodes'. */
span arbiter_dead(const struct cluster *c);
span arbiter_lease(const struct cluster *c);
void arbiter_settle(struct cluster *c);
void arbiter_strong_answered(struct cluster *c, const struct cluster_event *event);

/* election.c */
void election_resume_term(struct cluster *c, uint32_t term);
void election_settle(struct cluster *c);
void election_heard(struct cluster *c, uint8_t from, const struct message *m);
void step_down(struct cluster *c, const char *why);
void term_raise(struct cluster *c, uint32_t term);
/* Nothing is taken from a silent node until the promises of a voter are over that answered `age` ago (rule
 * 1). */
void raise_take_after(struct cluster *c, span age);
/* The same where it is known how long they last still. */
void raise_take_after_left(struct cluster *c, span left);
instant election_due(const struct cluster *c);

/* leader.c */
void leader_begin(struct cluster *c);
void leader_settle(struct cluster *c);
void leader_heard(struct cluster *c, uint8_t from, const struct message *m);
void follower_heard_leader(struct cluster *c, uint8_t from, const struct message *m);
void document_adopt(struct cluster *c, const struct document *d, uint8_t from);
/* Until when a silent node may still be holding a lease: nothing is taken from it before. */
instant leases_over(const struct cluster *c, uint8_t node);
span grant_length(const struct cluster *c, instant now);
/* Until when our lease as leader lasts by the nodes' answers alone. */
instant lease_without_arbiter(const struct cluster *c);
/* Others vote now: what those before supported for longer is over, for none of these waits for that. */
void leader_by_new_voters(struct cluster *c);

/* govern.c */
void govern(struct cluster *c);
struct document *document_edit(struct cluster *c);
#define BOOT_ANY 0 /* the boot was not recorded: only what the node itself says counts */
bool peer_released(const struct cluster *c, uint8_t node, uint8_t group, uint64_t boot, struct epoch epoch);
/* Whether `node` says that it holds that very epoch. */
bool peer_holds(const struct cluster *c, uint8_t node, uint8_t group, struct epoch epoch);
const struct hold *hold_of(const struct cluster *c, uint8_t node, uint8_t group);
/* What the node says of it, also if that is this node. */
struct hold hold_on(const struct cluster *c, uint8_t node, uint8_t group);
struct hold tenure_hold(const struct cluster *c, uint8_t group);
struct epoch next_epoch(struct cluster *c);
void blame(struct cluster *c, uint8_t g, uint8_t node, const char *what);
void forgive(struct cluster *c, uint8_t g, const struct assignment *a);

/* fitness.c */
enum place fitness(const struct cluster *c, uint8_t g, uint8_t node);
bool peer_present(const struct cluster *c, uint8_t node);
void placement_ask(const struct cluster *c, struct placement_query *ret_query);

/* after.c */
/* What the group starts after and which is not started yet, or NULL. */
const struct cluster_group *waits_for(const struct cluster *c, uint8_t g);
/* Whether any group that comes after it is still held: on this node, or on any that we hear. */
bool dependents_hold(const struct cluster *c, uint8_t g, bool here);

/* everywhere.c */
/* Whether it has no owner any more, and nobody is left who may still hold it. */
bool everywhere_may_begin(const struct assignment *a);
void everywhere_govern(struct cluster *c, uint8_t g);
/* One step towards having one node: to be called until it may be given to one. */
void everywhere_end(struct cluster *c, uint8_t g);
/* A node that may still run what is to have one node, as far as we know; NODE_NONE: none does. */
uint8_t everywhere_runner(const struct cluster *c, uint8_t g);
/* Whoever has ended the group may start it again. */
void everywhere_renew(struct cluster *c, uint8_t g);
void everywhere_settle(struct cluster *c, uint8_t g);

/* fencing.c */
void fencing_settle(struct cluster *c);
void fencing_distrust(struct cluster *c);
void fencing_distrust_former(struct cluster *c, uint64_t nodes);
/* The same for what is committed alone while leading. */
void fencing_doubt(struct cluster *c);
/* Whether a voter without which it was committed may start this group's data too. */
bool fencing_in_doubt(const struct cluster *c, uint8_t g);
void fencing_ended(struct cluster *c, const struct cluster_event *event);
enum order_error fencing_order(struct cluster *c, const struct order *o);
/* Whether it was powered off for certain, and nothing newer of it is known. */
bool fenced(const struct cluster *c, uint8_t node);
/* What makes it certain that this holder has let go without saying so; NULL: nothing does. */
const char *debt_settled(const struct cluster *c, const struct debt *d);
/* Of a node that is there and cannot say that it let go. */
#define UNNAMED_ADVICE "the file there does not name it: name it there, and 'haven reload'"
/* What will pay it, and what a person can do. */
void debt_advice(const struct cluster *c, uint8_t group, const struct debt *d, char *text, size_t size);

/* membership.c */
/* Takes over the timing that our document has; after every change of it. */
void membership_apply(struct cluster *c);
/* A leader begins: its document says what is in force. */
void membership_begin(struct cluster *c);
/* The leader: one step from what is in force to what all files want. */
void membership_govern(struct cluster *c);
/* What a leader's first document says of who is there. */
void membership_found(struct cluster *c);
/* We have no document yet, and this one is of a cluster that has taken us in: we are of that one. */
void membership_join(struct cluster *c, const struct document *d, uint8_t from);
/* Whether the document numbers us as our settings do. */
bool names_us(const struct cluster *c, const struct document *d);
bool self_arranged(const struct cluster *c, const struct document *d);
void membership_settle(struct cluster *c);

/* foresee.c */
void foresee(struct cluster *c);
instant foresee_due(const struct cluster *c);

/* tenure.c */
void lease_expire(struct cluster *c);
void tenure_settle(struct cluster *c);
void tenure_event(struct cluster *c, const struct cluster_event *event);
void tenure_adopt(struct cluster *c);
/* Of a group that no core of this boot has known: whatever may run of it is stopped before it is given. */
struct tenure tenure_unknown(void);
void tenure_start(struct cluster *c, uint8_t g, struct epoch epoch);
void tenure_stop(struct cluster *c, uint8_t g, const char *why);
/* Given what our file says runs everywhere: we do not start it, and say so. */
void tenure_decline(struct cluster *c, uint8_t g);
/* Rule 17: told to let go of what it never held, a node seals it and says so. */
void tenure_seal_unheld(struct cluster *c, uint8_t g, const struct assignment *a);
/* STUCK: tries the stop once more when it is time. */
void tenure_stop_again(struct cluster *c, uint8_t g);

/* unnamed.c */
void unnamed_keep(struct cluster *c, const struct cluster_tenure *t);
/* It is the configuration's again: what of it was sealed stays so. Not one of them: `t` is left as it is. */
void unnamed_resume(struct cluster *c, uint32_t group, struct tenure *t);
bool unnamed_runs(const struct cluster *c);
void unnamed_promise(const struct cluster *c, struct cluster_promise *p);
void unnamed_say(const struct cluster *c, struct message *m);

/* order.c */
void order_take(struct cluster *c, const struct order *order);
void order_settle(struct cluster *c);
void order_heard(struct cluster *c, uint8_t from, const struct message *m);
enum order_error order_apply(struct cluster *c, const struct order *order);

/* leave.c */
void leave_settle(struct cluster *c);

/* speak.c */
void speak_settle(struct cluster *c);
instant speak_due(const struct cluster *c);
