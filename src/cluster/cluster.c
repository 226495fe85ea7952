#include "cluster/brain.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const note_names[] = {
        [NOTE_TRACE] = "trace",
        [NOTE_NODE_UP] = "node-up",
        [NOTE_NODE_DOWN] = "node-down",
        [NOTE_LINK] = "link",
        [NOTE_LEADER] = "leader",
        [NOTE_QUORUM_LOST] = "quorum-lost",
        [NOTE_QUORUM] = "quorum",
        [NOTE_LEASE_LOST] = "lease-lost",
        [NOTE_GROUP_MOVED] = "group-moved",
        [NOTE_GROUP_STARTED] = "group-started",
        [NOTE_GROUP_STOPPED] = "group-stopped",
        [NOTE_GROUP_FAILED] = "group-failed",
        [NOTE_GROUP_BLOCKED] = "group-blocked",
        [NOTE_SPLIT] = "split",
        [NOTE_PAUSED] = "paused",
        [NOTE_ORDER] = "order",
        [NOTE_MEMBER] = "member",
        [NOTE_CONFIG] = "config",
        [NOTE_FENCE] = "fence",
};

const char *note_kind_name(enum note_kind kind)
{
        return note_names[kind];
}

const char *node_name(const struct cluster *c, uint8_t node)
{
        return node < c->settings->node_count ? c->settings->node_name[node] : "nobody";
}

int group_index(const struct cluster *c, uint32_t id)
{
        for (int i = 0; i < c->settings->group_count; i++)
                if (c->settings->group[i].id == id)
                        return i;
        return -1;
}

uint32_t members(const struct cluster *c)
{
        const struct document *d = &c->state.document;
        uint32_t founders = d->version.n ? d->members : c->settings->members;

        return founders ^ c->settings->arbiter_id * 2654435761U;
}

static bool same_name(const struct cluster *c, uint8_t node)
{
        const struct document *d = &c->state.document;

        return node >= d->member_count || d->member[node].name == 0 ||
               d->member[node].name == c->settings->node_id[node];
}

bool arranged(const struct cluster *c)
{
        for (uint8_t i = 0; i < c->state.document.member_count; i++)
                if (i >= c->settings->node_count || !same_name(c, i))
                        return false;
        return true;
}

bool peer_heard_within(const struct cluster *c, uint8_t node, span silence)
{
        const struct peer *p = &c->peer[node];

        return p->heard.us != 0 && !p->is.left && span_between(p->heard, c->now).us < silence.us;
}

/* Of a boot before the one that our document remembers: an older copy of its state speaks, whether it has
 * been told so or not (rule 6). */
static bool is_older_copy(const struct cluster *c, uint8_t node)
{
        const struct document *d = &c->state.document;

        return node < d->member_count && d->member[node].boot > c->peer[node].incarnation.boot;
}

bool peer_counts(const struct cluster *c, uint8_t node)
{
        const struct peer *p = &c->peer[node];

        return p->is.members == members(c) && same_name(c, node) && !p->is.invalid_voter &&
               !is_older_copy(c, node);
}

bool leads_with_lease(const struct cluster *c)
{
        return c->role == ROLE_LEADER && instant_before(c->now, c->lead_lease_end);
}

uint8_t feature_level(const struct cluster *c)
{
        return c->settings->feature_level ? c->settings->feature_level : release_feature_level();
}

void note(struct cluster *c, enum note_kind kind, const char *subject, const char *format, ...)
{
        struct todo *todo = c->todo;
        va_list args;

        if (todo->note_count == TODO_NOTES_MAX)
                return; /* a step that has more to tell than a screen holds: the first lines are the causes */
        struct note *n = &todo->note[todo->note_count++];
        n->kind = kind;
        text_copy(n->subject, sizeof(n->subject), subject);
        va_start(args, format);
        vsnprintf(n->text, sizeof(n->text), format, args);
        va_end(args);
}

