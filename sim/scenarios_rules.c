/* Plays built for rules whose removal random schedules do not find: each needs several things in one order
 * within a few milliseconds (docs/removed-rules.md). */
#include "stage.h"

/* Rule 1: the vote that is told is on disk. The voter's disk is slow; it dies before the vote is there, is
 * back, and knows nothing of it when another asks in the same term. */
static void vote_lost_with_its_disk(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        world_disk(s->w, 1, span_ms(400), false);
        world_isolate(s->w, 2, true);
        stage_wait_some(s, span_ms(200));
        world_kill_core(s->w, 0, span_ms(1)); /* asks for a new term at once */
        stage_run(s, span_ms(180));           /* what is told is told with the next heartbeat */
        world_power_off(s->w, 1);
        world_cut_pair(s->w, 0, 1, true);
        world_cut_pair(s->w, 1, 2, false);
        world_disk(s->w, 1, SPAN_ZERO, false);
        stage_run(s, span_ms(5));
        world_power_on(s->w, 1);
        stage_run(s, span_s(3));
        world_isolate(s->w, 0, false);
        expect_settles(s, span_s(5));
}

/* Rule 1: who has just started may have answered a leader until then. */
static void voter_reboots_and_votes(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        stage_wait_some(s, span_ms(100));
        world_cut_pair(s->w, 0, 2, true);
        stage_run(s, span_ms(260)); /* 2 asks for votes, in vain: 1 hears the leader */
        world_power_off(s->w, 1);
        stage_run(s, span_ms(2));
        world_cut_pair(s->w, 0, 1, true);
        world_power_on(s->w, 1);
        stage_run(s, span_s(2));
        expect(s, world_holder(s->w, 0) != 0, "cut off, it still holds group0");
        world_isolate(s->w, 0, false);
        expect_settles(s, span_s(5));
}

/* Rule 5, and what the file no longer names: it is let go of, not forgotten (seed 300). */
static void group_vanishes_from_the_file(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_configure(s->w, 1, 4, false);
        world_kill_core(s->w, 1, span_ms(20));
        stage_run(s, span_s(1));
        world_configure(s->w, 1, 0, true); /* and is back: it must not pass for one that was never held */
        stage_run(s, span_s(3));
        expect_settles(s, span_s(5));
        expect(s, world_both_held(s->w, 1).us == 0, "two held group1");
}

/* The same, and no file names it there again: once the supervisor has let go, that is said. */
static void group_stays_out_of_the_file(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_configure(s->w, 1, 4, false);
        world_kill_core(s->w, 1, span_ms(20));
        stage_run(s, span_s(4));
        uint8_t holder = world_holder(s->w, 1);
        expect(s, holder != NODE_NONE && holder != 1, "group1 is not held elsewhere");
        expect(s, world_both_held(s->w, 1).us == 0, "two held group1");
}

/* havend itself is started anew with such a file: what it does not name it cannot stop, so nobody else
 * begins. */
static void start_with_a_file_without_the_group(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_configure(s->w, 1, 4, false);
        world_restart_haven(s->w, 1, span_ms(20));
        stage_run(s, span_s(4));
        expect(s, world_both_held(s->w, 1).us == 0, "two held group1");
}

static void reload_is_the_first_to_name(struct stage *s)
{
        start_with_a_file_without_the_group(s);
        world_configure(s->w, 1, 0, true);
        stage_run(s, span_s(2));
        expect(s, world_holder(s->w, 1) != 1, "group1 was not let go");
        expect_settles(s, span_s(5));
}

static void next_core_is_the_first_to_name(struct stage *s)
{
        start_with_a_file_without_the_group(s);
        world_configure(s->w, 1, 0, false);
        world_kill_core(s->w, 1, span_ms(20));
        stage_run(s, span_s(2));
        expect(s, world_holder(s->w, 1) != 1, "group1 was not let go");
        expect_settles(s, span_s(5));
}

/* Both heard that it was released, then are cut apart: each could give it to itself (seed 356 with --data).
 */
static void released_data_of_a_split_pair(struct stage *s)
{
        stage_order(s, ORDER_STOP, 0, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        expect_holder(s, 0, NODE_NONE);
        stage_order(s, ORDER_START, 0, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_us((int64_t)s->seed * 300));
        world_cut_pair(s->w, 0, 1, true);
        stage_run(s, span_s(4));
        expect(s, world_both_held(s->w, 0).us == 0, "both run the data of group0");
        world_cut_pair(s->w, 0, 1, false);
        expect_settles(s, span_s(5));
}

/* The time left of a standby goes on under the next leader. */
static void standby_outlives_leaders(struct stage *s)
{
        stage_order(s, ORDER_STANDBY, 0, 2, span_s(20));
        stage_run(s, span_s(1));
        for (uint8_t i = 0; i < 2; i++) {
                stage_run(s, span_s(8));
                world_power_off(s->w, i);
                stage_run(s, span_s(1));
                world_power_on(s->w, i);
        }
        stage_run(s, span_s(8));
        const struct cluster *brain = world_brain(s->w, 2);
        expect(s, !cluster_document(brain)->member[2].standby, "its standby began anew with each leader");
}

const struct scenario scenarios_rules[] = {
        {"vote-lost-with-its-disk", "a vote that was told is on disk", {.nodes = 3}, vote_lost_with_its_disk},
        {"voter-reboots-and-votes-at-once",
         "its start counts as an answer",
         {.nodes = 3, .groups = 3},
         voter_reboots_and_votes},
        {"reload-is-the-first-to-name-the-group",
         "rule 13: a later boot has let go of a group when it has stopped it",
         {.nodes = 3, .data = true},
         reload_is_the_first_to_name},
        {"next-core-is-the-first-to-name-the-group",
         "rule 13: a later boot has let go of a group when it has stopped it",
         {.nodes = 3, .data = true},
         next_core_is_the_first_to_name},
        {"group-vanishes-from-the-file",
         "what cannot be named is let go of, not forgotten",
         {.nodes = 3},
         group_vanishes_from_the_file},
        {"group-stays-out-of-the-file",
         "and others have it once it was let go of",
         {.nodes = 3},
         group_stays_out_of_the_file},
        {"released-data-of-a-split-pair",
         "what a weak vote committed alone is doubted",
         {.nodes = 2, .data = true},
         released_data_of_a_split_pair},
        {"standby-outlives-leaders",
         "the time left goes on under the next leader",
         {.nodes = 3},
         standby_outlives_leaders},
        {0},
};
