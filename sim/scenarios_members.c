/* A cluster that is changed while it runs: its timing, and haven itself (rules.md rules 26, 27). */
#include "stage.h"

#include "world_arbiter.h"

#include <string.h>

static void reload_all(struct stage *s, uint8_t nodes, uint32_t file)
{
        for (uint8_t i = 0; i < nodes; i++)
                world_configure(s->w, i, file, true);
}

static void expect_timing(struct stage *s, uint32_t file)
{
        expect(s, world_has_timing(s->w, file), "the timing of file %u is not in force everywhere", file);
}

static void expect_nothing_happened(struct stage *s)
{
        for (uint8_t g = 0; g < 2; g++) {
                expect(s, world_moves(s->w, g) == 0, "group%u moved %u times", g, world_moves(s->w, g));
                expect_unheld_at_most(s, g, SPAN_ZERO);
        }
}

static void there_and_back(struct stage *s)
{
        static const uint32_t files[] = {FILE_SLOW, 0, FILE_QUICK, FILE_SLOW | FILE_QUICK, FILE_QUICK, 0};

        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
                stage_wait_some(s, span_ms(100));
                reload_all(s, 3, files[i]);
                stage_run(s, span_s(8));
                expect_timing(s, files[i]);
        }
        expect_nothing_happened(s);
}

/* Cut off while the change goes on: its lease is of before, who takes over is of after. */
static void owner_cut_off(struct stage *s, uint32_t before, uint32_t after)
{
        reload_all(s, 3, before);
        stage_run(s, span_s(8));
        expect_timing(s, before);
        reload_all(s, 3, after);
        stage_wait_some(s, span_ms(3000));
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(5));
        expect(s, world_holder(s->w, 0) != 0, "it was not taken over");
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(20));
        expect_settles(s, span_s(10));
        expect_timing(s, after);
}

static void cut_off_while_dead_falls(struct stage *s)
{
        owner_cut_off(s, FILE_SLOW, 0);
}

static void cut_off_while_dead_rises(struct stage *s)
{
        owner_cut_off(s, 0, FILE_SLOW);
}

/* Nobody gets what it decides from now on, while it still hears them: it may not count by it. */
static void leader_unheard_as_dead_rises(struct stage *s)
{
        uint8_t leader = world_leader(s->w);

        for (uint8_t i = 0; i < 3; i++)
                if (i != leader)
                        world_configure(s->w, i, FILE_SLOW, true);
        stage_run(s, span_ms(300));
        stage_wait_some(s, span_ms(100));
        for (uint8_t i = 0; i < 3; i++)
                for (uint8_t l = 0; l < 2; l++)
                        if (i != leader)
                                world_cut(s->w, leader, i, l, true);
        world_configure(s->w, leader, FILE_SLOW, true);
        stage_run(s, span_s(5));
        expect(s, world_leader(s->w) != leader, "it leads on");
        world_isolate(s->w, leader, false);
        stage_run(s, span_s(15));
        expect_settles(s, span_s(10));
        expect_timing(s, FILE_SLOW);
}

/* Whoever is elected meanwhile counts the waiting anew. */
static void leader_dies_while_dead_falls(struct stage *s)
{
        reload_all(s, 3, FILE_SLOW);
        stage_run(s, span_s(8));
        reload_all(s, 3, 0);
        stage_wait_some(s, span_ms(3000));
        uint8_t leader = world_leader(s->w);
        if (leader == NODE_NONE)
                leader = 0;
        world_power_off(s->w, leader);
        stage_run(s, span_s(5));
        expect_settles(s, span_s(5));
        world_configure(s->w, leader, 0, false);
        world_power_on(s->w, leader);
        stage_run(s, span_s(20));
        expect_timing(s, 0);
        expect_settles(s, span_s(10));
}

