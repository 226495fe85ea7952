/* Every duration of the safety argument, against the inequalities of docs/safety.md. */
#include "cluster/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct row {
        const char *what;
        int64_t heartbeat_ms, dead_ms;
        bool holds;
} rows[] = {
        {"the default", 100, 500, true},
        {"profile fast", 20, 100, true},
        {"profile wan", 500, 5000, true},
        {"slow and steady", 1000, 30000, true},
        {"fast and patient", 10, 1000, true},
        {"four heartbeats", 100, 400, true},
        {"three heartbeats, the least that the configuration takes", 100, 300, true},
        {"two heartbeats", 100, 200, false},
        {"one heartbeat", 100, 100, false},
        {"dead before the first heartbeat", 500, 100, false},
        {"no heartbeat", 0, 500, false},
};

static void what_the_user_may_ask_for(void **state)
{
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct timing t = timing_derive(span_ms(rows[i].heartbeat_ms), span_ms(rows[i].dead_ms));
                if (timing_check(&t) != rows[i].holds)
                        fail_msg("%s: %s", rows[i].what, rows[i].holds ? "refused" : "accepted");
        }
}

/* In whole numbers of microseconds: a lease counted by the slowest clock, and the letting go after it, end
 * before dead as counted by the fastest. */
static void a_lease_ends_before_anybody_calls_its_holder_dead(void **state)
{
        for (int64_t dead = 50; dead <= 60000; dead += dead / 7) {
                struct timing t = timing_derive(span_us(dead * 1000 / 5), span_ms(dead));
                double slowest = (double)t.lease.us / 0.99, fastest = (double)t.dead.us / 1.01;

                assert_true(timing_check(&t));
                assert_true(slowest + (double)t.margin.us <= fastest);
                /* and what waits for that waits long enough by the fastest clock */
                assert_true((double)t.wait.us / 1.01 >= slowest + (double)t.margin.us);
        }
}

static void the_default_is_what_is_documented(void **state)
{
        struct timing t = timing_derive(span_ms(100), span_ms(500));

        assert_int_equal(t.election.us, 220000);
        assert_int_equal(t.margin.us, 50000);
        assert_in_range(t.lease.us, 439000, 441000);
        /* the arbiter, asked at that silence, answers within a heartbeat and the lease goes on */
        assert_true(t.arbiter_after.us + t.heartbeat.us <= t.lease.us);
        t = timing_derive(span_ms(20), span_ms(100));
        assert_in_range(t.lease.us, 87000, 89000);
}

/* L_disk / (1 - rho) + M <= D_disk / (1 + rho), and no shorter than the nodes'. */
static void a_slower_arbiter_has_a_lease_of_its_own(void **state)
{
        struct timing t = timing_derive(span_ms(100), span_ms(500));

        assert_int_equal(timing_arbiter_lease(&t, SPAN_ZERO).us, t.lease.us);
        assert_int_equal(timing_arbiter_lease(&t, t.dead).us, t.lease.us);
        for (int64_t dead = 501; dead < 60000; dead += 137) {
                int64_t lease = timing_arbiter_lease(&t, span_ms(dead)).us;
                assert_true(lease * 100 / 99 + t.margin.us <= dead * 1000 * 100 / 101);
                assert_true(lease >= t.lease.us && lease > dead * 970 - 51000);
        }
}

/* Each inequality refuses by itself. */
static void what_breaks_one_of_them_is_refused(void **state)
{
        struct timing good = timing_derive(span_ms(100), span_ms(500)), t;

        t = good;
        t.lease = t.dead;
        assert_false(timing_check(&t));
        t = good;
        t.lease = span_us(t.lease.us + 2);
        assert_false(timing_check(&t));
        t = good;
        t.margin = span_us(t.margin.us + 2);
        assert_false(timing_check(&t));
        t = good;
        t.election = t.lease;
        assert_false(timing_check(&t));
        t = good;
        t.arbiter_after = t.lease;
        assert_false(timing_check(&t));
        t = good;
        t.lease = span_us(2 * t.heartbeat.us - 1);
        assert_false(timing_check(&t));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_the_user_may_ask_for),
                cmocka_unit_test(a_lease_ends_before_anybody_calls_its_holder_dead),
                cmocka_unit_test(the_default_is_what_is_documented),
                cmocka_unit_test(a_slower_arbiter_has_a_lease_of_its_own),
                cmocka_unit_test(what_breaks_one_of_them_is_refused),
        };

        return cmocka_run_group_tests_name("timing", tests, NULL, NULL);
}
