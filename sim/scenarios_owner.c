/* Plays about who may have what, each built for one rule whose removal chance does not find: several things
 * in one order, or what a weak arbiter is forgiven otherwise (docs/removed-rules.md). */
#include "stage.h"

#define LONG_FROZEN span_s(100)

static void expect_frozen_alone(struct stage *s, uint8_t group, uint8_t frozen)
{
        expect_holder(s, group, frozen);
        expect(s, world_both_held(s->w, group).us == 0, "the frozen owner's data runs elsewhere too");
}

/* Rule 15: the device says that it failed, and may or may not have done it. Who may still run it owes it. */
static void fencing_failed(struct stage *s)
{
        stage_wait_some(s, span_ms(200));
        world_pause_machine(s->w, 0, LONG_FROZEN);
        stage_run(s, span_s(6));
        if (world_up(s->w, 0))
                expect_frozen_alone(s, 0, 0);
        else
                expect_holder(s, 0, NODE_NONE);
        expect_told(s, world_story(s->w), "could not be powered off");
        world_power_off(s->w, 0);
        stage_order(s, ORDER_CONFIRM_OFF, 0, 0, SPAN_ZERO);
        expect_settles(s, span_s(2));
}

/* Rule 15: the leader gives itself what the other could not start, and the other never hears of it. Apart,
 * each could have it: neither starts it. */
static void given_away_unheard(struct stage *s)
{
        stage_order(s, ORDER_STOP, 1, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        expect_holder(s, 1, NODE_NONE);
        world_trouble(s->w, 1, (struct trouble){.start_fails = 1, .start_more = span_ms(50)});
        stage_order(s, ORDER_START, 1, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_ms(30));
        expect_holder(s, 1, 1); /* it tries */
        for (uint8_t l = 0; l < 2; l++)
                world_cut(s->w, 0, 1, l, true);
        stage_run(s, span_ms(45 + (int64_t)s->seed));
        world_cut_pair(s->w, 0, 1, true);
        world_trouble(s->w, 1, (struct trouble){0});
        stage_run(s, span_s(12)); /* failures are forgiven meanwhile */
        expect(s, world_both_held(s->w, 1).us == 0, "both run the data of group1");
        world_cut_pair(s->w, 0, 1, false);
        expect_settles(s, span_s(15));
}

/* Rule 16: the owner freezes as it is to let go, and the one who was to take it must not have it either. That
 * this one lets go of what it never had proves nothing of the frozen one. */
static void moved_on_from_a_frozen_owner(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        world_unfit(s->w, 1, 1, true);
        stage_run(s, span_ms(1));
        world_pause_machine(s->w, 1, LONG_FROZEN);
        stage_run(s, span_ms(100));
        stage_wait_some(s, span_ms(200));
        stage_order(s, ORDER_STANDBY, 0, 2, span_s(60)); /* it must go elsewhere */
        stage_run(s, span_s(5));
        expect_frozen_alone(s, 1, 1);
        world_power_off(s->w, 1);
        stage_order(s, ORDER_CONFIRM_OFF, 0, 1, SPAN_ZERO);
        expect_settles(s, span_s(2));
}

/* Rule 26: a pair is cut in two as its leader makes a third node vote, which a weak vote commits. With three
 * there is no weak arbiter, but the one that is cut off does not know of them: it leads the pair by its own
 * weak vote for ever, keeps its data and feeds its watchdog. */
static void third_comes_as_the_pair_splits(struct stage *s)
{
        uint8_t leader = world_leader(s->w), other = !leader;
        const struct cluster *brain;

        stage_wait_some(s, span_ms(100));
        world_delay(s->w, leader, other, span_ms(5));
        world_join(s->w, 2, 7);
        world_name_nodes(s->w, other, 7);
        stage_run(s, span_ms(300));
        world_name_nodes(s->w, leader, 7);
        for (int ms = 0; ms < 1500; ms++) {
                brain = world_brain(s->w, leader);
                if (brain && cluster_document(brain)->before)
                        break;
                stage_run(s, span_ms(1));
        }
        expect(s, brain && cluster_document(brain)->before, "the third is not to vote");
        world_isolate(s->w, other, true);
        world_delay(s->w, leader, other, SPAN_ZERO);
        stage_run(s, span_s(8));
        expect_holder(s, leader, leader);
        expect_holder(s, other, other);
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us == 0, "the data of group%u runs twice", g);
        world_isolate(s->w, other, false);
        expect_settles(s, span_s(10));
}