static void waits_for_all(struct stage *s)
{
        world_power_off(s->w, 2);
        stage_run(s, span_s(3));
        world_configure(s->w, 0, FILE_SLOW, true);
        world_configure(s->w, 1, FILE_SLOW, true);
        stage_run(s, span_s(3));
        expect_timing(s, 0);
        expect_told(s, world_story(s->w), "gamma: it is offline -> heartbeat and dead stay as they are");
        world_power_on(s->w, 2); /* with the old file */
        stage_run(s, span_s(5));
        expect_timing(s, 0);
        world_configure(s->w, 2, FILE_SLOW, true);
        stage_run(s, span_s(8));
        expect_timing(s, FILE_SLOW);
}

/* It has forgotten how long its promises were to last: the document tells, not its file. */
static void lost_state_waits_as_long_as_all(struct stage *s)
{
        reload_all(s, 3, FILE_SLOW);
        stage_run(s, span_s(8));
        world_power_off(s->w, 2);
        world_lose_state(s->w, 2);
        world_configure(s->w, 2, FILE_QUICK, false);
        stage_wait_some(s, span_ms(300));
        (void)world_story(s->w);
        world_power_on(s->w, 2);
        stage_run(s, span_ms(1900));
        expect(s, !strstr(world_story(s->w), "readmitted"), "readmitted while its promises may last");
        stage_run(s, span_s(2));
        expect_told(s, world_story(s->w), "holds its lease without us -> readmitted");
}

static void rolling(struct stage *s, uint8_t nodes)
{
        uint8_t last = world_leader(s->w);

        expect(s, world_feature_level(s->w) == 1, "feature level %u", world_feature_level(s->w));
        for (uint8_t i = 0; i < nodes; i++) {
                if (i == last)
                        continue;
                stage_wait_some(s, span_ms(300));
                world_restart_as(s->w, i, 1);
                stage_run(s, span_s(1));
        }
        expect(s, world_feature_level(s->w) == 1, "raised before all understand it");
        world_restart_as(s->w, last, 1); /* the leader */
        stage_run(s, span_s(2));
        expect(s, world_feature_level(s->w) == 2, "not raised though all understand it");
        expect_nothing_happened(s);
}

static void rolling_three(struct stage *s)
{
        rolling(s, 3);
}

static void rolling_pair(struct stage *s)
{
        rolling(s, 2);
}

/* --- who is there --- */

static void expect_voters(struct stage *s, uint64_t nodes)
{
        expect(s, world_has_voters(s->w, nodes), "those who vote are not %llx", (unsigned long long)nodes);
}

static void a_third_comes(struct stage *s)
{
        world_join(s->w, 2, 7);
        world_name_nodes(s->w, 0, 7);
        stage_wait_some(s, span_ms(300));
        world_name_nodes(s->w, 1, 7);
        stage_run(s, span_s(4));
        expect_voters(s, 7);
        expect_nothing_happened(s);
        expect_told(s, world_story(s->w), "it votes from now on");
        world_power_off(s->w, world_holder(s->w, 0)); /* and its vote is one */
        stage_run(s, span_s(3));
        expect_settles(s, span_s(3));
}

/* Two who were a majority before it, the arbiter one of them, and two who are one after it: never both. */
static void cut_off_as_a_third_comes(struct stage *s)
{
        world_join(s->w, 2, 7);
        world_name_nodes(s->w, 0, 7);
        world_name_nodes(s->w, 1, 7);
        stage_wait_some(s, span_ms(1500));
        uint8_t leader = world_leader(s->w);
        uint8_t alone = leader == 0 ? 1 : 0;
        for (uint8_t l = 0; l < 2; l++)
                for (uint8_t i = 0; i < 3; i++)
                        if (i != alone) {
                                world_cut(s->w, i, alone, l, true);
                                world_cut(s->w, alone, i, l, true);
                        }
        stage_run(s, span_s(6));
        world_isolate(s->w, alone, false);
        stage_run(s, span_s(6));
        expect_settles(s, span_s(10));
        expect_voters(s, 7);
}

