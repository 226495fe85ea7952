/* ldirectord.cf: what the original takes, what it refuses, and what it makes of it. */
#include "director/ldirectord/ldirectord.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define V "virtual=192.0.2.1:80\n"
#define R "    real=192.0.2.10:80 gate\n"

static int host(void *user, const char *name, sa_family_t family, struct ip *ret_ip)
{
        return strcmp(name, "web1") == 0 && family == AF_INET ? ip_parse("192.0.2.77", ret_ip) : -ENOENT;
}

static int port(void *user, const char *name, uint8_t protocol, uint16_t *ret_port)
{
        *ret_port = strcmp(name, "http") == 0 ? 80 : 53;
        return strcmp(name, "http") == 0 || (strcmp(name, "domain") == 0 && protocol == IPPROTO_UDP)
                       ? 0
                       : -ENOENT;
}

static const struct ldirectord_lookup lookup = {.host = host, .port = port};

static struct ldirectord_file file;

static const struct ldirectord_service *only(const char *text)
{
        struct ldirectord_mistake mistake;

        ldirectord_free(&file);
        if (ldirectord_read(text, &lookup, &file, &mistake) != 0)
                fail_msg("line %d: %s, of\n%s", mistake.line, mistake.text, text);
        assert_int_equal(file.service_count, 1);
        return &file.service[0];
}

static int done(void **state)
{
        ldirectord_free(&file);
        return 0;
}

static void test_what_is_not_said_is_as_with_ldirectord(void **state)
{
        const struct ldirectord_service *s = only(V R);

        assert_int_equal(s->protocol, IPPROTO_TCP);
        assert_int_equal(s->port, 80);
        assert_string_equal(s->scheduler, "wrr");
        assert_string_equal(s->service, "http");
        assert_int_equal(s->checktype, LD_NEGOTIATE);
        assert_int_equal(s->common.checktimeout, 5);
        assert_int_equal(s->common.negotiatetimeout, 30);
        assert_int_equal(s->common.checkinterval, 10);
        assert_int_equal(s->common.failurecount, 1);
        assert_false(s->common.quiescent);
        assert_true(s->common.cleanstop);
        assert_int_equal(s->server_count, 1);
        assert_int_equal(s->server[0].weight, 1);
        assert_int_equal(s->server[0].forward, FORWARD_DIRECT);
}

static void test_the_two_time_limits_stand_in_for_each_other(void **state)
{
        static const struct {
                const char *text;
                unsigned check, negotiate;
        } rows[] = {
                {"negotiatetimeout=9\n" V R, 9, 9},
                {"checktimeout=7\n" V R "    negotiatetimeout=2\n", 2, 2},
                {"checktimeout=7\nnegotiatetimeout=9\n" V R, 7, 9},
                {V R "    checktimeout=3\n", 3, 3},
                {"checktimeout=3 # c\n" V R, 3, 3},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct ldirectord_service *s = only(rows[i].text);
                assert_int_equal(s->common.checktimeout, rows[i].check);
                assert_int_equal(s->common.negotiatetimeout, rows[i].negotiate);
        }
}

static void test_dns_is_udp_and_marks_have_no_service(void **state)
{
        const struct ldirectord_service *s =
                only("virtual=192.0.2.1:53\n\treal=192.0.2.2:53 masq\n\tops=yes\n");

        assert_int_equal(s->protocol, IPPROTO_UDP);
        assert_string_equal(s->service, "dns");
        assert_true(s->ops);
        assert_int_equal(only("virtual=192.0.2.1:domain\n")->port, 53);
        s = only("virtual=1\n    real=192.0.2.10 gate\n    service=http\n    checkport=80\n");
        assert_int_equal(s->mark, 1);
        assert_int_equal(s->checkport, 80);
        assert_int_equal(s->server[0].port, 0);
        assert_string_equal(only("virtual=5\n")->service, "none");
        assert_int_equal(only("virtual=192.0.2.1\n")->mark, 192); /* a trap, and the original falls in */
}

static void test_ipv6(void **state)
{
        const struct ldirectord_service *s = only(
                "virtual6=[2001:db8::5]:119\n    real6=[2001:db8::4]:119 masq\n    fallback6=[::1]:119\n");

        assert_int_equal(s->family, AF_INET6);
        assert_true(s->common.has_fallback);
        assert_string_equal(s->service, "nntp");
        s = only("virtual6=5\n    persistent=600\n    netmask=64\n");
        assert_int_equal(s->mark, 5);
        assert_int_equal(s->mask_bits, 64);
}