void act(struct cluster *c, enum cluster_action_kind kind, uint8_t group, struct epoch epoch, bool probe)
{
        struct todo *todo = c->todo;

        assert(todo->action_count < TODO_ACTIONS_MAX);
        todo->action[todo->action_count++] =
                (struct cluster_action){.kind = kind, .group = group, .epoch = epoch, .probe = probe};
}

void act_on_node(struct cluster *c, enum cluster_action_kind kind, uint8_t node)
{
        act(c, kind, 0, (struct epoch){0}, false);
        c->todo->action[c->todo->action_count - 1].node = node;
}

void save(struct cluster *c)
{
        c->save_serial++;
        c->todo->save = true;
}

size_t cluster_size(void)
{
        return sizeof(struct cluster);
}

const struct cluster_promise *cluster_promise(const struct cluster *c)
{
        return &c->promise;
}

/* The ledger's copy of what this node holds and has sealed. */
static void promise_update(struct cluster *c)
{
        struct cluster_promise *p = &c->promise;

        p->term = c->state.term;
        p->leading = c->role == ROLE_LEADER;
        p->tenure_count = c->settings->group_count;
        for (uint8_t i = 0; i < p->tenure_count; i++)
                p->tenure[i] = (struct cluster_tenure){.group = c->settings->group[i].id,
                                                       .hold = c->tenure[i].hold,
                                                       .epoch = c->tenure[i].epoch,
                                                       .sealed = c->tenure[i].sealed};
        unnamed_promise(c, p);
}

void cluster_state_to_save(struct cluster *c, struct cluster_state *ret_state, uint32_t *ret_serial)
{
        *ret_state = c->state;
        ret_state->voter = c->valid;
        *ret_serial = c->save_serial;
        /* the state may change while the disk is at work */
        c->writing.serial = c->save_serial;
        c->writing.term = c->state.term;
        c->writing.vote = c->state.voted_for;
        c->writing.version = c->state.document.version;
}

static void settle(struct cluster *c)
{
        peers_watch(c);
        arbiter_watch(c);
        election_settle(c);
        leader_settle(c);
        order_settle(c);
        foresee(c);
        govern(c);
        tenure_settle(c);
        leave_settle(c);
        membership_settle(c);
        arbiter_settle(c);
        speak_settle(c);
        promise_update(c);
        c->stepped = c->now;
}

static void begin(struct cluster *c, instant now, struct todo *todo)
{
        todo->speak_to = 0;
        todo->save = todo->exit = todo->rearrange = false;
        todo->question.ask = ARBITER_NOTHING;
        todo->action_count = todo->note_count = todo->order_count = 0;
        c->todo = todo;
        c->now = instant_max(now, c->stepped);
        c->edited = c->changed = false;
}

static void forget_promise_of_lost_state(struct cluster *c)
{
        c->valid = false;
        c->state = (struct cluster_state){.voted_for = NODE_NONE};
}

