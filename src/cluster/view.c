/* What is known, for people. */
#include "cluster/brain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const node_states[] = {"online", "standby", "offline", "leaving"};
static const char *const link_states[] = {"up", "late", "one-way-in", "one-way-out", "down"};
static const char *const group_states[] = {"started", "starting", "stopping", "stopped", "failed", "blocked"};
static const char *const order_errors[] = {
        [ORDER_DONE] = "done",
        [ORDER_NO_LEADER] =
                "no leader answered within 5 s: see 'haven status' for the quorum, then try again",
        [ORDER_UNKNOWN] = "the leader does not know that group or node: see 'haven status'",
        [ORDER_NOT_POSSIBLE] = "that node cannot take the group now: 'haven explain GROUP' says why",
        [ORDER_BUSY] = "too many orders at once, try again",
        [ORDER_ALIVE] = "that node is heard, so it is not off",
        [ORDER_NO_DEVICE] = "no fence section of the configuration names that node",
        [ORDER_SELF] = "that node leads, and a leader does not power itself off: stop its havend first",
};

const char *node_state_name(enum node_state s)
{
        return node_states[s];
}

const char *link_state_name(enum link_state s)
{
        return link_states[s];
}

const char *group_state_name(enum group_state s)
{
        return group_states[s];
}

const char *order_error_text(enum order_error e)
{
        return order_errors[e];
}

static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *format, ...)
{
        size_t n = strlen(text);
        va_list args;

        va_start(args, format);
        vsnprintf(text + n, size - n, format, args);
        va_end(args);
}

static bool present(const struct cluster *c, uint8_t node, instant now)
{
        const struct peer *p = &c->peer[node];

        return is_self(c, node) ||
               (p->heard.us && !p->is.left && span_between(p->heard, now).us < c->timing.dead.us);
}

/* Whoever was taken out of the others' files is spoken to by nobody, and so cannot be told. */
static bool nobody_speaks_to_us(const struct cluster *c, instant now)
{
        return c->promise.heard == 0 && voters_named(c) != 1ULL << c->settings->self &&
               instant_reached(now, instant_add(c->started, c->settings->start_wait));
}

enum node_state cluster_node(const struct cluster *c, uint8_t node, instant now, char *text, size_t size)
{
        const struct peer *p = &c->peer[node];
        const struct member *m = &c->state.document.member[node];
        bool self = is_self(c, node);
        char span_text[SPAN_TEXT];

        text[0] = '\0';
        if (!present(c, node, now)) {
                if (m->fencing)
                        snprintf(text, size, "being powered off");
                else if (fenced(c, node))
                        snprintf(text, size, "powered off for certain");
                else if (p->is.left)
                        snprintf(text, size, "has left in order");
                else if (p->heard_at_all.us && span_between(p->heard_at_all, now).us < c->timing.dead.us)
                        snprintf(text, size, "heard, but it does not hear us");
                else if (p->heard.us)
                        snprintf(text, size, "silent for %s",
                                 span_format(span_us(span_between(p->heard, now).us / 100000 * 100000),
                                             span_text));
                else
                        snprintf(text, size, "not heard yet");
                return NODE_OFFLINE;
        }
        if (self ? !c->valid : p->is.invalid_voter)
                snprintf(text, size,
                         "no valid state: no vote until readmitted; in a new cluster: 'haven init', restart "
                         "havend");
        else if (!self && p->is.members != members(c))
                snprintf(text, size,
                         "another set of nodes, or other timing, in its configuration: nothing it says "
                         "counts");
        else if (self && !is_voter(c, node) && nobody_speaks_to_us(c, now))
                snprintf(text, size,
                         "removed: the others have taken it out of their files; stop havend here, or name it "
                         "in "
                         "all files and reload");
        else if (self && nobody_speaks_to_us(c, now))
                snprintf(text, size,
                         "has heard no other node since havend started: all links are down, all others are, "
                         "or "
                         "it was removed from their files");
        else if (!is_voter(c, node))
                snprintf(text, size, "has no vote yet: gets one once all who vote have a file that names it");
        if (self ? c->leaving : p->is.leaving)
                return NODE_LEAVING;
        if (!m->standby)
                return NODE_ONLINE;
        if (m->standby_left.us)
                snprintf(text, size, "for %s", span_format(m->standby_left, span_text));
        return NODE_STANDBY;
}

