/* Three and five nodes: a majority decides, and no schedule may ever show two owners. */
#include "stage.h"

/* The time to take from a silent node: dead by a slow clock, the detection's tick, the start. */
#define TAKEN_WITHIN span_ms(560)

/* It hears nobody, or nobody hears it; what it knows grows old; then it is back with that. */
static void one_way_cut(struct stage *s)
{
        bool deaf = s->seed % 2;

        stage_wait_some(s, span_ms(100));
        for (uint8_t other = 1; other < 3; other++)
                for (uint8_t l = 0; l < 2; l++)
                        world_cut(s->w, deaf ? other : 0, deaf ? 0 : other, l, true);
        stage_run(s, span_ms(1500));
        /* a leader that still is heard keeps the promises made to it alive, until it steps down after dead */
        expect_unheld_at_most(s, 0, deaf ? span_ms(700) : TAKEN_WITHIN);
        expect(s, world_holder(s->w, 0) != 0, "the node that is cut off still holds group0");
        stage_move(s, 1, 2);
        stage_run(s, span_ms(300));
        struct version newer = cluster_document(world_brain(s->w, 1))->version;
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(6));
        for (uint8_t i = 0; i < 3; i++)
                expect(s, version_compare(cluster_document(world_brain(s->w, i))->version, newer) >= 0,
                       "node %u is left with an old document", i);
        expect_holder(s, 0, 0); /* failback, once */
        expect_holder(s, 1, 2);
        expect(s, world_moves(s->w, 0) == 2, "group0 moved %u times", world_moves(s->w, 0));
        expect_unheld_at_most(s, 1, deaf ? span_ms(700) : span_ms(10));
}

/* Rule 12: what was released is not started again under the same epoch, whatever was forgotten. */
static void released_then_rebooted(struct stage *s)
{
        struct epoch before = world_epoch(s->w, 0, 0);

        stage_move(s, 0, 1);
        stage_wait_some(s, span_ms(60));
        world_power_off(s->w, 0);
        stage_run(s, span_ms(20));
        world_power_on(s->w, 0);
        stage_run(s, span_s(4));
        expect_settles(s, span_s(5));
        uint8_t holder = world_holder(s->w, 0);
        expect(s, holder != NODE_NONE && epoch_compare(world_epoch(s->w, holder, 0), before) > 0,
               "group0 runs under an epoch that was over");
}

/* Rule 5: each core goes on from the ledger; a second kill right after the first changes nothing. */
static void two_core_kills(struct stage *s)
{
        world_kill_core(s->w, 0, span_ms(20));
        stage_run(s, span_ms(20));
        stage_wait_some(s, span_ms(150));
        world_kill_core(s->w, 0, span_ms(20));
        stage_run(s, span_s(2));
        for (uint8_t g = 0; g < 2; g++) {
                expect_unheld_at_most(s, g, SPAN_ZERO);
                expect(s, world_moves(s->w, g) == 0, "group%u moved", g);
        }
}

/* 3, where the cores stay away so long that every lease runs out in between. */
static void two_long_core_kills(struct stage *s)
{
        world_kill_core(s->w, 0, span_ms(300));
        stage_run(s, span_ms(300));
        stage_wait_some(s, span_ms(50));
        world_kill_core(s->w, 0, span_ms(300));
        stage_run(s, span_s(6));
        expect_settles(s, span_s(5));
}

/* Rule 5: what the killed cores had promised to the leader, they still have when they vote for another. */
static void voters_killed(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_isolate(s->w, 0, true);
        for (uint8_t i = 1; i < 3; i++)
                world_kill_core(s->w, i, span_ms(10));
        stage_run(s, span_s(2));
        expect_settles(s, SPAN_ZERO);
        expect(s, world_holder(s->w, 0) != 0, "cut off, it still holds group0");
}

/* Rule 5: a killed leader's core forgets whom it gave leases; that it led is what the next one knows. The
 * voter that elects it again was away and vouches for nothing. */
static void leader_killed_between_voters(struct stage *s)
{
        world_isolate(s->w, 1, true);
        stage_run(s, span_s(2));
        stage_wait_some(s, span_ms(100));
        world_cut_pair(s->w, 0, 1, false);
        world_cut_pair(s->w, 0, 2, true);
        world_kill_core(s->w, 0, span_ms(5));
        stage_run(s, span_s(2));
        expect_settles(s, SPAN_ZERO);
        expect(s, world_holder(s->w, 2) != 2, "cut off, it still holds group2");
}

