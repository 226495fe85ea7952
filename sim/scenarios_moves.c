/* Plays of where groups go: moves that meet other moves, and units that go together. */
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

const struct scenario scenarios_moves[] = {
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
        {0},
};
