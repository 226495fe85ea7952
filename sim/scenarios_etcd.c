/* Two nodes and a key in etcd, which has no clock and judges nothing: what comes late, is deleted, or comes
 * back from a backup. What every strong arbiter promises is in scenarios_arbiter.c. */
#include "stage.h"

#include "world_arbiter.h"
#include "world_etcd.h"

static void expect_nobody(struct stage *s)
{
        for (uint8_t g = 0; g < 2; g++) {
                expect_holder(s, g, NODE_NONE);
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
        }
}

/* The nodes hear each other again and agree what the key says; then it stands in for either. */
static void expect_readmitted(struct stage *s)
{
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(5));
        expect_settles(s, span_s(5));
        expect_told(s, world_story(s->w), "arbiter: readmitted");
        world_reset_figures(s->w);
        world_power_off(s->w, 0);
        stage_run(s, span_s(2));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, 1);
        expect_unheld_at_most(s, 0, span_ms(570));
}

/* Rule 6: with the key it is lost whom it voted for. It is nobody's vote until a leader that needs it not
 * writes it anew. */
static void key_lost(struct stage *s)
{
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(2));
        stage_wait_some(s, span_ms(100));
        etcd_lose_key(s->w);
        if (s->seed % 2)
                world_power_off(s->w, 0);
        stage_run(s, span_s(4));
        expect_nobody(s);
        world_power_on(s->w, 0);
        expect_readmitted(s);
}

/* Rule 6: the store is put back as it was before the split. Who was told more than it says now knows that. */
static void older_key(struct stage *s)
{
        etcd_keep_store(s->w);
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(2));
        stage_wait_some(s, span_ms(100));
        etcd_restore_store(s->w);
        if (s->seed % 2)
                world_kill_core(s->w, 0, span_ms(20)); /* what it was told is on its disk */
        stage_run(s, span_s(4));
        expect_nobody(s);
        expect_told(s, world_story(s->w), "arbiter: its state is older than what it has told");
        expect_readmitted(s);
}

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

const struct scenario scenarios_etcd[] = {
        {"etcd-key-lost", "no vote until readmitted", {.nodes = 2, .arbiter = &arbiter_etcd}, key_lost},
        {"etcd-with-older-key",
         "what it has told before gives it away",
         {.nodes = 2, .arbiter = &arbiter_etcd},
         older_key},
        {"etcd-answers-near-the-end-of-the-lease",
         "it counts from before the request",
         {.nodes = 2, .arbiter = &arbiter_etcd},
         answers_near_the_end},
        {"etcd-both-write", "one of two swaps is done", {.nodes = 2, .arbiter = &arbiter_etcd}, both_write},
        {0},
};
