/* Plays of where groups go: moves that meet other moves, units that go together, and what runs everywhere. */
#include "stage.h"

/* Of a slow stop only the end was seen: the node had let go and begun anew in one step. */
static void started_again_while_it_stops(struct stage *s)
{
        world_trouble(s->w, 0, (struct trouble){.stop_more = span_s(1)});
        world_trouble(s->w, 1, (struct trouble){.stop_more = span_s(1)});
        for (uint8_t g = 0; g < 2; g++)
                stage_order(s, ORDER_STOP, g, NODE_NONE, SPAN_ZERO);
        stage_wait_some(s, span_ms(900));
        for (uint8_t g = 0; g < 2; g++)
                stage_order(s, ORDER_START, g, NODE_NONE, SPAN_ZERO);
        world_trouble(s->w, 0, (struct trouble){0});
        world_trouble(s->w, 1, (struct trouble){0});
        stage_run(s, span_s(3));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, g);
        for (uint8_t g = 0; g < 2; g++)
                stage_move(s, g, 2);
        stage_run(s, span_s(1));
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, 2);
}

/* Runs `length`, and says for how much of it group0 and group1 were not on one node. */
static span apart_during(struct stage *s, span length)
{
        int apart = 0;

        for (int64_t ms = 0; ms < length.us / 1000; ms++) {
                stage_run(s, span_ms(1));
                apart += world_holder(s->w, 0) != world_holder(s->w, 1);
        }
        return span_ms(apart);
}

#define HANDOVER span_ms(300) /* each is handed over in its own time */

/* One of the two has not ended its last move when both are to go: neither goes ahead. */
static void unit_waits_for_its_slowest(struct stage *s)
{
        world_trouble(s->w, 0, (struct trouble){.stop_more = span_s(3)});
        stage_order(s, ORDER_STOP, 0, NODE_NONE, SPAN_ZERO);
        stage_wait_some(s, span_ms(900));
        stage_order(s, ORDER_START, 0, NODE_NONE, SPAN_ZERO);
        world_trouble(s->w, 0, (struct trouble){0});
        stage_run(s, span_ms(200));
        stage_move(s, 1, 1);
        span apart = apart_during(s, span_s(6));
        expect(s, apart.us <= HANDOVER.us, "what goes together was apart for %.0f ms",
               (double)apart.us / 1000);
        expect_holder(s, 0, 1);
        expect_holder(s, 1, 1);
}

/* A node that carries two takes the unit only once the last of those who leave it has left. */
static void unit_takes_room_as_a_whole(struct stage *s)
{
        expect_holder(s, 2, 2);
        world_trouble(s->w, 2, (struct trouble){.stop_more = span_s(3)});
        stage_order(s, ORDER_STOP, 2, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_ms(200));
        world_trouble(s->w, 2, (struct trouble){0});
        for (uint8_t i = 0; i < 2; i++)
                stage_order(s, ORDER_STANDBY, 0, i, SPAN_ZERO);
        span apart = apart_during(s, span_s(6));
        expect(s, apart.us <= HANDOVER.us, "what goes together was apart for %.0f ms",
               (double)apart.us / 1000);
        expect_holder(s, 0, 2);
        expect_holder(s, 1, 2);
}

/* group2 runs everywhere, or is the one that files change. */

static void expect_runs(struct stage *s, bool first, bool second, bool third)
{
        const bool runs[] = {first, second, third};

        for (uint8_t i = 0; i < 3; i++)
                expect(s, world_runs(s->w, i, 2) == runs[i], "group2 %s on node %u",
                       runs[i] ? "does not run" : "runs", i);
}

