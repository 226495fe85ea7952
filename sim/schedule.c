#include "schedule.h"

#include "world_arbiter.h"

#include "disk/format.h"

#include <stdarg.h>
#include <string.h>

/* Messages of one node to one peer in a second: in peace 30 with a heartbeat of 100 ms; all that a schedule
 * can heap upon each other stays far below this. */
#define STORM 400

#define CALM_EVERY 8 /* the calm at the end takes four times as long as all before it */

struct schedule {
        struct world *w;
        struct world_config c;
        uint32_t id;               /* of operators' orders */
        bool lost_state;           /* somebody's: the second loss could be a majority's */
        bool restore[WORLD_NODES]; /* its disk is an old copy: wants `haven init --force` */
        uint32_t faults;
        uint32_t flaps;
        bool members; /* they change */
        uint64_t out; /* whom the files of some leave out */
};

/* --- the cluster --- */

static const struct arbiter_model *arbiter_of(const struct schedule_options *o, uint64_t seed)
{
        size_t n = arbiter_count();

        if (!o->every_arbiter)
                return o->arbiter;
        return seed % (n + 1) == n ? NULL : arbiter_at(seed % (n + 1));
}

/* Small clusters more often: the large ones cost as much as their pairs. */
static uint8_t nodes_of(const struct schedule_options *o, uint64_t chance)
{
        uint64_t sizes = (uint64_t)o->nodes_most - o->nodes + 1, least = sizes;

        for (int i = 0; i < 3; i++) {
                least = chance % 101 % sizes < least ? chance % 101 % sizes : least;
                chance /= 101;
        }
        return (uint8_t)((uint64_t)o->nodes + least);
}

static struct world_config make_config(const struct schedule_options *o, uint64_t seed, FILE *trace)
{
        uint64_t kind =
                seed * 0x9e3779b97f4a7c15ULL >> 20; /* independent of what `seed % n` chooses elsewhere */
        bool fast = kind % 16 == 3;
        struct world_config c = {
                .seed = seed,
                .nodes = nodes_of(o, kind),
                .groups = (uint8_t)(1 + kind % 3),
                .links = (uint8_t)(1 + kind / 3 % 3),
                .arbiter = arbiter_of(o, seed),
                .heartbeat = span_ms(fast ? 20 : 100),
                .dead = span_ms(fast ? 100 : 500),
                .delay_min = span_us(50),
                .delay_max = span_us(kind % 5 == 0 && !fast ? 30000 : 400),
                .loss = kind % 7 == 0 ? 0.2 : 0.001,
                .duplicate = 0.01,
                .late = kind % 11 == 0 ? 0.01 : 0,
                .keeps = kind % 3 == 0,
                .save_min = span_us(200),
                .save_max = span_ms(fast            ? 2
                                    : kind % 13 < 4 ? 30
                                                    : 5),
                .start_max = span_ms(kind % 4 == 0 ? 800 : 20),
                .stop_max = span_us(kind % 4 == 0 && !fast ? 20000 : 2000),
                .start_fails = kind % 6 == 0 ? 0.1 : 0,
                .drift = 0.01,
                .data = o->data,
                .fence = o->data && seed % 2,
                .fence_reboots = seed % 8 < 4,
                .fence_fails = seed % 16 < 8 ? 0.2 : 0,
                .watchdog = o->data && seed % 4 > 1 ? span_ms(2000) : SPAN_ZERO,
                .trace = trace,
        };

        /* slow disks, with timing of their own */
        if (c.arbiter == &arbiter_disk && kind % 5 < 3)
                c.arbiter_dead = span_ms(kind % 5 ? 3000 : 1000);
        if (c.arbiter == &arbiter_fence) {
                c.nodes = 2;
                c.fence = true;
        }
        if (c.arbiter == &arbiter_disk && c.nodes > DISK_NODES_MAX)
                c.nodes = DISK_NODES_MAX; /* its area has no room for more */
        /* two nodes that are left can carry all of it */
        if (c.groups == 3 && c.nodes >= 3 && !c.data)
                c.words = kind / 7 % 16;
        c.everywhere = c.groups > 1 && !c.words && kind / 17 % 3 == 0;
        return c;
}