enum link_state cluster_link(const struct cluster *c, uint8_t node, uint8_t link, instant now,
                             span *ret_silent)
{
        const struct peer_link *l = &c->peer[node].link[link];
        bool we_hear = l->heard.us && span_between(l->heard, now).us < c->timing.dead.us;
        bool they_hear = l->they_hear && present(c, node, now);

        *ret_silent = l->heard.us ? span_between(l->heard, now) : span_us(-1);
        if (we_hear && they_hear)
                return l->late ? LINK_LATE : LINK_UP;
        if (we_hear)
                return LINK_ONE_WAY_IN;
        return they_hear ? LINK_ONE_WAY_OUT : LINK_DOWN;
}

/* Who of those that it starts after is stopped by an operator. */
static const char *halted_by(const struct cluster *c, uint8_t g)
{
        uint64_t stopped = placement_stopped(c->settings, &c->state.document) & c->settings->group[g].after;

        return stopped ? c->settings->group[__builtin_ctzll(stopped)].name : "";
}

/* That it was stopped, and how it starts; false if nobody stopped it. */
static bool tell_stopped(const struct cluster *c, uint8_t g, const struct assignment *a, char *text,
                         size_t size)
{
        if (a->admin == GROUP_DISABLED)
                snprintf(text, size, "stopped by an operator; 'haven start %s' starts it",
                         c->settings->group[g].name);
        else if (halted_by(c, g)[0])
                snprintf(text, size, "stopped with %s, which it starts after", halted_by(c, g));
        else
                return false;
        return true;
}

static enum group_state ownerless(const struct cluster *c, uint8_t g, const struct assignment *a, char *text,
                                  size_t size)
{
        const char *name = c->settings->group[g].name;
        struct placement_query q;
        struct placement p[CLUSTER_GROUPS_MAX];

        if (tell_stopped(c, g, a, text, size))
                return a->from == NODE_NONE ? GROUP_STOPPED : GROUP_STOPPING;
        uint8_t runner = a->spread == GROUP_ON_ONE ? NODE_NONE : everywhere_runner(c, g);
        if (runner != NODE_NONE) {
                if (c->settings->vacant & 1ULL << runner)
                        snprintf(text, size,
                                 "it ran everywhere, and a node that is in no file any more may still run "
                                 "it; if "
                                 "that is off for good: haven confirm-off NODE");
                else
                        snprintf(text, size,
                                 "it ran everywhere, and %s has not said yet that it runs it no more; start "
                                 "havend there, or take it out of the files for good",
                                 node_name(c, runner));
                return GROUP_BLOCKED;
        }
        placement_ask(c, &q);
        placement_compute(&q, p);
        if (p[g].to != NODE_NONE) {
                snprintf(text, size, "goes to %s as soon as there is room", node_name(c, p[g].to));
                return GROUP_STOPPED;
        }
        if (p[g].why == PLACEMENT_NO_ROOM) {
                snprintf(text, size, "no fit node has room for it: 'haven explain %s' says why", name);
                return GROUP_STOPPED;
        }
        if (a->failed) {
                snprintf(text, size, "failed on every node that could run it; mend it, then 'haven clear %s'",
                         name);
                return GROUP_FAILED;
        }
        snprintf(text, size, "no node can run it now: 'haven explain %s' says why", name);
        return GROUP_STOPPED;
}

/* --- groups that run everywhere --- */

static enum group_state state_of(const struct hold *h)
{
        switch (h->state) {
        case HOLD_NONE:
        case HOLD_WARM: return h->start_failed ? GROUP_FAILED : GROUP_STOPPED;
        case HOLD_STARTING: return GROUP_STARTING;
        case HOLD_STARTED: return GROUP_STARTED;
        case HOLD_STOPPING: return GROUP_STOPPING;
        case HOLD_STUCK: return GROUP_BLOCKED;
        case HOLD_FAILED: return GROUP_FAILED;
        }
        return GROUP_STOPPED;
}