/* 4, where the one that is elected was away, so that only the resigned leader's vote can know of the lease.
 */
static void leader_resigns_between_voters(struct stage *s)
{
        world_isolate(s->w, 1, true);
        stage_run(s, span_s(2));
        stage_wait_some(s, span_ms(100));
        world_cut_pair(s->w, 0, 1, false);
        stage_run(s, span_ms(110));
        world_cut_pair(s->w, 0, 2, true);
        world_leave(s->w, 0);
        stage_run(s, span_s(2));
        expect(s, world_holder(s->w, 2) != 2, "cut off, it still holds group2");
}

/* Rule 2: a leader that resigns and votes at once vouches for nothing it has just promised. */
static void leader_steps_down(struct stage *s)
{
        world_isolate(s->w, 2, true);
        stage_wait_some(s, span_ms(400));
        world_leave(s->w, 0);
        stage_run(s, span_ms(1200));
        expect(s, world_holder(s->w, 2) != 2, "cut off, it still holds group2");
        /* one of three is left: nobody may take */
        world_isolate(s->w, 2, false);
        expect_settles(s, span_s(5));
}

/* The lease of an owner elsewhere is renewed before it runs out. */
static void leader_dies(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        stage_wait_some(s, span_ms(100));
        world_power_off(s->w, 0);
        stage_run(s, span_s(2));
        expect_unheld_at_most(s, 1, SPAN_ZERO);
        expect_unheld_at_most(s, 2, SPAN_ZERO);
        expect(s, world_gate_closed(s->w, 1).us == 0 && world_gate_closed(s->w, 2).us == 0,
               "a gate closed elsewhere");
        expect_unheld_at_most(s, 0, TAKEN_WITHIN);
        const char *story = world_story(s->w);
        expect_told(s, story, "beta leader beta: term 2: elected -> leader\n");
        expect_told(s, story,
                    "beta group-moved group0: alpha is silent and every lease it had is over -> taken\n"
                    "beta group-moved group0: -> beta, the first fit node in order of preference");
}

static void leader_core_killed(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_kill_core(s->w, 0, span_ms(20));
        stage_run(s, span_s(2));
        for (uint8_t g = 0; g < 3; g++) {
                expect_unheld_at_most(s, g, SPAN_ZERO);
                expect(s, world_gate_closed(s->w, g).us == 0, "the gate of group%u closed for %.3f ms", g,
                       (double)world_gate_closed(s->w, g).us / 1000);
        }
}

/* Rule 16: one move at a time. */
static void move_retargeted(struct stage *s)
{
        stage_move(s, 0, 1);
        stage_wait_some(s, span_ms(250));
        stage_move(s, 0, 2);
        stage_wait_some(s, span_ms(250));
        stage_move(s, 0, 0);
        stage_run(s, span_ms(20));
        stage_move(s, 0, 2);
        stage_run(s, span_s(3));
        expect_settles(s, span_s(2));
        expect_holder(s, 0, 2);
}

/* Rules 12 and 18: nothing revives what the supervisor began to release. */
static void supervisor_began(struct stage *s)
{
        struct epoch before = world_epoch(s->w, 1, 1);

        world_kill_core(s->w, 1, span_ms(440 + 2 * (int64_t)s->seed));
        stage_run(s, span_s(6));
        expect_settles(s, span_s(2));
        uint8_t holder = world_holder(s->w, 1);
        expect(s, holder != NODE_NONE && epoch_compare(world_epoch(s->w, holder, 1), before) > 0,
               "the released epoch of group1 lives on");
}

/* Rule 14: the second owner's release does not pay what the first, frozen, owes. */
static void frozen_owner(struct stage *s)
{
        struct epoch owed = world_epoch(s->w, 0, 0);
        bool still_owed = false;

        stage_wait_some(s, span_ms(100));
        world_pause_machine(s->w, 0, span_s(4));
        stage_run(s, span_s(1));
        uint8_t second = world_holder(s->w, 0), third = second == 1 ? 2 : 1;
        expect(s, second != NODE_NONE && second != 0, "nobody took group0");
        stage_move(s, 0, third);
        stage_run(s, span_s(1));
        expect_holder(s, 0, third);
        const struct assignment *a =
                document_group_const(cluster_document(world_brain(s->w, third)), world_group_id(0));
        for (uint8_t i = 0; i < a->debt_count; i++)
                still_owed |= a->debt[i].node == 0 && epoch_equal(a->debt[i].epoch, owed);
        expect(s, still_owed, "the frozen owner's debt was forgotten");
        stage_run(s, span_s(4));
        a = document_group_const(cluster_document(world_brain(s->w, third)), world_group_id(0));
        expect(s, a->debt_count == 0, "a debt is left after its debtor answered");
}

