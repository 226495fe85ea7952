/* Two nodes and a third vote that is none of them, of each kind: what a strong arbiter promises
 * (cluster/arbiter.h) it keeps in whatever way it does, and no schedule may show two owners. */
#include "stage.h"

#include "world_arbiter.h"
#include "world_disk.h"

/* One kind takes longer than another: its operations, its reading. */
#define TAKEN_WITHIN span_ms(600)

static void nobody_twice(struct stage *s)
{
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
}

/* How a split must end: one side has both groups, and it never lets go of what it had. */
static uint8_t expect_one_side(struct stage *s)
{
        uint8_t side = world_holder(s->w, 0);

        nobody_twice(s);
        expect(s, side != NODE_NONE, "nobody holds group0");
        expect_holder(s, 1, side);
        if (side == NODE_NONE)
                return side;
        expect_unheld_at_most(s, side, SPAN_ZERO);
        expect_unheld_at_most(s, !side, TAKEN_WITHIN);
        return side;
}

static void split_both_see(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(3));
        uint8_t side = expect_one_side(s);
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(4));
        expect_settles(s, span_s(5));
        nobody_twice(s);
        expect(s, side == NODE_NONE || world_moves(s->w, side) == 0, "what the winning side had moved");
        expect_told(s, world_story(s->w), "arbiter: stands in for the silent");
}

static void split_one_sees(struct stage *s)
{
        uint8_t blind = (uint8_t)(s->seed % 2);

        stage_wait_some(s, span_ms(100));
        world_arbiter_cut(s->w, blind, true);
        if (s->seed % 3)
                stage_run(s, span_s(5));
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(3));
        expect(s, expect_one_side(s) == !blind, "the side that reaches nobody goes on");
}

static void power_cut(struct stage *s)
{
        uint8_t dead = (uint8_t)(s->seed % 2);

        stage_wait_some(s, span_ms(100));
        world_power_off(s->w, dead);
        stage_run(s, span_s(2));
        expect(s, expect_one_side(s) == !dead, "a dead node's group is not taken");
        expect(s, world_gate_closed(s->w, !dead).us == 0, "the gate of the survivor's own group closed");
}

/* Rule 20: losing the arbiter alone changes nothing; then a node more, and nobody may hold anything. */
static void lost_then_node(struct stage *s)
{
        uint8_t dead = (uint8_t)(s->seed % 2);

        stage_wait_some(s, span_ms(100));
        for (uint8_t i = 0; i < 2; i++)
                world_arbiter_cut(s->w, i, true);
        stage_run(s, span_s(10));
        for (uint8_t g = 0; g < 2; g++) {
                expect_unheld_at_most(s, g, SPAN_ZERO);
                expect(s, world_moves(s->w, g) == 0 && world_gate_closed(s->w, g).us == 0,
                       "group%u noticed that the arbiter is gone", g);
        }
        world_power_off(s->w, dead);
        stage_run(s, span_s(2));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, NODE_NONE);
        for (uint8_t i = 0; i < 2; i++)
                world_arbiter_cut(s->w, i, false);
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, !dead);
}

/* Rules 21 and 24: the leader of a cut pair renews by the arbiter until it loses that too; the other counts D
 * from the last renewal that the arbiter has seen, or it has. */
static void lost_after_renewals(struct stage *s)
{
        world_cut_pair(s->w, 0, 1, true);
        stage_run(s, span_s(2));
        uint8_t leader = world_leader(s->w);
        expect(s, leader != NODE_NONE, "nobody leads by the arbiter");
        stage_wait_some(s, span_ms(150));
        if (leader == NODE_NONE)
                return;
        world_arbiter_cut(s->w, leader, true);
        stage_run(s, span_s(3));
        expect_holder(s, 0, !leader);
        expect_holder(s, 1, !leader);
        nobody_twice(s);
        world_arbiter_cut(s->w, leader, false);
        world_cut_pair(s->w, 0, 1, false);
        expect_settles(s, span_s(5));
}

/* Each operation takes long: a renewal is written between the other's last look and its ballot. */
static void slow_lost_after_renewals(struct stage *s)
{
        for (uint8_t i = 0; i < 2; i++)
                world_disk_slow(s->w, i, span_ms(35));
        lost_after_renewals(s);
}

