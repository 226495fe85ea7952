/* A farm of servers: verdicts and drains in, the wanted table out. */
#include "director/farm.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SERVERS 3

static struct plan_server servers[SERVERS];
static size_t checks[SERVERS];
static struct plan_service service;
static struct plan plan;
static struct farm *farm;

static struct ip ip(const char *text)
{
        struct ip ip;

        assert_int_equal(ip_parse(text, &ip), 0);
        return ip;
}

/* One service, three servers of weight 4, a check for each. */
static int begin(void **state)
{
        memset(servers, 0, sizeof(servers));
        service = (struct plan_service){
                .service = {.key = {.family = AF_INET, .protocol = IPPROTO_TCP, .port = 80},
                            .scheduler = "wrr"},
                .server_count = SERVERS,
                .server = servers,
                .quorum = 1,
                .quorum_down = 1,
        };
        service.service.key.ip = ip("10.0.0.111");
        for (size_t i = 0; i < SERVERS; i++) {
                char address[20];
                snprintf(address, sizeof(address), "10.0.0.%zu", i + 1);
                checks[i] = i;
                servers[i] = (struct plan_server){
                        .real = {.port = 80, .weight = 4}, .check_count = 1, .check = &checks[i]};
                servers[i].real.ip = ip(address);
        }
        service.fallback = (struct real_server){.ip = ip("127.0.0.1"), .port = 80, .weight = 1};
        plan = (struct plan){.service_count = 1, .service = &service, .check_count = SERVERS};
        return 0;
}

static int end(void **state)
{
        farm_free(farm);
        farm = NULL;
        return 0;
}

static instant at(int64_t seconds)
{
        return (instant){seconds * 1000000};
}

/* "1:4 2:0" is 10.0.0.1 with weight 4 and 10.0.0.2 with none; 127 is the fallback. */
static void assert_table(instant now, const char *wanted)
{
        struct virtual_service s;
        char text[100] = "";
        size_t n = 0;

        assert_int_equal(farm_service(farm, 0, now, &s), 0);
        for (size_t i = 0; i < s.count; i++) {
                const uint8_t *b = s.server[i].ip.bytes;
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u:%u", n ? " " : "",
                                      (unsigned)(b[0] == 127 ? 127 : b[3]), s.server[i].weight);
        }
        assert_string_equal(text, wanted);
        free(s.server);
}

static void all(enum verdict_state verdict, instant now)
{
        for (size_t i = 0; i < SERVERS; i++)
                farm_hear(farm, i, verdict, now);
}

static void test_who_was_not_looked_at_is_used(void **state)
{
        farm = farm_new(&plan);
        assert_table(at(1), "1:4 2:4 3:4");
        assert_int_equal(farm_server(farm, 0, 0), SERVER_UNKNOWN);
        assert_int_equal(farm_next_changed(farm), SIZE_MAX);
        farm_hear(farm, 0, VERDICT_UP, at(2));
        assert_int_equal(farm_server(farm, 0, 0), SERVER_UP);
        assert_table(at(2), "1:4 2:4 3:4");
}

static void test_who_is_down_goes_and_comes_back(void **state)
{
        farm = farm_new(&plan);
        assert_true(farm_hear(farm, 1, VERDICT_DOWN, at(1)));
        assert_false(farm_hear(farm, 1, VERDICT_DOWN, at(2)));
        assert_int_equal(farm_next_changed(farm), 0);
        assert_int_equal(farm_next_changed(farm), SIZE_MAX);
        assert_table(at(2), "1:4 3:4");
        assert_false(farm_hear(farm, 1, VERDICT_UNKNOWN, at(3))); /* a checker that died heals nobody */
        assert_table(at(3), "1:4 3:4");
        farm_hear(farm, 1, VERDICT_UP, at(4));
        assert_table(at(4), "1:4 2:4 3:4");
}

static void test_quiescent_servers_stay_with_no_weight(void **state)
{
        service.failed = FAILED_QUIESCE;
        farm = farm_new(&plan);
        farm_hear(farm, 1, VERDICT_DOWN, at(1));
        assert_table(at(2), "1:4 2:0 3:4");
}

static void test_the_fallback_serves_when_nobody_works(void **state)
{
        service.has_fallback = true;
        farm = farm_new(&plan);
        farm_hear(farm, 0, VERDICT_DOWN, at(1));
        farm_hear(farm, 1, VERDICT_DOWN, at(1));
        assert_table(at(2), "3:4");
        farm_hear(farm, 2, VERDICT_DOWN, at(2));
        assert_false(farm_service_up(farm, 0));
        assert_table(at(2), "127:1");
        farm_hear(farm, 0, VERDICT_UP, at(3));
        assert_table(at(3), "1:4");
}

