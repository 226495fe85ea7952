/* Two nodes and a key in etcd, which has no clock and judges nothing: what comes late, and what was written
 * by then. What every strong arbiter promises is in scenarios_arbiter.c. */
#include "stage.h"

#include "world_arbiter.h"
#include "world_etcd.h"

/* Runs until the node's lease is renewed. */
static bool run_to_renewal(struct stage *s, uint8_t node)
{
        const struct cluster_promise *promise = cluster_promise(world_brain(s->w, node));
        instant before = promise->lease_end;

        for (int64_t us = 0; us < 500000 && promise->lease_end.us == before.us; us += 200)
                stage_run(s, span_us(200));
        return promise->lease_end.us != before.us;
}

/* Rule 24: a lease counts from before the request. What the leader asks takes so long that little of it is
 * left when the answer is there, and then it reaches the store no more. */
static void answers_near_the_end(struct stage *s)
{
        world_isolate(s->w, 0, true);
        stage_run(s, span_ms(1500));
        stage_wait_some(s, span_ms(600)); /* by when the other asks, in vain, for votes */
        uint8_t leader = world_leader(s->w);
        expect(s, leader != NODE_NONE, "nobody leads by etcd");
        if (leader == NODE_NONE)
                return;
        expect(s, run_to_renewal(s, leader), "nothing renews its lease");
        etcd_late(s->w, leader, SPAN_ZERO, span_ms(160));
        (void)run_to_renewal(s, leader); /* or the other was quicker */
        world_arbiter_cut(s->w, leader, true);
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++) {
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
                expect_holder(s, g, !leader);
        }
}

/* Rule 24: both start, hear nothing of each other, and find the key as it was. The second to write finds it
 * written: it reads again, and there is the other's vote. */
static void both_write(struct stage *s)
{
        for (uint8_t i = 0; i < 2; i++)
                world_power_off(s->w, i);
        stage_run(s, span_s(1));
        world_cut_pair(s->w, 0, 1, true);
        etcd_late(s->w, 0, span_us(3000 + 300 * (int64_t)s->seed), SPAN_ZERO);
        for (uint8_t i = 0; i < 2; i++)
                world_power_on(s->w, i);
        stage_run(s, span_s(3));
        uint8_t side = world_holder(s->w, 0);
        expect(s, side != NODE_NONE, "nobody holds group0");
        expect_holder(s, 1, side);
}

/* A backup of the store is put back, and what is written to it then brings the key to the very revision and
 * the very number of renewals that the follower saw before: yet the renewal is another, and of now. */
static void backup_catches_up(struct stage *s)
{
        uint8_t leader, other;

        world_cut_pair(s->w, 0, 1, true);
        stage_run(s, span_s(2));
        stage_wait_some(s, span_ms(100));
        leader = world_leader(s->w);
        expect(s, leader != NODE_NONE && run_to_renewal(s, leader), "nobody leads by etcd");
        if (leader == NODE_NONE)
                return;
        other = stage_other(s, leader);
        world_arbiter_memory(s->w, ARBITER_KEPT);
        expect(s, run_to_renewal(s, leader), "nothing renews its lease");
        world_arbiter_cut(s->w, leader, true);
        world_cut_pair(s->w, 0, 1, false);
        stage_run(s, span_s(5)); /* in peace the other looks at it now and then */
        world_arbiter_cut(s->w, leader, false);
        stage_run(s, span_s(2));
        expect(s, world_leader(s->w) == leader, "another leads");
        world_arbiter_memory(s->w, ARBITER_PUT_BACK);
        world_cut_pair(s->w, 0, 1, true);
        stage_run(s, span_ms(100));
        int64_t revision = etcd_revision(s->w);
        for (int64_t us = 0; us < 300000 && etcd_revision(s->w) == revision; us += 200)
                stage_run(s, span_us(200));
        stage_run(s, span_ms(3)); /* so that it hears of it */
        world_arbiter_cut(s->w, leader, true);
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++) {
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
                expect_holder(s, g, other);
        }
}

const struct scenario scenarios_etcd[] = {
        {"etcd-answers-near-the-end-of-the-lease",
         "it counts from before the request",
         {.nodes = 2, .arbiter = &arbiter_etcd},
         answers_near_the_end},
        {"etcd-both-write", "one of two swaps is done", {.nodes = 2, .arbiter = &arbiter_etcd}, both_write},
        {"etcd-backup-catches-up",
         "a renewal that looks like one seen before is another",
         {.nodes = 2, .arbiter = &arbiter_etcd},
         backup_catches_up},
        {0},
};