static void test_servers(void **state)
{
        const struct ldirectord_service *s = only(V "    real=10.0.0.254->10.0.1.1:80 gate\n");

        assert_int_equal(s->server_count, 4);
        assert_int_equal(s->server[3].ip.bytes[2], 1);
        assert_int_equal(s->server[3].ip.bytes[3], 1);
        s = only(V "    real=192.0.2.11:80 masq \"a.html\", \"OK\"\n");
        assert_string_equal(s->server[0].request, "/a.html");
        assert_string_equal(s->server[0].receive, "OK");
        assert_int_equal(s->server[0].weight, 1);
        assert_int_equal(only(V "    real=192.0.2.2:http gate\n")->server[0].port, 80);
        assert_int_equal(only(V "    real=web1:80 ipip 7\n")->server[0].ip.bytes[3], 77);
        s = only(V "    real=192.0.2.2:80 masq 2 l:10 u:20\n");
        assert_int_equal(s->server[0].lower, 10);
        assert_int_equal(s->server[0].upper, 20);
        s = only(V "    real=192.0.2.2:80 masq 2 u:10 l:5\n");
        assert_int_equal(s->server[0].lower, 5);
        assert_int_equal(s->server[0].upper, 0);
}

static void test_what_the_file_says_is_for_all_services(void **state)
{
        const struct ldirectord_service *s =
                only("quiescent=yes\nfallback=127.0.0.1:80\nfailurecount=3\n" V R
                     "    failurecount=2\n    checktype=every5\n    scheduler=WLC2foo\n"
                     "    persistent=abc600x\n    request=\"a b\" # c\n");

        assert_true(s->common.quiescent);
        assert_true(s->common.has_fallback);
        assert_int_equal(s->common.fallback.forward, FORWARD_DIRECT);
        assert_int_equal(s->common.failurecount, 2);
        assert_int_equal(s->checktype, LD_COMBINED);
        assert_int_equal(s->connects, 5);
        assert_string_equal(s->scheduler, "foo");
        assert_int_equal(s->persistent, 600);
}

static void test_whoever_execute_names_goes_along_once(void **state)
{
        only("execute=mail\nexecute=news\nexecute=mail\n" V R);
        assert_int_equal(file.execute_count, 2);
        assert_string_equal(file.execute[0], "mail");
        assert_string_equal(file.execute[1], "news");
}

static void test_ftp_is_logged_into_as_anonymous(void **state)
{
        const struct ldirectord_service *s = only(V R "    service=ftp\n");

        assert_string_equal(s->login, "anonymous");
        assert_string_equal(s->passwd, "ldirectord@");
        s = only(V R "    login=\"joe\"\n    passwd=\"secret\"\n    service=ftp\n");
        assert_string_equal(s->login, "joe");
        assert_string_equal(s->passwd, "secret");
}

static void test_tcp_and_udp_twins_are_two(void **state)
{
        struct ldirectord_mistake mistake;

        ldirectord_free(&file);
        assert_int_equal(
                ldirectord_read(V "virtual=192.0.2.1:80\n    protocol=udp\n", &lookup, &file, &mistake), 0);
        assert_int_equal(file.service_count, 2);
}

static void test_of_many_services_the_one_that_stands_there_twice_is_found(void **state)
{
        enum { MANY = 3000 };
        static char text[MANY * 100];
        struct ldirectord_mistake mistake;
        size_t n = 0;

        for (int i = 1; i <= MANY; i++) {
                if (i % 3 == 0)
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "virtual%s=%d\n", i % 2 ? "6" : "",
                                              i);
                else
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "virtual=192.0.%d.%d:%d\n", i / 500,
                                              i / 2 % 250, 80 + i % 2);
        }
        ldirectord_free(&file);
        assert_int_equal(ldirectord_read(text, &lookup, &file, &mistake), 0);
        assert_int_equal(file.service_count, MANY);
        ldirectord_free(&file);
        snprintf(text + n, sizeof(text) - n, "virtual=192.0.0.2:80\n"); /* of line 4 */
        assert_int_equal(ldirectord_read(text, &lookup, &file, &mistake), -EINVAL);
        assert_string_equal(mistake.text, "duplicate virtual server, see line 4");
        assert_int_equal(mistake.line, MANY + 1);
}