void cluster_init(struct cluster *c, const struct cluster_settings *settings,
                  const struct cluster_start *start, struct todo *todo)
{
        assert(settings->node_count >= 1 && settings->node_count <= CLUSTER_NODES_MAX);
        assert(timing_possible(settings->timing.heartbeat, settings->timing.dead, settings->timing.dead));
        memset(c, 0, sizeof(*c));
        c->settings = settings;
        c->self = start->incarnation;
        c->stepped = start->now;
        c->started = start->now;
        c->first_core = start->first_core;
        c->state = start->state;
        c->valid = start->state_valid;
        if (!c->valid)
                forget_promise_of_lost_state(c);
        membership_apply(c);
        if (version_equal(c->state.committed, c->state.document.version))
                c->committed = c->state.document;
        c->saved_term = c->state.term;
        c->saved_vote = c->state.voted_for;
        c->saved_version = c->state.document.version;
        c->leader = NODE_NONE;
        c->leader_heard = start->now;
        c->promise = start->promise;
        if (start->promise.leading)
                c->promise.last_answer = start->now; /* it led, up to we do not know when (rule 5) */
        c->next_order = 1;
        for (uint8_t i = 0; i < CLUSTER_NODES_MAX; i++) {
                c->peer[i].next_seq = 1;
                c->peer[i].silent_from = start->now;
        }
        begin(c, start->now, todo);
        election_resume_term(c, start->promise.term);
        /* the core before us led: ask to go on at once, nobody else has reason to be elected */
        if (start->promise.leading && c->valid && start->promise.term == c->state.term)
                c->campaign_due = start->now;
        else /* by rank: nodes that start together would else all ask at once */
                c->campaign_due =
                        instant_add(start->now, span_add(c->timing.election,
                                                         span_times(c->timing.stagger, settings->self)));
        tenure_adopt(c);
        if (!c->valid)
                note(c, NOTE_MEMBER, node_name(c, settings->self),
                     "no valid state on disk -> neither votes nor runs anything until a leader readmits it "
                     "(a new cluster: haven init)");
        c->changed = true;
        settle(c);
}

static void notice_pause(struct cluster *c)
{
        span gap = span_between(c->stepped, c->now);
        char text[SPAN_TEXT];

        /* we are called at every heartbeat; in a gap of two we have not listened, and nobody was silent */
        if (gap.us > 2 * c->timing.heartbeat.us)
                for (uint8_t i = 0; i < c->settings->node_count; i++)
                        c->peer[i].silent_from =
                                instant_min(c->now, instant_add(c->peer[i].silent_from, gap));
        if (gap.us <= c->timing.dead.us)
                return;
        note(c, NOTE_PAUSED, node_name(c, c->settings->self),
             "this node stood still for %s (longer than dead) -> its leases are over, what it held is let go",
             span_format(span_us(gap.us / 1000 * 1000), text));
}

static void notice_saved(struct cluster *c, uint32_t serial)
{
        if ((int32_t)(serial - c->saved_serial) <= 0)
                return;
        c->saved_serial = serial;
        if (serial == c->writing.serial) {
                c->saved_term = c->writing.term;
                c->saved_vote = c->writing.vote;
                c->saved_version = c->writing.version;
                c->changed = true;
        }
        if (serial != c->save_serial)
                c->todo->save = true;
}

void cluster_step(struct cluster *c, const struct cluster_event *event, struct todo *ret_todo)
{
        begin(c, event->now, ret_todo);
        if (event->kind == CLUSTER_EV_COPY) {
                /* proves its link, and nothing follows from that before the next deadline */
                hear_copy(c, event->from, event->link);
                return;
        }
        notice_pause(c);
        lease_expire(c);
        switch (event->kind) {
        case CLUSTER_EV_TIME:
        case CLUSTER_EV_COPY: break;
        case CLUSTER_EV_MESSAGE: hear_message(c, event->message, event->link); break;
        case CLUSTER_EV_SAVED: notice_saved(c, event->serial); break;
        case CLUSTER_EV_ARBITER: arbiter_answered(c, event); break;
        case CLUSTER_EV_ORDER: order_take(c, &event->order); break;
        case CLUSTER_EV_LEAVE:
                c->leaving = c->changed = true;
                note(c, NOTE_MEMBER, node_name(c, c->settings->self), "leaving -> groups move first");
                break;
        case CLUSTER_EV_FENCED: fencing_ended(c, event); break;
        case CLUSTER_EV_WATCHDOG:
                c->changed |= c->watchdog.us != event->wait.us;
                c->watchdog = event->wait;
                break;
        case CLUSTER_EV_WARMED:
        case CLUSTER_EV_STARTED:
        case CLUSTER_EV_START_FAILED:
        case CLUSTER_EV_REFUSED:
        case CLUSTER_EV_RELEASED:
        case CLUSTER_EV_STOPPED:
        case CLUSTER_EV_STOP_FAILED:
        case CLUSTER_EV_FAILED:
        case CLUSTER_EV_FIT: tenure_event(c, event); break;
        }
        settle(c);
}