static void test_quorum_has_hysteresis(void **state)
{
        service.has_fallback = true;
        service.quorum = 3;
        service.quorum_down = 2;
        farm = farm_new(&plan);
        farm_hear(farm, 0, VERDICT_DOWN, at(1));
        assert_true(farm_service_up(farm, 0));
        farm_hear(farm, 1, VERDICT_DOWN, at(1));
        assert_false(farm_service_up(farm, 0));
        assert_table(at(1), "3:0 127:1"); /* the one left ends what it has begun */
        farm_hear(farm, 0, VERDICT_UP, at(2));
        assert_false(farm_service_up(farm, 0));
        farm_hear(farm, 1, VERDICT_UP, at(2));
        assert_true(farm_service_up(farm, 0));
        assert_table(at(2), "1:4 2:4 3:4");
}

static void test_without_a_fallback_whoever_is_left_serves(void **state)
{
        service.quorum = service.quorum_down = 3;
        farm = farm_new(&plan);
        farm_hear(farm, 0, VERDICT_DOWN, at(1));
        assert_false(farm_service_up(farm, 0));
        assert_table(at(1), "2:4 3:4");
}

static void test_a_server_that_comes_back_starts_slowly(void **state)
{
        service.slow_start = span_s(40);
        farm = farm_new(&plan);
        all(VERDICT_UP, at(1));
        assert_table(at(1), "1:4 2:4 3:4"); /* it has been at work all along */
        farm_hear(farm, 0, VERDICT_DOWN, at(2));
        farm_hear(farm, 0, VERDICT_UP, at(100));
        assert_int_equal(farm_server(farm, 0, 0), SERVER_SLOW_START);
        assert_table(at(100), "1:1 2:4 3:4");
        assert_int_equal(farm_due(farm, at(100)).us, at(110).us);
        assert_table(at(120), "1:2 2:4 3:4");
        farm_tick(farm, at(130));
        assert_table(at(130), "1:3 2:4 3:4");
        farm_tick(farm, at(140));
        assert_int_equal(farm_server(farm, 0, 0), SERVER_UP);
        assert_table(at(140), "1:4 2:4 3:4");
        assert_int_equal(farm_due(farm, at(140)).us, INSTANT_NEVER.us);
}

static void test_a_drained_server_gets_nothing_new_until_it_is_undrained(void **state)
{
        struct ip second = ip("10.0.0.2");

        service.has_fallback = true;
        farm = farm_new(&plan);
        assert_int_equal(farm_drain(farm, &second, 81, true), 0);
        assert_int_equal(farm_drain(farm, &second, 0, true), 1);
        assert_int_equal(farm_next_changed(farm), 0);
        assert_int_equal(farm_server(farm, 0, 1), SERVER_DRAINED);
        assert_table(at(1), "1:4 2:0 3:4");
        farm_hear(farm, 1, VERDICT_UP, at(2));
        assert_table(at(2), "1:4 2:0 3:4");
        farm_hear(farm, 0, VERDICT_DOWN, at(3));
        farm_hear(farm, 2, VERDICT_DOWN, at(3));
        assert_table(at(3), "2:0 127:1");
        farm_drain(farm, &second, 80, false);
        assert_table(at(4), "2:4");
}

static void test_a_server_of_many_services_is_drained_in_each_of_them(void **state)
{
        static const size_t changed[] = {0, 14, 28, 7, 21, 35};
        enum { MANY = 40 };
        struct plan_service many[MANY] = {0};
        struct plan_server one[MANY] = {0};
        struct ip shared = ip("10.0.0.9");
        struct plan large = {.service_count = MANY, .service = many};
        size_t next;

        for (size_t i = 0; i < MANY; i++) {
                many[i] = (struct plan_service){.server_count = 1, .server = &one[i], .quorum = 1};
                one[i].real = (struct real_server){
                        .ip = i % 7 ? ip("10.0.0.8") : shared, .port = i % 2 ? 81 : 80, .weight = 4};
        }
        farm = farm_new(&large);
        assert_int_equal(farm_drain(farm, &shared, 0, true), 6);
        assert_int_equal(farm_drain(farm, &shared, 81, false), 3); /* those of odd numbers */
        for (size_t i = 0; i < MANY; i++)
                assert_int_equal(farm_server(farm, i, 0) == SERVER_DRAINED, i % 14 == 0);
        for (size_t n = 0; n < sizeof(changed) / sizeof(changed[0]); n++)
                assert_int_equal(farm_next_changed(farm), changed[n]); /* each once */
        assert_int_equal(farm_next_changed(farm), SIZE_MAX);
        for (size_t round = 0; round < 3; round++) {
                assert_int_equal(farm_drain(farm, &shared, 80, round % 2), 3);
                for (size_t n = 0; (next = farm_next_changed(farm)) != SIZE_MAX; n++)
                        assert_int_equal(next, n * 14);
        }
        farm_free(farm);
        farm = NULL;
}