static void test_what_the_original_refuses_is_refused(void **state)
{
        static const struct {
                const char *text;
                int line;
                const char *said;
        } rows[] = {
                {"virtual=1\n    protocol=tcp\n", 2, "must be fwm"},
                {V "    protocol=fwm\n", 2, "cannot be fwm"},
                {"virtual=[2001:db8::5]:119\n", 1, "needs virtual6"},
                {V "    netmask=24\n", 2, "dotted quad"},
                {V "    real=192.0.2.13->192.0.2.11:80 gate\n", 2, "range"},
                {V "    real=192.0.2.2:80 gate 5 \"x\" , \"ok\"\n", 2, "belong together"},
                {V "    real=192.0.2.2:80 gate 5 \"x\"\n", 2, "belong together"},
                {V "    real=192.0.2.11:80\n", 2, "forward method"},
                {V "    real=192.0.2.11:80 nat\n", 2, "gate, masq or ipip"},
                {V "    real=192.0.2.11:80 gate 1 what\n", 2, "around what"},
                {V "    real6=[::1]:80 gate\n", 2, "cannot be used in virtual"},
                {"timeout=5\n", 1, "deprecated"},
                {"quiescent=yes # c\n", 1, "'yes' or 'no'"},
                {V R "    quiescent=yes  # x\n", 3, "'yes' or 'no'"},
                {"quiescent=yes\r\n", 1, "'yes' or 'no'"},
                {"emailalertstatus=none,all\n", 1, "alone"},
                {V V, 2, "duplicate"},
                {" checktimeout=5\n", 1, "Unknown command"},
                {"checktimeout=0\n", 1, "greater than 0"},
                {V "   real=192.0.2.2:80 gate\n", 2, "Unknown command"},
                {V R "\n    real=192.0.2.2:80 gate\n", 4, "Unknown command"},
                {V R "      \n", 3, "Unknown command"},
                {V R "    request=\"a#b\"\n", 3, "Unknown command"},
                {V R "    request=a\n", 3, "Unknown command"},
                {V R "    request=\"\"\n", 3, "no value"},
                {V R "    colour=blue\n", 3, "Unknown command"},
                {V R "    service=gopher\n", 3, "service"},
                {V R "    checkport=0\n", 3, "checkport"},
                {"virtual=nowhere:80\n", 1, "unknown host"},
                {"virtual=192.0.2.1:gopher\n", 1, "unknown port"},
                {V "    real=192.0.2.2::5060 gate\n", 2, "forward method"},
                {V "    real=10.0.0.1->11.0.0.1:80 gate\n", 2, "more than 4096 servers"},
        };
        struct ldirectord_mistake mistake;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                ldirectord_free(&file);
                if (ldirectord_read(rows[i].text, &lookup, &file, &mistake) != -EINVAL)
                        fail_msg("taken: %s", rows[i].text);
                if (mistake.line != rows[i].line || !strstr(mistake.text, rows[i].said))
                        fail_msg("line %d: '%s' of\n%s", mistake.line, mistake.text, rows[i].text);
        }
}

static void test_comments_do_not_end_a_section(void **state)
{
        assert_int_equal(
                only(V "# one\n    # two\n" R "#three\n    real=192.0.2.11:80 masq # four\n")->server_count,
                2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, done)
        const struct CMUnitTest tests[] = {
                TEST(test_what_is_not_said_is_as_with_ldirectord),
                TEST(test_the_two_time_limits_stand_in_for_each_other),
                TEST(test_dns_is_udp_and_marks_have_no_service),
                TEST(test_ipv6),
                TEST(test_servers),
                TEST(test_what_the_file_says_is_for_all_services),
                TEST(test_whoever_execute_names_goes_along_once),
                TEST(test_ftp_is_logged_into_as_anonymous),
                TEST(test_tcp_and_udp_twins_are_two),
                TEST(test_of_many_services_the_one_that_stands_there_twice_is_found),
                TEST(test_what_the_original_refuses_is_refused),
                TEST(test_comments_do_not_end_a_section),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
