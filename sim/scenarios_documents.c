/* Plays of votes, commits and documents: each for a rule whose removal no random schedule has found
 * (docs/removed-rules.md). What they have in common: somebody acts by a document that others have overtaken,
 * or were never told. */
#include "stage.h"

static const struct cluster_promise *promise_of(const struct stage *s, uint8_t node)
{
        static const struct cluster_promise none;
        const struct cluster *brain = world_brain(s->w, node);

        return brain ? cluster_promise(brain) : &none;
}

static struct version document_of(const struct stage *s, uint8_t node)
{
        const struct cluster *brain = world_brain(s->w, node);

        return brain ? cluster_document(brain)->version : (struct version){0};
}

/* The leader, 0, takes group1 from 1 while another has been elected that renews 1's lease. The taking is not
 * committed; who is elected next finds it in its document. Rules 1 and 10. */
static void taken_but_not_committed(struct stage *s)
{
        instant lease = promise_of(s, 0)->lease_end;

        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        for (int i = 0; i < 200 && promise_of(s, 0)->lease_end.us == lease.us; i++)
                stage_run(s, span_ms(1)); /* the beat was just answered */
        for (uint8_t i = 1; i < 3; i++) {
                world_cut_pair(s->w, 0, i, true);
                world_cut_pair(s->w, 3, i, true);
        }
        stage_run(s, span_ms(100 + 4 * (int64_t)s->seed));
        world_cut_pair(s->w, 0, 4, true);
        world_cut_pair(s->w, 3, 4, true);
        for (int i = 0; i < 20000 && !promise_of(s, 1)->leading && !promise_of(s, 2)->leading; i++)
                stage_run(s, span_us(20));
        world_disk(s->w, 4, span_ms(800), false);
        struct version before = document_of(s, 0);
        for (int i = 0; i < 400 && version_equal(document_of(s, 0), before); i++)
                stage_run(s, span_ms(1));
        stage_run(s, span_ms(10));
        /* 4 forgets the document that it was not given time to save, not what it voted for */
        world_power_off(s->w, 4);
        world_disk(s->w, 4, SPAN_ZERO, false);
        world_isolate(s->w, 4, true);
        stage_run(s, span_ms(5));
        world_power_on(s->w, 4);
        world_cut_pair(s->w, 0, 4, false);
        world_cut_pair(s->w, 3, 4, false);
}

static void taken_but_not_committed_is_inherited(struct stage *s)
{
        taken_but_not_committed(s);
        stage_run(s, span_s(2));
        for (uint8_t i = 0; i < 5; i++)
                world_isolate(s->w, i, false);
        expect_settles(s, span_s(5));
}

/* A leader moves group1 to itself, and its owner falls silent before it has let go. The leader waits for that
 * one no more as the last act of its lease, when another has been elected early who renews the owner's.
 * Rule 11. */
static void move_from_the_silent_is_not_committed(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        expect_holder(s, 1, 1);
        stage_wait_some(s, span_ms(100));
        world_trouble(s->w, 0, (struct trouble){.start_more = span_s(2)});
        stage_order(s, ORDER_MOVE, 1, 0, SPAN_ZERO);
        stage_run(s, span_ms(20));
        world_cut_pair(s->w, 0, 1, true);
        stage_run(s, span_ms(150));
        world_cut_pair(s->w, 0, 2, true);
        stage_run(s, span_s(3));
        expect(s, world_both_held(s->w, 1).us == 0, "two held group1");
}

/* Group1 is given to node 1, which has the document but no lease to start it by; it is cut off, so the group
 * is taken from it. Then a grant reaches it, and the newer document is lost once. Rule 10. */
