/* haven-sim: scenarios by name, and random schedules against the invariants. */
#include "scenarios.h"
#include "world.h"
#include "world_arbiter.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct options {
        uint64_t first, last;
        int nodes, nodes_most;               /* from and to, in turn */
        const struct arbiter_model *arbiter; /* NULL: none at all */
        bool data;
        bool trace;
        bool scenarios;
        const char *scenario; /* NULL: all */
};

struct schedule {
        bool lost_state;
};

struct summary {
        uint64_t schedules, failed, admitted;
        double virtual_s;
        uint64_t moves;
        uint64_t violations[VIOLATION_COUNT];
};

static const char help[] =
        "haven-sim [--seeds A:B] [--nodes N[:M]] [--arbiter KIND] [--trace]\n"
        "haven-sim --scenario NAME|all [--trace] | --list\n"
        "Runs the cluster brain in virtual time under random faults and checks the "
        "invariants at every step.\n"
        "  --seeds A:B      seeds A to B, both included (default 1:200)\n"
        "  --nodes N[:M]    2 to 9 nodes, N to M in turn (default 2:3)\n"
        "  --arbiter KIND   for even numbers of nodes: none (default), another of --list, or\n"
        "                   absent: no vote stands in\n"
        "  --data           groups are exclusive in their data; some clusters have fence devices, some "
        "watchdogs\n"
        "  --trace          tell the story of each schedule\n"
        "  --scenario NAME  play that scenario ('all': every one) instead\n"
        "  --list           name the scenarios and the arbiters\n"
        "Exit status: 0 no violation, 1 a violation (its seed is printed), 2 usage.\n";

/* Two sides that do not hear each other, of any sizes. */
static void partition(struct world *w, const struct world_config *c)
{
        uint32_t side = world_random(w, 1U << c->nodes);

        for (uint8_t i = 0; i < c->nodes; i++)
                for (uint8_t j = (uint8_t)(i + 1); j < c->nodes; j++)
                        world_cut_pair(w, i, j, (side >> i & 1) != (side >> j & 1));
}

/* One fault, chosen by the seed. */
static void one_fault(struct world *w, const struct world_config *c, struct schedule *s)
{
        uint8_t node = (uint8_t)world_random(w, c->nodes), other = (uint8_t)world_random(w, c->nodes);

        if (c->data && world_random(w, 5) == 0) {
                world_pause_machine(w, node, span_ms(200 + world_random(w, 8000)));
                return;
        }
        switch (world_random(w, 15)) {
        case 0: world_power_off(w, node); break;
        case 1:
        case 2: world_kill_core(w, node, span_ms(5 + world_random(w, 60))); break;
        case 3: world_pause_core(w, node, span_ms(20 + world_random(w, 1500))); break;
        case 4: world_leave(w, node); break;
        case 5: world_break_group(w, node, (uint8_t)world_random(w, c->groups)); break;
        case 6: world_unfit(w, node, (uint8_t)world_random(w, c->groups), world_random(w, 2)); break;
        case 7:
                world_order(w, node,
                            (struct order){.kind = ORDER_MOVE,
                                           .id = world_random(w, 1 << 30) + 1,
                                           .group = world_group_id((uint8_t)world_random(w, c->groups)),
                                           .node = world_random(w, 2) ? other : NODE_NONE});
                break;
        case 8: world_power_on(w, node); break;
        case 9: world_isolate(w, node, world_random(w, 2)); break;
        case 10: world_cut_pair(w, node, other, world_random(w, 2)); break;
        case 11: world_cut(w, node, other, (uint8_t)world_random(w, c->links), world_random(w, 2)); break;
        case 12:
                /* of more than one, or one of a pair without a third vote, a majority's memory may be gone:
                 * that waits for an operator */
                if (s->lost_state || world_up(w, node) || (c->nodes == 2 && !c->arbiter))
                        break;
                world_lose_state(w, node);
                s->lost_state = true;
                break;
        case 13: partition(w, c); break;
        case 14: world_arbiter_fault(w); break;
        }
}

