/* Two nodes and a disk: the vote that they act out themselves. What a moment decides is arranged here, for
 * chance meets it once in thousands of schedules. */
#include "stage.h"

#include "world_arbiter.h"
#include "world_disk.h"

#define STEP span_us(100)

static void nobody_twice(struct stage *s)
{
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
}

/* Runs until the node writes a record of that kind, at most `most`. */
static bool run_to_write(struct stage *s, uint8_t node, enum disk_kind kind, span most)
{
        for (int64_t t = 0; t < most.us; t += STEP.us) {
                const struct disk_record *r = world_disk_writing(s->w, node);
                if (r && r->kind == kind)
                        return true;
                world_run(s->w, STEP);
        }
        return false;
}

static void heal_and_settle(struct stage *s)
{
        for (uint8_t i = 0; i < 2; i++) {
                world_arbiter_cut(s->w, i, false);
                world_disk_hold(s->w, i, false);
                world_disk_slow(s->w, i, SPAN_ZERO);
                world_isolate(s->w, i, false);
        }
        world_run(s->w, span_s(4));
        expect_settles(s, span_s(10));
        nobody_twice(s);
}

/* The nodes hear nothing of each other, for long enough that one leads by the disk: which. */
static uint8_t split_by_the_disk(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_isolate(s->w, 0, true);
        stage_run(s, span_ms(1500));
        uint8_t leader = world_leader(s->w);
        expect(s, leader < 2, "nobody leads by the disk");
        return leader;
}

/* The leader's renewal is slow, so slow that the other looks, sees nothing new and writes its ballot; and
 * it lands, and is read back, in that moment. The lease it gives is good: the candidate's wait begins anew.
 */
static void renewal_between_look_and_ballot(struct stage *s)
{
        uint8_t leader = split_by_the_disk(s);
        if (leader == NODE_NONE)
                return;
        stage_wait_some(s, span_ms(100));
        expect(s, run_to_write(s, leader, DISK_RENEWAL, span_s(1)), "the leader does not renew");
        world_disk_hold(s->w, leader, true);
        world_disk_hold(s->w, !leader, true);
        if (!world_disk_writing(s->w, leader)) /* it landed just now: the next one */
                run_to_write(s, leader, DISK_RENEWAL, span_s(1));
        bool met = run_to_write(s, !leader, DISK_BALLOT, span_s(1));
        expect(s, met, "the other does not write a ballot");
        if (met && world_disk_writing(s->w, leader))
                world_disk_arrive(s->w, leader);
        world_disk_hold(s->w, leader, false);
        world_disk_hold(s->w, !leader, false);
        world_arbiter_cut(s->w, leader, true); /* and that was its last one */
        stage_run(s, span_s(2));
        nobody_twice(s);
        heal_and_settle(s);
}

/* Both start, hear nothing of each other and write a ballot of one term; each lands before either has
 * read: neither wins. */
static void equal_terms(struct stage *s)
{
        for (uint8_t i = 0; i < 2; i++)
                world_power_off(s->w, i);
        stage_run(s, span_s(1));
        world_isolate(s->w, 0, true);
        for (uint8_t i = 0; i < 2; i++) {
                world_power_on(s->w, i);
                world_disk_hold(s->w, i, true);
        }
        for (uint8_t i = 0; i < 2; i++)
                expect(s, run_to_write(s, i, DISK_BALLOT, span_s(2)), "node %u does not write a ballot", i);
        for (uint8_t i = 0; i < 2; i++)
                world_disk_hold(s->w, i, false);
        stage_run(s, span_s(4));
        nobody_twice(s);
        heal_and_settle(s);
}

/* Rule 21: a renewal counts from before its write. It lands, and the other waits from when it sees that; its
 * writer hears of it much later, and never again. */
static void renewal_comes_back_late(struct stage *s)
{
        uint8_t leader = split_by_the_disk(s);
        if (leader == NODE_NONE)
                return;
        stage_wait_some(s, span_ms(100));
        world_disk_slow(s->w, leader, span_ms(80));
        while (world_disk_writing(s->w, leader)) /* begun before */
                world_run(s->w, STEP);
        expect(s, run_to_write(s, leader, DISK_RENEWAL, span_s(1)), "the leader does not renew");
        const struct cluster_promise *promise = cluster_promise(world_brain(s->w, leader));
        instant before = promise->lease_end;
        for (int ms = 0; ms < 400 && promise->lease_end.us == before.us; ms++)
                world_run(s->w, span_ms(1));
        expect(s, promise->lease_end.us != before.us, "a slow renewal renews nothing");
        world_arbiter_cut(s->w, leader, true);
        stage_run(s, span_s(3));
        expect_holder(s, leader, !leader);
        nobody_twice(s);
        heal_and_settle(s);
}

