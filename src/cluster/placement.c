#include "cluster/placement.h"

#include <string.h>

static const char *const place_texts[] = {
        [PLACE_FIT] = "fit",
        [PLACE_OFFLINE] = "offline",
        [PLACE_LEAVING] = "leaving",
        [PLACE_STANDBY] = "in standby",
        [PLACE_NO_VOTE] = "without valid state",
        [PLACE_UNKNOWN] = "does not know the group (its configuration differs)",
        [PLACE_FAILED] = "failed there",
        [PLACE_COMPANY] = "what it goes with failed there",
        [PLACE_ELSEWHERE] = "not in its list of nodes",
        [PLACE_REFUSED] = "another station answers for its address",
        [PLACE_UNFIT] = "unfit",
};

static const char *const reason_texts[] = {
        [PLACEMENT_DISABLED] = "stopped by an operator",
        [PLACEMENT_HALTED] = "what it starts after is stopped by an operator",
        [PLACEMENT_EVERYWHERE] = "it runs on all its nodes",
        [PLACEMENT_WANTED] = "moved there by an operator",
        [PLACEMENT_FAILBACK] = "failback to the preferred node",
        [PLACEMENT_STAYS] = "it is there and the node is fit",
        [PLACEMENT_PREFERRED] = "the first fit node in order of preference",
        [PLACEMENT_DISPLACES] = "the first fit node, where groups of lower priority give way",
        [PLACEMENT_LEAST_BAD] = "no node is fit, this one is at least online",
        [PLACEMENT_NO_ROOM] = "no fit node has room for it",
        [PLACEMENT_NOWHERE] = "no node can run it",
};

const char *place_text(enum place p)
{
        return place_texts[p];
}

const char *placement_reason_text(enum placement_reason r)
{
        return reason_texts[r];
}

#define BIT(i) (1ULL << (i))

/* What is placed as one. */
struct unit {
        uint64_t groups;
        uint8_t lead;
        uint8_t seat;   /* where it is, or NODE_NONE */
        uint8_t wanted; /* NODE_NONE: no operator has a wish */
        int16_t priority;
        enum { SEAT_FIT, SEAT_UNFIT, SEAT_NONE } rank;
};

/* Who is where while units are asked one after the other. */
struct seating {
        const struct placement_query *q;
        uint64_t placed[CLUSTER_NODES_MAX];  /* by this computation */
        uint64_t sitting[CLUSTER_NODES_MAX]; /* not asked yet, on a fit seat */
        uint8_t unit_count;
        struct unit unit[CLUSTER_GROUPS_MAX];
};

static const struct assignment *assigned(const struct placement_query *q, uint8_t g)
{
        return document_group_const(q->document, q->settings->group[g].id);
}

static bool disabled(const struct placement_query *q, uint8_t g)
{
        const struct assignment *a = assigned(q, g);

        return a && a->admin == GROUP_DISABLED;
}

static bool lists(const struct cluster_group *g, uint8_t node)
{
        return memchr(g->node, node, g->node_count) != NULL;
}

/* --- room --- */

uint32_t placement_load(const struct placement_query *q, uint64_t groups, uint8_t node)
{
        const struct cluster_settings *s = q->settings;
        uint32_t load = 0;

        for (uint8_t g = 0; g < s->group_count; g++)
                if (groups & BIT(g) ||
                    (s->group[g].everywhere && lists(&s->group[g], node) && !disabled(q, g)))
                        load += s->group[g].load;
        return load;
}

bool placement_room(const struct placement_query *q, uint64_t unit, uint64_t others, uint8_t node,
                    uint8_t *ret_stranger)
{
        const struct cluster_settings *s = q->settings;
        uint64_t strangers = 0;

        for (uint64_t left = unit; left; left &= left - 1)
                strangers |= s->group[__builtin_ctzll(left)].apart & others;
        if (ret_stranger)
                *ret_stranger = strangers ? (uint8_t)__builtin_ctzll(strangers) : CLUSTER_GROUPS_MAX;
        if (strangers)
                return false;
        return s->capacity[node] == 0 || placement_load(q, unit | others, node) <= s->capacity[node];
}

/* --- units --- */