instant cluster_deadline(const struct cluster *c)
{
        instant due = instant_min(instant_min(speak_due(c), election_due(c)), foresee_due(c));

        for (uint8_t i = 0; i < c->settings->group_count; i++)
                if (c->tenure[i].hold != HOLD_NONE && instant_before(c->stepped, c->promise.lease_end))
                        due = instant_min(due, c->promise.lease_end);
        if (c->role == ROLE_LEADER)
                for (uint8_t i = 0; i < c->settings->node_count; i++) {
                        instant over = leases_over(c, i);
                        if (!is_self(c, i) && instant_before(c->stepped, over))
                                due = instant_min(due, over);
                        instant silent = instant_add(c->peer[i].heard, c->timing.dead);
                        if (!is_self(c, i) && instant_before(c->stepped, silent))
                                due = instant_min(due, silent);
                }
        if ((arbiter_is_strong(c) && instant_before(c->stepped, c->arbiter_due)) ||
            (arbiter_kind(c) == CLUSTER_ARBITER_WEAK && instant_before(c->stepped, c->arbiter_needed_until)))
                due = instant_min(due, c->arbiter_due);
        return due;
}

bool cluster_holds(const struct cluster *c, uint32_t group)
{
        int i = group_index(c, group);

        return i >= 0 && c->tenure[i].hold != HOLD_NONE;
}

int cluster_reconfigure(struct cluster *c, const struct cluster_settings *settings)
{
        const struct cluster_settings *old = c->settings;
        struct tenure tenure[CLUSTER_GROUPS_MAX];
        struct care care[CLUSTER_GROUPS_MAX];

        assert(settings->node_count == old->node_count && settings->self == old->self);
        for (uint8_t i = 0; i < old->group_count; i++) {
                bool kept = false; /* and runs on as many nodes as it did: on one, or on all */
                for (uint8_t j = 0; j < settings->group_count; j++)
                        kept |= settings->group[j].id == old->group[i].id &&
                                settings->group[j].everywhere == old->group[i].everywhere;
                if (!kept && c->tenure[i].hold != HOLD_NONE)
                        return -EBUSY;
        }
        if (unnamed_runs(c))
                return -EBUSY; /* one that nobody can name is being let go */
        for (uint8_t i = 0; i < old->group_count; i++) {
                bool named = false;
                for (uint8_t j = 0; j < settings->group_count; j++)
                        named |= settings->group[j].id == old->group[i].id;
                if (!named)
                        unnamed_keep(c, &(struct cluster_tenure){.group = old->group[i].id,
                                                                 .hold = HOLD_NONE,
                                                                 .sealed = c->tenure[i].sealed});
        }
        for (uint8_t j = 0; j < settings->group_count; j++) {
                int i = group_index(c, settings->group[j].id);
                tenure[j] = i >= 0 ? c->tenure[i] : tenure_unknown();
                if (i < 0)
                        unnamed_resume(c, settings->group[j].id, &tenure[j]);
                care[j] = i >= 0 ? c->care[i] : (struct care){.refused_node = NODE_NONE};
        }
        memcpy(c->tenure, tenure, sizeof(tenure[0]) * settings->group_count);
        memcpy(c->care, care, sizeof(care[0]) * settings->group_count);
        /* what peers said of groups stays true under the new indices */
        for (uint8_t n = 0; n < settings->node_count; n++) {
                struct peer_facts *is = &c->peer[n].is;
                const struct peer_facts was = *is;
                for (uint8_t j = 0; j < settings->group_count; j++) {
                        int i = group_index(c, settings->group[j].id);
                        is->knows[j] = i >= 0 && was.knows[i];
                        is->hold[j] = i >= 0 ? was.hold[i] : (struct hold){0};
                }
        }
        c->settings = settings;
        membership_apply(c);
        promise_update(c);
        return 0;
}