/* Rule 21: whatever has changed on the disk restarts D. The other does not reach it for a while: renewals
 * come, and a ballot over them, of the leader's next core. All that is to be seen then is the ballot; the
 * lease of the last renewal goes on. */
static void ballot_over_unseen_renewals(struct stage *s)
{
        uint8_t leader = split_by_the_disk(s);
        if (leader == NODE_NONE)
                return;
        stage_wait_some(s, span_ms(100));
        world_arbiter_cut(s->w, !leader, true);
        stage_run(s, span_ms(280));
        world_kill_core(s->w, leader, span_ms(1));
        expect(s, run_to_write(s, leader, DISK_BALLOT, span_s(1)), "the next core does not write a ballot");
        while (world_disk_writing(s->w, leader))
                world_run(s->w, STEP);
        world_arbiter_cut(s->w, leader, true);
        world_arbiter_cut(s->w, !leader, false);
        stage_run(s, span_s(3));
        expect_holder(s, leader, !leader);
        nobody_twice(s);
        heal_and_settle(s);
}

/* The core dies with its ballot on the way; the next one must not write before that has
 * landed, or it would lie over what it wrote. */
static void late_old_write(struct stage *s)
{
        uint8_t leader = split_by_the_disk(s);
        if (leader == NODE_NONE)
                return;
        expect(s, run_to_write(s, leader, DISK_RENEWAL, span_s(1)), "the leader does not renew");
        const struct disk_record *old = world_disk_writing(s->w, leader);
        expect(s, old != NULL, "its write landed at once");
        if (!old)
                return;
        world_disk_hold(s->w, leader, true);
        uint64_t seq = old->seq;
        world_kill_core(s->w, leader, span_ms(20));
        world_run(s->w, span_ms(400));
        const struct disk_record *now = world_disk_writing(s->w, leader);
        expect(s, now && now->seq == seq, "the new core writes beside the write of the old one");
        heal_and_settle(s);
}

static void equal_terms_and_late_write(struct stage *s)
{
        if (s->seed % 2)
                equal_terms(s);
        else
                late_old_write(s);
}

static void leader_killed_in_a_split(struct stage *s)
{
        uint8_t leader = split_by_the_disk(s);
        if (leader == NODE_NONE)
                return;
        world_kill_core(s->w, leader, span_ms(20));
        stage_run(s, span_s(2));
        nobody_twice(s);
        world_power_off(s->w, leader);
        stage_run(s, span_s(3));
        expect_holder(s, 0, !leader);
        expect_holder(s, 1, !leader);
        nobody_twice(s);
}

/* D_disk is six times the nodes' D. Paths to the disk fail over in the midst of a split: its leader goes on
 * under the lease that it has. */
static void slow_disk_in_a_split(struct stage *s)
{
        uint8_t leader = split_by_the_disk(s);
        if (leader == NODE_NONE)
                return;
        world_run(s->w, span_s(2)); /* what the other had is taken over */
        world_reset_figures(s->w);
        for (int i = 0; i < 4; i++) {
                world_arbiter_cut(s->w, leader, true);
                world_run(s->w, span_ms(1500 + (int64_t)(s->seed % 10) * 100));
                world_arbiter_cut(s->w, leader, false);
                world_run(s->w, span_ms(300));
        }
        for (uint8_t g = 0; g < 2; g++) {
                expect_holder(s, g, leader);
                expect_unheld_at_most(s, g, SPAN_ZERO);
                expect(s, world_gate_closed(s->w, g).us == 0, "group%u was without a lease", g);
        }
        nobody_twice(s);
        heal_and_settle(s);
}

/* Each operation takes most of a second from the beginning on: the other's death is survived by who lives,
 * after two or three of them. */