/* Rules 7 and 22: what was decided with the arbiter alone is found there by who was not there. */
static void alone_has_newest(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_power_off(s->w, 1);
        stage_run(s, span_s(2));
        stage_order(s, ORDER_STOP, 0, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        struct version newest = world_arbiter_version(s->w);
        expect(s, version_equal(newest, cluster_document(world_brain(s->w, 0))->version) && newest.n > 1,
               "the arbiter does not keep the newest document");
        world_power_off(s->w, 0);
        stage_run(s, span_s(1));
        world_power_on(s->w, 1);
        stage_run(s, span_s(4));
        expect(s, version_compare(cluster_document(world_brain(s->w, 1))->version, newest) > 0,
               "it leads without what the arbiter had");
        expect_holder(s, 1, 1);
        expect_holder(s, 0, NODE_NONE); /* stopped, as was ordered */
}

/* Runs until the leader has written that all understand level 2. */
static void run_to_level_two(struct stage *s, uint8_t leader)
{
        const struct document *d = cluster_document(world_brain(s->w, leader));

        for (int ms = 0; ms < 2000 && d->feature_level < 2; ms++)
                stage_run(s, span_ms(1));
        expect(s, d->feature_level == 2, "the level does not rise");
}

/* Rules 7, 22, 27: both are upgraded, and the level rises as one is cut off from the other and from the
 * arbiter. That one goes back to its older release and is left alone. It cannot read the document that it is
 * handed, so it must not be voted for: it would lead without what is committed. */
static void older_release_stays_out(struct stage *s)
{
        const uint8_t leader = 0, other = 1;

        world_restart_as(s->w, leader, 1);
        stage_run(s, span_s(1));
        stage_wait_some(s, span_ms(100));
        expect(s, world_leader(s->w) == leader, "node 0 does not lead");
        world_delay(s->w, leader, other, span_ms(5));
        world_restart_as(s->w, other, 1);
        run_to_level_two(s, leader);
        world_isolate(s->w, 0, true);
        world_arbiter_cut(s->w, other, true);
        stage_run(s, span_s(1));
        expect(s, version_equal(world_arbiter_version(s->w), cluster_committed(world_brain(s->w, leader))),
               "the arbiter does not keep the newest document");
        world_restart_as(s->w, other, 0);
        stage_run(s, span_s(1));
        world_power_off(s->w, leader);
        world_arbiter_cut(s->w, other, false);
        stage_run(s, span_s(3));
        expect(s, world_leader(s->w) == NODE_NONE,
               "it leads by a document that is older than the committed one");
        expect_told(s, world_story(s->w), "install the later haven here");
        world_restart_as(s->w, other, 1);
        stage_run(s, span_s(4));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, other);
}

static void expect_nobody(struct stage *s)
{
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, NODE_NONE);
        nobody_twice(s);
}

/* The nodes hear each other again and tell it what they know; then it stands in for either. */
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
        expect_unheld_at_most(s, 0, TAKEN_WITHIN);
}

/* Rule 6: with its state it lost whom it voted for and what it kept: it must not be anybody's vote until a
 * leader that does not need it says so. */
static void loses_state(struct stage *s)
{
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(2));
        stage_wait_some(s, span_ms(100));
        world_arbiter_memory(s->w, ARBITER_LOST);
        if (s->seed % 2)
                world_power_off(s->w, 0);
        stage_run(s, span_s(4));
        expect_nobody(s);
        world_power_on(s->w, 0);
        expect_readmitted(s);
}

/* The same, and a copy of an older day was put back: it must not pass for what it promised since, nor be
 * found again at its next start. */
static void older_state(struct stage *s)
{
        world_arbiter_memory(s->w, ARBITER_KEPT);
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(2));
        stage_wait_some(s, span_ms(100));
        world_arbiter_memory(s->w, ARBITER_PUT_BACK);
        if (s->seed % 2)
                world_kill_core(s->w, 0, span_ms(20)); /* what it was told is on its disk */
        stage_run(s, span_s(4));
        expect_nobody(s);
        expect_told(s, world_story(s->w), "arbiter: its state is older than what it has told");
        world_arbiter_memory(s->w, ARBITER_RESTARTED);
        expect_readmitted(s);
}

#define WITH(kind)                                                                                           \
        {                                                                                                    \
                .nodes = 2, .arbiter = &arbiter_##kind                                                       \
        }
#define PLAY(kind, name, about, play)                                                                        \
        {                                                                                                    \
#kind "-" name, about, WITH(kind), play                                                      \
        }
/* clang-format off */
#define EACH(kind)                                                                                    \
        PLAY(kind, "split-both-see-it", "what a side has it keeps", split_both_see),                  \
        PLAY(kind, "split-one-sees-it", "the side that reaches the arbiter goes on", split_one_sees), \
        PLAY(kind, "power-cut", "a dead node's groups, within dead", power_cut),                      \
        PLAY(kind, "lost-then-a-node", "losing the arbiter alone changes nothing", lost_then_node),   \
        PLAY(kind, "lost-after-renewals", "what was renewed last restarts D", lost_after_renewals),   \
        PLAY(kind, "alone-has-newest-document", "it hands that over", alone_has_newest),              \
        PLAY(kind, "older-release-stays-out", "who cannot read it cannot lead", older_release_stays_out)
#define EACH_WITH_MEMORY(kind)                                                                        \
        EACH(kind),                                                                                   \
        PLAY(kind, "loses-state", "no vote until readmitted", loses_state),                           \
        PLAY(kind, "with-older-state", "what it has told before gives it away", older_state)
/* clang-format on */

const struct scenario scenarios_arbiter[] = {
        EACH_WITH_MEMORY(witness),
        EACH_WITH_MEMORY(etcd),
        EACH(disk),
        {"slow-disk-lost-after-renewals", "renewals land between looks", WITH(disk),
         slow_lost_after_renewals},
        {0},
};
