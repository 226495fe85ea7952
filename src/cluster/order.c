/* Operators' orders: given on any node, done by the leader, answered when a quorum has the result on disk. */
#include "cluster/brain.h"

#define ORDER_WAIT_S 5 /* for a leader to be there and to answer */

static void order_end(struct cluster *c, uint8_t i, enum order_error error)
{
        struct todo *todo = c->todo;

        if (todo->order_count == TODO_ORDERS_MAX)
                return; /* told in the next step */
        todo->order[todo->order_count++] = (struct order_done){.id = c->order[i].id, .error = error};
        c->order_applied = false;
        for (uint8_t j = i; j + 1 < c->order_count; j++) {
                c->order[j] = c->order[j + 1];
                c->order_end[j] = c->order_end[j + 1];
        }
        c->order_count--;
}

void order_take(struct cluster *c, const struct order *order)
{
        if (c->order_count == TODO_ORDERS_MAX) {
                c->todo->order[c->todo->order_count++] =
                        (struct order_done){.id = order->id, .error = ORDER_BUSY};
                return;
        }
        c->order[c->order_count] = *order;
        c->order_end[c->order_count++] = instant_add(c->now, span_s(ORDER_WAIT_S));
        c->changed = true;
}

/* Whether the group, with all that go with it, may be on that node without anybody having to leave it. */
static bool can_run(const struct cluster *c, uint8_t g, uint8_t node)
{
        struct placement_query q;
        struct placement p[CLUSTER_GROUPS_MAX];
        uint64_t others = 0;

        placement_ask(c, &q);
        placement_compute(&q, p);
        uint64_t unit = placement_unit(&q, g);
        for (uint8_t i = 0; i < c->settings->group_count; i++)
                others |= p[i].to == node ? 1ULL << i : 0;
        return placement_place(&q, unit, node) == PLACE_FIT &&
               placement_room(&q, unit, others & ~unit, node, NULL);
}

/* Without a node named: the most preferred one that is fit and is not the owner. */
static uint8_t other_node(const struct cluster *c, uint8_t g, uint8_t owner)
{
        const struct cluster_group *group = &c->settings->group[g];

        for (uint8_t i = 0; i < group->node_count; i++)
                if (group->node[i] != owner && can_run(c, g, group->node[i]))
                        return group->node[i];
        return NODE_NONE;
}

/* For those too who go with it. */
static void wish(struct cluster *c, uint8_t g, uint8_t node)
{
        for (uint64_t unit = c->settings->group[g].with | 1ULL << g; unit; unit &= unit - 1) {
                uint32_t id = c->settings->group[__builtin_ctzll(unit)].id;
                struct assignment *a = document_group(document_edit(c), id);
                if (a)
                        a->wanted = node;
        }
}

static enum order_error apply_move(struct cluster *c, uint8_t g, uint8_t node)
{
        const struct assignment *a = document_group_const(&c->state.document, c->settings->group[g].id);
        uint8_t to = node != NODE_NONE ? node : other_node(c, g, a ? a->owner : NODE_NONE);

        if (!a || to == NODE_NONE || c->settings->group[g].everywhere || !can_run(c, g, to))
                return ORDER_NOT_POSSIBLE;
        wish(c, g, to);
        return ORDER_DONE;
}

static enum order_error apply_group(struct cluster *c, const struct order *o)
{
        int g = group_index(c, o->group);

        if (g < 0 || !document_group(&c->state.document, o->group))
                return ORDER_UNKNOWN;
        if (o->kind == ORDER_MOVE)
                return apply_move(c, (uint8_t)g, o->node);
        struct assignment *a = document_group(document_edit(c), o->group);
        switch (o->kind) {
        case ORDER_STOP: a->admin = GROUP_DISABLED; break;
        case ORDER_START: a->admin = GROUP_ENABLED; break;
        default: /* ORDER_CLEAR */
                a->failed = 0;
                wish(c, (uint8_t)g, NODE_NONE);
                if (c->settings->group[g].everywhere)
                        everywhere_renew(c, (uint8_t)g);
                c->care[g].refused_until = INSTANT_LONG_AGO;
                break;
        }
        return ORDER_DONE;
}

static enum order_error apply_node(struct cluster *c, const struct order *o)
{
        if (o->node >= c->settings->node_count)
                return ORDER_UNKNOWN;
        struct member *m = &document_edit(c)->member[o->node];
        m->standby = o->kind == ORDER_STANDBY;
        m->standby_left = m->standby ? o->lasts : SPAN_ZERO;
        c->standby_since[o->node] = c->now;
        return ORDER_DONE;
}

static enum order_error apply_maintenance(struct cluster *c, const struct order *o)
{
        struct document *d = document_edit(c);

        d->maintenance = o->kind == ORDER_MAINTENANCE_ON;
        d->maintenance_left = d->maintenance ? o->lasts : SPAN_ZERO;
        c->maintenance_since = c->now;
        return ORDER_DONE;
}

enum order_error order_apply(struct cluster *c, const struct order *o)
{
        switch (o->kind) {
        case ORDER_MOVE:
        case ORDER_STOP:
        case ORDER_START:
        case ORDER_CLEAR: return apply_group(c, o);
        case ORDER_STANDBY:
        case ORDER_ONLINE: return apply_node(c, o);
        case ORDER_MAINTENANCE_ON:
        case ORDER_MAINTENANCE_OFF: return apply_maintenance(c, o);
        case ORDER_FENCE:
        case ORDER_CONFIRM_OFF: return fencing_order(c, o);
        case ORDER_NONE: return ORDER_UNKNOWN;
        }
        return ORDER_UNKNOWN;
}

static bool can_apply(const struct cluster *c)
{
        return leads_with_lease(c) &&
               (c->edited || version_equal(c->committed.version, c->state.document.version));
}

void order_heard(struct cluster *c, uint8_t from, const struct message *m)
{
        struct peer *p = &c->peer[from];

        if (m->result.id && c->order_count && c->order[0].id == m->result.id)
                order_end(c, 0, (enum order_error)m->result.error);
        /* said until it is answered: done once */
        if (m->order.kind == ORDER_NONE || m->order.id == p->result.id || !can_apply(c))
                return;
        p->result = (struct order_result){.id = m->order.id, .error = (int8_t)order_apply(c, &m->order)};
        p->result_due = c->state.document.version;
        p->speak = true;
}

/* Our own operators' orders, where we lead. */
static void settle_own(struct cluster *c)
{
        if (c->role != ROLE_LEADER) {
                c->order_applied = false; /* the next leader may not have it: it is told again */
                return;
        }
        if (!c->order_applied && can_apply(c)) {
                enum order_error error = order_apply(c, &c->order[0]);
                if (error != ORDER_DONE) {
                        order_end(c, 0, error);
                        return;
                }
                c->order_applied = true;
                c->order_version = c->state.document.version;
        }
        if (c->order_applied && version_compare(c->committed.version, c->order_version) >= 0)
                order_end(c, 0, ORDER_DONE);
}

void order_settle(struct cluster *c)
{
        if (c->order_count)
                settle_own(c);
        while (c->order_count && instant_reached(c->now, c->order_end[0]) &&
               c->todo->order_count < TODO_ORDERS_MAX)
                order_end(c, 0, ORDER_NO_LEADER);
}