static void test_one_check_of_several_is_enough_to_be_down(void **state)
{
        size_t both[] = {0, 1};

        servers[0].check = both;
        servers[0].check_count = 2;
        farm = farm_new(&plan);
        all(VERDICT_UP, at(1));
        farm_hear(farm, 1, VERDICT_DOWN, at(2)); /* the second server's check, which the first names too */
        assert_table(at(2), "3:4");
        farm_hear(farm, 1, VERDICT_UP, at(3));
        assert_table(at(3), "1:4 2:4 3:4");
}

static void test_who_is_always_on_and_who_never(void **state)
{
        servers[0].use = USE_ALWAYS;
        servers[1].use = USE_NEVER;
        servers[2].check_count = 0;
        farm = farm_new(&plan);
        all(VERDICT_DOWN, at(1));
        assert_table(at(1), "1:4 3:4");
        assert_int_equal(farm_server(farm, 0, 1), SERVER_OFF);
        assert_int_equal(farm_working(farm, 0), 2);
}

/* ldirectord's files have their servers proven before they are used; a table that is taken over has proven
 * ones. */
static void test_who_stands_in_the_table_already_is_used_until_a_check_says_otherwise(void **state)
{
        struct table found = {0};
        const struct virtual_service *twin;

        for (size_t i = 0; i < SERVERS; i++)
                servers[i].use = USE_PROVEN;
        service.has_fallback = true;
        farm = farm_new(&plan);
        assert_table(at(0), "127:1");
        struct virtual_service *s = table_add(&found, &service.service);
        assert_non_null(s);
        for (size_t i = 0; i < SERVERS; i++) {
                struct real_server r = servers[i].real;
                r.weight = i == 2 ? 0 : 9; /* the third one is quiescent */
                assert_int_equal(service_add(s, &r), 0);
        }
        assert_true(table_sort(&found, &twin));
        farm_hear(farm, 0, VERDICT_DOWN, at(0)); /* known to be down */
        farm_find(farm, &found);
        assert_table(at(0), "2:4");
        assert_int_equal(farm_server(farm, 0, 1), SERVER_UNKNOWN);
        farm_hear(farm, 1, VERDICT_DOWN, at(1));
        farm_find(farm, &found); /* its removal is not in the table yet */
        assert_table(at(1), "127:1");
        farm_hear(farm, 2, VERDICT_UP, at(2));
        assert_table(at(2), "3:4");
        table_free(&found);
}

static void test_a_check_s_answer_is_the_weight_and_no_failure(void **state)
{
        farm = farm_new(&plan);
        assert_non_null(farm);
        assert_true(farm_weigh(farm, 1, 50));
        assert_int_equal(farm_next_changed(farm), 0);
        assert_false(farm_weigh(farm, 1, 50));
        assert_int_equal(farm_next_changed(farm), SIZE_MAX);
        assert_table(at(0), "1:4 2:2 3:4");
        farm_weigh(farm, 1, 1);
        farm_weigh(farm, 2, 0);
        assert_table(at(0), "1:4 2:1 3:0");
        assert_int_equal(farm_working(farm, 0), 3);
        farm_hear(farm, 1, VERDICT_DOWN, at(1));
        farm_weigh(farm, 2, 100);
        assert_table(at(1), "1:4 3:4");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_who_was_not_looked_at_is_used),
                TEST(test_who_is_down_goes_and_comes_back),
                TEST(test_quiescent_servers_stay_with_no_weight),
                TEST(test_the_fallback_serves_when_nobody_works),
                TEST(test_quorum_has_hysteresis),
                TEST(test_without_a_fallback_whoever_is_left_serves),
                TEST(test_a_server_that_comes_back_starts_slowly),
                TEST(test_a_drained_server_gets_nothing_new_until_it_is_undrained),
                TEST(test_a_server_of_many_services_is_drained_in_each_of_them),
                TEST(test_one_check_of_several_is_enough_to_be_down),
                TEST(test_who_is_always_on_and_who_never),
                TEST(test_who_stands_in_the_table_already_is_used_until_a_check_says_otherwise),
                TEST(test_a_check_s_answer_is_the_weight_and_no_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
