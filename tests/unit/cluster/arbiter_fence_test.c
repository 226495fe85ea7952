/* The fence arbiter of a pair: when it says yes, and when it has the other powered off. */
#include "cluster/arbiter_fence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const instant begin = {100000000};

struct bench {
        struct arbiter_fence f;
        struct arbiter_answer a;
        const char *text;
};

static struct bench bench_of(bool unheard)
{
        return (struct bench){.f = {.dead = span_ms(500), .head_start = span_s(5), .unheard = unheard}};
}

static bool ask(struct bench *b, enum arbiter_ask what, instant heard, bool voteless, instant now)
{
        const struct arbiter_question q = {.ask = what, .term = 7, .newest = {.term = 6, .n = 3}};

        return arbiter_fence_ask(&b->f, &q, heard, voteless, now, &b->a, &b->text);
}

static instant at(int64_t ms)
{
        return instant_add(begin, span_ms(ms));
}

static void a_leader_shoots_once_the_other_is_silent_for_dead(void **state)
{
        struct bench b = bench_of(false);

        assert_false(ask(&b, ARBITER_RENEW, begin, false, at(499)));
        assert_false(b.a.yes);
        assert_true(ask(&b, ARBITER_RENEW, begin, false, at(501)));
        assert_false(b.a.yes);
        assert_false(ask(&b, ARBITER_RENEW, begin, false, at(600)));
        arbiter_fence_ended(&b.f, true, at(900), at(1000));
        assert_false(ask(&b, ARBITER_VOTE, begin, false, at(1100)));
        assert_true(b.a.yes);
        assert_int_equal(b.a.term, 7);
        assert_int_equal(b.a.age.us, span_ms(200).us); /* from when the query left */
        assert_true(version_equal(b.a.stored, (struct version){.term = 6, .n = 3}));
}

static void a_follower_leaves_the_leader_a_head_start(void **state)
{
        struct bench b = bench_of(false);

        assert_false(ask(&b, ARBITER_PREVOTE, begin, false, at(600)));
        assert_false(ask(&b, ARBITER_PREVOTE, begin, false, at(5500)));
        assert_true(ask(&b, ARBITER_PREVOTE, begin, false, at(5700)));
}

static void who_is_heard_again_is_not_off_any_more(void **state)
{
        struct bench b = bench_of(false);

        (void)ask(&b, ARBITER_RENEW, begin, false, at(600));
        arbiter_fence_ended(&b.f, true, at(900), at(1000));
        (void)ask(&b, ARBITER_RENEW, at(5000), false, at(5100));
        assert_false(b.a.yes);
        /* nor when it falls silent again: it must be switched off again */
        assert_true(ask(&b, ARBITER_RENEW, at(5000), false, at(5600)));
        assert_false(b.a.yes);
}

static void one_that_was_never_heard_is_left_alone(void **state)
{
        struct bench first = bench_of(false), later = bench_of(true);

        assert_false(ask(&first, ARBITER_PREVOTE, INSTANT_LONG_AGO, false, at(60000)));
        assert_non_null(strstr(first.text, "haven confirm-off"));
        arbiter_fence_confirmed(&first.f, INSTANT_LONG_AGO, at(61000));
        (void)ask(&first, ARBITER_PREVOTE, INSTANT_LONG_AGO, false, at(61001));
        assert_true(first.a.yes);
        /* a core that goes on from another may have heard it */
        (void)ask(&later, ARBITER_RENEW, INSTANT_LONG_AGO, false, at(0));
        assert_true(ask(&later, ARBITER_RENEW, INSTANT_LONG_AGO, false, at(1)) || later.f.running);
}

static void a_person_cannot_say_off_of_who_is_heard(void **state)
{
        struct bench b = bench_of(false);

        arbiter_fence_confirmed(&b.f, at(100), at(300));
        (void)ask(&b, ARBITER_VOTE, at(100), false, at(301));
        assert_false(b.a.yes);
}

static void who_left_or_has_no_state_need_not_be_off(void **state)
{
        struct bench b = bench_of(false);

        assert_false(ask(&b, ARBITER_RENEW, begin, true, at(60000)));
        assert_true(b.a.yes);
        assert_int_equal(b.a.age.us, 0);
}

static void what_fails_is_tried_three_times(void **state)
{
        struct bench b = bench_of(false);
        int tries = 0;

        for (int64_t ms = 600; ms < 300000; ms += 100)
                if (ask(&b, ARBITER_RENEW, begin, false, at(ms))) {
                        tries++;
                        arbiter_fence_ended(&b.f, false, at(ms), at(ms + 50));
                }
        assert_int_equal(tries, 3);
        assert_non_null(strstr(b.text, "could not be powered off"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_leader_shoots_once_the_other_is_silent_for_dead),
                cmocka_unit_test(a_follower_leaves_the_leader_a_head_start),
                cmocka_unit_test(who_is_heard_again_is_not_off_any_more),
                cmocka_unit_test(one_that_was_never_heard_is_left_alone),
                cmocka_unit_test(a_person_cannot_say_off_of_who_is_heard),
                cmocka_unit_test(who_left_or_has_no_state_need_not_be_off),
                cmocka_unit_test(what_fails_is_tried_three_times),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
