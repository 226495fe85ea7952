/* What a witness answers (cluster/arbiter.h): a row per rule, played in order on one witness. */
#include "cluster/witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ALPHA 1
#define BETA  2
#define LIFE  77

static const uint8_t document[] = "as it was decided";

static struct witness_question question(enum arbiter_ask ask, uint32_t from, uint32_t term)
{
        static uint32_t seq;

        seq++;
        return (struct witness_question){.from = from,
                                         .incarnation = {.boot = 5, .core = 1},
                                         .seq = seq,
                                         .life = LIFE,
                                         .ask = ask,
                                         .term = term,
                                         .newest = {.term = 9, .n = 9},
                                         .election = span_ms(220),
                                         .dead = span_ms(500)};
}

static const struct row {
        const char *what;
        int64_t at_ms;
        enum arbiter_ask ask;
        uint32_t from, term;
        bool yes, written;
        uint32_t known;
        int64_t age_ms; /* of a vote */
} rows[] = {
        {"right after its start it may have renewed until it ended", 100, ARBITER_PREVOTE, ALPHA, 4, false,
         false, 3},
        {"a pre-vote changes nothing", 300, ARBITER_PREVOTE, ALPHA, 4, true, false, 3},
        {"an old term", 300, ARBITER_VOTE, ALPHA, 2, false, false, 3},
        {"a vote is written down", 300, ARBITER_VOTE, ALPHA, 4, true, true, 4, 300},
        {"another candidate of that term", 310, ARBITER_VOTE, BETA, 4, false, false, 4},
        {"the same one again: its answer was lost", 320, ARBITER_VOTE, ALPHA, 4, true, false, 4, 320},
        {"a renewal", 400, ARBITER_RENEW, ALPHA, 4, true, false, 4},
        {"a leader is near", 500, ARBITER_PREVOTE, BETA, 5, false, false, 4},
        {"but it may be elected again itself", 510, ARBITER_VOTE, ALPHA, 5, true, true, 5, 110},
        {"a leader of before", 520, ARBITER_RENEW, ALPHA, 4, false, false, 5},
        {"silence of the leader", 700, ARBITER_VOTE, BETA, 6, true, true, 6, 300},
        {"a leader elected without us", 800, ARBITER_RENEW, ALPHA, 8, true, true, 8},
        {"whose term is then nobody else's", 1100, ARBITER_VOTE, BETA, 8, false, false, 8},
        {"a look promises nothing", 1200, ARBITER_WATCH, BETA, 1, true, false, 8},
};

static void rules_in_the_order_of_a_life(void **state)
{
        static struct witness w;
        const struct witness_kept kept = {.voter = true, .term = 3};

        witness_init(&w, &kept, LIFE, (instant){1000000});
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct row *r = &rows[i];
                struct witness_question q = question(r->ask, r->from, r->term);
                struct witness_answer a;
                w.dirty = false;
                assert_int_equal(witness_judge(&w, (instant){1000000 + r->at_ms * 1000}, &q, &a),
                                 WITNESS_ANSWERS);
                if (a.yes != r->yes || w.dirty != r->written || a.known != r->known ||
                    (r->age_ms && a.age.us != r->age_ms * 1000))
                        fail_msg("%s: yes %d, written %d, known %u, age %lld", r->what, a.yes, w.dirty,
                                 a.known, (long long)a.age.us);
        }
}

static void a_document_is_kept_handed_over_and_never_replaced_by_an_older_one(void **state)
{
        static struct witness w;
        const struct witness_kept kept = {.voter = true, .term = 3};
        struct witness_question q = question(ARBITER_RENEW, ALPHA, 4);
        struct witness_answer a;

        witness_init(&w, &kept, LIFE, (instant){0});
        q.version = (struct version){.term = 4, .n = 7};
        q.document = document;
        q.document_size = sizeof(document);
        witness_judge(&w, (instant){1000000}, &q, &a);
        assert_true(a.yes && w.dirty && a.stored.n == 7 && a.document == NULL);
        q = question(ARBITER_RENEW, ALPHA, 4);
        q.version = (struct version){.term = 4, .n = 6};
        q.document = (const uint8_t *)"old";
        q.document_size = 3;
        witness_judge(&w, (instant){1000000}, &q, &a);
        assert_int_equal(a.stored.n, 7);
        q = question(ARBITER_VOTE, BETA, 9);
        q.newest = (struct version){.term = 4, .n = 6};
        witness_judge(&w, (instant){9000000}, &q, &a);
        assert_false(a.yes);
        assert_int_equal(a.document_size, sizeof(document));
        assert_memory_equal(a.document, document, sizeof(document));
}

