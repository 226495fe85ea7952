/* Two nodes and no third vote: what a weak arbiter can keep, and how a split ends. */
#include "stage.h"

static void power_cut(struct stage *s)
{
        uint8_t dead = (uint8_t)(s->seed % 2), other = !dead;

        stage_wait_some(s, span_ms(100));
        world_power_off(s->w, dead);
        stage_run(s, span_s(2));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, other);
        expect_unheld_at_most(s, dead, span_ms(550));
        expect_unheld_at_most(s, other, SPAN_ZERO);
        const char *story = world_story(s->w);
        expect_told(s, story,
                    dead ? "node-down beta: silent on all links for" : "node-down alpha: silent on all");
        expect_told(s, story, "is silent and every lease it had is over -> taken");
}

/* The inner links break for good: both run both, as was admitted; healed, each has what it had, unbroken. */
static void split_heals(struct stage *s)
{
        struct epoch before[2] = {world_epoch(s->w, 0, 0), world_epoch(s->w, 1, 1)};

        stage_wait_some(s, span_ms(100));
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(3));
        expect(s, world_admitted(s->w) > 0, "no split came");
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(5));
        expect_settles(s, SPAN_ZERO);
        for (uint8_t g = 0; g < 2; g++) {
                expect_holder(s, g, g);
                expect_unheld_at_most(s, g, SPAN_ZERO);
                expect(s, epoch_equal(world_epoch(s->w, g, g), before[g]),
                       "group%u was stopped on the node that had it before the split", g);
                /* three seconds of split, half a second until it began, and the end of it */
                expect(s, world_both_held(s->w, g).us < span_ms(2800).us,
                       "group%u: two owners after the heal", g);
        }
        const char *story = world_story(s->w);
        expect_told(s, story, "a split has healed: ");
        expect_told(s, story, " held it before and holds it still -> keeps it, ");
}

static void split_heals_twice(struct stage *s)
{
        for (int i = 0; i < 3; i++) {
                split_heals(s);
                world_reset_figures(s->w);
        }
}

/* Who leads after the heal was elected after it, so that its document is not committed when it has to mend.
 */
static void split_heals_under_a_new_leader(struct stage *s)
{
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(3));
        for (uint8_t i = 0; i < 2; i++)
                world_kill_core(s->w, i, span_ms(20));
        world_isolate(s->w, 0, false);
        stage_wait_some(s, span_ms(100));
        world_kill_core(s->w, (uint8_t)(s->seed % 2), span_ms(20));
        stage_run(s, span_s(5));
        expect_settles(s, SPAN_ZERO);
        for (uint8_t g = 0; g < 2; g++)
                expect_unheld_at_most(s, g, span_ms(500));
}

/* The one with the newer document cannot lead, since it leaves: it hands the document over (rule 7; seed
 * 35981). */
static void split_heals_and_the_newer_leaves(struct stage *s)
{
        world_isolate(s->w, 0, true);
        stage_run(s, span_ms(50));
        world_kill_core(s->w, 0, span_ms(20)); /* elected again, alone: both lead in one term */
        stage_run(s, span_s(3));
        world_kill_core(s->w, 1, span_ms(200));
        stage_run(s, span_ms(195));
        world_isolate(s->w, 0, false);
        stage_run(s, span_ms(10));
        stage_wait_some(s, span_ms(300));
        world_leave(s->w, 1);
        stage_run(s, span_s(5));
        expect_settles(s, SPAN_ZERO);
        expect_holder(s, 0, 0);
        expect_holder(s, 1, 0);
}

/* Two halves of four; the newer document's owner dies, the owner from before is alive and holds it still. */
static void halves_heal_without_the_newer_owner(struct stage *s)
{
        for (uint8_t a = 0; a < 4; a += 3)
                for (uint8_t b = 1; b < 3; b++)
                        world_cut_pair(s->w, a, b, true);
        stage_run(s, span_ms(300));
        stage_wait_some(s, span_s(1));
        world_break_group(s->w, 1, 1);
        stage_run(s, span_s(2));
        world_power_off(s->w, 1);
        for (uint8_t i = 0; i < 4; i++)
                world_isolate(s->w, i, false);
        expect_settles(s, span_s(5));
        stage_run(s, span_s(5));
        expect_settles(s, SPAN_ZERO);
        expect_holder(s, 0, 0);
}

/* The address answers on the outer network: the other lives, and keeps what it has. */
static void probe_refused(struct stage *s)
{
        struct epoch before[2] = {world_epoch(s->w, 0, 0), world_epoch(s->w, 1, 1)};

        world_refuse_probe(s->w, true);
        stage_wait_some(s, span_ms(100));
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(5));
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(5));
        for (uint8_t g = 0; g < 2; g++) {
                expect_holder(s, g, g);
                expect_unheld_at_most(s, g, SPAN_ZERO);
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
                expect(s, epoch_equal(world_epoch(s->w, g, g), before[g]), "group%u was stopped", g);
        }
        expect_told(s, world_story(s->w), "another station answers for its address");
}

/* The holder really dies after a refusal: it is asked again, and taken. */
static void refused_then_gone(struct stage *s)
{
        world_refuse_probe(s->w, true);
        world_isolate(s->w, 0, true);
        stage_run(s, span_s(2));
        world_power_off(s->w, 0);
        stage_run(s, span_s(8));
        expect_holder(s, 0, 1);
        expect_holder(s, 1, 1);
}