/* Rule 15: data starts nowhere else without proof; the frozen owner's answer is one. */
static void frozen_owner_of_data(struct stage *s)
{
        world_pause_machine(s->w, 0, span_s(4));
        stage_run(s, span_ms(3900));
        expect_holder(s, 0, 0); /* what it was writing it may still write */
        expect_told(s, world_story(s->w),
                    "group-blocked group0: nothing proves that the old owner let go of its data (alpha) -> "
                    "blocked");
        stage_run(s, span_s(4));
        expect_settles(s, span_s(2));
}

/* Rule 11: what was said before the group was given proves nothing about it. */
static void i_hold_nothing(struct stage *s)
{
        world_delay(s->w, 1, 0, span_ms(10 * (int64_t)s->seed));
        stage_run(s, span_ms(300));
        stage_move(s, 0, 1);
        stage_run(s, span_ms(40));
        stage_move(s, 0, 2);
        stage_wait_some(s, span_ms(400));
        world_isolate(s->w, 1, true);
        stage_run(s, span_s(2));
        world_delay(s->w, 1, 0, SPAN_ZERO);
        world_isolate(s->w, 1, false);
        stage_run(s, span_s(3));
        expect_settles(s, span_s(2));
}

/* Rule 6: who lost its state could vote twice in one term, so it does not vote. */
static void voter_lost_state(struct stage *s)
{
        world_power_off(s->w, 1);
        world_lose_state(s->w, 1);
        stage_wait_some(s, span_ms(100));
        world_isolate(s->w, 0, true);
        world_power_on(s->w, 1);
        stage_run(s, span_s(3));
        expect(s, world_leader(s->w) != 1 && world_leader(s->w) != 2, "elected by a voter without state");
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, NODE_NONE);
        world_isolate(s->w, 0, false);
        expect_settles(s, span_s(5));
        expect_told(s, world_story(s->w), "readmitted");
        stage_run(s, span_s(3));
        world_power_off(s->w, 0); /* now its vote counts again */
        stage_run(s, span_s(1));
        expect_settles(s, span_ms(10));
}

/* 14, with an old file put back: its boots are behind what the others remember. */
static void voter_with_old_state(struct stage *s)
{
        world_keep_state(s->w, 1);
        for (int i = 0; i < 3; i++) {
                world_power_off(s->w, 1);
                stage_run(s, span_ms(700));
                world_power_on(s->w, 1);
                stage_run(s, span_s(1));
        }
        world_power_off(s->w, 1);
        stage_run(s, span_ms(700));
        world_restore_state(s->w, 1);
        world_isolate(s->w, 0, true);
        stage_wait_some(s, span_ms(100));
        world_power_on(s->w, 1);
        stage_run(s, span_s(3));
        expect_holder(s, 1, NODE_NONE);
        world_isolate(s->w, 0, false);
        expect_settles(s, span_s(5));
        expect(s, world_holder(s->w, 1) != 1, "a node with an old state file took a group");
}

/* 14: its vote of before travels until after it was readmitted. */
static void vote_delayed_past_readmission(struct stage *s)
{
        world_delay(s->w, 1, 2, span_ms(1500 + 40 * (int64_t)s->seed));
        world_isolate(s->w, 0, true);
        stage_run(s, span_ms(250));
        stage_wait_some(s, span_ms(400));
        world_power_off(s->w, 1);
        world_lose_state(s->w, 1);
        stage_run(s, span_ms(50));
        world_delay(s->w, 1, 2, SPAN_ZERO);
        world_power_on(s->w, 1);
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(4));
        expect_settles(s, span_s(5));
}

