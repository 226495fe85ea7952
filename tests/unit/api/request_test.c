/* What the control socket understands, and what it says to what it does not. */
#include "api/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void a_request_is_read(void **state)
{
        char error[REQUEST_ERROR_SIZE];
        struct request r;
        const char *line = "{\"command\":\"standby\",\"node\":\"beta\",\"for\":\"2h\"}";

        assert_int_equal(request_parse(line, strlen(line), &r, error), 0);
        assert_int_equal(r.kind, REQUEST_STANDBY);
        assert_string_equal(r.node, "beta");
        assert_int_equal(r.lasts.us, span_s(7200).us);

        line = "{\"command\":\"events\",\"follow\":true,\"count\":0,\"after\":9007199254740993}";
        assert_int_equal(request_parse(line, strlen(line), &r, error), 0);
        assert_true(r.follow);
        assert_int_equal(r.count, 0);
        assert_true(r.after == 9007199254740993u);

        line = "{\"command\":\"drain\",\"server\":\"[fd00::2]:80\"}";
        assert_int_equal(request_parse(line, strlen(line), &r, error), 0);
        assert_int_equal(r.kind, REQUEST_DRAIN);
        assert_string_equal(r.server, "[fd00::2]:80");

        line = "{\"command\":\"maintenance\",\"on\":true,\"text\":\"new kernel\"}";
        assert_int_equal(request_parse(line, strlen(line), &r, error), 0);
        assert_true(r.on);
        assert_int_equal(r.lasts.us, 0);
        assert_string_equal(r.text, "new kernel");
}

static void what_is_watched_is_named_as_people_name_it(void **state)
{
        char error[REQUEST_ERROR_SIZE];
        struct request r;
        const char *line =
                "{\"command\":\"silence\",\"about\":\"web:http@10.1.0.1\",\"for\":\"2h\",\"who\":\"me\"}";

        assert_int_equal(request_parse(line, strlen(line), &r, error), 0);
        assert_int_equal(r.kind, REQUEST_SILENCE);
        assert_string_equal(r.about, "web:http@10.1.0.1");
        assert_string_equal(r.who, "me");
        assert_int_equal(r.lasts.us, span_s(7200).us);
        line = "{\"command\":\"silence\",\"about\":\"web\"}";
        assert_int_not_equal(request_parse(line, strlen(line), &r, error), 0);
        assert_non_null(strstr(error, "silence needs the member 'for'"));
        line = "{\"command\":\"ack\",\"about\":\"\"}";
        assert_int_not_equal(request_parse(line, strlen(line), &r, error), 0);
        assert_non_null(strstr(error, "WATCH:SERVICE@HOST"));
}

static void what_is_wrong_is_said(void **state)
{
        const struct {
                const char *line;
                const char *said;
        } rows[] = {
                {"", "not JSON"},
                {"{\"command\":\"sta", "not JSON"},
                {"hello", "not JSON"},
                {"{\"command\":\"stop\",\"group\":\"a\",\"group\":\"b\"}", "duplicate"},
                {"[]", "an object with a member 'command'"},
                {"{\"command\":5}", "an object with a member 'command'"},
                {"{\"command\":\"explode\"}", "unknown command 'explode'"},
                {"{\"command\":\"move\"}", "move needs the member 'group'"},
                {"{\"command\":\"stop\",\"group\":\"\"}", "must be a name"},
                {"{\"command\":\"stop\",\"group\":\"a b\"}", "must be a name"},
                {"{\"command\":\"stop\",\"group\":\"../../etc\"}", "must be a name"},
                {"{\"command\":\"stop\",\"group\":\"abcdefghijklmnopqrstuvwxyz0123456789\"}", "up to 31"},
                {"{\"command\":\"stop\",\"group\":[\"a\"]}", "must be a name"},
                {"{\"command\":\"stop\",\"group\":\"web\",\"node\":\"beta\"}", "stop takes no member 'node'"},
                {"{\"command\":\"standby\",\"node\":\"b\",\"for\":\"2\"}", "a duration such as"},
                {"{\"command\":\"standby\",\"node\":\"b\",\"for\":\"-2h\"}", "a duration such as"},
                {"{\"command\":\"standby\",\"node\":\"b\",\"for\":\"0\"}", "a duration such as"},
                {"{\"command\":\"standby\",\"node\":\"b\",\"for\":7200}", "a duration such as"},
                {"{\"command\":\"drain\"}", "drain needs the member 'server'"},
                {"{\"command\":\"lvs\",\"server\":\"10.0.0.11\"}", "lvs takes no member 'server'"},
                {"{\"command\":\"maintenance\",\"on\":\"yes\"}", "true or false"},
                {"{\"command\":\"maintenance\"}", "needs the member 'on'"},
                {"{\"command\":\"maintenance\",\"on\":true,\"text\":"
                 "\"0123456789012345678901234567890123456789"
                 "012345678901234567890123456789\"}",
                 "up to 63 bytes"},
                {"{\"command\":\"events\",\"count\":100000}", "from 0 to 1000"},
                {"{\"command\":\"events\",\"count\":1.5}", "from 0 to 1000"},
                {"{\"command\":\"events\",\"after\":-1}", "an event's number"},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char error[REQUEST_ERROR_SIZE] = "";
                struct request r = {.kind = REQUEST_CONFIRM, .count = -7};
                assert_int_not_equal(request_parse(rows[i].line, strlen(rows[i].line), &r, error), 0);
                if (!strstr(error, rows[i].said))
                        print_message("row %zu: %s\n", i, error);
                assert_non_null(strstr(error, rows[i].said));
                assert_int_equal(r.count, -7); /* untouched */
        }
}

static void bytes_that_are_no_text_are_refused(void **state)
{
        char error[REQUEST_ERROR_SIZE];
        struct request r;

        assert_int_not_equal(request_parse("\0\0\0\0", 4, &r, error), 0);
        assert_int_not_equal(request_parse("\xff\xfe{}", 4, &r, error), 0);
        assert_int_not_equal(request_parse("{\"command\":\"stop\",\"group\":\"a\\u0000b\"}", 36, &r, error),
                             0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_request_is_read),
                cmocka_unit_test(what_is_watched_is_named_as_people_name_it),
                cmocka_unit_test(what_is_wrong_is_said),
                cmocka_unit_test(bytes_that_are_no_text_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