static bool has_third_vote(const struct schedule *s)
{
        return s->c.arbiter && (s->c.nodes % 2 == 0 || s->c.arbiter->odd);
}

/* Data may have to wait for who is dead; so does all under a fence arbiter, while devices work or fail, and a
 * node that starts alone waits for a person. */
static bool must_wait(const struct schedule *s)
{
        return s->c.data || s->c.arbiter == &arbiter_fence;
}

/* Those before the one that runs everywhere. */
static uint8_t owned_groups(const struct schedule *s)
{
        return (uint8_t)(s->c.groups - s->c.everywhere);
}

/* Whether so many nodes and the arbiter are a majority. */
static bool suffices(const struct schedule *s, unsigned nodes)
{
        unsigned third = has_third_vote(s);

        return (nodes + third) * 2 > s->c.nodes + third;
}

/* --- what goes wrong --- */

static void order(struct schedule *s, uint8_t by, enum order_kind kind, uint8_t group, uint8_t node,
                  span lasts)
{
        world_order(s->w, by,
                    (struct order){.kind = kind,
                                   .id = ++s->id,
                                   .group = world_group_id(group),
                                   .node = node,
                                   .lasts = lasts});
}

static void any_order(struct schedule *s, uint8_t by, uint8_t node)
{
        struct world *w = s->w;
        uint8_t group = (uint8_t)world_random(w, s->c.groups);
        span lasts = span_ms(500 + world_random(w, 4000));

        switch (world_random(w, 12)) {
        case 0: order(s, by, ORDER_STOP, group, NODE_NONE, SPAN_ZERO); break;
        case 1: order(s, by, ORDER_START, group, NODE_NONE, SPAN_ZERO); break;
        case 2: order(s, by, ORDER_CLEAR, group, NODE_NONE, SPAN_ZERO); break;
        case 3: order(s, by, ORDER_STANDBY, group, node, lasts); break;
        case 4: order(s, by, ORDER_ONLINE, group, node, SPAN_ZERO); break;
        case 5: order(s, by, ORDER_MAINTENANCE_ON, group, NODE_NONE, lasts); break;
        case 6: order(s, by, ORDER_MAINTENANCE_OFF, group, NODE_NONE, SPAN_ZERO); break;
        case 7:
                if (s->c.fence)
                        order(s, by, ORDER_FENCE, group, node, SPAN_ZERO);
                break;
        case 8: /* a person who says so of a machine that runs is outside of every promise */
                if (!world_up(s->w, node))
                        order(s, by, ORDER_CONFIRM_OFF, group, node, SPAN_ZERO);
                break;
        default: order(s, by, ORDER_MOVE, group, world_random(w, 2) ? node : NODE_NONE, SPAN_ZERO); break;
        }
}

/* Two sides that do not hear each other, of any sizes. */
static void partition(struct schedule *s)
{
        uint64_t side = 0;

        for (uint8_t i = 0; i < s->c.nodes; i += 8)
                side |= (uint64_t)world_random(s->w, 1U << (s->c.nodes - i < 8 ? s->c.nodes - i : 8)) << i;
        for (uint8_t i = 0; i < s->c.nodes; i++)
                for (uint8_t j = (uint8_t)(i + 1); j < s->c.nodes; j++)
                        world_cut_pair(s->w, i, j, (side >> i & 1) != (side >> j & 1));
}

/* Some hear some, on some links, one way or the other. */
static void partial_partition(struct schedule *s)
{
        for (uint8_t i = 0; i < s->c.nodes; i++)
                for (uint8_t j = 0; j < s->c.nodes; j++)
                        for (uint8_t l = 0; l < s->c.links; l++)
                                if (i != j)
                                        world_cut(s->w, i, j, l, world_random(s->w, 10) < 4);
}