/* Owner and leader count slowly, a voter fast; the owner asks when the leader has 1 ms left to give. */
static void edge_of_lease(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        for (int64_t phase = 0; phase < 20; phase++) {
                stage_wait_some(s, span_ms(100));
                for (uint8_t near = 0; near < 2; near++)
                        for (uint8_t far = 2; far < 5; far++)
                                world_cut_pair(s->w, near, far, true);
                /* the owner hears its leader late, so that what it asks comes late too */
                world_delay(s->w, 0, 1, span_ms(phase * 10));
                stage_run(s, span_s(2));
                expect(s, world_holder(s->w, 1) >= 2, "the majority did not take group1");
                world_delay(s->w, 0, 1, SPAN_ZERO);
                world_isolate(s->w, 0, false);
                world_isolate(s->w, 1, false);
                expect_settles(s, span_s(5));
                stage_run(s, span_s(10));
                stage_move(s, 1, 1);
                stage_move(s, 0, 0);
                stage_run(s, span_s(1));
        }
}

/* Rule 3: a leader that is not heard gives the lead away, a link in one direction blocks nobody for ever. */
static void leader_unheard(struct stage *s)
{
        for (uint8_t l = 0; l < 2; l++) {
                world_cut(s->w, 1, 0, l, true);
                world_cut(s->w, 2, 0, l, true);
        }
        stage_run(s, span_ms(1500));
        uint8_t leader = world_leader(s->w);
        expect(s, leader == 1 || leader == 2, "no leader beside the one that hears nobody");
        expect_settles(s, SPAN_ZERO);
}

#define EDGE_CLOCKS                                                                                          \
        {                                                                                                    \
                -0.01, -0.01, 0.01, 0.01, 0.01                                                               \
        }

const struct scenario scenarios_strong[] = {
        {"one-way-cut-heals-with-old-document",
         "back with an old document, it disturbs nobody",
         {.nodes = 3},
         one_way_cut},
        {"released-then-rebooted-same-epoch",
         "an epoch that was released is over for good",
         {.nodes = 3},
         released_then_rebooted},
        {"two-core-kills-in-a-row-on-the-leader",
         "the ledger carries what was promised",
         {.nodes = 3},
         two_core_kills},
        {"two-long-core-kills-on-the-leader",
         "the same where the leases run out",
         {.nodes = 3},
         two_long_core_kills},
        {"voters-cores-killed-as-the-leader-is-cut-off",
         "a promise outlives the core that gave it",
         {.nodes = 3},
         voters_killed},
        {"leader-core-killed-between-voters",
         "leading was promising",
         {.nodes = 3, .groups = 3},
         leader_killed_between_voters},
        {"leader-resigns-between-voters",
         "a resigned leader's vote knows what it granted",
         {.nodes = 3, .groups = 3},
         leader_resigns_between_voters},
        {"leader-steps-down-and-is-asked-to-vote",
         "a resigned leader's vote vouches for nothing",
         {.nodes = 3, .groups = 3},
         leader_steps_down},
        {"leader-dies-owner-elsewhere-must-not-blink",
         "elections are early, takings late",
         {.nodes = 3, .groups = 3},
         leader_dies},
        {"leader-core-killed-back-in-20ms-no-gate-closes",
         "the service does not notice",
         {.nodes = 3, .groups = 3},
         leader_core_killed},
        {"move-retargeted-while-source-stops",
         "one move at a time",
         {.nodes = 3, .stop_max = {200000}, .start_max = {100000}},
         move_retargeted},
        {"supervisor-began-release-leader-thinks-done",
         "nothing revives what is being released",
         {.nodes = 3},
         supervisor_began},
        {"frozen-owner-then-second-owner-releases",
         "a debt is paid by its debtor only",
         {.nodes = 3},
         frozen_owner},
        {"frozen-owner-of-data-blocks",
         "data starts nowhere else without proof",
         {.nodes = 3, .data = true},
         frozen_owner_of_data},
        {"i-hold-nothing-said-before-it-was-assigned",
         "old words are no release",
         {.nodes = 3},
         i_hold_nothing},
        {"voter-lost-state-double-vote",
         "no state, no vote, until readmitted",
         {.nodes = 3},
         voter_lost_state},
        {"voter-with-old-state", "an old state file is no state", {.nodes = 3}, voter_with_old_state},
        {"vote-delayed-past-readmission",
         "a vote of an earlier life is void",
         {.nodes = 3},
         vote_delayed_past_readmission},
        {"edge-of-lease",
         "slow owner, fast voters, a grant asked at the last moment",
         {.nodes = 5, .clock = EDGE_CLOCKS},
         edge_of_lease},
        {"leader-that-hears-nobody-gives-way",
         "a one-way link blocks no election for ever",
         {.nodes = 3},
         leader_unheard},
        {0},
};
