/* Echo requests in a network namespace of the test's own; root only. */
#include "monitor/ping.h"

#include <errno.h>
#include <linux/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static uv_loop_t loop;
static struct pinger *pinger;
static struct ping_answer got;
static int calls;

static void on_answer(void *user, const struct ping_answer *answer)
{
        got = *answer;
        calls++;
        assert_int_equal(*(int *)user, 42);
}

static int mark = 42;

static struct ip ip(const char *text)
{
        struct ip address;

        assert_int_equal(ip_parse(text, &address), 0);
        return address;
}

/* In a namespace of its own nothing exists but a loopback, on which 127.0.0.0/8 and ::1 answer. */
static int open_stage(void **state)
{
        struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int r = ioctl(fd, SIOCSIFFLAGS, &lo);

        close(fd);
        calls = 0;
        return r != 0 || uv_loop_init(&loop) != 0 || pinger_new(&loop, &pinger) != 0;
}

static int close_stage(void **state)
{
        pinger_free(pinger);
        uv_run(&loop, UV_RUN_DEFAULT);
        return uv_loop_close(&loop);
}

static void echo_replies(const char *how)
{
        FILE *f = fopen("/proc/sys/net/ipv4/icmp_echo_ignore_all", "w");

        assert_non_null(f);
        fputs(how, f);
        fclose(f);
}

static void test_the_one_that_answers_is_named(void **state)
{
        struct ip targets[] = {ip("192.0.2.1"), ip("127.0.0.7"), ip("198.51.100.1")};
        instant before = instant_now();

        assert_int_equal(pinger_ask(pinger, targets, 3, span_s(5), on_answer, &mark), 0);
        assert_int_equal(calls, 0);
        uv_run(&loop, UV_RUN_DEFAULT); /* ends: nothing stays open after the answer */
        assert_int_equal(calls, 1);
        assert_true(got.any);
        assert_int_equal(got.which, 1);
        assert_true(got.rtt.us >= 0 && got.rtt.us < 1000000);
        assert_true(instant_reached(got.sent_at, before));
}

static void test_both_families(void **state)
{
        struct ip six[] = {ip("::1")}, both[] = {ip("192.0.2.1"), ip("::1")};

        assert_int_equal(pinger_ask(pinger, six, 1, span_s(5), on_answer, &mark), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_true(got.any);
        assert_int_equal(pinger_ask(pinger, both, 2, span_s(5), on_answer, &mark), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(calls, 2);
        assert_int_equal(got.which, 1);
}

static void test_all_silent_is_said_at_the_timeout_once(void **state)
{
        struct ip targets[] = {ip("127.0.0.1"), ip("192.0.2.1")};
        instant began = instant_now();

        echo_replies("1");
        assert_int_equal(pinger_ask(pinger, targets, 2, span_ms(150), on_answer, &mark), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        echo_replies("0");
        assert_int_equal(calls, 1);
        assert_false(got.any);
        assert_int_equal(got.which, -1);
        assert_in_range(span_between(began, instant_now()).us, 145000, 1000000);
}

static void on_heal(uv_timer_t *timer)
{
        echo_replies("0");
        uv_close((uv_handle_t *)timer, NULL);
}

static void test_a_lost_first_echo_costs_nothing(void **state)
{
        struct ip target = ip("127.0.0.1");
        instant began = instant_now();
        uv_timer_t heal;

        echo_replies("1");
        uv_timer_init(&loop, &heal);
        uv_timer_start(&heal, on_heal, 50, 0);
        assert_int_equal(pinger_ask(pinger, &target, 1, span_ms(600), on_answer, &mark), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_true(got.any);
        /* it is the second echo that was answered, and only that one proves anything */
        assert_true(span_between(began, got.sent_at).us >= 195000);
}

static void test_questions_do_not_take_each_others_answers(void **state)
{
        struct ip dead = ip("192.0.2.1"), alive = ip("127.0.0.1");
        static int answers[2];

        assert_int_equal(pinger_ask(pinger, &dead, 1, span_ms(100), on_answer, &mark), 0);
        assert_int_equal(pinger_ask(pinger, &alive, 1, span_s(5), on_answer, &mark), 0);
        while (calls < 1)
                uv_run(&loop, UV_RUN_ONCE);
        answers[0] = got.any;
        uv_run(&loop, UV_RUN_DEFAULT);
        answers[1] = got.any;
        assert_int_equal(calls, 2);
        assert_true(answers[0]);
        assert_false(answers[1]);
}

static void test_limits(void **state)
{
        struct ip targets[PING_TARGETS_MAX + 1];

        for (int i = 0; i <= PING_TARGETS_MAX; i++)
                targets[i] = ip("192.0.2.1");
        assert_int_equal(pinger_ask(pinger, targets, 0, span_s(1), on_answer, &mark), -EINVAL);
        assert_int_equal(pinger_ask(pinger, targets, PING_TARGETS_MAX + 1, span_s(1), on_answer, &mark),
                         -EINVAL);
        for (int i = 0; i < PING_ASKS_MAX; i++)
                assert_int_equal(pinger_ask(pinger, targets, 1, span_s(60), on_answer, &mark), 0);
        assert_int_equal(pinger_ask(pinger, targets, 1, span_s(1), on_answer, &mark), -EBUSY);
        /* close_stage() drops them: no call */
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)
        const struct CMUnitTest tests[] = {
                STAGED(test_the_one_that_answers_is_named),
                STAGED(test_both_families),
                STAGED(test_all_silent_is_said_at_the_timeout_once),
                STAGED(test_a_lost_first_echo_costs_nothing),
                STAGED(test_questions_do_not_take_each_others_answers),
                STAGED(test_limits),
        };

        if (unshare(CLONE_NEWNET) == -1) {
                printf("skipped: a network namespace needs root\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