static void slow_disk_elects(struct stage *s)
{
        uint8_t dead = (uint8_t)(s->seed % 2);

        for (uint8_t i = 0; i < 2; i++)
                world_disk_slow(s->w, i, span_ms(250 + (int64_t)(s->seed % 5) * 20));
        world_run(s->w, span_s(5));
        stage_wait_some(s, span_ms(900));
        world_reset_figures(s->w);
        world_power_off(s->w, dead);
        stage_run(s, span_s(8));
        for (uint8_t g = 0; g < 2; g++) {
                expect_holder(s, g, !dead);
                expect_unheld_at_most(s, g, span_s(6));
        }
        world_reset_figures(s->w);
        stage_run(s, span_s(5));
        for (uint8_t g = 0; g < 2; g++)
                expect_unheld_at_most(s, g, SPAN_ZERO);
}

/* The leader by the disk renews, and never again; the other waits as long as that promise binds. */
static void long_promise_is_waited_for(struct stage *s)
{
        uint8_t leader = split_by_the_disk(s);
        if (leader == NODE_NONE)
                return;
        stage_wait_some(s, span_ms(300));
        world_arbiter_cut(s->w, leader, true);
        stage_run(s, span_s(6));
        expect_holder(s, 0, !leader);
        expect_holder(s, 1, !leader);
        nobody_twice(s);
        heal_and_settle(s);
}

/* A leader by the disk votes for the other: its core was killed, and what the core before it had of the disk
 * is longer than what its vote vouches for. Then they are apart again. */
static void long_lease_then_a_vote(struct stage *s)
{
        world_arbiter_cut(s->w, 0,
                          true); /* of two candidates who hear each other, the first node is preferred */
        uint8_t leader = split_by_the_disk(s);
        expect(s, leader == 1, "beta does not lead by the disk");
        stage_run(s, span_s(5));
        expect_holder(s, 0, 1);
        world_arbiter_cut(s->w, 0, false); /* now it knows the term, and that a leader is near */
        stage_run(s, span_s(1));
        stage_wait_some(s, span_ms(300));
        world_arbiter_cut(s->w, 1, true);
        world_delay(s->w, 1, 0,
                    span_ms(30)); /* so that the new core hears who asks for its vote before it can ask */
        world_kill_core(s->w, 1, span_ms(20));
        world_isolate(s->w, 0, false);
        for (int64_t t = 0; t < span_s(3).us && world_leader(s->w) != 0; t += STEP.us)
                world_run(s->w, STEP);
        expect(s, world_leader(s->w) == 0, "alpha was not elected");
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(4));
        nobody_twice(s);
        world_delay(s->w, 1, 0, SPAN_ZERO);
        heal_and_settle(s);
}

const struct scenario scenarios_disk[] = {
        {"disk-renewal-lands-between-last-look-and-ballot",
         "what changes restarts the wait",
         {.nodes = 2, .arbiter = &arbiter_disk},
         renewal_between_look_and_ballot},
        {"disk-equal-terms-and-late-old-write-over-new",
         "neither of two ballots of one term wins; a new core waits for the old one's write",
         {.nodes = 2, .arbiter = &arbiter_disk},
         equal_terms_and_late_write},
        {"disk-renewal-comes-back-late",
         "it counts from before its write",
         {.nodes = 2, .arbiter = &arbiter_disk},
         renewal_comes_back_late},
        {"disk-ballot-over-unseen-renewals",
         "whatever changed restarts the wait",
         {.nodes = 2, .arbiter = &arbiter_disk},
         ballot_over_unseen_renewals},
        {"disk-leader-killed-in-a-split",
         "a core back at once, then its machine dead",
         {.nodes = 2, .arbiter = &arbiter_disk},
         leader_killed_in_a_split},
        {"disk-paths-fail-over-in-a-split",
         "who leads by a slow disk goes on for as long as its promise lasts",
         {.nodes = 2, .arbiter = &arbiter_disk, .arbiter_dead = {3000000}},
         slow_disk_in_a_split},
        {"disk-slow-from-the-start",
         "the survivor is elected, and keeps its lease, by operations that take most of a second",
         {.nodes = 2, .arbiter = &arbiter_disk, .arbiter_dead = {3000000}},
         slow_disk_elects},
        {"disk-long-promise-is-waited-for",
         "what is taken by the disk is taken after D of the disk",
         {.nodes = 2, .arbiter = &arbiter_disk, .arbiter_dead = {3000000}},
         long_promise_is_waited_for},
        {"disk-long-lease-then-a-vote",
         "what a node holds itself is never longer than its vote vouches for",
         {.nodes = 2, .arbiter = &arbiter_disk, .arbiter_dead = {3000000}},
         long_lease_then_a_vote},
        {0},
};
