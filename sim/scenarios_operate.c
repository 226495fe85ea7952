/* What operators do, what breaks in a group, and how often things may move. */
#include "stage.h"

/* The target warms up first: what is exclusive changes hands in the time of a stop and a message. */
static void planned_move(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        stage_move(s, 0, 1);
        stage_run(s, span_s(3));
        expect_holder(s, 0, 1);
        expect(s, world_moves(s->w, 0) == 1, "group0 moved %u times", world_moves(s->w, 0));
        expect_unheld_at_most(s, 0, span_ms(4));
        expect_told(s, world_story(s->w), "-> beta, moved there by an operator");
}

static void leave(struct stage *s)
{
        uint8_t who = (uint8_t)(s->seed % 2);

        stage_wait_some(s, span_ms(100));
        world_leave(s->w, who);
        stage_run(s, span_s(3));
        expect(s, !world_up(s->w, who), "it has not left");
        for (uint8_t g = 0; g < 2; g++) {
                expect(s, world_holder(s->w, g) != who, "group%u is still there", g);
                expect_unheld_at_most(s, g, g == who ? span_ms(8) : SPAN_ZERO);
        }
        expect_told(s, world_story(s->w), "holds nothing -> has left");
}

static void failback(struct stage *s)
{
        world_power_off(s->w, 0);
        stage_run(s, span_s(3));
        world_power_on(s->w, 0);
        stage_run(s, span_s(5));
        expect_holder(s, 0, 0);
        expect(s, world_moves(s->w, 0) == 2, "group0 moved %u times", world_moves(s->w, 0));
        world_power_off(s->w, 1);
        stage_run(s, span_s(3));
        world_power_on(s->w, 1);
        stage_run(s, span_s(5));
        expect_holder(s, 1, world_holder(s->w, 1) == 2 ? 2 : 0); /* failback = manual: it stays */
        expect(s, world_moves(s->w, 1) == 1, "group1 moved %u times", world_moves(s->w, 1));
}

/* I5: the preferred node comes and goes; each time the group waits longer before it goes back there. */
static void flapping_node(struct stage *s)
{
        for (int i = 0; i < 40; i++) {
                world_power_off(s->w, 0);
                stage_run(s, span_s(1));
                world_power_on(s->w, 0);
                stage_run(s, span_s(4));
        }
        expect(s, world_moves(s->w, 0) <= 8, "group0 moved %u times in 40 flaps", world_moves(s->w, 0));
        expect(s, world_moves(s->w, 1) == 0, "group1, not concerned, moved");
        expect_settles(s, SPAN_ZERO);
}

static void flapping_link(struct stage *s)
{
        for (int i = 0; i < 40; i++) {
                world_isolate(s->w, 0, true);
                stage_run(s, span_s(1));
                world_isolate(s->w, 0, false);
                stage_run(s, span_s(4));
        }
        expect(s, world_moves(s->w, 0) <= 8, "group0 moved %u times in 40 flaps", world_moves(s->w, 0));
        expect(s, world_moves(s->w, 1) == 0, "group1, not concerned, moved");
}

static void fails_everywhere(struct stage *s)
{
        for (int i = 0; i < 3; i++) {
                uint8_t holder = world_holder(s->w, 0);
                if (holder != NODE_NONE)
                        world_break_group(s->w, holder, 0);
                stage_run(s, span_s(1));
        }
        expect_holder(s, 0, NODE_NONE);
        char text[256];
        uint8_t leader = world_leader(s->w);
        expect(s,
               cluster_group(world_brain(s->w, leader), 0, (instant){INT64_MAX / 2}, text, sizeof(text)) ==
                       GROUP_FAILED,
               "group0 is not called failed but: %s", text);
        uint32_t moves = world_moves(s->w, 0);
        stage_run(s, span_s(20));
        expect(s, world_moves(s->w, 0) == moves, "a failed group moves about");
        stage_order(s, ORDER_CLEAR, 0, NODE_NONE, SPAN_ZERO);
        expect_settles(s, span_s(1));
        expect_holder(s, 0, 0);
        expect_told(s, world_story(s->w), "-> not there until 'haven clear group0'");
}

static void unfit_carrier(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_unfit(s->w, 0, 0, true);
        stage_run(s, span_ms(60));
        expect(s, world_holder(s->w, 0) != 0 && world_holder(s->w, 0) != NODE_NONE, "not moved in 60 ms");
        expect_unheld_at_most(s, 0, span_ms(4));
        world_unfit(s->w, 0, 0, false);
        stage_run(s, span_s(5));
        expect_holder(s, 0, 0);
}

/* Nobody is fit: better a node without carrier than none, and no moving to and fro. */
static void nobody_fit(struct stage *s)
{
        for (uint8_t i = 0; i < 3; i++)
                world_unfit(s->w, i, 1, true);
        stage_run(s, span_s(5));
        expect(s, world_holder(s->w, 1) != NODE_NONE, "group1 is nowhere");
        expect(s, world_moves(s->w, 1) <= 2, "group1 moved %u times", world_moves(s->w, 1));
}

