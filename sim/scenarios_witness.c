/* Two nodes and a witness: a third vote that is none of them, so no schedule may show two owners. */
#include "stage.h"

#include "world_arbiter.h"
#include "world_witness.h"

#define TAKEN_WITHIN span_ms(570)

/* How a split must end: one side has both groups, and it never lets go of what it had. */
static void expect_one_side(struct stage *s)
{
        uint8_t side = world_holder(s->w, 0);

        expect(s, side != NODE_NONE, "nobody holds group0");
        expect_holder(s, 1, side);
        if (side == NODE_NONE)
                return;
        expect_unheld_at_most(s, side, SPAN_ZERO);
        expect_unheld_at_most(s, !side, TAKEN_WITHIN);
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
}

static void restarted_in_a_split(struct stage *s)
{
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(3));
        stage_wait_some(s, span_ms(100));
        witness_off(s->w);
        stage_run(s, span_ms(30));
        witness_on(s->w);
        stage_run(s, span_s(3));
        expect_one_side(s);
}

/* Rule 6: what a leader asked while the lease of before still lasted is no word of who needs no witness, when
 * it comes after the witness has forgotten whom it voted for meanwhile. */
static void asked_before_it_forgot(struct stage *s)
{
        uint8_t old = world_leader(s->w), next = !old;
        const struct cluster *brain = world_brain(s->w, next);

        stage_wait_some(s, span_ms(100));
        witness_late(s->w, old, span_ms(130));
        world_cut_pair(s->w, 0, 1, true);
        for (int ms = 0; ms < 300; ms++)
                if (cluster_leader(brain) != next || cluster_committed(brain).term != cluster_term(brain))
                        stage_run(s, span_ms(1));
        expect(s, cluster_leader(brain) == next, "the witness did not vote for the other");
        world_arbiter_memory(s->w, ARBITER_LOST);
        witness_late(s->w, old, span_ms(400 + 4 * (int64_t)s->seed));
        stage_run(s, span_ms(610));
        witness_late(s->w, old, SPAN_ZERO);
        stage_run(s, span_s(2));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, NODE_NONE); /* until they hear each other again */
        world_cut_pair(s->w, 0, 1, false);
        stage_run(s, span_s(5));
        expect_settles(s, span_s(5));
        expect_told(s, world_story(s->w), "arbiter: readmitted");
}

/* Rule 20: both start, hear nothing of each other, and ask for one term. What the first asks is late, so that
 * the second asks between its vote and its first renewal. */
static void voted_already(struct stage *s)
{
        for (uint8_t i = 0; i < 2; i++)
                world_power_off(s->w, i);
        stage_run(s, span_s(1));
        world_cut_pair(s->w, 0, 1, true);
        witness_late(s->w, 0, span_us(7000 + 500 * (int64_t)s->seed));
        for (uint8_t i = 0; i < 2; i++)
                world_power_on(s->w, i);
        stage_run(s, span_s(3));
        uint8_t side = world_holder(s->w, 0);
        expect(s, side != NODE_NONE, "nobody holds group0");
        expect_holder(s, 1, side);
}

/* Rules 4 and 20: the leader's renewals come late, and the witness elects the other. What comes then of the
 * older term renews nothing, and who hears of a higher term leads no more. */
static void renews_no_older_term(struct stage *s)
{
        uint8_t old = world_leader(s->w), next = !old;

        stage_wait_some(s, span_ms(100));
        witness_late(s->w, old, span_ms(130));
        world_cut_pair(s->w, 0, 1, true);
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++) {
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
                expect_holder(s, g, next);
        }
        witness_late(s->w, old, SPAN_ZERO);
        world_cut_pair(s->w, 0, 1, false);
        expect_settles(s, span_s(5));
}

/* Its disk answers late: it is asked again and again, and what it says counts from when it was asked. */
static void slow(struct stage *s)
{
        witness_slow(s->w, span_ms(60 + (int64_t)s->seed * 4));
        stage_wait_some(s, span_ms(100));
        world_power_off(s->w, 0);
        stage_run(s, span_s(6));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, 1);
        witness_slow(s->w, span_s(2)); /* renewals alone are not written */
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, 1);
}

/* Half of four and the witness are a quorum, the other half is none. */
static void four_split(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        for (uint8_t near = 0; near < 2; near++)
                for (uint8_t far = 2; far < 4; far++)
                        world_cut_pair(s->w, near, far, true);
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++)
                expect_unheld_at_most(s, g, SPAN_ZERO); /* the leader's half goes on without a pause */
        expect(s, world_leader(s->w) < 2, "the leader's half does not lead");
}

const struct scenario scenarios_witness[] = {
        {"witness-restarted-in-a-split",
         "its restart is not noticed",
         {.nodes = 2, .arbiter = &arbiter_witness},
         restarted_in_a_split},
        {"witness-asked-before-it-forgot",
         "a question that was long on its way readmits nobody",
         {.nodes = 2, .arbiter = &arbiter_witness},
         asked_before_it_forgot},
        {"witness-voted-already",
         "one vote in a term",
         {.nodes = 2, .arbiter = &arbiter_witness},
         voted_already},
        {"witness-renews-no-older-term",
         "a leader that was replaced leads no more",
         {.nodes = 2, .arbiter = &arbiter_witness},
         renews_no_older_term},
        {"witness-slow", "late answers are answers", {.nodes = 2, .arbiter = &arbiter_witness}, slow},
        {"witness-four-nodes-split",
         "two of four and the witness go on",
         {.nodes = 4, .arbiter = &arbiter_witness},
         four_split},
        {0},
};
