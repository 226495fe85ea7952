/* What is known, for people. */
#include "cluster/brain.h"

#include "cluster/placement.h"

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

static bool present(const struct cluster *c, uint8_t node, instant now)
{
        const struct peer *p = &c->peer[node];

        return is_self(c, node) ||
               (p->heard.us && !p->is.left && span_between(p->heard, now).us < c->settings->timing.dead.us);
}

enum node_state cluster_node(const struct cluster *c, uint8_t node, instant now, char *text, size_t size)
{
        const struct peer *p = &c->peer[node];
        const struct member *m = &c->state.document.member[node];
        bool self = is_self(c, node);
        char span_text[SPAN_TEXT];

        text[0] = '\0';
        if (!present(c, node, now)) {
                if (p->is.left)
                        snprintf(text, size, "has left in order");
                else if (p->heard_at_all.us &&
                         span_between(p->heard_at_all, now).us < c->settings->timing.dead.us)
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
        else if (!self && p->is.members != c->settings->members)
                snprintf(text, size,
                         "another set of nodes, or other timing, in its configuration: nothing it says "
                         "counts");
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
        bool we_hear = l->heard.us && span_between(l->heard, now).us < c->settings->timing.dead.us;
        bool they_hear = l->they_hear && present(c, node, now);

        *ret_silent = l->heard.us ? span_between(l->heard, now) : span_us(-1);
        if (we_hear && they_hear)
                return l->late ? LINK_LATE : LINK_UP;
        if (we_hear)
                return LINK_ONE_WAY_IN;
        return they_hear ? LINK_ONE_WAY_OUT : LINK_DOWN;
}

static enum group_state ownerless(const struct cluster *c, uint8_t g, const struct assignment *a, char *text,
                                  size_t size)
{
        const char *name = c->settings->group[g].name;
        struct placement_query q;
        enum placement_reason why;

        if (a->admin == GROUP_DISABLED) {
                snprintf(text, size, "stopped by an operator; 'haven start %s' starts it", name);
                return a->from == NODE_NONE ? GROUP_STOPPED : GROUP_STOPPING;
        }
        placement_ask(c, g, &q);
        if (placement_choose(&q, &why) == NODE_NONE && a->failed) {
                snprintf(text, size, "failed on every node that could run it; mend it, then 'haven clear %s'",
                         name);
                return GROUP_FAILED;
        }
        snprintf(text, size, "no node can run it now: 'haven explain %s' says why", name);
        return GROUP_STOPPED;
}

static enum group_state owned(const struct cluster *c, uint8_t g, const struct assignment *a, instant now,
                              char *text, size_t size)
{
        struct hold h = is_self(c, a->owner) ? tenure_hold(c, g) : *hold_of(c, a->owner, g);

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
        if (current && h.state == HOLD_FAILED)
                return GROUP_FAILED;
        if (current && h.state == HOLD_STOPPING)
                return GROUP_STOPPING;
        if (c->settings->group[g].data && a->debt_count && !c->settings->group[g].accept_split) {
                snprintf(text, size, "nothing proves that %s let go of its data; start haven there again",
                         node_name(c, a->debt[0].node));
                return GROUP_BLOCKED;
        }
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
        return a->owner == NODE_NONE ? ownerless(c, group, a, text, size)
                                     : owned(c, group, a, now, text, size);
}

const struct document *cluster_document(const struct cluster *c)
{
        return &c->state.document;
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

bool cluster_config_differs(const struct cluster *c, uint8_t node)
{
        return !is_self(c, node) && c->peer[node].heard.us && c->peer[node].is.config != c->settings->config;
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

void cluster_explain(const struct cluster *c, uint8_t group, instant now, char *text, size_t size)
{
        struct placement_query q;
        enum placement_reason why;
        char state[NOTE_TEXT];
        const char *name = c->settings->group[group].name;

        placement_ask(c, group, &q);
        uint8_t to = placement_choose(&q, &why);
        /* first, for it fills `state` */
        const char *state_name = group_state_name(cluster_group(c, group, now, state, sizeof(state)));
        text[0] = '\0';
        append(text, size, "group %s: %s%s%s\n", name, state_name, state[0] ? ", " : "", state);
        for (uint8_t i = 0; i < q.group->node_count; i++) {
                uint8_t node = q.group->node[i];
                append(text, size, "  %u. %s: %s%s\n", i + 1, node_name(c, node), place_text(q.node[node]),
                       q.now && q.now->owner == node ? " (owner)" : "");
        }
        append(text, size, "belongs to: %s, because %s\n", node_name(c, to), placement_reason_text(why));
        if (q.now && q.now->from != NODE_NONE)
                append(text, size, "a move is under way: waiting for %s to let go\n",
                       node_name(c, q.now->from));
        for (uint8_t i = 0; q.now && i < q.now->debt_count; i++)
                append(text, size, "not proven released: epoch %u.%u on %s\n", q.now->debt[i].epoch.term,
                       q.now->debt[i].epoch.n, node_name(c, q.now->debt[i].node));
        if (c->state.document.maintenance)
                append(text, size, "maintenance is on: nothing moves\n");
}