uint64_t placement_stopped(const struct cluster_settings *settings, const struct document *document)
{
        uint64_t stopped = 0, earlier = 0;

        for (uint8_t g = 0; g < settings->group_count; g++) {
                const struct assignment *a = document_group_const(document, settings->group[g].id);
                stopped |= a && a->admin == GROUP_DISABLED ? BIT(g) : 0;
        }
        while (stopped != earlier) {
                earlier = stopped;
                for (uint8_t g = 0; g < settings->group_count; g++)
                        stopped |= settings->group[g].after & earlier ? BIT(g) : 0;
        }
        return stopped;
}

static uint64_t unit_of(const struct cluster_settings *s, uint64_t stopped, uint8_t g)
{
        return (s->group[g].with | BIT(g)) & (~stopped | BIT(g));
}

uint64_t placement_unit(const struct placement_query *q, uint8_t g)
{
        return unit_of(q->settings, placement_stopped(q->settings, q->document), g);
}

enum place placement_place(const struct placement_query *q, uint64_t unit, uint8_t node)
{
        enum place worst = PLACE_FIT;

        for (uint64_t left = unit; left; left &= left - 1) {
                enum place p = (enum place)q->place[__builtin_ctzll(left)][node];
                if (worst == PLACE_FIT || (worst == PLACE_UNFIT && p != PLACE_FIT))
                        worst = p;
        }
        return worst;
}

/* The one whose list, failback and rank count for all. */
static uint8_t lead_of(const struct cluster_settings *s, uint64_t groups)
{
        uint8_t lead = (uint8_t)__builtin_ctzll(groups);

        for (uint64_t left = groups; left; left &= left - 1) {
                uint8_t g = (uint8_t)__builtin_ctzll(left);
                if (s->group[lead].follows && !s->group[g].follows)
                        lead = g;
        }
        return lead;
}

static struct unit make_unit(const struct placement_query *q, uint64_t groups)
{
        const struct cluster_settings *s = q->settings;
        struct unit u = {.groups = groups, .lead = lead_of(s, groups), .wanted = NODE_NONE};
        const struct assignment *a = assigned(q, u.lead);

        u.seat = a ? a->owner : NODE_NONE;
        u.priority = s->group[u.lead].priority;
        for (uint64_t left = groups; left; left &= left - 1) {
                uint8_t g = (uint8_t)__builtin_ctzll(left);
                a = assigned(q, g);
                if (a && u.seat == NODE_NONE)
                        u.seat = a->owner;
                if (a && u.wanted == NODE_NONE)
                        u.wanted = a->wanted;
                if (s->group[g].priority > u.priority)
                        u.priority = s->group[g].priority;
        }
        enum place p = u.seat == NODE_NONE ? PLACE_OFFLINE : placement_place(q, groups, u.seat);
        u.rank = p == PLACE_FIT ? SEAT_FIT : p == PLACE_UNFIT ? SEAT_UNFIT : SEAT_NONE;
        return u;
}

static bool before(const struct unit *a, const struct unit *b)
{
        if (a->priority != b->priority)
                return a->priority > b->priority;
        if (a->rank != b->rank)
                return a->rank < b->rank;
        return a->lead < b->lead;
}

static void add_unit(struct seating *s, struct unit u)
{
        uint8_t i = s->unit_count++;

        for (; i > 0 && before(&u, &s->unit[i - 1]); i--)
                s->unit[i] = s->unit[i - 1];
        s->unit[i] = u;
        if (u.rank == SEAT_FIT)
                s->sitting[u.seat] |= u.groups;
}

/* --- choosing --- */

/* Whether the unit may be there without anybody having to go. */
static bool room_beside_all(const struct seating *s, const struct unit *u, uint8_t node)
{
        return placement_room(s->q, u->groups, s->placed[node] | s->sitting[node], node, NULL);
}

/* Whether it may be there when those still to be asked, who are of lower priority, have to go. */
static bool room_beside_placed(const struct seating *s, const struct unit *u, uint8_t node)
{
        return placement_room(s->q, u->groups, s->placed[node], node, NULL);
}

typedef bool room_fn(const struct seating *s, const struct unit *u, uint8_t node);

static uint8_t first(const struct seating *s, const struct unit *u, enum place wanted, room_fn *room)
{
        const struct cluster_group *lead = &s->q->settings->group[u->lead];

        for (uint8_t i = 0; i < lead->node_count; i++)
                if (placement_place(s->q, u->groups, lead->node[i]) == wanted && room(s, u, lead->node[i]))
                        return lead->node[i];
        return NODE_NONE;
}

