/* What a row of findings makes of a check: '+' worked, '-' broken, '?' could not look. After each the state:
 * 'u' unknown, 'U' up, 'D' down. */
#include "monitor/packet.h"
#include "monitor/table.h"
#include "monitor/verdict.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
        const char *rule;
        int rise, fall;
        const char *findings;
        const char *states;
} rows[] = {
        {"new is unknown until rise successes in a row", 2, 3, "++", "uU"},
        {"new is unknown until fall failures in a row", 2, 3, "---", "uuD"},
        {"mixed beginnings stay unknown", 2, 3, "+-+-+--", "uuuuuuu"},
        {"up survives fewer failures than fall", 2, 3, "++--+--+", "uUUUUUUU"},
        {"up falls at the third in a row", 2, 3, "++---", "uUUUD"},
        {"down needs rise in a row", 2, 3, "---+-++", "uuDDDDU"},
        {"one is enough where one is asked", 1, 1, "+-+-", "UDUD"},
        {"not looking changes nothing at first", 2, 3, "++??", "uUUU"},
        {"not looking for long is unknown", 2, 3, "++???", "uUUUu"},
        {"after blindness the row begins anew", 2, 3, "++???+", "uUUUuu"},
        {"after blindness it rises again", 2, 3, "++???++", "uUUUuuU"},
        {"a look between keeps the row of failures", 2, 3, "++--?-", "uUUUUD"},
        {"down by blindness is unknown, never up", 2, 2, "--??", "uDDu"},
        {"blind from the start stays unknown", 1, 1, "???", "uuu"},
};

static void test_rows(void **state)
{
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct verdict v = verdict_new((instant){1000});
                char got[32] = "";

                for (size_t n = 0; rows[i].findings[n] != '\0'; n++) {
                        char c = rows[i].findings[n];
                        enum finding f = c == '+' ? FINDING_WORKS : c == '-' ? FINDING_BROKEN : FINDING_NONE;
                        enum verdict_state before = v.state;
                        instant now = {2000 + (int64_t)n};
                        bool changed = verdict_step(&v, rows[i].rise, rows[i].fall, f, now);

                        assert_int_equal(changed, v.state != before);
                        if (changed)
                                assert_int_equal(v.since.us, now.us);
                        got[n] = "uUD"[v.state];
                }
                if (strcmp(got, rows[i].states) != 0)
                        fail_msg("%s: %s gives %s, wanted %s", rows[i].rule, rows[i].findings, got,
                                 rows[i].states);
        }
}

static void test_longest_run(void **state)
{
        struct verdict v = verdict_new((instant){0});

        for (int i = 0; i < 63; i++)
                assert_false(verdict_step(&v, 64, 64, FINDING_BROKEN, (instant){i}));
        assert_true(verdict_step(&v, 64, 64, FINDING_BROKEN, (instant){63}));
        assert_int_equal(v.state, VERDICT_DOWN);
}

static struct packet sample_start(void)
{
        struct packet p = {
                .type = PACKET_START, .id = 7, .generation = 9, .verdict = verdict_new((instant){5})};

        p.check = (struct config_check){.kind = CHECK_HTTP,
                                        .interval = span_s(1),
                                        .timeout = span_ms(500),
                                        .rise = 2,
                                        .fall = 3,
                                        .status_min = 200,
                                        .status_max = 399};
        memset(p.check.url, 'u', sizeof(p.check.url) - 1);
        memset(p.check.host, 'h', sizeof(p.check.host) - 1);
        memset(p.check.expect, 'e', sizeof(p.check.expect) - 1);
        return p;
}

static void test_the_longest_start_travels_whole(void **state)
{
        struct packet p = sample_start(), q;
        uint8_t bytes[PACKET_MAX];
        size_t n = checker_packet_encode(&p, bytes);

        assert_int_equal(checker_packet_decode(bytes, n, &q), 0);
        assert_memory_equal(&p, &q, sizeof(p));
        for (size_t cut = 0; cut < n; cut++)
                assert_int_not_equal(checker_packet_decode(bytes, cut, &q), 0);
        assert_int_not_equal(checker_packet_decode(bytes, n + 1, &q), 0);
}