static void grant_without_its_document(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        stage_order(s, ORDER_STOP, 1, NODE_NONE, SPAN_ZERO);
        stage_wait_some(s, span_s(1));
        world_delay(s->w, 0, 1, span_ms(450)); /* proof enough, but each lease is over when it comes */
        stage_run(s, span_s(1));
        stage_order(s, ORDER_START, 1, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_ms(1500));
        expect_holder(s, 1, NODE_NONE);
        world_isolate(s->w, 1, true);
        world_delay(s->w, 0, 1, SPAN_ZERO);
        for (uint8_t i = 0; i < 3; i += 2)
                world_disk(s->w, i, span_ms(100), false);
        struct version before = document_of(s, 0);
        for (int i = 0; i < 700 && version_equal(document_of(s, 0), before); i++)
                stage_run(s, span_ms(1));
        stage_cut_way(s, 0, 1, false);
        world_unfit(s->w, 0, 1, true); /* says something to all at once */
        stage_run(s, span_ms(1));
        stage_cut_way(s, 0, 1, true);
        stage_cut_way(s, 1, 0, false);
        world_unfit(s->w, 1, 0, true);
        stage_run(s, span_ms(1));
        stage_cut_way(s, 0, 1, false);
        world_unfit(s->w, 0, 1, false);
        stage_run(s, span_ms(1));
        world_isolate(s->w, 1, true);
        for (uint8_t i = 0; i < 3; i += 2)
                world_disk(s->w, i, SPAN_ZERO, false);
        stage_run(s, span_s(1));
        world_isolate(s->w, 1, false);
        expect_settles(s, span_s(5));
}

/* Rule 10: who still holds what was taken lets go when it reads that, not when that is committed. */
static void taken_and_told_before_it_is_committed(struct stage *s)
{
        int waited = 0;

        taken_but_not_committed(s);
        uint32_t term = promise_of(s, 0)->term;
        for (; waited < 450 && (promise_of(s, 0)->term == term || !promise_of(s, 0)->leading); waited++)
                stage_run(s, span_ms(1));
        world_cut_pair(s->w, 0, 1, false);
        stage_run(s, span_ms(480 - waited));
        world_isolate(s->w, 1, true);
        stage_run(s, span_s(2));
        for (uint8_t i = 0; i < 5; i++)
                world_isolate(s->w, i, false);
        expect_settles(s, span_s(5));
}

/* Rule 1: a candidate's own vote is on disk before it counts. 2 leads by it, its disk stands still, and its
 * next core knows nothing of that term: whoever is elected in it now makes documents that are older than 2's.
 */
static void own_vote_is_forgotten(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        world_cut_pair(s->w, 0, 2, true);
        world_disk(s->w, 2, span_s(20), false);
        stage_run(s, span_ms(200));
        stage_wait_some(s, span_ms(300));
        world_isolate(s->w, 0, true);
        stage_run(s, span_ms(1200));
        world_cut_pair(s->w, 1, 2, true);
        world_disk(s->w, 2, SPAN_ZERO, false);
        world_power_off(s->w, 2); /* with its ledger, which has the term as well */
        world_power_on(s->w, 2);
        world_cut_pair(s->w, 0, 2, false);
        stage_run(s, span_s(2));
        stage_order(s, ORDER_STOP, 1, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_s(1));
        expect_holder(s, 1, NODE_NONE);
        world_isolate(s->w, 0, true);
        world_cut_pair(s->w, 1, 2, false);
        stage_run(s, span_s(3));
        expect_holder(s, 1, NODE_NONE); /* stopped, as was ordered and committed */
}

/* Rule 1: one vote in a term. 1 and 2 do not hear each other, 3 and 4 hear both, and what they answer is so
 * slow that both candidates ask for the same term before either leads. */
