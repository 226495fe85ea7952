/* What a row of findings makes of a check: '+' worked, '-' broken, '?' could not look. After each the state:
 * 'u' unknown, 'U' up, 'D' down. */
#include "monitor/packet.h"
#include "monitor/table.h"
#include "monitor/verdict.h"

#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

/* As long as the configuration takes it, and with every kind of value. */
static void long_check(struct config_check *c)
{
        char url[512], host[128], expect[256];

        memset(url, 'u', sizeof(url) - 1);
        for (size_t i = 0; i < 7; i++)
                url[i] = "http://"[i];
        memset(host, 'h', sizeof(host) - 1);
        memset(expect, 'e', sizeof(expect) - 1);
        url[sizeof(url) - 1] = host[sizeof(host) - 1] = expect[sizeof(expect) - 1] = '\0';
        check_init(c, CHECK_HTTP);
        c->http.url = strdup(url);
        c->http.host = strdup(host);
        c->http.expect = strdup(expect);
        c->http.header = calloc(3, sizeof(char *));
        c->http.header[0] = strdup("X-One: 1");
        c->http.header[1] = strdup("X-Two: \"2\"");
        c->http.method = METHOD_OPTIONS;
        c->http.verify = true;
        ip_parse("fd00::7", &c->source);
        ip_parse("10.0.0.7", &c->ip);
}

static void test_the_longest_definition_travels_whole(void **state)
{
        uint8_t bytes[CHECK_BYTES_MAX], again[CHECK_BYTES_MAX];
        struct config_check c, d, copy;
        size_t rhythm, rhythm_again;
        int n;

        long_check(&c);
        n = check_encode(&c, bytes, &rhythm);
        assert_true(n > 900);
        assert_int_equal(check_decode(bytes, (size_t)n, &d), 0);
        assert_string_equal(d.http.url, c.http.url);
        assert_string_equal(d.http.header[1], c.http.header[1]);
        assert_int_equal(d.http.status.range[0].to, 399);
        assert_int_equal(d.interval.us, 1000000);
        assert_true(ip_equal(&d.source, &c.source));
        assert_int_equal(check_encode(&d, again, &rhythm_again), n);
        assert_int_equal(rhythm_again, rhythm);
        assert_memory_equal(again, bytes, (size_t)n);
        check_done(&d);
        for (int cut = 0; cut < n; cut++)
                assert_int_equal(check_decode(bytes, (size_t)cut, &d), -EBADMSG);
        assert_int_equal(check_decode(bytes, (size_t)n + 1, &d), -EBADMSG);
        assert_int_equal(check_copy(&c, &copy), 0);
        assert_ptr_not_equal(copy.http.url, c.http.url);
        check_done(&copy);
        check_done(&c);
}

static void test_a_definition_without_what_it_needs_is_none(void **state)
{
        uint8_t bytes[CHECK_BYTES_MAX];
        struct config_check c;
        size_t rhythm;

        check_init(&c, CHECK_HTTP);
        assert_int_equal(check_encode(&c, bytes, &rhythm), -EINVAL);
        check_done(&c);
        check_init(&c, CHECK_TCP);
        c.port = 25;
        assert_int_equal(check_encode(&c, bytes, &rhythm), -EINVAL);
        check_done(&c);
}

static void test_a_start_carries_the_definition(void **state)
{
        struct packet p = {
                .type = PACKET_START, .id = 7, .generation = 9, .verdict = verdict_new((instant){5})};
        struct packet q;
        uint8_t bytes[PACKET_MAX];
        size_t n;

        p.check = (const uint8_t *)"any bytes";
        p.check_size = 9;
        n = checker_packet_encode(&p, bytes);
        assert_int_equal(checker_packet_decode(bytes, n, &q), 0);
        assert_int_equal(q.id, 7);
        assert_int_equal(q.generation, 9);
        assert_int_equal(q.verdict.since.us, 5);
        assert_int_equal(q.check_size, 9);
        assert_memory_equal(q.check, p.check, 9);
        for (size_t cut = 0; cut <= n - 9; cut++)
                assert_int_not_equal(checker_packet_decode(bytes, cut, &q), 0);
}