static void test_a_report_that_cannot_be_is_refused(void **state)
{
        struct packet p = {.type = PACKET_REPORT,
                           .id = 1,
                           .generation = 2,
                           .verdict = {.state = VERDICT_UP, .since = {5}, .history = 3, .known = 2},
                           .outcome = {REASON_BAD_STATUS, 503, {1234}},
                           .at = {9}};
        static const uint8_t golden[] = {3, 0, 0, 0, 1, 0, 0,    0, 2, 1, 0, 0, 0, 0, 0, 0,    0,
                                         5, 0, 0, 0, 0, 0, 0,    0, 3, 2, 0, 8, 0, 0, 1, 0xf7, 0,
                                         0, 0, 0, 0, 0, 4, 0xd2, 0, 0, 0, 0, 0, 0, 0, 9};
        uint8_t bytes[PACKET_MAX];
        struct packet q;
        size_t n = checker_packet_encode(&p, bytes);

        assert_int_equal(n, sizeof(golden));
        assert_memory_equal(bytes, golden, n);
        assert_int_equal(checker_packet_decode(bytes, n, &q), 0);
        assert_memory_equal(&p, &q, sizeof(p));
        bytes[9] = VERDICT_STATES;
        assert_int_not_equal(checker_packet_decode(bytes, n, &q), 0);
        bytes[9] = VERDICT_UP;
        bytes[28] = REASONS;
        assert_int_not_equal(checker_packet_decode(bytes, n, &q), 0);
        bytes[28] = REASON_WORKS;
        bytes[26] = VERDICT_RUN_MAX + 1;
        assert_int_not_equal(checker_packet_decode(bytes, n, &q), 0);
}

static void test_a_table_finds_in_any_order(void **state)
{
        static const uint32_t ids[] = {5, 1, 9, 3, 0, 7, 400000, 8, 2};
        struct table t = {0};
        uint32_t last = 0;
        size_t n = 0;

        for (size_t i = 0; i < COUNT(ids); i++)
                assert_int_equal(table_put(&t, ids[i], (void *)&ids[i]), 0);
        assert_ptr_equal(table_find(&t, 400000), &ids[6]);
        assert_null(table_find(&t, 4));
        assert_ptr_equal(table_take(&t, 3), &ids[3]);
        assert_null(table_take(&t, 3));
        for (uint32_t id = 0; table_next(&t, &id) != NULL; id++, n++) {
                assert_true(n == 0 || id > last);
                last = id;
        }
        assert_int_equal(n, COUNT(ids) - 1);
        table_done(&t);
}

static void test_words(void **state)
{
        struct config_check http = {.kind = CHECK_HTTP,
                                    .url = "http://10.0.0.111/",
                                    .timeout = span_s(1),
                                    .status_min = 200,
                                    .status_max = 399,
                                    .expect = "welcome"};
        struct config_check tcp = {.kind = CHECK_TCP, .port = 25, .timeout = span_ms(500)};
        struct {
                const struct config_check *check;
                struct outcome outcome;
                const char *text;
        } cases[] = {
                {&http, {REASON_BAD_STATUS, 503, {0}}, "http://10.0.0.111/: status 503, wanted 200-399"},
                {&http, {REASON_WORKS, 0, {12000}}, "http://10.0.0.111/: answers in 12ms"},
                {&http,
                 {REASON_BODY_MISMATCH, 0, {0}},
                 "http://10.0.0.111/: the first 64 KiB of the body do not match 'welcome'"},
                {&tcp, {REASON_REFUSED, 0, {0}}, "tcp [fd00::1]:25: connection refused, nobody listens"},
                {&tcp, {REASON_NO_CONNECTION, 0, {0}}, "tcp [fd00::1]:25: no connection within 500ms"},
                {&tcp,
                 {REASON_UNREACHABLE, 113, {0}},
                 "tcp [fd00::1]:25: cannot be reached: No route to host"},
        };
        char text[REASON_TEXT];

        ip_parse("fd00::1", &tcp.ip);
        for (size_t i = 0; i < COUNT(cases); i++)
                assert_string_equal(outcome_format(&cases[i].outcome, cases[i].check, text), cases[i].text);
        for (int i = 0; i < REASONS; i++) {
                assert_non_null(reason_name((enum reason)i));
                for (int j = 0; j < i; j++)
                        assert_string_not_equal(reason_name((enum reason)i), reason_name((enum reason)j));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_longest_run),
                cmocka_unit_test(test_the_longest_start_travels_whole),
                cmocka_unit_test(test_a_report_that_cannot_be_is_refused),
                cmocka_unit_test(test_a_table_finds_in_any_order),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