/* The most preferred node ahead of the seat that is fit and has been so for long enough. */
static uint8_t failback_target(const struct seating *s, const struct unit *u)
{
        const struct cluster_group *lead = &s->q->settings->group[u->lead];

        if (lead->failback == FAILBACK_NEVER)
                return NODE_NONE;
        for (uint8_t i = 0; i < lead->node_count && lead->node[i] != u->seat; i++) {
                uint8_t node = lead->node[i];
                if (placement_place(s->q, u->groups, node) == PLACE_FIT &&
                    s->q->settled[u->lead] & BIT(node) && room_beside_all(s, u, node))
                        return node;
        }
        return NODE_NONE;
}

static struct placement chosen(uint8_t node, enum placement_reason why)
{
        return (struct placement){.to = node, .why = why};
}

static struct placement choose_seated(const struct seating *s, const struct unit *u)
{
        uint8_t node;

        if (u->wanted == u->seat)
                return chosen(u->seat, PLACEMENT_WANTED);
        node = failback_target(s, u);
        return node != NODE_NONE ? chosen(node, PLACEMENT_FAILBACK) : chosen(u->seat, PLACEMENT_STAYS);
}

static struct placement choose(const struct seating *s, const struct unit *u)
{
        uint8_t node;

        if (u->wanted != NODE_NONE && u->wanted != u->seat &&
            placement_place(s->q, u->groups, u->wanted) == PLACE_FIT && room_beside_all(s, u, u->wanted))
                return chosen(u->wanted, PLACEMENT_WANTED);
        if (u->rank == SEAT_FIT && room_beside_placed(s, u, u->seat))
                return choose_seated(s, u);
        node = first(s, u, PLACE_FIT, room_beside_all);
        if (node != NODE_NONE)
                return chosen(node, PLACEMENT_PREFERRED);
        node = first(s, u, PLACE_FIT, room_beside_placed);
        if (node != NODE_NONE)
                return chosen(node, PLACEMENT_DISPLACES);
        if (u->rank == SEAT_UNFIT && room_beside_all(s, u, u->seat))
                return chosen(u->seat, PLACEMENT_LEAST_BAD);
        node = first(s, u, PLACE_UNFIT, room_beside_all);
        if (node != NODE_NONE)
                return chosen(node, PLACEMENT_LEAST_BAD);
        for (uint8_t i = 0; i < s->q->settings->node_count; i++)
                if (placement_place(s->q, u->groups, i) == PLACE_FIT &&
                    lists(&s->q->settings->group[u->lead], i))
                        return chosen(NODE_NONE, PLACEMENT_NO_ROOM);
        return chosen(NODE_NONE, PLACEMENT_NOWHERE);
}

static void place_unit(struct seating *s, const struct unit *u, struct placement *ret)
{
        if (u->rank == SEAT_FIT)
                s->sitting[u->seat] &= ~u->groups;
        struct placement p = choose(s, u);
        p.lead = u->lead;
        p.unit = u->groups;
        if (p.to != NODE_NONE)
                s->placed[p.to] |= u->groups;
        for (uint64_t left = u->groups; left; left &= left - 1)
                ret[__builtin_ctzll(left)] = p;
}

void placement_compute(const struct placement_query *q, struct placement ret[static CLUSTER_GROUPS_MAX])
{
        const struct cluster_settings *settings = q->settings;
        uint64_t stopped = placement_stopped(settings, q->document), done = 0;
        struct seating s;

        s.q = q;
        s.unit_count = 0;
        memset(s.placed, 0, sizeof(s.placed));
        memset(s.sitting, 0, sizeof(s.sitting));
        for (uint8_t g = 0; g < settings->group_count; g++) {
                ret[g] = (struct placement){.to = NODE_NONE, .lead = g, .unit = BIT(g)};
                if (settings->group[g].everywhere)
                        ret[g].why = PLACEMENT_EVERYWHERE;
                if (stopped & BIT(g))
                        ret[g].why = disabled(q, g) ? PLACEMENT_DISABLED : PLACEMENT_HALTED;
                if (settings->group[g].everywhere || (stopped | done) & BIT(g))
                        continue;
                uint64_t groups = unit_of(settings, stopped, g);
                done |= groups;
                add_unit(&s, make_unit(q, groups));
        }
        for (uint8_t i = 0; i < s.unit_count; i++)
                place_unit(&s, &s.unit[i], ret);
}
