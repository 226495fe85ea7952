/* Plays of promises, grants and boots: each for a rule whose removal no random schedule has found
 * (docs/removed-rules.md). What they have in common: a lease is lengthened, or held to be over, by words that
 * meant something else. */
#include "stage.h"

static uint32_t term_of(const struct stage *s, uint8_t node)
{
        const struct cluster *brain = world_brain(s->w, node);

        return brain ? cluster_promise(brain)->term : 0;
}

static instant lease_of(const struct stage *s, uint8_t node)
{
        const struct cluster *brain = world_brain(s->w, node);

        return brain ? cluster_promise(brain)->lease_end : INSTANT_LONG_AGO;
}

/* Rule 4: that a node has heard us is no promise. For 600 ms the leader hears of node 1 nothing; then of all
 * nothing but that node 1 has heard it. */
static void echo_is_no_answer(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        stage_wait_some(s, span_ms(100));
        stage_cut_way(s, 1, 0, true);
        stage_run(s, span_ms(600));
        world_isolate(s->w, 2, true);
        stage_run(s, span_ms(240));
        stage_cut_way(s, 0, 1, true);
        stage_cut_way(s, 1, 0, false);
        stage_run(s, span_ms(100));
        world_isolate(s->w, 0, true);
        world_cut_pair(s->w, 1, 2, false);
        stage_run(s, span_s(2));
        expect(s, world_holder(s->w, 0) != 0, "cut off, it still holds group0");
        world_isolate(s->w, 0, false);
        expect_settles(s, span_s(5));
}

/* Rule 2: a leader that gives way to a higher term has promised until then. Nodes 2 and 3, who know nothing
 * of the lease that it has with 1 and 4, elect one of them by its vote. */
static void leader_gives_way_to_a_higher_term(struct stage *s)
{
        uint8_t with[] = {0, 1}, without[] = {2, 3};

        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        for (int i = 0; i < 4; i++)
                world_cut_pair(s->w, with[i / 2], without[i % 2], true);
        stage_run(s, span_ms(800)); /* 4 hears the leader, so it votes for none of them */
        stage_wait_some(s, span_ms(100));
        uint32_t term = term_of(s, 0);
        world_cut_pair(s->w, 0, 4, true);
        for (int i = 0; i < 600 && term_of(s, 2) == term && term_of(s, 3) == term; i++)
                stage_run(s, span_ms(1));
        world_cut_pair(s->w, 2, 4, true); /* it would have voted for one of them, but its vote is lost */
        world_cut_pair(s->w, 3, 4, true);
        world_cut_pair(s->w, 0, 2, false);
        world_cut_pair(s->w, 0, 3, false);
        stage_run(s, span_s(2));
        world_isolate(s->w, 4, false);
        world_isolate(s->w, 1, false);
        expect_settles(s, span_s(5));
}

/* Rule 3: a leader whose only voter is heard by all keeps that one from electing another. */
static void leader_of_a_minority(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        world_power_off(s->w, 4);
        stage_run(s, span_s(2));
        stage_wait_some(s, span_ms(100));
        world_cut_pair(s->w, 0, 2, true);
        world_cut_pair(s->w, 0, 3, true);
        stage_run(s, span_s(3));
        uint8_t leader = world_leader(s->w);
        expect(s, leader != NODE_NONE && leader != 0, "three of five that hear each other have no leader");
        expect_settles(s, span_s(1));
}

/* Rule 4: a grant to a core that is gone counts from what that one sent. When it arrives, the next core has
 * sent as many messages, later. */
static void grant_to_a_former_core(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        stage_wait_some(s, span_ms(100));
        world_kill_core(s->w, 1, span_ms(5));
        stage_run(s, span_ms(6));
        instant lease = lease_of(s, 1);
        for (int i = 0; i < 300 && lease_of(s, 1).us == lease.us; i++)
                stage_run(s, span_ms(1)); /* the first grant to this core: it has said little yet */
        world_delay(s->w, 0, 1, span_ms(300));
        stage_cut_way(s, 1, 0, true);
        world_cut_pair(s->w, 1, 2, true);
        stage_run(s, span_ms(100));
        world_kill_core(s->w, 1, span_ms(5));
        stage_run(s, span_s(2));
        expect(s, world_holder(s->w, 1) != 1, "cut off, it still holds group1");
        world_delay(s->w, 0, 1, SPAN_ZERO);
        world_isolate(s->w, 1, false);
        expect_settles(s, span_s(5));
}