static void two_ask_for_one_term(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        world_cut_pair(s->w, 1, 2, true);
        for (uint8_t voter = 3; voter < 5; voter++)
                for (uint8_t candidate = 1; candidate < 3; candidate++)
                        world_delay(s->w, voter, candidate, span_ms(150));
        stage_wait_some(s, span_ms(100));
        world_power_off(s->w, 0);
        stage_run(s, span_s(10));
        for (uint8_t voter = 3; voter < 5; voter++)
                for (uint8_t candidate = 1; candidate < 3; candidate++)
                        world_delay(s->w, voter, candidate, SPAN_ZERO);
        world_cut_pair(s->w, 1, 2, false);
        expect_settles(s, span_s(5));
}

/* Rule 11: what the leader has not on disk is no part of a quorum. */
static void leader_forgets_what_it_decided(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        world_isolate(s->w, 2, true);
        stage_run(s, span_s(1));
        stage_wait_some(s, span_ms(100));
        world_disk(s->w, 0, span_ms(300), false);
        stage_order(s, ORDER_STOP, 1, NODE_NONE, SPAN_ZERO);
        stage_run(s, span_ms(100));
        world_power_off(s->w, 0);
        world_disk(s->w, 0, SPAN_ZERO, false);
        world_isolate(s->w, 1, true);
        world_cut_pair(s->w, 0, 2, false);
        world_power_on(s->w, 0);
        stage_run(s, span_s(3));
        world_isolate(s->w, 1, false);
        stage_run(s, span_s(3));
}

/* Rule 11: the new owner hears nothing of the old one, which goes on. */
static void new_owner_does_not_hear_the_old(struct stage *s)
{
        world_cut_pair(s->w, 1, 2, true);
        stage_wait_some(s, span_ms(100));
        stage_move(s, 1, 2);
        stage_run(s, span_s(3));
        expect_holder(s, 1, 1);
        world_cut_pair(s->w, 1, 2, false);
        stage_run(s, span_s(3));
        expect_holder(s, 1, 2);
}

/* Rule 11: healed after a split, the newer document gives it to one, and the other, put aside in it, is still
 * stopping it. */
static void split_heals_while_one_stops(struct stage *s)
{
        world_refuse_probe(s->w, true);
        stage_wait_some(s, span_ms(100));
        world_isolate(s->w, 0, true);
        stage_run(s, span_ms(1500));
        expect_holder(s, 0, 0); /* the other took it on paper only */
        world_order(s->w, 1, (struct order){.kind = ORDER_STANDBY, .id = 1, .node = 0});
        world_trouble(s->w, 0, (struct trouble){.stop_more = span_s(8)});
        stage_run(s, span_ms(100));
        world_isolate(s->w, 0, false);
        stage_run(s, span_ms(100));
        world_refuse_probe(s->w, false);
        stage_run(s, span_s(6));
        expect_holder(s, 0, 0);
        stage_run(s, span_s(4));
        expect_holder(s, 0, 1);
}

/* Rule 6: 1 elects a leader, 2, loses its state, and the one from before, 0, would take it in for the want of
 * its vote: what it had helped to decide would not be known to any quorum. */
static void readmitted_by_the_leader_from_before(struct stage *s)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        world_cut_pair(s->w, 0, 2, true);
        stage_run(s, span_ms(400));
        stage_wait_some(s, span_ms(100));
        world_cut_pair(s->w, 0, 1, true);
        for (int i = 0; i < 600 && !promise_of(s, 1)->leading && !promise_of(s, 2)->leading; i++)
                stage_run(s, span_ms(1));
        stage_run(s, span_ms(20));
        world_power_off(s->w, 1);
        world_lose_state(s->w, 1);
        world_cut_pair(s->w, 1, 2, true);
        stage_run(s, span_ms(2));
        world_power_on(s->w, 1);
        stage_run(s, span_ms(480));
        world_cut_pair(s->w, 0, 1, false);
        stage_run(s, span_ms(160));
        world_cut_pair(s->w, 0, 1, true);
        world_cut_pair(s->w, 1, 2, false);
        stage_run(s, span_s(2));
        world_isolate(s->w, 0, false);
        expect_settles(s, span_s(8));
}