static void everywhere_goes_on_alone(struct stage *s)
{
        expect_runs(s, true, true, true);
        for (uint8_t i = 0; i < 3; i++)
                world_isolate(s->w, i, true);
        stage_run(s, span_s(3));
        expect_runs(s, true, true, true);
        world_kill_core(s->w, 1, span_ms(20));
        world_power_off(s->w, 2);
        stage_run(s, span_s(1));
        world_power_on(s->w, 2);
        stage_run(s, span_s(1));
        expect_runs(s, true, true, true); /* each by itself, from what it knew */
        for (uint8_t i = 0; i < 3; i++)
                world_isolate(s->w, i, false);
        expect_settles(s, span_s(5));
        stage_order(s, ORDER_STANDBY, 0, 1, SPAN_ZERO);
        stage_run(s, span_s(1));
        expect_runs(s, true, false, true);
        stage_order(s, ORDER_STOP, 2, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        expect_runs(s, false, false, false);
}

static void everywhere_leaves_a_list(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_configure(s->w, 2, 2, true);
        stage_run(s, span_s(1));
        expect_runs(s, true, true, false);
        world_configure(s->w, 2, 0, true);
        expect_settles(s, span_s(2));
        expect_runs(s, true, true, true);
}

/* The file changed, and then the core died: nobody else would ever stop it. */
static void everywhere_vanishes_from_a_file(struct stage *s)
{
        stage_wait_some(s, span_ms(100));
        world_configure(s->w, 1, 4, true);
        expect(s, world_file_waits(s->w, 1), "a file without what runs was taken");
        world_kill_core(s->w, 1, span_ms(20));
        stage_run(s, span_s(1));
        expect_runs(s, true, true, true);
        stage_order(s, ORDER_STOP, 2, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        expect_runs(s, false, false, false);
        world_configure(s->w, 1, 4, true);
        expect(s, !world_file_waits(s->w, 1), "what does not run is kept in the file");
}

/* Who is cut off runs it on, by a file and a document that say so: no other may be its one node. */
static void everywhere_becomes_one(struct stage *s)
{
        world_isolate(s->w, 2, true);
        stage_wait_some(s, span_s(1));
        stage_order(s, ORDER_STOP, 2, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        for (uint8_t i = 0; i < 2; i++)
                world_configure(s->w, i, FILE_TURNED, true);
        stage_order(s, ORDER_START, 2, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(3));
        expect_runs(s, false, false, true);
        world_power_off(s->w, 2); /* and from its disk alone it would begin again */
        stage_run(s, span_s(3));
        expect_runs(s, false, false, false);
        world_power_on(s->w, 2);
        stage_run(s, span_s(1));
        expect_runs(s, false, false, true);
        world_isolate(s->w, 2, false);
        stage_run(s, span_s(4)); /* it is preferred, and has another file: it declines */
        expect_runs(s, true, false, false);
        world_configure(s->w, 2, FILE_TURNED, true);
        expect_settles(s, span_s(1));
        stage_run(s, span_s(9)); /* forgiven */
        expect_runs(s, false, false, true);
}

/* Also by one that has not heard that no file names it any more, until somebody says that it is off. */
static void everywhere_becomes_one_as_a_node_goes(struct stage *s)
{
        world_isolate(s->w, 2, true);
        stage_wait_some(s, span_s(1));
        stage_order(s, ORDER_STOP, 2, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        for (uint8_t i = 0; i < 2; i++) {
                world_name_nodes(s->w, i, 3);
                world_configure(s->w, i, FILE_TURNED, true);
        }
        stage_run(s, span_s(1));
        stage_order(s, ORDER_START, 2, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(3));
        expect(s, world_has_voters(s->w, 3), "who is in no file votes");
        expect_runs(s, false, false, true);
        world_power_off(s->w, 2);
        stage_order(s, ORDER_CONFIRM_OFF, 2, 2, SPAN_ZERO);
        stage_run(s, span_s(2));
        expect_runs(s, true, false, false);
}

/* The owner is cut off and holds it, perhaps, until it is heard. */
static void one_becomes_everywhere(struct stage *s)
{
        world_isolate(s->w, 2, true);
        stage_wait_some(s, span_ms(300)); /* not yet taken over by who reloads */
        for (uint8_t i = 0; i < 2; i++)
                world_configure(s->w, i, FILE_TURNED, true);
        stage_run(s, span_s(3));
        expect_runs(s, false, false, false);
        world_isolate(s->w, 2, false);
        stage_run(s, span_s(1));
        expect_runs(s, true, true, false);
        world_configure(s->w, 2, FILE_TURNED, true);
        expect_settles(s, span_s(2));
        expect_runs(s, true, true, true);
}

/* One is made ready to take it, and its file says meanwhile that it runs everywhere. */
static void made_ready_and_becomes_everywhere(struct stage *s)
{
        world_trouble(s->w, 2, (struct trouble){.stop_more = span_s(1)});
        stage_move(s, 2, 0);
        stage_wait_some(s, span_ms(500));
        stage_run(s, span_ms(50));
        world_configure(s->w, 0, FILE_TURNED, false);
        world_kill_core(s->w, 0, span_ms(20));
        stage_run(s, span_ms(300));
        for (uint8_t i = 1; i < 3; i++) {
                world_configure(s->w, i, FILE_TURNED, false);
                world_kill_core(s->w, i, span_ms(20));
        }
        world_trouble(s->w, 2, (struct trouble){0});
        stage_run(s, span_s(4));
        expect_settles(s, span_s(2));
        expect_runs(s, true, true, true);
}

/* Stopped and started again while it stops; the leader loses its quorum before it can note that the stop is
 * over. Back, it has the group, is said to have still to let go of it, and waits for group0 with it. */
static void waits_for_nobody_but_itself(struct stage *s)
{
        expect_holder(s, 1, 0);
        world_trouble(s->w, 0, (struct trouble){.stop_more = span_s(2), .start_more = span_ms(300)});
        stage_order(s, ORDER_STOP, 0, NODE_NONE, SPAN_ZERO);
        stage_order(s, ORDER_STOP, 1, NODE_NONE, SPAN_ZERO);
        stage_wait_some(s, span_ms(200));
        stage_order(s, ORDER_START, 1, NODE_NONE, SPAN_ZERO);
        stage_order(s, ORDER_START, 0, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_ms(200));
        world_power_off(s->w, 1);
        world_power_off(s->w, 2);
        stage_run(s, span_s(6));
        world_power_on(s->w, 1);
        world_power_on(s->w, 2);
        world_trouble(s->w, 0, (struct trouble){.start_more = span_ms(300)});
        stage_run(s, span_s(3));
        expect_settles(s, span_s(5));
}

const struct scenario scenarios_moves[] = {
        {"waits-for-nobody-but-itself",
         "who waits for itself to let go holds nothing, nor gets ready",
         {.nodes = 3, .words = WORDS_WITH | WORDS_AFTER},
         waits_for_nobody_but_itself},
        {"started-again-while-it-stops",
         "who holds a new epoch has let go of the old: the move is over",
         {.nodes = 3},
         started_again_while_it_stops},
        {"unit-waits-for-its-slowest",
         "what goes together goes when all of it can",
         {.nodes = 3, .words = WORDS_WITH | WORDS_ROOM},
         unit_waits_for_its_slowest},
        {"unit-takes-room-as-a-whole",
         "what goes together takes its room at once",
         {.nodes = 3, .groups = 3, .words = WORDS_WITH | WORDS_ROOM},
         unit_takes_room_as_a_whole},
        {"everywhere-goes-on-alone",
         "what runs everywhere needs no majority, and stops where it is told to",
         {.nodes = 3, .groups = 3, .everywhere = true},
         everywhere_goes_on_alone},
        {"everywhere-leaves-a-list",
         "it does not run where the list does not say so",
         {.nodes = 3, .groups = 3, .everywhere = true},
         everywhere_leaves_a_list},
        {"everywhere-vanishes-from-a-file",
         "what runs cannot vanish from a file",
         {.nodes = 3, .groups = 3, .everywhere = true},
         everywhere_vanishes_from_a_file},
        {"everywhere-becomes-one",
         "who may still run it is waited for, whatever files say",
         {.nodes = 3, .groups = 3, .everywhere = true},
         everywhere_becomes_one},
        {"everywhere-becomes-one-as-a-node-goes",
         "who was taken out of the files unheard may still run it",
         {.nodes = 3, .groups = 3, .everywhere = true},
         everywhere_becomes_one_as_a_node_goes},
        {"one-becomes-everywhere",
         "who may still hold it is waited for",
         {.nodes = 3, .groups = 3},
         one_becomes_everywhere},
        {"made-ready-and-becomes-everywhere",
         "who was to be the one lets go of that",
         {.nodes = 3, .groups = 3},
         made_ready_and_becomes_everywhere},
        {0},
};