/* Group1 on node 2, though it likes node 1 better. */
static void group1_on_node_2(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        world_unfit(s->w, 1, 1, true);
        stage_run(s, span_s(1));
        world_unfit(s->w, 1, 1, false);
        stage_run(s, span_s(1));
        expect_holder(s, 1, 2);
        world_cut_pair(s->w, 1, 2, true); /* so that neither sees that the other has it */
        stage_run(s, span_s(1));
        expect_holder(s, 1, 2);
}

/* Rule 12: its lease ran out and it let go; a lease that comes then, with the same document still, revives
 * nothing. */
static void lease_comes_after_the_release(struct stage *s)
{
        group1_on_node_2(s);
        stage_wait_some(s, span_ms(100));
        stage_cut_way(s, 0, 2, true);
        stage_run(s, span_us(300000 + 6000 * (int64_t)(s->seed % 9)));
        world_delay(s->w, 0, 2, span_ms(90));
        stage_cut_way(s, 0, 2, false);
        stage_run(s, span_ms(800));
        world_delay(s->w, 0, 2, SPAN_ZERO);
        world_isolate(s->w, 2, false);
        expect_settles(s, span_s(5));
}

/* Rule 13: what the document gives is given to one boot of its owner. The next one is granted a lease before
 * it says that it holds nothing, and that it cannot: so the group goes to another. */
static void document_of_a_former_boot(struct stage *s)
{
        group1_on_node_2(s);
        stage_wait_some(s, span_ms(100));
        world_delay(s->w, 0, 2, span_ms(60));
        world_trouble(s->w, 2, (struct trouble){.stop_more = span_ms(64)}); /* its first core cleans up */
        world_power_off(s->w, 2);
        stage_run(s, span_ms(20));
        world_power_on(s->w, 2);
        stage_run(s, span_ms(62));
        stage_cut_way(s, 2, 0, true);
        world_unfit(s->w, 2, 1, true);
        stage_run(s, span_ms(5));
        stage_cut_way(s, 2, 0, false);
        world_unfit(s->w, 2, 0, true); /* says all of it at once */
        stage_run(s, span_ms(800));
        world_trouble(s->w, 2, (struct trouble){0});
        world_delay(s->w, 0, 2, SPAN_ZERO);
        world_isolate(s->w, 2, false);
        expect_settles(s, span_s(5));
}

/* Rule 13: a higher boot counts as release of all before it, so it stops what they left. */
static void havend_dies(struct stage *s)
{
        group1_on_node_2(s);
        stage_wait_some(s, span_ms(100));
        world_restart_haven(s->w, 2, span_ms(10));
        stage_run(s, span_us(10100));
        world_unfit(s->w, 2, 1, true); /* so it goes to another */
        stage_run(s, span_ms(800));
        world_isolate(s->w, 2, false);
        expect_settles(s, span_s(5));
}

/* Rule 9: a boot that is not known yet is nobody; until its lease is over the group of the one before is not
 * taken. What it left takes long to stop. */
static void havend_dies_and_stops_slowly(struct stage *s)
{
        world_trouble(s->w, 2, (struct trouble){.stop_more = span_ms(300)});
        havend_dies(s);
}

/* Rule 13: what 1 said before it was given group1 arrives when a later havend is stopping what that one left.
 */
