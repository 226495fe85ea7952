/* Many nodes: as many as the brain can count. */
#include "stage.h"

/* From a death to the start elsewhere, as with three nodes, and the stagger of a few candidates more. */
#define TAKEN_WITHIN span_ms(900)

static void leader_of_many_dies(struct stage *s)
{
        uint8_t leader = world_leader(s->w);

        expect(s, leader != NODE_NONE, "nobody leads");
        if (leader == NODE_NONE)
                return;
        world_power_off(s->w, leader);
        stage_run(s, span_s(1));
        uint8_t next = world_leader(s->w);
        expect(s, next != NODE_NONE && next != leader, "nobody leads a second after the leader's death");
        expect_settles(s, span_s(2));
        for (uint8_t g = 0; g < 2; g++)
                expect_unheld_at_most(s, g, TAKEN_WITHIN);
        world_power_on(s->w, leader);
        stage_run(s, span_s(3));
        expect_settles(s, span_s(5));
}

/* Just short of half of them: the rest goes on. */
static void many_die_at_once(struct stage *s)
{
        for (uint8_t i = 0; i < 15; i += 2)
                world_power_off(s->w, (uint8_t)(i == 14 ? 15 : i));
        expect(s, world_leader(s->w) == NODE_NONE || world_up(s->w, world_leader(s->w)), "a dead node leads");
        stage_run(s, span_s(2));
        expect_settles(s, span_s(3));
}

const struct scenario scenarios_many[] = {
        {"sixty-four-nodes-lose-their-leader",
         "the largest cluster forms, loses its leader and goes on",
         {.nodes = 64, .groups = 4},
         leader_of_many_dies},
        {"sixteen-nodes-lose-their-leader",
         "as many as a configuration may have",
         {.nodes = 16, .groups = 4},
         leader_of_many_dies},
        {"seventeen-nodes-lose-eight",
         "the majority that is left takes what they had",
         {.nodes = 17, .groups = 4},
         many_die_at_once},
        {0},
};