enum group_state cluster_group_on(const struct cluster *c, uint8_t group, uint8_t node, instant now)
{
        const struct assignment *a = document_group_const(&c->state.document, c->settings->group[group].id);
        struct hold h = hold_on(c, node, group);

        if (!present(c, node, now))
                return GROUP_STOPPED;
        return a && a->failed & 1ULL << node ? GROUP_FAILED : state_of(&h);
}

static void name_nodes(const struct cluster *c, uint8_t g, enum group_state state, instant now, char *text,
                       size_t size)
{
        const struct cluster_group *group = &c->settings->group[g];
        bool first = true;

        for (uint8_t i = 0; i < group->node_count; i++) {
                uint8_t node = group->node[i];
                if (!present(c, node, now) || c->state.document.member[node].standby ||
                    cluster_group_on(c, g, node, now) != state)
                        continue;
                append(text, size, first ? "%s%s on %s" : "%s%s, %s", text[0] && first ? "; " : "",
                       first ? group_state_name(state) : "", node_name(c, node));
                first = false;
        }
}

/* It had one node, which may hold it yet; false if that is over. */
static bool tell_owed(const struct cluster *c, uint8_t g, const struct assignment *a, char *text, size_t size)
{
        char advice[NOTE_TEXT];

        if (everywhere_may_begin(a))
                return false;
        if (a->debt_count == 0) {
                snprintf(text, size, "runs everywhere once %s has let go of it",
                         node_name(c, a->from != NODE_NONE ? a->from : a->owner));
                return true;
        }
        debt_advice(c, g, &a->debt[0], advice, sizeof(advice));
        snprintf(text, size, "nothing proves that %s let go of it; %s", node_name(c, a->debt[0].node),
                 advice);
        return true;
}

/* The worst that can be said of any node that should run it. */
static enum group_state everywhere_state(const struct cluster *c, uint8_t g, const struct assignment *a,
                                         instant now, char *text, size_t size)
{
        static const enum group_state worst[] = {GROUP_BLOCKED,  GROUP_FAILED,  GROUP_STOPPING,
                                                 GROUP_STARTING, GROUP_STOPPED, GROUP_STARTED};
        enum group_state state = GROUP_STARTED;
        bool found = false;

        if (tell_owed(c, g, a, text, size))
                return GROUP_BLOCKED;
        for (size_t i = 0; i < sizeof(worst) / sizeof(worst[0]); i++) {
                size_t before = strlen(text);
                name_nodes(c, g, worst[i], now, text, size);
                if (!found && strlen(text) > before) {
                        found = true;
                        state = worst[i];
                }
        }
        if (state == GROUP_STARTED && found) {
                memmove(text, text + strlen("started "), strlen(text) - strlen("started ") + 1);
                return GROUP_STARTED;
        }
        if (state == GROUP_STOPPED || !found) {
                char why[NOTE_TEXT] = "";
                if (tell_stopped(c, g, a, why, sizeof(why)))
                        snprintf(text, size, "%s", why);
                else if (waits_for(c, g))
                        append(text, size, "%swaits for %s", text[0] ? "; " : "", waits_for(c, g)->name);
                return GROUP_STOPPED;
        }
        if (state == GROUP_FAILED)
                append(text, size, "; mend it, then 'haven clear %s'", c->settings->group[g].name);
        return state;
}

