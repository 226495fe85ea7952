/* Plays about data that must not be twice: what frees it after a silent death (rules.md rules 14, 15). */
#include "stage.h"

#include "world_arbiter.h"

static const struct assignment *given(const struct stage *s, uint8_t by, uint8_t group)
{
        return document_group_const(cluster_document(world_brain(s->w, by)), world_group_id(group));
}

static void expect_blocked(struct stage *s, uint8_t by)
{
        const struct assignment *a = given(s, by, 0);

        expect_holder(s, 0, NODE_NONE);
        expect(s, a->debt_count == 1 && a->debt[0].node == 0, "node 0 owes nothing");
}

/* Dead or frozen, nobody can tell: the data waits. */
static void silent_death_blocks(struct stage *s)
{
        stage_wait_some(s, span_ms(200));
        world_power_off(s->w, 0);
        stage_run(s, span_s(30));
        expect_blocked(s, 1);
        expect_told(s, world_story(s->w), "haven confirm-off alpha");
        world_power_on(s->w, 0);
        expect_settles(s, span_s(5));
}

static void confirmed_by_hand(struct stage *s)
{
        world_pause_machine(s->w, 0, span_s(100));
        stage_run(s, span_s(10));
        expect(s, world_holder(s->w, 0) == 0, "a frozen machine let go");
        world_power_off(s->w, 0);
        stage_run(s, span_s(1));
        expect_blocked(s, 1);
        stage_order(s, ORDER_CONFIRM_OFF, 0, 0, SPAN_ZERO);
        expect_settles(s, span_s(2));
        expect(s, world_holder(s->w, 0) != 0, "a dead node holds it");
}

/* Who is heard is not off, whatever a person says. */
static void confirmed_but_alive(struct stage *s)
{
        stage_order(s, ORDER_CONFIRM_OFF, 0, 0, SPAN_ZERO);
        stage_run(s, span_s(2));
        expect_holder(s, 0, 0);
        expect(s, cluster_fence(world_brain(s->w, 1), 0) == FENCE_NONE, "it is taken for off");
}

static void fenced(struct stage *s)
{
        stage_wait_some(s, span_ms(200));
        world_pause_machine(s->w, 0, span_s(100));
        expect(s, world_holder(s->w, 0) == 0, "a frozen machine let go");
        stage_run(s, span_ms(2800));
        expect(s, world_holder(s->w, 0) != NODE_NONE && world_holder(s->w, 0) != 0,
               "not started elsewhere 2.8 s after the owner froze");
        expect(s, !world_up(s->w, 0), "the frozen owner is up");
        expect(s, cluster_fence(world_brain(s->w, 1), 0) == FENCE_OFF, "it is not on record as powered off");
        world_power_on(s->w, 0);
        stage_run(s, span_s(2));
        expect(s, cluster_fence(world_brain(s->w, 1), 0) == FENCE_NONE, "back, and still taken for off");
}

/* A node that dies again and again is not switched off and on for ever. */
static void fence_limit(struct stage *s)
{
        /* either of the two others may lead, and each counts for itself */
        for (int i = 0; i < 8 && !s->failure[0]; i++) {
                world_pause_machine(s->w, 0, span_s(100));
                stage_run(s, span_s(4));
                if (world_up(s->w, 0))
                        break;
                world_power_on(s->w, 0);
                stage_run(s, span_s(4));
        }
        expect(s, world_up(s->w, 0), "powered off every time");
        expect_told(s, world_story(s->w), "tried 3 times");
        stage_order(s, ORDER_FENCE, 0, 0, SPAN_ZERO);
        stage_run(s, span_s(3));
        expect(s, !world_up(s->w, 0), "an operator's order is not obeyed");
}

/* The watchdog resets the frozen owner; elsewhere it starts when that is certain, and not before. */
static void watchdog_resets(struct stage *s)
{
        stage_wait_some(s, span_ms(200));
        world_pause_machine(s->w, 0, span_s(100));
        stage_run(s, span_ms(1900));
        expect(s, world_holder(s->w, 0) == 0, "let go before its watchdog could");
        stage_run(s, span_ms(1300));
        expect(s, world_holder(s->w, 0) != NODE_NONE && world_holder(s->w, 0) != 0, "started nowhere else");
        expect_settles(s, span_s(10));
}

/* Two nodes, no third vote: after a split the one that holds the data powers the other off. */
static void split_pair_with_data(struct stage *s)
{
        stage_order(s, ORDER_MOVE, 1, 0, SPAN_ZERO); /* all of it on node 0 */
        stage_run(s, span_s(2));
        world_cut_pair(s->w, 0, 1, true);
        stage_run(s, span_s(4));
        expect_holder(s, 0, 0);
        expect(s, world_up(s->w, 0) && !world_up(s->w, 1), "the holder did not win the race");
        world_cut_pair(s->w, 0, 1, false);
        world_power_on(s->w, 1);
        expect_settles(s, span_s(5));
}

/* Rule 23: a core goes on from another, but that one had not heard the healthy owner either. */
static void core_killed_before_it_heard(struct stage *s)
{
        world_isolate(s->w, 1, true);
        stage_run(s, span_s(5));
        expect(s, !world_up(s->w, 1), "the leader did not power the silent node off");
        world_power_on(s->w, 1);
        stage_run(s, span_s(1));
        stage_wait_some(s, span_ms(100));
        world_kill_core(s->w, 1, span_ms(20));
        stage_run(s, span_s(10));
        expect(s, world_up(s->w, 0),
               "the owner was powered off by one that had not heard it since it booted");
        expect_holder(s, 0, 0);
}

const struct scenario scenarios_fence[] = {
        {"data-of-a-silent-node-is-blocked",
         "and the command that frees it is named",
         {.nodes = 3, .data = true},
         silent_death_blocks},
        {"data-freed-by-confirming-by-hand",
         "a person says that the node is off",
         {.nodes = 3, .data = true},
         confirmed_by_hand},
        {"confirmed-off-but-heard",
         "who is heard is not off",
         {.nodes = 3, .data = true},
         confirmed_but_alive},
        {"data-freed-by-fencing",
         "the owner is powered off, then it starts elsewhere",
         {.nodes = 3, .data = true, .fence = true},
         fenced},
        {"fencing-has-a-limit",
         "a node that dies again and again is a person's matter",
         {.nodes = 3, .data = true, .fence = true},
         fence_limit},
        {"data-freed-by-the-watchdog",
         "started elsewhere when the reset is certain",
         {.nodes = 3, .data = true, .watchdog = {2000000}},
         watchdog_resets},
        {"split-pair-with-data-holder-shoots-first",
         "two leaders of a weak arbiter, one fence race",
         {.nodes = 2, .data = true, .fence = true},
         split_pair_with_data},
        {"core-killed-before-it-heard-the-owner",
         "who was not heard since the boot is not powered off",
         {.nodes = 2, .arbiter = &arbiter_fence, .fence = true},
         core_killed_before_it_heard},
        {0},
};