/* Rule 18: the core dies while it lets go, and who was to take it dies too. What had begun to stop is
 * stopped; it comes back under a new epoch. */
static void core_killed_while_it_stops(struct stage *s)
{
        struct epoch before = world_epoch(s->w, 1, 1);

        world_trouble(s->w, 1, (struct trouble){.stop_more = span_ms(300)});
        stage_move(s, 1, 2);
        stage_run(s, span_ms(100));
        stage_wait_some(s, span_ms(150));
        world_power_off(s->w, 2);
        world_kill_core(s->w, 1, span_ms(5));
        stage_run(s, span_s(3));
        uint8_t holder = world_holder(s->w, 1);
        expect(s, holder != NODE_NONE && epoch_compare(world_epoch(s->w, holder, 1), before) > 0,
               "what was being let go of lives on");
}

/* Rule 20: who stood still heard nobody, and nobody was silent for it. One that runs nothing is not ended by
 * its supervisor, so the same core wakes. */
static void standby_stands_still(struct stage *s)
{
        stage_move(s, 1, 0);
        stage_run(s, span_s(1));
        expect_holder(s, 1, 0);
        stage_wait_some(s, span_ms(100));
        world_pause_core(s->w, 1, span_ms(520 + 40 * (int64_t)s->seed));
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++) {
                expect_holder(s, g, 0);
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
                expect(s, world_gate_closed(s->w, g).us == 0, "group%u noticed that the standby stood still",
                       g);
        }
}

/* I5: it is back for longer than failback waits, again and again. Each loss doubles the wait. */
static void comes_and_goes(struct stage *s)
{
        const uint32_t times = 12;

        for (uint32_t i = 0; i < times; i++) {
                stage_wait_some(s, span_ms(100));
                world_isolate(s->w, 0, true);
                stage_run(s, span_ms(800));
                world_isolate(s->w, 0, false);
                stage_run(s, span_ms(1800));
        }
        expect(s, world_moves(s->w, 0) <= 8, "group0 moved %u times in %u losses", world_moves(s->w, 0),
               times);
        stage_run(s, span_s(40));
        expect_holder(s, 0, 0);
}

const struct scenario scenarios_owner[] = {
        {"fencing-that-failed-frees-nothing",
         "a device's failure proves neither that it is off nor that it is on",
         {.nodes = 3, .data = true, .fence = true, .fence_fails = 1},
         fencing_failed},
        {"data-given-away-unheard-in-a-split",
         "what one decided alone the other may decide too",
         {.nodes = 2, .data = true},
         given_away_unheard},
        {"data-moved-on-while-its-owner-is-frozen",
         "the first move has to end before the second",
         {.nodes = 3, .data = true},
         moved_on_from_a_frozen_owner},
        {"third-node-added-as-a-pair-splits",
         "the one that does not know of it goes on as half of a pair",
         {.nodes = 3, .founders = 3, .data = true, .watchdog = {2000000}},
         third_comes_as_the_pair_splits},
        {"core-killed-while-it-stops",
         "what had begun to stop is stopped",
         {.nodes = 3},
         core_killed_while_it_stops},
        {"standby-stands-still-and-takes-nothing",
         "it listens before it believes in a silence",
         {.nodes = 2},
         standby_stands_still},
        {"comes-and-goes-waits-longer-each-time", "moves are bounded", {.nodes = 3}, comes_and_goes},
        {0},
};