static enum group_state owned(const struct cluster *c, uint8_t g, const struct assignment *a, instant now,
                              char *text, size_t size)
{
        struct hold h = hold_on(c, a->owner, g);

        if (!present(c, a->owner, now)) {
                snprintf(text, size, "%s is silent; taken when every lease it had is over",
                         node_name(c, a->owner));
                return GROUP_STARTING;
        }
        if (h.state == HOLD_STUCK ||
            (a->from != NODE_NONE && !is_self(c, a->from) && hold_of(c, a->from, g)->state == HOLD_STUCK)) {
                snprintf(text, size,
                         "does not stop on %s; end it there by hand, it is tried again every 10 s",
                         node_name(c, h.state == HOLD_STUCK ? a->owner : a->from));
                return GROUP_BLOCKED;
        }
        bool current = epoch_equal(h.epoch, a->epoch);
        if (current && h.state == HOLD_STARTED)
                return GROUP_STARTED;
        if (a->from != NODE_NONE && !is_self(c, a->from) && present(c, a->from, now) &&
            !c->peer[a->from].is.knows[g]) {
                snprintf(text, size, "nothing says that %s let go of it; %s", node_name(c, a->from),
                         UNNAMED_ADVICE);
                return GROUP_BLOCKED;
        }
        if (current && h.state == HOLD_FAILED)
                return GROUP_FAILED;
        if (current && h.state == HOLD_STOPPING)
                return GROUP_STOPPING;
        if (c->settings->group[g].data && a->debt_count && !c->settings->group[g].accept_split) {
                char advice[NOTE_TEXT];
                debt_advice(c, g, &a->debt[0], advice, sizeof(advice));
                snprintf(text, size, "nothing proves that %s let go of its data; %s",
                         node_name(c, a->debt[0].node), advice);
                return GROUP_BLOCKED;
        }
        if (h.state < HOLD_STARTING && waits_for(c, g))
                snprintf(text, size, "waits for %s, which it starts after", waits_for(c, g)->name);
        return GROUP_STARTING;
}

enum group_state cluster_group(const struct cluster *c, uint8_t group, instant now, char *text, size_t size)
{
        const struct assignment *a = document_group_const(&c->state.document, c->settings->group[group].id);

        text[0] = '\0';
        if (!a) {
                snprintf(text, size, "no leader has placed it yet");
                return GROUP_STOPPED;
        }
        if (c->settings->group[group].everywhere)
                return everywhere_state(c, group, a, now, text, size);
        return a->owner == NODE_NONE ? ownerless(c, group, a, text, size)
                                     : owned(c, group, a, now, text, size);
}

struct timing cluster_timing(const struct cluster *c)
{
        return c->timing;
}

const struct document *cluster_document(const struct cluster *c)
{
        return &c->state.document;
}

struct version cluster_committed(const struct cluster *c)
{
        return c->committed.version;
}

uint8_t cluster_leader(const struct cluster *c)
{
        return c->leader;
}

uint32_t cluster_term(const struct cluster *c)
{
        return c->state.term;
}

bool cluster_has_lease(const struct cluster *c, instant now)
{
        return instant_before(now, c->promise.lease_end);
}

struct incarnation cluster_incarnation(const struct cluster *c, uint8_t node)
{
        return is_self(c, node) ? c->self : c->peer[node].incarnation;
}

struct cluster_sight cluster_sight(const struct cluster *c, uint8_t node)
{
        const struct peer *p = &c->peer[node];

        return (struct cluster_sight){
                .met = c->promise.heard & 1ULL << node,
                .heard = p->heard_at_all,
                .silent_from = p->silent_from,
                .voteless = p->is.left || (p->is.invalid_voter && peer_heard_within(c, node, c->timing.dead)),
        };
}

enum fence_state cluster_fence(const struct cluster *c, uint8_t node)
{
        if (c->state.document.member[node].fencing)
                return FENCE_RUNNING;
        return fenced(c, node) ? FENCE_OFF : FENCE_NONE;
}

span cluster_watchdog(const struct cluster *c, uint8_t node)
{
        return c->state.document.member[node].watchdog;
}

bool cluster_config_differs(const struct cluster *c, uint8_t node)
{
        return !is_self(c, node) && c->peer[node].heard.us && c->peer[node].is.config != c->settings->config;
}

/* --- why --- */