static void test_a_report_that_cannot_be_is_refused(void **state)
{
        struct packet p = {.type = PACKET_REPORT,
                           .id = 1,
                           .generation = 2,
                           .verdict = {.state = VERDICT_UP, .since = {5}, .history = 3, .known = 2},
                           .outcome = {REASON_BAD_STATUS, 503, {1234}, NULL, {3}, 2},
                           .said = "ok",
                           .at = {9}};
        static const char golden[] = "\3"
                                     "\0\0\0\1"
                                     "\0\0\0\2" /* type, id, generation */
                                     "\1"
                                     "\0\0\0\0\0\0\0\5"
                                     "\0\0\0\0\0\0\0\3"
                                     "\2"
                                     "\0" /* verdict */
                                     "\x09"
                                     "\0\0\1\xf7"
                                     "\0\0\0\0\0\0\4\xd2"
                                     "\0\0\0\0\0\0\0\3"
                                     "\0\0\0\2" /* outcome */
                                     "\2ok"
                                     "\0\0\0\0\0\0\0\x09"; /* said, at */
        uint8_t bytes[PACKET_MAX];
        struct packet q;
        size_t n = checker_packet_encode(&p, bytes);

        assert_int_equal(n, sizeof(golden) - 1);
        assert_memory_equal(bytes, golden, n);
        assert_int_equal(checker_packet_decode(bytes, n, &q), 0);
        assert_memory_equal(&p, &q, sizeof(p));
        bytes[9] = VERDICT_STATES;
        assert_int_not_equal(checker_packet_decode(bytes, n, &q), 0);
        bytes[9] = VERDICT_UP;
        bytes[28] = REASONS;
        assert_int_not_equal(checker_packet_decode(bytes, n, &q), 0);
        bytes[28] = REASON_WORKS;
        bytes[54] = '\n';
        assert_int_not_equal(checker_packet_decode(bytes, n, &q), 0);
        bytes[54] = 'o';
        bytes[26] = VERDICT_RUN_MAX + 1;
        assert_int_not_equal(checker_packet_decode(bytes, n, &q), 0);
}

static void test_what_is_steady_goes_together(void **state)
{
        struct packet p = {.type = PACKET_STEADY, .steady_count = STEADY_MAX}, q;
        static const uint8_t golden[] = {5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0,
                                         0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9};
        uint8_t bytes[PACKET_MAX];
        size_t n;

        for (uint32_t i = 0; i < STEADY_MAX; i++)
                p.steady[i] = (struct steady){.id = i, .generation = 7, .took = {8}, .at = {9}};
        n = checker_packet_encode(&p, bytes);
        assert_int_equal(n, 1 + STEADY_MAX * 24);
        assert_memory_equal(bytes, golden, sizeof(golden));
        assert_int_equal(checker_packet_decode(bytes, n, &q), 0);
        assert_memory_equal(&p, &q, sizeof(p));
        for (size_t cut = 1; cut < 24; cut++)
                assert_int_not_equal(checker_packet_decode(bytes, n - cut, &q), 0);
        assert_int_not_equal(checker_packet_decode(bytes, n + 24, &q), 0); /* one too many */
        bytes[9] = 0x80;                                                   /* a negative time */
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
        static const char web[] = "http://10.0.0.111/", mail[] = "tcp [fd00::1]:25";
        static const struct {
                const char *target;
                struct outcome outcome;
                const char *text;
        } cases[] = {
                {web, {REASON_BAD_STATUS, 503, {0}, "wanted 200-399"}, "status 503, wanted 200-399"},
                {web, {REASON_WORKS, 0, {12000}, NULL}, "answers in 12ms"},
                {web, {REASON_WORKS, 0, {12000}, "30 days left"}, "answers in 12ms: 30 days left"},
                {web, {REASON_MISMATCH, 0, {0}, "no 'x'"}, "the answer is not the expected one: no 'x'"},
                {mail, {REASON_REFUSED, 0, {0}, NULL}, "connection refused, nobody listens"},
                {mail, {REASON_NO_CONNECTION, 0, {0}, NULL}, "no connection within 500ms"},
                {mail, {REASON_UNREACHABLE, 113, {0}, NULL}, "cannot be reached: No route to host"},
        };
        struct config_check tcp = {.kind = CHECK_TCP, .port = 25};
        char text[REASON_TEXT], wanted[REASON_TEXT], target[CHECK_TARGET];

        ip_parse("fd00::1", &tcp.ip);
        assert_string_equal(check_target(&tcp, target), mail);
        for (size_t i = 0; i < COUNT(cases); i++) {
                snprintf(wanted, sizeof(wanted), "%s: %s", cases[i].target, cases[i].text);
                outcome_format(&cases[i].outcome, cases[i].target, span_ms(500), text);
                assert_string_equal(text, wanted);
        }
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
                cmocka_unit_test(test_the_longest_definition_travels_whole),
                cmocka_unit_test(test_a_definition_without_what_it_needs_is_none),
                cmocka_unit_test(test_a_start_carries_the_definition),
                cmocka_unit_test(test_a_report_that_cannot_be_is_refused),
                cmocka_unit_test(test_what_is_steady_goes_together),
                cmocka_unit_test(test_a_table_finds_in_any_order),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