static void network_fault(struct schedule *s, uint8_t node, uint8_t other)
{
        struct world *w = s->w;

        switch (world_random(w, 9)) {
        case 0: world_isolate(w, node, world_random(w, 2)); break;
        case 1: world_cut_pair(w, node, other, world_random(w, 2)); break;
        case 2: world_cut(w, node, other, (uint8_t)world_random(w, s->c.links), world_random(w, 2)); break;
        case 3: partition(s); break;
        case 4: partial_partition(s); break;
        case 5: world_replay(w); break;
        case 6:
                world_delay(w, node, other, world_random(w, 2) ? span_ms(world_random(w, 900)) : SPAN_ZERO);
                break;
        case 7:
                s->flaps++;
                world_flap_node(w, node, 1 + world_random(w, 6), span_ms(30 + world_random(w, 900)));
                break;
        case 8: world_arbiter_fault(w); break;
        }
}

static void machine_fault(struct schedule *s, uint8_t node)
{
        struct world *w = s->w;
        span pause = span_ms(20 + world_random(w, s->c.data ? 8000 : 1500));

        switch (world_random(w, 10)) {
        case 0: world_power_off(w, node); break;
        case 1:
        case 2: world_kill_core(w, node, span_ms(5 + world_random(w, 60))); break;
        case 3: world_pause_core(w, node, pause); break;
        case 4: world_pause_supervisor(w, node, pause); break;
        case 5: world_pause_machine(w, node, pause); break;
        case 6: world_leave(w, node); break;
        case 7: world_restart_haven(w, node, span_ms(20 + world_random(w, 250))); break;
        default: world_power_on(w, node); break;
        }
}

/* Of more than one, or one of a pair without a third vote, a majority's memory may be gone: that waits for an
 * operator. */
static bool may_lose_state(const struct schedule *s, uint8_t node)
{
        return !s->lost_state && !world_up(s->w, node) && suffices(s, s->c.nodes - 1U) &&
               (!s->members || s->c.nodes > 3); /* a majority too while one is out of the files */
}

static void disk_fault(struct schedule *s, uint8_t node)
{
        struct world *w = s->w;

        switch (world_random(w, 4)) {
        case 0: world_disk(w, node, span_ms(world_random(w, 400)), false); break;
        case 1: world_disk(w, node, SPAN_ZERO, world_random(w, 2)); break;
        case 2:
                if (!may_lose_state(s, node))
                        break;
                world_lose_state(w, node);
                s->lost_state = true;
                break;
        case 3:
                if (world_up(w, node))
                        world_keep_state(w, node);
                else if (may_lose_state(s, node) && world_restore_state(w, node))
                        s->lost_state = s->restore[node] = true;
                break;
        }
}

static void service_fault(struct schedule *s, uint8_t node)
{
        struct world *w = s->w;
        uint8_t group = (uint8_t)world_random(w, s->c.groups);

        switch (world_random(w, 5)) {
        case 0:
        case 1: world_break_group(w, node, group); break;
        case 2: world_unfit(w, node, group, world_random(w, 2)); break;
        case 3:
                world_trouble(w, node,
                              (struct trouble){.start_fails = world_random(w, 2) ? 0.5 : 0,
                                               .stop_fails = world_random(w, 3) ? 0 : 0.5,
                                               .start_more = span_ms(world_random(w, 3) ? 0 : 3000),
                                               .stop_more = span_ms(world_random(w, 3) ? 0 : 3000)});
                break;
        case 4: world_trouble(w, node, (struct trouble){0}); break;
        }
}

