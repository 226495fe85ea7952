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

static struct bench new_bench(void)
{
        return (struct bench){.f = {.dead = span_ms(500), .head_start = span_s(5)}};
}

static bool ask_of(struct bench *b, enum arbiter_ask what, struct cluster_sight other, instant now)
{
        const struct arbiter_question q = {.ask = what, .term = 7, .newest = {.term = 6, .n = 3}};

        return arbiter_fence_ask(&b->f, &q, &other, now, &b->a, &b->text);
}

/* The other was heard by this core, which has listened ever since. */
static struct cluster_sight seen(instant heard)
{
        return (struct cluster_sight){.met = true, .heard = heard, .silent_from = heard};
}

static bool ask(struct bench *b, enum arbiter_ask what, instant heard, instant now)
{
        return ask_of(b, what, seen(heard), now);
}

static instant at(int64_t ms)
{
        return instant_add(begin, span_ms(ms));
}

static void a_leader_shoots_once_the_other_is_silent_for_dead(void **state)
{
        struct bench b = new_bench();

        assert_false(ask(&b, ARBITER_RENEW, begin, at(499)));
        assert_false(b.a.yes);
        assert_true(ask(&b, ARBITER_RENEW, begin, at(501)));
        assert_false(b.a.yes);
        assert_false(ask(&b, ARBITER_RENEW, begin, at(600)));
        arbiter_fence_ended(&b.f, true, at(900), at(1000));
        assert_false(ask(&b, ARBITER_VOTE, begin, at(1100)));
        assert_true(b.a.yes);
        assert_int_equal(b.a.term, 7);
        assert_int_equal(b.a.age.us, span_ms(200).us); /* from when the query left */
        assert_true(version_equal(b.a.stored, (struct version){.term = 6, .n = 3}));
}

static void a_follower_leaves_the_leader_a_head_start(void **state)
{
        struct bench b = new_bench();

        assert_false(ask(&b, ARBITER_PREVOTE, begin, at(600)));
        assert_false(ask(&b, ARBITER_PREVOTE, begin, at(5500)));
        assert_true(ask(&b, ARBITER_PREVOTE, begin, at(5700)));
}

static void who_is_heard_again_is_not_off_any_more(void **state)
{
        struct bench b = new_bench();

        (void)ask(&b, ARBITER_RENEW, begin, at(600));
        arbiter_fence_ended(&b.f, true, at(900), at(1000));
        (void)ask(&b, ARBITER_RENEW, at(5000), at(5100));
        assert_false(b.a.yes);
        /* nor when it falls silent again: it must be switched off again */
        assert_true(ask(&b, ARBITER_RENEW, at(5000), at(5600)));
        assert_false(b.a.yes);
}

static void one_that_was_never_heard_is_left_alone(void **state)
{
        const struct cluster_sight never = {.silent_from = begin};
        struct bench b = new_bench();

        assert_false(ask_of(&b, ARBITER_PREVOTE, never, at(60000)));
        assert_false(ask_of(&b, ARBITER_RENEW, never, at(90000)));
        assert_non_null(strstr(b.text, "haven confirm-off"));
        arbiter_fence_confirmed(&b.f, &never, at(91000));
        (void)ask_of(&b, ARBITER_PREVOTE, never, at(91001));
        assert_true(b.a.yes);
}

/* The core before it heard the other, so it may power it off; but not for a silence in which nobody listened.
 */
static void a_new_core_listens_for_dead_itself(void **state)
{
        const struct cluster_sight before = {.met = true, .silent_from = begin};
        struct bench b = new_bench();

        b.f.head_start = SPAN_ZERO;
        for (int64_t ms = 0; ms < 500; ms += 50)
                assert_false(ask_of(&b, ms % 100 ? ARBITER_RENEW : ARBITER_VOTE, before, at(ms)));
        assert_false(b.a.yes);
        assert_true(ask_of(&b, ARBITER_RENEW, before, at(500)));
}

/* Heard long ago, but this node stood still since. */
static void a_node_that_stood_still_listens_for_dead_anew(void **state)
{
        const struct cluster_sight other = {.met = true, .heard = begin, .silent_from = at(9900)};
        struct bench b = new_bench();

        assert_false(ask_of(&b, ARBITER_RENEW, other, at(10000)));
        assert_true(ask_of(&b, ARBITER_RENEW, other, at(10400)));
}

static void a_person_cannot_say_off_of_who_is_heard(void **state)
{
        const struct cluster_sight other = seen(at(100));
        struct bench b = new_bench();

        arbiter_fence_confirmed(&b.f, &other, at(300));
        (void)ask(&b, ARBITER_VOTE, at(100), at(301));
        assert_false(b.a.yes);
}

static void who_left_or_has_no_state_need_not_be_off(void **state)
{
        struct bench b = new_bench();

        struct cluster_sight other = seen(begin);

        other.voteless = true;
        assert_false(ask_of(&b, ARBITER_RENEW, other, at(60000)));
        assert_true(b.a.yes);
        assert_int_equal(b.a.age.us, 0);
}

static void what_fails_is_tried_three_times(void **state)
{
        struct bench b = new_bench();
        int tries = 0;

        for (int64_t ms = 600; ms < 300000; ms += 100)
                if (ask(&b, ARBITER_RENEW, begin, at(ms))) {
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
                cmocka_unit_test(a_new_core_listens_for_dead_itself),
                cmocka_unit_test(a_node_that_stood_still_listens_for_dead_anew),
                cmocka_unit_test(a_person_cannot_say_off_of_who_is_heard),
                cmocka_unit_test(who_left_or_has_no_state_need_not_be_off),
                cmocka_unit_test(what_fails_is_tried_three_times),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