/* Each group in `groups`, by name. */
static void append_names(const struct cluster *c, uint64_t groups, const char *before, char *text,
                         size_t size)
{
        for (; groups; groups &= groups - 1) {
                append(text, size, "%s%s", before, c->settings->group[__builtin_ctzll(groups)].name);
                before = ", ";
        }
}

/* What the node is to the group, and whether it has room beside those that belong there. */
static void explain_node(const struct cluster *c, const struct placement_query *q, const struct placement *p,
                         uint8_t g, uint8_t node, char *text, size_t size)
{
        uint64_t unit = placement_unit(q, g), others = 0;
        uint32_t capacity = c->settings->capacity[node];
        enum place own = (enum place)q->place[g][node], all = placement_place(q, unit, node);
        uint8_t stranger;

        for (uint8_t i = 0; i < c->settings->group_count; i++)
                others |= p[i].to == node && !(unit & 1ULL << i) ? 1ULL << i : 0;
        append(text, size, "%s", place_text(all));
        if (own != all)
                append(text, size, " (for one that it goes with)");
        if (!placement_room(q, unit, others, node, &stranger) && stranger < CLUSTER_GROUPS_MAX)
                append(text, size, ", but %s belongs there, which it keeps apart from",
                       c->settings->group[stranger].name);
        else if (capacity && !c->settings->group[g].everywhere)
                append(text, size, ", %u of %u taken by others, %u needed", placement_load(q, others, node),
                       capacity, placement_load(q, unit | others, node) - placement_load(q, others, node));
}

static void explain_company(const struct cluster *c, const struct placement_query *q, uint8_t g, char *text,
                            size_t size)
{
        const struct cluster_group *group = &c->settings->group[g];
        uint64_t with = (placement_unit(q, g) & ~(1ULL << g)) | group->company;

        if (with)
                append_names(c, with, "goes with: ", text, size);
        if (with)
                append(text, size, "\n");
        if (group->after)
                append_names(c, group->after, "starts after: ", text, size);
        if (group->after && waits_for(c, g))
                append(text, size, "; %s is not started", waits_for(c, g)->name);
        if (group->after)
                append(text, size, "\n");
}

static void explain_owner(const struct cluster *c, const struct assignment *a, char *text, size_t size)
{
        if (a->from != NODE_NONE)
                append(text, size, "a move is under way: waiting for %s to let go\n", node_name(c, a->from));
        for (uint8_t i = 0; i < a->debt_count; i++)
                append(text, size, "not proven released: epoch %u.%u on %s\n", a->debt[i].epoch.term,
                       a->debt[i].epoch.n, node_name(c, a->debt[i].node));
}

void cluster_explain(const struct cluster *c, uint8_t group, instant now, char *text, size_t size)
{
        const struct cluster_group *wanted = &c->settings->group[group];
        const struct assignment *a = document_group_const(&c->state.document, wanted->id);
        struct placement_query q;
        struct placement p[CLUSTER_GROUPS_MAX];
        char state[NOTE_TEXT];

        placement_ask(c, &q);
        placement_compute(&q, p);
        /* first, for it fills `state` */
        const char *state_name = group_state_name(cluster_group(c, group, now, state, sizeof(state)));
        text[0] = '\0';
        append(text, size, "group %s: %s%s%s\n", wanted->name, state_name, state[0] ? ", " : "", state);
        for (uint8_t i = 0; i < wanted->node_count; i++) {
                uint8_t node = wanted->node[i];
                append(text, size, "  %u. %s: ", i + 1, node_name(c, node));
                explain_node(c, &q, p, group, node, text, size);
                append(text, size, "%s\n", a && a->owner == node ? " (owner)" : "");
        }
        if (p[group].why == PLACEMENT_EVERYWHERE)
                append(text, size, "belongs to: all of them, because it runs everywhere\n");
        else
                append(text, size, "belongs to: %s, because %s\n", node_name(c, p[group].to),
                       placement_reason_text(p[group].why));
        explain_company(c, &q, group, text, size);
        if (a)
                explain_owner(c, a, text, size);
        if (c->state.document.maintenance)
                append(text, size, "maintenance is on: nothing moves\n");
}