/* One node at a time is taken out of the files, and put in again, of all or of some, dead or alive. */
static void members_change(struct schedule *s, uint8_t node)
{
        uint64_t all = world_all_nodes(s->w);

        if (s->out == 0 && world_random(s->w, 2))
                s->out = 1ULL << node;
        else if (world_random(s->w, 3) == 0)
                s->out = 0;
        bool some = world_random(s->w, 3) == 0;
        if (s->out && world_random(s->w, 2))
                world_power_off(s->w, (uint8_t)__builtin_ctzll(s->out));
        for (uint8_t i = 0; i < s->c.nodes; i++)
                if (!(some && world_random(s->w, 2)) && !(s->out & 1ULL << i))
                        world_name_nodes(s->w, i, all & ~s->out);
        if (s->out == 0)
                for (uint8_t i = 0; i < s->c.nodes; i++)
                        if (world_random(s->w, 2))
                                world_power_on(s->w, i);
}

static void one_fault(struct schedule *s)
{
        struct world *w = s->w;
        uint8_t node = (uint8_t)world_random(w, s->c.nodes), other = (uint8_t)world_random(w, s->c.nodes);
        uint32_t what = world_random(w, 20);

        s->faults++;
        if (s->members && world_random(w, 4) == 0)
                members_change(s, node);
        else if (what < 6)
                network_fault(s, node, other);
        else if (what < 12)
                machine_fault(s, node);
        else if (what < 14)
                disk_fault(s, node);
        else if (what < 16)
                service_fault(s, node);
        else if (what < 18)
                any_order(s, node, other);
        else if (what == 18)
                world_configure(w, node, world_random(w, FILES), world_random(w, 4) != 0);
        else
                world_restart_as(w, node, 1);
}

/* --- and is mended --- */

static void make_whole(struct schedule *s)
{
        world_arbiter_mend(s->w);
        world_stop_flapping(s->w);
        for (uint8_t i = 0; i < s->c.nodes; i++) {
                world_isolate(s->w, i, false);
                world_disk(s->w, i, SPAN_ZERO, false);
                world_trouble(s->w, i, (struct trouble){0});
                for (uint8_t j = 0; j < s->c.nodes; j++)
                        world_delay(s->w, i, j, SPAN_ZERO);
                for (uint8_t g = 0; g < s->c.groups; g++)
                        world_unfit(s->w, i, g, false);
                world_configure(s->w, i, 0, true);
                if (s->members)
                        world_name_nodes(s->w, i, world_all_nodes(s->w));
        }
        if (s->members) /* the level rises without whom nobody names */
                world_upgrade_left_behind(s->w);
}

static void order_and_wait(struct schedule *s, enum order_kind kind, uint8_t group, uint8_t node)
{
        uint8_t leader = world_leader(s->w);

        if (leader == NODE_NONE)
                return;
        order(s, leader, kind, group, node, SPAN_ZERO);
        world_run(s->w, span_ms(200));
}

/* A group that runs cannot change how it spreads: it is stopped first, as the refusal says. */
static void reload_what_was_refused(struct schedule *s)
{
        for (uint8_t i = 0; i < s->c.nodes; i++) {
                if (!world_file_waits(s->w, i))
                        continue;
                order_and_wait(s, ORDER_STOP, (uint8_t)(s->c.groups - 1), NODE_NONE);
                world_run(s->w, span_s(2));
                world_configure(s->w, i, 0, true);
                if (world_file_waits(s->w, i)) /* it holds what it cannot name: the next core can */
                        world_kill_core(s->w, i, span_ms(20));
        }
}

/* What operators ordered they take back, as far as the leader knows of it. */
static void take_back_orders(struct schedule *s)
{
        uint8_t leader = world_leader(s->w);

        if (leader == NODE_NONE)
                return;
        struct document d = *cluster_document(world_brain(s->w, leader));
        for (uint8_t g = 0; g < d.group_count && g < s->c.groups; g++) {
                const struct assignment *a = document_group_const(&d, world_group_id(g));
                if (a && a->admin == GROUP_DISABLED)
                        order_and_wait(s, ORDER_START, g, NODE_NONE);
                if (a && (a->failed || a->wanted != NODE_NONE))
                        order_and_wait(s, ORDER_CLEAR, g, NODE_NONE);
        }
        for (uint8_t i = 0; i < d.member_count; i++)
                if (d.member[i].standby)
                        order_and_wait(s, ORDER_ONLINE, 0, i);
        if (d.maintenance)
                order_and_wait(s, ORDER_MAINTENANCE_OFF, 0, NODE_NONE);
}