/* Rule 6: 1 is back with an old copy of its state. 2, whose core is new, knows of 1's boots by the document
 * alone. In the next term 1 has voted for 0 already. `older`: the copy is of an earlier term too, so that 2
 * asks for its vote before it hands over the document. */
static void votes_with_an_old_copy(struct stage *s, bool older)
{
        expect(s, world_leader(s->w) == 0, "node 0 does not lead");
        if (older)
                world_keep_state(s->w, 1);
        world_kill_core(s->w, 0, span_ms(20));
        stage_run(s, span_s(1));
        if (!older)
                world_keep_state(s->w, 1);
        for (int i = 0; i < 3; i++) {
                world_power_off(s->w, 1);
                stage_run(s, span_ms(50));
                world_power_on(s->w, 1);
                stage_run(s, span_s(1));
        }
        world_isolate(s->w, 2, true);
        world_kill_core(s->w, 2, span_ms(20));
        stage_wait_some(s, span_ms(300));
        world_kill_core(s->w, 0, span_ms(20)); /* elected again, by 1 */
        stage_run(s, span_s(1));
        world_power_off(s->w, 1);
        world_restore_state(s->w, 1);
        world_isolate(s->w, 0, true);
        world_cut_pair(s->w, 1, 2, false);
        stage_run(s, span_ms(5));
        world_power_on(s->w, 1);
        stage_run(s, span_s(2));
        expect(s, world_leader(s->w) == NODE_NONE, "elected by an old copy of a state");
        world_isolate(s->w, 0, false);
        stage_run(s, span_s(3));
        expect_settles(s, span_s(5));
}

static void votes_with_an_old_copy_of_this_term(struct stage *s)
{
        votes_with_an_old_copy(s, false);
}

static void votes_with_an_old_copy_of_an_earlier_term(struct stage *s)
{
        votes_with_an_old_copy(s, true);
}

const struct scenario scenarios_documents[] = {
        {"taken-but-not-committed-is-inherited",
         "rule 1: what is found so in the document is waited for too",
         {.nodes = 5},
         taken_but_not_committed_is_inherited},
        {"move-from-the-silent-is-not-committed",
         "rule 11: the old owner is waited for until the majority knows better",
         {.nodes = 3},
         move_from_the_silent_is_not_committed},
        {"grant-without-its-document",
         "rule 10: it may be about a group that was lost",
         {.nodes = 3},
         grant_without_its_document},
        {"taken-and-told-before-it-is-committed",
         "rule 10: the newest document decides who lets go",
         {.nodes = 5},
         taken_and_told_before_it_is_committed},
        {"two-ask-for-one-term", "rule 1: one vote in a term", {.nodes = 5}, two_ask_for_one_term},
        {"own-vote-is-forgotten",
         "rule 1: a candidate's vote is on disk",
         {.nodes = 3},
         own_vote_is_forgotten},
        {"leader-forgets-what-it-decided",
         "rule 11: its own copy counts when it is on disk",
         {.nodes = 3},
         leader_forgets_what_it_decided},
        {"new-owner-does-not-hear-the-old",
         "rule 11: nothing starts without the release",
         {.nodes = 3},
         new_owner_does_not_hear_the_old},
        {"split-heals-while-one-stops",
         "rule 11: who says that it holds it is believed",
         {.nodes = 2},
         split_heals_while_one_stops},
        {"readmitted-by-the-leader-from-before",
         "rule 6: only by one that has its lease without it",
         {.nodes = 3, .groups = 3},
         readmitted_by_the_leader_from_before},
        {"old-copy-of-a-state-votes",
         "rule 6: the document remembers its boots",
         {.nodes = 3},
         votes_with_an_old_copy_of_this_term},
        {"old-copy-of-an-earlier-term-votes",
         "rule 6: and whoever has the document counts no vote of it",
         {.nodes = 3},
         votes_with_an_old_copy_of_an_earlier_term},
        {0},
};