static void stop_and_start(struct stage *s)
{
        stage_order(s, ORDER_STOP, 0, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_ms(500));
        expect_holder(s, 0, NODE_NONE);
        world_power_off(s->w, 0); /* who stopped it is remembered by the others */
        stage_run(s, span_s(3));
        expect_holder(s, 0, NODE_NONE);
        world_power_on(s->w, 0);
        stage_run(s, span_s(1));
        stage_order(s, ORDER_START, 0, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        expect(s, world_holder(s->w, 0) != NODE_NONE, "group0 was not started");
}

static void standby_expires(struct stage *s)
{
        stage_order(s, ORDER_STANDBY, 0, 0, span_s(10));
        stage_run(s, span_s(1));
        expect(s, world_holder(s->w, 0) != 0 && world_holder(s->w, 0) != NODE_NONE,
               "still on the standby node");
        expect_unheld_at_most(s, 0, span_ms(8));
        stage_run(s, span_s(8));
        expect(s, world_holder(s->w, 0) != 0, "standby ended early");
        stage_run(s, span_s(5));
        expect_holder(s, 0, 0);
        expect_told(s, world_story(s->w), "its standby is over -> online");
        stage_order(s, ORDER_STANDBY, 0, 1, SPAN_ZERO);
        stage_run(s, span_s(30));
        expect(s, world_holder(s->w, 1) != 1, "still on the standby node");
        stage_order(s, ORDER_ONLINE, 0, 1, SPAN_ZERO);
        stage_move(s, 1, 1);
        stage_run(s, span_s(3));
        expect_holder(s, 1, 1);
}

static void maintenance(struct stage *s)
{
        stage_order(s, ORDER_MAINTENANCE_ON, 0, NODE_NONE, span_s(10));
        stage_run(s, span_ms(200));
        world_break_group(s->w, 0, 0);
        world_unfit(s->w, 1, 1, true);
        stage_run(s, span_s(5));
        expect_holder(s, 0, 0); /* broken, but nothing is done about it */
        expect_holder(s, 1, 1);
        stage_run(s, span_s(6));
        expect(s, world_holder(s->w, 0) != 0, "group0 was not moved after the maintenance");
        expect(s, world_holder(s->w, 1) != 1, "group1 was not moved after the maintenance");
        expect_told(s, world_story(s->w), "maintenance is over -> haven acts again");
}

/* An order given on a node that does not lead is done all the same, once. */
static void order_elsewhere(struct stage *s)
{
        uint8_t elsewhere = stage_other(s, world_leader(s->w));

        world_order(s->w, elsewhere,
                    (struct order){.kind = ORDER_MOVE, .id = 7, .group = world_group_id(0), .node = 1});
        stage_run(s, span_s(4));
        expect_holder(s, 0, 1);
        expect(s, world_moves(s->w, 0) == 1, "group0 moved %u times", world_moves(s->w, 0));
}

/* The node wanted by an operator dies in the middle of the move. */
static void target_dies(struct stage *s)
{
        stage_move(s, 0, 1);
        stage_wait_some(s, span_ms(300));
        world_power_off(s->w, 1);
        stage_run(s, span_s(3));
        expect_settles(s, SPAN_ZERO);
        expect_unheld_at_most(s, 0, span_ms(510 + 400)); /* dead, warming and starting */
}

const struct scenario scenarios_operate[] = {
        {"planned-move-overlaps",
         "warm first: a few milliseconds without a holder",
         {.nodes = 3, .start_max = {500000}},
         planned_move},
        {"planned-move-overlaps-in-a-pair",
         "the same with two nodes",
         {.nodes = 2, .start_max = {500000}},
         planned_move},
        {"leave-moves-first", "give away, then go", {.nodes = 3}, leave},
        {"leave-moves-first-in-a-pair", "the same with two nodes", {.nodes = 2}, leave},
        {"failback-after-return", "once, where asked; else it stays", {.nodes = 3}, failback},
        {"flapping-node-moves-are-bounded", "invariant I5", {.nodes = 3}, flapping_node},
        {"flapping-node-of-a-pair-moves-are-bounded", "invariant I5", {.nodes = 2}, flapping_node},
        {"flapping-link-moves-are-bounded", "invariant I5", {.nodes = 3}, flapping_link},
        {"group-fails-everywhere-then-clear",
         "it stays down until forgiven",
         {.nodes = 3, .unforgiving = true},
         fails_everywhere},
        {"unfit-carrier-moves-at-once", "no waiting for dead", {.nodes = 3}, unfit_carrier},
        {"nobody-is-fit", "better there than nowhere", {.nodes = 3}, nobody_fit},
        {"order-stop-and-start", "remembered whoever dies", {.nodes = 3}, stop_and_start},
        {"order-standby-with-expiry", "a forgotten standby ends by itself", {.nodes = 3}, standby_expires},
        {"order-maintenance-with-expiry", "nothing is done, then everything", {.nodes = 3}, maintenance},
        {"order-given-elsewhere", "any node takes orders", {.nodes = 3}, order_elsewhere},
        {"target-dies-during-a-move",
         "back to where it runs, or taken",
         {.nodes = 3, .start_max = {200000}},
         target_dies},
        {0},
};