static void switch_on(struct schedule *s)
{
        for (uint8_t i = 0; i < s->c.nodes; i++) {
                if (s->restore[i]) { /* haven init --force */
                        world_power_off(s->w, i);
                        world_lose_state(s->w, i);
                        s->restore[i] = false;
                }
                world_power_on(s->w, i);
        }
}

static bool files_wait(const struct schedule *s)
{
        for (uint8_t i = 0; i < s->c.nodes; i++)
                if (world_file_waits(s->w, i))
                        return true;
        return false;
}

static bool recovers(struct schedule *s, int tries)
{
        for (int i = 0; i < tries; i++) {
                make_whole(s); /* what a node was told while it stood still, it did not hear */
                reload_what_was_refused(s);
                take_back_orders(s);
                if (world_settle(s->w, span_s(15)) && !files_wait(s))
                        return true;
        }
        return false;
}

/* --- what must hold --- */

static void found(struct schedule *s, enum violation v, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static void found(struct schedule *s, enum violation v, const char *format, ...)
{
        char text[160];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        world_found(s->w, v, text);
}

/* How each node explains where each group is, for who reads the story. */
static void explain(const struct schedule *s)
{
        char text[4096];

        for (uint8_t i = 0; s->c.trace && i < s->c.nodes; i++)
                for (uint8_t g = 0; world_brain(s->w, i) && g < s->c.groups; g++) {
                        cluster_explain(world_brain(s->w, i), g, (instant){INT64_MAX / 2}, text,
                                        sizeof(text));
                        fprintf(s->c.trace, "--- as node %u sees it: %s", i, text);
                }
}

static unsigned nodes_up(const struct schedule *s)
{
        unsigned up = 0;

        for (uint8_t i = 0; i < s->c.nodes; i++)
                up += world_up(s->w, i);
        return up;
}

/* What runs everywhere in some files and on one node in others: who is dead may run the one or hold the
 * other. */
static bool spread_changes(const struct schedule *s)
{
        uint8_t leader = world_leader(s->w);
        const struct document *d = leader == NODE_NONE ? NULL : cluster_document(world_brain(s->w, leader));
        const struct assignment *a =
                d ? document_group_const(d, world_group_id((uint8_t)(s->c.groups - 1))) : NULL;

        return a && a->spread != (s->c.everywhere ? GROUP_EVERYWHERE : GROUP_ON_ONE);
}

/* An exchange with etcd is four packets of a connection: with a fifth of them lost few end within a lease. */
static bool drowns(const struct schedule *s)
{
        return s->c.arbiter == &arbiter_etcd && s->c.loss > 0.1 && nodes_up(s) < s->c.nodes;
}

/* I2 among those that are up, the dead left dead: whoever can take over has to. */
static void survivors_recover(struct schedule *s)
{
        make_whole(s);
        world_run(s->w, span_ms(s->c.data ? 9000 : 2500)); /* who stood still goes on, who leaves has left */
        if (!suffices(s, nodes_up(s)) || must_wait(s) || drowns(s) || s->lost_state || s->members)
                return;
        if (!recovers(s, 4) && suffices(s, nodes_up(s)) &&
            !spread_changes(s)) { /* who left could not stop something for a while */
                explain(s);
                found(s, VIOLATION_NO_OWNER, "not every group is held a minute after the survivors are well");
        }
}

static void all_recover(struct schedule *s)
{
        switch_on(s);
        world_run(s->w, span_ms(2500));
        switch_on(s); /* who was told to leave while it stood still has left by now */
        bool well = recovers(s, 8);
        if (!well && nodes_up(s) < s->c.nodes) { /* or has only now, for it had to wait for the others */
                switch_on(s);
                well = recovers(s, 8);
        }
        if (!well) {
                explain(s);
                found(s, VIOLATION_NO_OWNER, "not every group is held two minutes after all is well");
                return;
        }
        for (int i = 0; i < 40 && !world_keeps_company(s->w); i++)
                world_run(s->w, span_s(1)); /* failback may be due */
        if (!world_keeps_company(s->w)) {
                explain(s);
                found(s, VIOLATION_COMPANY, "not together, apart or within capacity when all is well");
        }
}

/* Failback may still be due, after ten minutes of which each loss counted: half a minute at most. */
static void nothing_moves(struct schedule *s)
{
        world_run(s->w, span_s(12));
        switch_on(s); /* who was told to leave and could not stop what it ran has left by now */
        world_run(s->w, span_s(40));
        if (!world_has_timing(s->w, 0))
                found(s, VIOLATION_FORK, "the timing that all files say is not in force");
        if (s->members && !world_has_voters(s->w, world_all_nodes(s->w)))
                found(s, VIOLATION_FORK, "those whom all files name do not vote");
        world_reset_figures(s->w);
        world_run(s->w, span_s(5));
        for (uint8_t g = 0; g < s->c.groups; g++) {
                if (world_moves(s->w, g))
                        found(s, VIOLATION_MOVED, "group%u moved by itself in calm", g);
                if (world_unheld(s->w, g).us)
                        found(s, VIOLATION_NO_OWNER, "group%u was let go in calm", g);
        }
}

static span takeover_bound(const struct schedule *s)
{
        /* dead by a slow clock, a heartbeat that was just due, a leader's election and two versions on disk
         */
        return span_us(s->c.dead.us * 105 / 100 + s->c.heartbeat.us + 3 * s->c.save_max.us + span_ms(10).us +
                       (has_third_vote(s) ? s->c.arbiter->slower.us : 0));
}

static int64_t takeover(struct schedule *s, uint8_t group)
{
        uint8_t owner = world_holder(s->w, group);
        bool watched = !must_wait(s) && suffices(s, s->c.nodes - 1U) && owner != NODE_NONE;

        if (!watched)
                return -1;
        world_run(s->w, span_us(world_random(s->w, 200000)));
        world_reset_figures(s->w);
        world_power_off(s->w, owner);
        world_run(s->w, span_s(4));
        int64_t took = world_unheld(s->w, group).us;
        if (took > takeover_bound(s).us)
                found(s, VIOLATION_NO_OWNER, "group%u was taken over only after %.1f ms, more than %.1f",
                      group, (double)took / 1000, (double)takeover_bound(s).us / 1000);
        for (uint8_t g = 0; g < owned_groups(s); g++)
                if (world_moves(s->w, g) > 1)
                        found(s, VIOLATION_MOVED, "group%u moved %u times for one death", g,
                              world_moves(s->w, g));
        return took;
}

/* Who is back runs it, and the others go on. */
static void rejoin_everywhere(struct schedule *s, unsigned were_off)
{
        uint8_t g = owned_groups(s);

        if (world_moves(s->w, g) != were_off || world_unheld(s->w, g).us)
                found(s, VIOLATION_MOVED,
                      "group%u, which runs everywhere, was started %u times when %u came back", g,
                      world_moves(s->w, g), were_off);
}

/* I4: who is back disturbs nobody; what returns to it by failback is handed over. */
static void rejoin(struct schedule *s)
{
        unsigned were_off = s->c.nodes - nodes_up(s);

        world_reset_figures(s->w);
        for (uint8_t i = 0; i < s->c.nodes; i++)
                world_power_on(s->w, i);
        world_run(s->w, span_s(6));
        if (s->c.everywhere)
                rejoin_everywhere(s, were_off);
        for (uint8_t g = 0; g < owned_groups(s); g++) {
                bool stays = g % 2; /* failback = manual */
                if (world_moves(s->w, g) > !stays)
                        found(s, VIOLATION_MOVED, "group%u moved %u times when a node came back", g,
                              world_moves(s->w, g));
                if (world_unheld(s->w, g).us > (stays ? 0 : s->c.stop_max.us + span_ms(30).us))
                        found(s, VIOLATION_NO_OWNER, "group%u was let go for %.1f ms when a node came back",
                              g, (double)world_unheld(s->w, g).us / 1000);
        }
}

static void trouble_begins(struct schedule *s)
{
        uint32_t before = 0, moves = 0;

        for (uint8_t g = 0; g < owned_groups(s); g++)
                before += world_moves(s->w, g);
        for (uint32_t faults = 4 + world_random(s->w, 12); faults > 0; faults--) {
                one_fault(s);
                world_run(s->w, span_ms(world_random(s->w, world_random(s->w, 4) ? 700 : 4000)));
        }
        for (uint8_t g = 0; g < owned_groups(s); g++)
                moves += world_moves(s->w, g);
        /* each fault, and each flap, has a reason to move each group twice: there and back */
        if (moves - before > owned_groups(s) * 2 * (s->faults + 12 * s->flaps + 2))
                found(s, VIOLATION_MOVED, "%u moves for %u faults", moves - before, s->faults);
}

static uint32_t moves_of(const struct schedule *s)
{
        uint32_t moves = 0;

        for (uint8_t g = 0; g < s->c.groups; g++)
                moves += world_moves(s->w, g);
        return moves;
}

static struct schedule_result result_of(struct schedule *s)
{
        struct schedule_result r = {.nodes = s->c.nodes,
                                    .arbiter = has_third_vote(s) ? s->c.arbiter->name : "absent",
                                    .virtual_us = world_now(s->w).us,
                                    .steps = world_steps(s->w),
                                    .admitted = world_admitted(s->w) > 0,
                                    .said_most = world_said_most(s->w),
                                    .takeover_us = -1};

        if (r.admitted)
                r.admitted_us = world_both_longest(s->w).us;
        if (r.said_most > STORM)
                found(s, VIOLATION_STORM, "%u messages to one node in a second", r.said_most);
        for (int v = 0; v < VIOLATION_COUNT; v++) {
                r.violated[v] = world_violations(s->w, (enum violation)v) > 0;
                r.failed |= r.violated[v];
        }
        snprintf(r.text, sizeof(r.text), "%s", world_violation_text(s->w));
        return r;
}

struct schedule_result schedule_run(const struct schedule_options *o, uint64_t seed, FILE *trace)
{
        struct schedule s = {.c = make_config(o, seed, trace)};
        int64_t took = -1;
        uint32_t moves = 0;

        if (o->quiet) {
                s.c.loss = s.c.late = s.c.duplicate = 0;
                s.c.delay_max = span_us(400);
                s.c.heartbeat = span_ms(100);
                s.c.dead = span_ms(500);
                s.c.links = 2;
        }
        s.members = s.c.nodes >= 3 && s.c.arbiter != &arbiter_fence && seed / 3 % 2;
        s.w = world_new(&s.c);
        world_settle(s.w, span_s(20));
        if (o->quiet) {
                world_run(s.w, span_s(3600));
        } else {
                trouble_begins(&s);
                survivors_recover(&s);
                all_recover(&s);
                moves = moves_of(&s);
                if (seed % CALM_EVERY == 0 && !s.c.words) { /* for its bounds, each group is alone */
                        world_calm(s.w);
                        nothing_moves(&s);
                        took = takeover(&s, (uint8_t)world_random(s.w, owned_groups(&s)));
                        moves += moves_of(&s);
                        rejoin(&s);
                }
        }
        struct schedule_result r = result_of(&s);
        r.takeover_us = took;
        r.moves = moves;
        r.takeovers = took >= 0;
        world_free(s.w);
        return r;
}