static void make_whole(struct world *w, const struct world_config *c)
{
        world_arbiter_mend(w);
        for (uint8_t i = 0; i < c->nodes; i++) {
                world_isolate(w, i, false);
                for (uint8_t g = 0; g < c->groups; g++)
                        world_unfit(w, i, g, false);
        }
}

/* I2 among those that are up, the dead left dead: whoever can take over has to. */
static bool survivors_settle(struct world *w, const struct world_config *c, const struct schedule *s)
{
        uint8_t up = 0;

        make_whole(w, c);
        world_run(w, span_s(3)); /* who stood still goes on, who leaves has left */
        make_whole(w, c);        /* what it was told while it stood still, it did not hear */
        for (uint8_t i = 0; i < c->nodes; i++)
                up += world_up(w, i);
        bool quorum = up * 2 > c->nodes || (up * 2 == c->nodes && c->arbiter);
        /* data may have to wait for who is dead */
        return !quorum || c->data || s->lost_state || world_settle(w, span_s(60));
}

static void make_well(struct world *w, const struct world_config *c)
{
        make_whole(w, c);
        for (uint8_t i = 0; i < c->nodes; i++)
                world_power_on(w, i);
}

static struct world_config make_config(const struct options *o, uint64_t seed, FILE *trace)
{
        return (struct world_config){
                .seed = seed,
                .nodes = (uint8_t)(o->nodes + (int)(seed % (uint64_t)(o->nodes_most - o->nodes + 1))),
                .groups = (uint8_t)(1 + seed % 3),
                .links = 2,
                .arbiter = o->arbiter,
                .heartbeat = span_ms(100),
                .dead = span_ms(500),
                .delay_min = span_us(50),
                .delay_max = span_us(seed % 5 == 0 ? 30000 : 400),
                .loss = seed % 7 == 0 ? 0.2 : 0.001,
                .duplicate = 0.01,
                .save_min = span_us(200),
                .save_max = span_ms(seed % 3 == 0 ? 30 : 5),
                .start_max = span_ms(seed % 4 == 0 ? 800 : 20),
                .stop_max = span_us(seed % 4 == 0 ? 20000 : 2000),
                .start_fails = seed % 6 == 0 ? 0.1 : 0,
                .drift = 0.01,
                .data = o->data,
                .fence = o->data && seed % 2,
                .fence_reboots = seed % 8 < 4,
                .fence_fails = seed % 16 < 8 ? 0.2 : 0,
                .watchdog = o->data && seed % 4 > 1 ? span_ms(2000) : SPAN_ZERO,
                .trace = trace,
        };
}

static void tell_end(struct world *w, const struct world_config *c)
{
        char text[4096];

        for (uint8_t i = 0; i < c->nodes; i++)
                for (uint8_t g = 0; world_brain(w, i) && g < c->groups; g++) {
                        cluster_explain(world_brain(w, i), g, (instant){INT64_MAX / 2}, text, sizeof(text));
                        printf("--- as node %u sees it: %s", i, text);
                }
}

static void run_schedule(const struct options *o, uint64_t seed, struct summary *s)
{
        struct world_config c = make_config(o, seed, o->trace ? stdout : NULL);
        struct world *w = world_new(&c);
        struct schedule sch = {0};
        const char *unsettled = "";

        world_settle(w, span_s(20));
        for (uint32_t faults = 4 + world_random(w, 12); faults > 0; faults--) {
                one_fault(w, &c, &sch);
                world_run(w, span_ms(world_random(w, world_random(w, 4) ? 700 : 4000)));
        }
        if (!survivors_settle(w, &c, &sch))
                unsettled = " not every group is held 60 s after the survivors are well";
        make_well(w, &c);
        world_run(w, span_s(3));
        make_well(w, &c); /* who was told to leave while it stood still has left by now */
        if (!world_settle(w, span_s(120)))
                unsettled = " not every group is held 120 s after all is well";
        s->schedules++;
        s->virtual_s += (double)world_now(w).us / 1e6;
        for (uint8_t g = 0; g < c.groups; g++)
                s->moves += world_moves(w, g);
        s->admitted += world_admitted(w) > 0;
        bool bad = unsettled[0];
        s->violations[VIOLATION_NO_OWNER] += bad;
        for (int v = 0; v < VIOLATION_COUNT; v++) {
                s->violations[v] += world_violations(w, (enum violation)v) > 0;
                bad |= world_violations(w, (enum violation)v) > 0;
        }
        if (bad) {
                s->failed++;
                printf("seed %llu (%u nodes): %s%s\n", (unsigned long long)seed, c.nodes,
                       world_violation_text(w), unsettled);
        }
        if (bad && o->trace)
                tell_end(w, &c);
        world_free(w);
}