static void word_of_a_former_boot(struct stage *s)
{
        world_unfit(s->w, 1, 1, true);
        stage_order(s, ORDER_STOP, 1, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        expect_holder(s, 1, NODE_NONE);
        world_cut_pair(s->w, 1, 2, true);
        stage_wait_some(s, span_ms(100));
        world_delay(s->w, 1, 0, span_ms(300));
        world_unfit(s->w, 1, 0, true); /* says what it is, and that it holds nothing */
        world_delay(s->w, 1, 0, SPAN_ZERO);
        world_unfit(s->w, 1, 1, false);
        stage_run(s, span_ms(2));
        stage_order(s, ORDER_START, 1, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_ms(60));
        world_trouble(s->w, 1, (struct trouble){.stop_more = span_ms(600)});
        world_restart_haven(s->w, 1, span_ms(10));
        stage_run(s, span_s(1));
        world_trouble(s->w, 1, (struct trouble){0});
        world_isolate(s->w, 1, false);
        stage_run(s, span_s(1));
        expect_settles(s, span_s(5));
}

/* Rule 2: 2 does not hear the leader for a while and asks all for their votes; the leader goes on. */
static void leader_unheard_for_a_moment(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        uint32_t term = term_of(s, 0);
        for (int i = 0; i < 4; i++) {
                stage_wait_some(s, span_ms(100));
                stage_cut_way(s, 0, 2, true);
                stage_run(s, span_ms(330 + 35 * i));
                stage_cut_way(s, 0, 2, false);
                stage_run(s, span_s(1));
        }
        expect(s, world_leader(s->w) == 0 && term_of(s, 0) == term, "another was elected beside the leader");
}

/* Rule 4: the answer that 1 gave to the leader's core before this one, which has said as much by then. Nobody
 * answers this one. */
static void answer_to_a_former_core(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        stage_wait_some(s, span_ms(100));
        world_kill_core(s->w, 0, span_ms(5));
        stage_run(s, span_ms(50 + 2 * (int64_t)s->seed));
        world_delay(s->w, 1, 0, span_ms(300));
        world_cut_pair(s->w, 1, 2, true);
        stage_run(s, span_ms(60));
        stage_cut_way(s, 0, 1, true);
        world_kill_core(s->w, 0, span_ms(5));
        uint32_t term = term_of(s, 2);
        for (int i = 0; i < 100 && (term_of(s, 0) <= term || world_leader(s->w) != 0); i++)
                stage_run(s, span_ms(1));
        world_cut_pair(s->w, 0, 2, true);
        stage_run(s, span_ms(150));
        for (int i = 0; i < 14; i++) { /* it says something else all the time */
                world_unfit(s->w, 0, 1, i % 2 == 0);
                stage_run(s, span_ms(10));
        }
        stage_cut_way(s, 1, 0, true);
        world_cut_pair(s->w, 1, 2, false);
        stage_run(s, span_s(2));
        expect(s, world_holder(s->w, 0) != 0, "cut off, it still holds group0");
        world_delay(s->w, 1, 0, SPAN_ZERO);
        world_isolate(s->w, 0, false);
        expect_settles(s, span_s(5));
}

const struct scenario scenarios_leases[] = {
        {"echo-is-no-answer", "rule 4: who has heard has promised nothing", {.nodes = 3}, echo_is_no_answer},
        {"leader-gives-way-to-a-higher-term",
         "rule 2: its vote knows of its lease",
         {.nodes = 5},
         leader_gives_way_to_a_higher_term},
        {"leader-of-a-minority-gives-way",
         "rule 3: it keeps nobody from electing another",
         {.nodes = 5},
         leader_of_a_minority},
        {"grant-to-a-former-core",
         "rule 4: it counts from what that core sent",
         {.nodes = 3},
         grant_to_a_former_core},
        {"lease-comes-after-the-release",
         "rule 12: a released epoch is over",
         {.nodes = 3},
         lease_comes_after_the_release},
        {"document-of-a-former-boot",
         "rule 13: it gives nothing to the next",
         {.nodes = 3},
         document_of_a_former_boot},
        {"havend-dies-and-is-back", "rule 13: it stops what was left first", {.nodes = 3}, havend_dies},
        {"havend-dies-and-stops-slowly",
         "rule 9: the lease of the boot before is waited for",
         {.nodes = 3},
         havend_dies_and_stops_slowly},
        {"word-of-a-former-boot", "rule 13: it is dropped", {.nodes = 3}, word_of_a_former_boot},
        {"leader-unheard-for-a-moment", "rule 2: it leads on", {.nodes = 3}, leader_unheard_for_a_moment},
        {"answer-to-a-former-core",
         "rule 4: it says nothing to the next",
         {.nodes = 3},
         answer_to_a_former_core},
        {0},
};