static void copies_replays_and_questions_of_an_earlier_life_are_not_judged(void **state)
{
        static struct witness w;
        const struct witness_kept kept = {.voter = true, .term = 3};
        struct witness_question q = question(ARBITER_VOTE, ALPHA, 4);
        struct witness_answer a;

        witness_init(&w, &kept, LIFE + 1, (instant){0});
        assert_int_equal(witness_judge(&w, (instant){9000000}, &q, &a), WITNESS_ANSWERS);
        assert_true(a.again && !a.yes && !w.dirty && a.life == LIFE + 1);
        assert_int_equal(witness_judge(&w, (instant){9000000}, &q, &a), WITNESS_OLD);
        q = question(ARBITER_VOTE, ALPHA, 4);
        q.life = LIFE + 1;
        q.incarnation.core = 2;
        assert_int_equal(witness_judge(&w, (instant){9000000}, &q, &a), WITNESS_ANSWERS);
        assert_true(a.yes);
        q.incarnation.core = 1;
        q.seq += 100;
        assert_int_equal(witness_judge(&w, (instant){9000000}, &q, &a), WITNESS_OLD);
}

/* Rule 6. */
static void without_its_state_it_is_silent_for_dead_and_then_readmitted(void **state)
{
        static struct witness w;
        static const struct {
                int64_t at_us;
                uint64_t life;
                bool again, lost;
        } asked[] = {
                {1000000 + 505000, LIFE, false, true},
                {1000000 + 511000, LIFE, true, true}, /* it may have been on its way since before */
                {1000000 + 512000, LIFE + 1, false, false},
        };
        const struct witness_kept nothing = {0};
        struct witness_question q = question(ARBITER_VOTE, ALPHA, 4);
        struct witness_answer a;

        witness_init(&w, &nothing, LIFE, (instant){1000000});
        witness_judge(&w, (instant){1100000}, &q, &a);
        assert_true(a.lost && !a.yes);
        for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
                q = question(ARBITER_WATCH, ALPHA, 4);
                q.life = asked[i].life;
                q.without = true;
                q.version = (struct version){.term = 4, .n = 7};
                q.document = document;
                q.document_size = sizeof(document);
                witness_judge(&w, (instant){asked[i].at_us}, &q, &a);
                assert_int_equal(a.lost, asked[i].lost);
                assert_int_equal(a.again, asked[i].again);
        }
        assert_true(w.dirty && w.kept.term == 4 && w.kept.vote == ALPHA && a.stored.n == 7);
        q = question(ARBITER_VOTE, BETA, 4);
        q.life = LIFE + 1;
        witness_judge(&w, (instant){9000000}, &q, &a);
        assert_false(a.yes || a.again);
}

/* Rule 6: it only ever grows, so less than what it has told is an older copy. */
static void a_copy_of_an_older_day_is_no_state(void **state)
{
        static const struct {
                const char *what;
                struct arbiter_memory told;
                bool older;
        } cases[] = {
                {"nothing yet", {0}, false},
                {"just that", {.term = 5, .version = {.term = 4, .n = 7}}, false},
                {"a term later", {.term = 6, .version = {.term = 4, .n = 7}}, true},
                {"a document newer", {.term = 5, .version = {.term = 4, .n = 8}}, true},
        };
        static struct witness w;
        struct witness_kept kept = {.voter = true, .term = 5, .version = {.term = 4, .n = 7}};

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct witness_question q = question(ARBITER_RENEW, ALPHA, 6);
                struct witness_answer a;
                witness_init(&w, &kept, LIFE, (instant){1000000});
                q.told = cases[i].told;
                q.without = true; /* it is not readmitted by the question that showed it */
                q.version = (struct version){.term = 6, .n = 1};
                q.document = document;
                q.document_size = sizeof(document);
                witness_judge(&w, (instant){9000000}, &q, &a);
                if (a.lost != cases[i].older || a.older != cases[i].older || a.yes == cases[i].older)
                        fail_msg("%s: lost %d, older %d, yes %d", cases[i].what, a.lost, a.older, a.yes);
                assert_true(w.dirty && w.kept.voter != cases[i].older);
        }
        /* it waits from then on, as one that has just started without its state */
        static const struct {
                int64_t at_ms;
                uint64_t life;
                bool again, lost;
        } later[] = {{505, LIFE, false, true}, {511, LIFE, true, true}, {512, LIFE + 1, false, false}};
        for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
                struct witness_question q = question(ARBITER_WATCH, BETA, 6);
                struct witness_answer a;
                q.life = later[i].life;
                q.without = true;
                q.version = (struct version){.term = 6, .n = 1};
                q.document = document;
                q.document_size = sizeof(document);
                witness_judge(&w, (instant){9000000 + later[i].at_ms * 1000}, &q, &a);
                assert_true(a.again == later[i].again && a.lost == later[i].lost && a.older == later[i].lost);
        }
        assert_true(w.kept.voter && w.kept.term == 6);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rules_in_the_order_of_a_life),
                cmocka_unit_test(a_document_is_kept_handed_over_and_never_replaced_by_an_older_one),
                cmocka_unit_test(copies_replays_and_questions_of_an_earlier_life_are_not_judged),
                cmocka_unit_test(without_its_state_it_is_silent_for_dead_and_then_readmitted),
                cmocka_unit_test(a_copy_of_an_older_day_is_no_state),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