/* On the disk the two that come have slots of their own, which those of before read with the rest. */
/* A leader rests on a disk whose promise lasts long, and then on three nodes who wait for no disk. */
static void a_third_comes_beside_a_slow_disk(struct stage *s)
{
        uint8_t leader = world_leader(s->w), other = stage_other(s, leader);

        world_isolate(s->w, other, true);
        stage_wait_some(s, span_ms(1200));
        world_isolate(s->w, other, false);
        world_join(s->w, 2, 7);
        world_name_nodes(s->w, other, 7);
        stage_run(s, span_ms(100));
        world_name_nodes(s->w, leader, 7);
        for (uint32_t i = 0; i < 200 && !world_has_voters(s->w, 7); i++)
                stage_run(s, span_ms(10));
        expect_voters(s, 7);
        world_isolate(s->w, world_leader(s->w), true);
        stage_run(s, span_s(4));
}

static void cut_off_as_two_come(struct stage *s)
{
        for (uint8_t i = 2; i < 4; i++)
                world_join(s->w, i, 15);
        world_name_nodes(s->w, 0, 15);
        world_name_nodes(s->w, 1, 15);
        stage_wait_some(s, span_ms(2500));
        uint8_t leader = world_leader(s->w);
        world_isolate(s->w, leader == 0 ? 1 : 0, true);
        stage_run(s, span_s(3));
        world_cut_pair(s->w, 2, 3, true); /* and the rest in halves */
        stage_run(s, span_s(6));
        world_cut_pair(s->w, 2, 3, false);
        world_isolate(s->w, leader == 0 ? 1 : 0, false);
        stage_run(s, span_s(6));
        expect_settles(s, span_s(10));
        expect_voters(s, 15);
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
}

/* One goes for good, another comes in its place. */
static void replaced_beside_the_disk(struct stage *s)
{
        world_leave(s->w, 1);
        stage_run(s, span_s(2));
        world_power_off(s->w, 1);
        world_join(s->w, 2, 5);
        world_name_nodes(s->w, 0, 5);
        stage_run(s, span_s(5));
        expect_voters(s, 5);
        world_reset_figures(s->w);
        stage_wait_some(s, span_ms(500));
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(4));
        for (uint8_t g = 0; g < 2; g++) {
                expect(s, world_holder(s->w, g) != NODE_NONE, "group%u runs nowhere", g);
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
        }
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(6));
        expect_settles(s, span_s(10));
}

static void leader_is_taken_out(struct stage *s)
{
        uint8_t leader = world_leader(s->w);
        uint64_t rest = 15 & ~(1ULL << leader);

        world_leave(s->w, leader);
        stage_run(s, span_s(2));
        for (uint8_t i = 0; i < 4; i++)
                if (i != leader)
                        world_name_nodes(s->w, i, rest);
        stage_run(s, span_s(4));
        expect_voters(s, rest);
        world_reset_figures(s->w);
        world_power_on(s->w, leader); /* by its old file it is one of four */
        stage_run(s, span_s(10));
        expect_nothing_happened(s);
        expect_voters(s, rest);
}

static void nobody_is_taken_out_while_another_is_dead(struct stage *s)
{
        world_power_off(s->w, 3);
        world_power_off(s->w, 4);
        stage_run(s, span_s(3));
        for (uint8_t i = 0; i < 3; i++)
                world_name_nodes(s->w, i, 15);
        stage_run(s, span_s(5));
        expect_voters(s, 31);
        expect_told(s, world_story(s->w), "delta: it is offline -> the nodes that vote stay as they are");
        world_name_nodes(s->w, 3, 15);
        world_power_on(s->w, 3);
        stage_run(s, span_s(6));
        expect_voters(s, 15);
        expect_settles(s, span_s(5));
}