/* One direction only: who is heard is alive, and a weak vote never outvotes the living. */
static void one_way(struct stage *s)
{
        uint8_t deaf = (uint8_t)(s->seed % 2);

        stage_wait_some(s, span_ms(100));
        for (uint8_t l = 0; l < 2; l++)
                world_cut(s->w, !deaf, deaf, l, true);
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u over a one-way link", g);
        expect_settles(s, SPAN_ZERO);
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(5));
        expect_settles(s, SPAN_ZERO);
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u when it healed", g);
}

/* One stands still just after the other did, for less than dead: a split in time (seed 31700). */
static void still_one_after_the_other(struct stage *s)
{
        world_pause_core(s->w, 0, span_ms(660));
        stage_run(s, span_ms(665));
        stage_wait_some(s, span_ms(40));
        world_pause_core(s->w, 1, span_ms(470));
        stage_run(s, span_s(5));
        expect_settles(s, span_s(5));
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us < span_ms(300).us, "two held group%u for long", g);
}

static void one_link_of_two(struct stage *s)
{
        world_cut(s->w, 0, 1, 0, true);
        world_cut(s->w, 1, 0, 0, true);
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++) {
                expect_unheld_at_most(s, g, SPAN_ZERO);
                expect(s, world_moves(s->w, g) == 0, "group%u moved for one lost link", g);
        }
        expect_told(s, world_story(s->w), "alpha link beta: link 0: no heartbeat for ");
}

static void core_killed(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_kill_core(s->w, 0, span_ms(20));
        stage_run(s, span_ms(500));
        world_kill_core(s->w, 1, span_ms(20));
        stage_run(s, span_s(2));
        for (uint8_t g = 0; g < 2; g++) {
                expect_unheld_at_most(s, g, SPAN_ZERO);
                expect(s, world_gate_closed(s->w, g).us == 0, "the gate of group%u closed", g);
        }
}

static void both_restart(struct stage *s)
{
        world_power_off(s->w, 0);
        world_power_off(s->w, 1);
        stage_wait_some(s, span_s(1));
        world_power_on(s->w, (uint8_t)(s->seed % 2));
        stage_wait_some(s, span_ms(1500));
        world_power_on(s->w, !(s->seed % 2));
        expect_settles(s, span_s(3));
        stage_run(s, span_s(6));
        for (uint8_t g = 0; g < 2; g++)
                expect(s, world_both_held(s->w, g).us == 0, "two held group%u", g);
        expect_holder(s, 0, 0);
        expect(s, world_admitted(s->w) == 0, "two owners");
}

static void starting_alone(struct stage *s)
{
        world_power_off(s->w, 0);
        world_power_off(s->w, 1);
        stage_run(s, span_ms(500));
        world_power_on(s->w, 1);
        stage_run(s, span_ms(1950));
        expect_holder(s, 0, NODE_NONE);
        expect_holder(s, 1, NODE_NONE);
        stage_run(s, span_ms(1200));
        expect_holder(s, 0, 1);
        expect_holder(s, 1, 1);
}

static void without_state(struct stage *s)
{
        world_power_off(s->w, 1);
        stage_run(s, span_s(2));
        world_lose_state(s->w, 1);
        world_power_on(s->w, 1);
        stage_run(s, span_s(3));
        const char *story = world_story(s->w);
        expect_told(s, story, "beta member beta: no valid state on disk -> neither votes nor runs anything");
        expect_told(s, story, "leader alpha holds its lease without us -> readmitted");
        expect_unheld_at_most(s, 0, SPAN_ZERO);
        stage_move(s, 1, 1);
        stage_run(s, span_s(1));
        expect_holder(s, 1, 1);
        world_power_off(s->w, 0);
        stage_run(s, span_s(2));
        expect_holder(s, 0, 1);
}

const struct scenario scenarios_pair[] = {
        {"power-cut-with-weak-arbiter-takes-within-dead",
         "half a second from power cut to service",
         {.nodes = 2},
         power_cut},
        {"split-heals-owner-from-before-keeps",
         "mutual groups, both run both, each keeps its own",
         {.nodes = 2},
         split_heals},
        {"split-heals-again-and-again", "and a healed split is forgotten", {.nodes = 2}, split_heals_twice},
        {"split-heals-under-a-new-leader",
         "mending does not wait for a commit that waits for it",
         {.nodes = 2},
         split_heals_under_a_new_leader},
        {"split-heals-and-the-newer-leaves",
         "the newer document is handed over",
         {.nodes = 2},
         split_heals_and_the_newer_leaves},
        {"halves-heal-without-the-newer-owner",
         "who holds it still keeps it",
         {.nodes = 4},
         halves_heal_without_the_newer_owner},
        {"probe-refused-in-a-split", "the address answers: not taken", {.nodes = 2}, probe_refused},
        {"refused-then-gone",
         "asked again, and taken once it no longer answers",
         {.nodes = 2},
         refused_then_gone},
        {"one-way-link-of-a-pair-makes-no-two-owners", "who is heard is alive", {.nodes = 2}, one_way},
        {"one-stands-still-after-the-other",
         "a split in time ends by itself",
         {.nodes = 2},
         still_one_after_the_other},
        {"one-link-of-two-lost-moves-nothing", "every link must be silent", {.nodes = 2}, one_link_of_two},
        {"core-killed-in-a-pair-no-gate-closes", "the service does not notice", {.nodes = 2}, core_killed},
        {"both-nodes-restart", "one after the other, in either order", {.nodes = 2}, both_restart},
        {"starting-alone-waits-start-wait", "the network may be what is late", {.nodes = 2}, starting_alone},
        {"node-without-state-is-readmitted", "by the one that leads without it", {.nodes = 2}, without_state},
        {0},
};