static int parse(int argc, char **argv, struct options *o)
{
        static const struct option longs[] = {
                {"seeds", required_argument, NULL, 's'},
                {"nodes", required_argument, NULL, 'n'},
                {"arbiter", required_argument, NULL, 'a'},
                {"trace", no_argument, NULL, 't'},
                {"scenario", required_argument, NULL, 'c'},
                {"list", no_argument, NULL, 'l'},
                {"help", no_argument, NULL, 'h'},
                {"data", no_argument, NULL, 'd'},
                {NULL, 0, NULL, 0},
        };
        unsigned long long first, last;
        int opt, n;

        while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
                switch (opt) {
                case 's':
                        if (sscanf(optarg, "%llu:%llu", &first, &last) != 2 || last < first)
                                return 2;
                        o->first = first;
                        o->last = last;
                        break;
                case 'n':
                        n = sscanf(optarg, "%d:%d", &o->nodes, &o->nodes_most);
                        if (n == 1)
                                o->nodes_most = o->nodes;
                        if (n < 1 || o->nodes < 2 || o->nodes_most < o->nodes || o->nodes_most > WORLD_NODES)
                                return 2;
                        break;
                case 'a':
                        o->arbiter = arbiter_find(optarg);
                        if (!o->arbiter && strcmp(optarg, "absent") != 0)
                                return 2;
                        break;
                case 'c':
                        o->scenarios = true;
                        o->scenario = strcmp(optarg, "all") == 0 ? NULL : optarg;
                        break;
                case 'd': o->data = true; break;
                case 'l':
                        scenarios_list(stdout);
                        arbiter_list(stdout);
                        exit(0);
                case 't': o->trace = true; break;
                case 'h': fputs(help, stdout); exit(0);
                default: return 2;
                }
        }
        return optind == argc ? 0 : 2;
}

int main(int argc, char **argv)
{
        struct options o = {.first = 1, .last = 200, .nodes = 2, .nodes_most = 3, .arbiter = &arbiter_none};
        struct summary s = {0};

        if (parse(argc, argv, &o) != 0) {
                fputs(help, stderr);
                return 2;
        }
        if (o.scenarios) {
                int failed = scenarios_play(o.scenario, o.trace);
                if (failed == -1)
                        fprintf(stderr, "haven-sim: no scenario '%s': see --list\n", o.scenario);
                return failed == 0 ? 0 : failed > 0 ? 1 : 2;
        }
        for (uint64_t seed = o.first; seed <= o.last; seed++)
                run_schedule(&o, seed, &s);
        printf("seeds %llu:%llu: %llu schedules, %.2f virtual hours, %llu changes of holder, %llu schedules "
               "violated",
               (unsigned long long)o.first, (unsigned long long)o.last, (unsigned long long)s.schedules,
               s.virtual_s / 3600, (unsigned long long)s.moves, (unsigned long long)s.failed);
        for (int v = 0; v < VIOLATION_COUNT; v++)
                printf(", %s %llu", violation_name((enum violation)v), (unsigned long long)s.violations[v]);
        printf("; a split admitted to a weak arbiter in %llu\n", (unsigned long long)s.admitted);
        return s.failed ? 1 : 0;
}