static void files_that_contradict(struct stage *s)
{
        world_join(s->w, 2, 7);
        world_join(s->w, 3, 11);
        world_name_nodes(s->w, 0, 7);
        world_name_nodes(s->w, 1, 11);
        stage_run(s, span_s(6));
        expect_voters(s, 3);
        expect_told(s, world_story(s->w), "another file");
        for (uint8_t i = 0; i < 4; i++)
                world_name_nodes(s->w, i, 15);
        stage_run(s, span_s(8));
        expect_voters(s, 15);
        expect_settles(s, span_s(5));
}

/* A machine of the same name in the place of one that burnt. */
static void replaced_by_another_of_its_name(struct stage *s)
{
        world_power_off(s->w, 2);
        stage_run(s, span_s(3));
        world_lose_state(s->w, 2);
        world_power_on(s->w, 2);
        stage_run(s, span_s(5));
        expect_told(s, world_story(s->w), "holds its lease without us -> readmitted");
        expect_voters(s, 7);
        expect_settles(s, span_s(5));
}

const struct scenario scenarios_members[] = {
        {"third-node-added", "rule 26: nothing moves", {.nodes = 3, .founders = 3}, a_third_comes},
        {"cut-off-as-a-third-node-is-added",
         "rule 26: the majorities before and after, both",
         {.nodes = 3, .founders = 3, .arbiter = &arbiter_witness},
         cut_off_as_a_third_comes},
        {"disk-cut-off-as-two-nodes-are-added",
         "rules 22, 26: all read the slots of all, also of those who come",
         {.nodes = 4, .founders = 3, .arbiter = &arbiter_disk},
         cut_off_as_two_come},
        {"disk-slow-as-a-third-node-is-added",
         "rules 22, 26: a lease is worth what those who vote now support",
         {.nodes = 3, .founders = 3, .arbiter = &arbiter_disk, .arbiter_dead = {5000000}},
         a_third_comes_beside_a_slow_disk},
        {"disk-node-replaced",
         "rule 26: the new pair has the disk between it",
         {.nodes = 3, .founders = 3, .arbiter = &arbiter_disk},
         replaced_beside_the_disk},
        {"leader-taken-out",
         "rule 26: back with its old file it disturbs nobody",
         {.nodes = 4},
         leader_is_taken_out},
        {"taken-out-while-another-is-dead",
         "rule 26: a change waits for all who stay",
         {.nodes = 5},
         nobody_is_taken_out_while_another_is_dead},
        {"files-that-contradict",
         "rule 26: nothing changes",
         {.nodes = 4, .founders = 3},
         files_that_contradict},
        {"replaced-by-another-of-its-name", "rules 6 and 26", {.nodes = 3}, replaced_by_another_of_its_name},
        {"timing-changes-while-all-runs", "rule 26: up, down, nothing moves", {.nodes = 3}, there_and_back},
        {"owner-cut-off-while-dead-falls",
         "rule 26: long leases end before anybody waits less",
         {.nodes = 3},
         cut_off_while_dead_falls},
        {"owner-cut-off-while-dead-rises",
         "rule 26: all wait longer before leases are longer",
         {.nodes = 3},
         cut_off_while_dead_rises},
        {"leader-unheard-as-dead-rises",
         "rule 26: it takes no longer lease than the others wait for",
         {.nodes = 3},
         leader_unheard_as_dead_rises},
        {"leader-dies-while-dead-falls",
         "rule 26: the next leader waits anew",
         {.nodes = 3},
         leader_dies_while_dead_falls},
        {"timing-waits-for-all", "rule 26: offline, or another file", {.nodes = 3}, waits_for_all},
        {"lost-state-waits-by-the-document",
         "rules 6 and 26: not by its own file",
         {.nodes = 3},
         lost_state_waits_as_long_as_all},
        {"rolling-restart-raises-the-level-last", "rule 27", {.nodes = 3}, rolling_three},
        {"rolling-restart-of-a-pair", "rule 27", {.nodes = 2}, rolling_pair},
        {0},
};
