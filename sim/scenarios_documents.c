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

const struct scenario scenarios_documents[] = {
        {"taken-but-not-committed-is-inherited",
         "rule 1: what is found so in the document is waited for too",
         {.nodes = 5},
         taken_but_not_committed_is_inherited},
        {"grant-without-its-document",
         "rule 10: it may be about a group that was lost",
         {.nodes = 3},
         grant_without_its_document},
        {0},
};
