/* What every kind of check makes of servers that misbehave: those of hostile.py.
 * Arguments: haven-checker, python, hostile.py. */
#include "hostile.h"
#include "stage.h"

#include "base/text.h"
#include "monitor/icmp_socket.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *checker_path;
static struct stage stage;

static int open_stage(void **state)
{
        stage_open(&stage, checker_path);
        return 0;
}

static int close_stage(void **state)
{
        stage_close(&stage);
        return 0;
}

static void start(uint32_t id, const struct config_check *check)
{
        assert_int_equal(checker_start(stage.checker, id, check), 0);
}

static void test_every_kind_of_misbehaviour_has_its_reason(void **state)
{
        static const struct {
                const char *server;
                const char *expect;
                enum reason reason;
        } rows[] = {
                {"silent", "", REASON_NO_ANSWER},   {"drip", "", REASON_NO_ANSWER},
                {"headers", "", REASON_BAD_ANSWER}, {"body", "", REASON_WORKS},
                {"body", "^the beg", REASON_WORKS}, {"body", "the end", REASON_MISMATCH},
                {"reset", "", REASON_RESET},        {"closed", "", REASON_CLOSED},
                {"short", "", REASON_CLOSED},       {"noise", "", REASON_BAD_ANSWER},
                {"status", "", REASON_BAD_STATUS},  {"redirect", "", REASON_WORKS},
                {"gone", "", REASON_REFUSED},       {"bomb", "", REASON_WORKS},
                {"bomb", "   ", REASON_MISMATCH},   {"hundreds", "", REASON_BAD_ANSWER},
        };
        struct config_check endless = http_check("127.0.0.1", hostile_port("chunks"), "/");
        char target[64];

        start(COUNT(rows), &endless);
        for (uint32_t i = 0; i < COUNT(rows); i++) {
                struct config_check c = http_check("127.0.0.1", hostile_port(rows[i].server), "/");

                c.http.expect = rows[i].expect[0] == '\0' ? NULL : stage_text("%s", rows[i].expect);
                start(i, &c);
        }
        for (uint32_t i = 0; i < COUNT(rows); i++) {
                stage_until_reason(&stage, i, rows[i].reason);
                assert_true(stage.last[i].took.us <
                            5 * 1000 * 1000); /* of servers that would go on for ever */
        }
        /* libcurl goes on to the timeout, our own reader has enough before */
        stage_until_state(&stage, COUNT(rows), VERDICT_DOWN);
        snprintf(target, sizeof(target), "http://127.0.0.1:%d/: status 503, wanted 200-399",
                 hostile_port("status"));
        assert_string_equal(stage.text[10], target);
}

/* What libcurl is for: https, redirects, a user in the url; and it must stand the same servers. */
static void test_libcurl_judges_alike(void **state)
{
        static const struct {
                const char *server, *expect;
                enum reason reason;
        } rows[] = {
                {"silent", NULL, REASON_NO_ANSWER},  {"headers", NULL, REASON_BAD_ANSWER},
                {"body", NULL, REASON_WORKS},        {"body", "the end", REASON_MISMATCH},
                {"reset", NULL, REASON_RESET},       {"closed", NULL, REASON_CLOSED},
                {"short", NULL, REASON_CLOSED},      {"noise", NULL, REASON_BAD_ANSWER},
                {"status", NULL, REASON_BAD_STATUS}, {"gone", NULL, REASON_REFUSED},
                {"bomb", "   ", REASON_MISMATCH},    {"redirect", NULL, REASON_BAD_ANSWER},
        };
        struct config_check c, direct;
        uint32_t n = COUNT(rows);

        for (uint32_t i = 0; i < n; i++) {
                c = http_check("user@127.0.0.1", hostile_port(rows[i].server), "/");
                c.http.expect = rows[i].expect == NULL ? NULL : stage_text("%s", rows[i].expect);
                c.http.redirect = HTTP_REDIRECT_FOLLOW;
                start(i, &c);
        }
        /* our own reader hands these on when they come, and not what else it can judge */
        direct = c;
        direct.http.url = stage_text("http://127.0.0.1:%d/", hostile_port("redirect"));
        start(n + 3, &direct);
        direct.http.url = stage_text("http://127.0.0.1:%d/", hostile_port("status"));
        start(n + 4, &direct);
        c.http.expect = NULL;
        c.http.url = stage_text("https://127.0.0.1:%d/", hostile_port("valid"));
        c.http.expect = stage_text("safe");
        start(n, &c);
        c.http.verify = true;
        start(n + 1, &c);
        c.http.url = stage_text("https://127.0.0.1:%d/", hostile_port("noise"));
        start(n + 2, &c);
        for (uint32_t i = 0; i < n; i++)
                stage_until_reason(&stage, i, rows[i].reason);
        stage_until_reason(&stage, n, REASON_WORKS);
        stage_until_reason(&stage, n + 1, REASON_CERTIFICATE);
        stage_until_reason(&stage, n + 2, REASON_TLS);
        stage_until_reason(&stage, n + 3, REASON_BAD_ANSWER);
        stage_until_reason(&stage, n + 4, REASON_BAD_STATUS);
}

static void test_a_certificate_has_to_be_good_for_long_enough(void **state)
{
        struct config_check c[8];
        static const enum reason wanted[] = {REASON_WORKS,  REASON_CERTIFICATE, REASON_CERTIFICATE,
                                             REASON_TLS,    REASON_NO_ANSWER,   REASON_TLS,
                                             REASON_CLOSED, REASON_REFUSED};
        static const char *const servers[] = {"valid", "ended",   "valid",  "noise",
                                              "hello", "records", "closed", "gone"};

        for (uint32_t i = 0; i < COUNT(c); i++) {
                c[i] = any_check(CHECK_TLS);
                c[i].port = (uint16_t)hostile_port(servers[i]);
                c[i].tls.name = stage_text("localhost");
                c[i].tls.days = 1000;
                c[i].tls.verify = i == 2; /* who has signed it is trusted by nobody */
                start(i, &c[i]);
        }
        for (uint32_t i = 0; i < COUNT(c); i++) {
                stage_until_reason(&stage, i, wanted[i]);
        }
        assert_non_null(strstr(stage.text[0], "(2099-12-31)"));
}

static void test_a_name_server_is_judged_by_what_it_says(void **state)
{
        static const struct {
                const char *name;
                enum dns_type type;
                const char *expect;
                enum reason reason;
        } rows[] = {
                {"good.example", DNS_A, NULL, REASON_WORKS},
                {"good.example", DNS_A, "10.0.0.7", REASON_WORKS},
                {"good.example", DNS_A, "10.0.0.8", REASON_MISMATCH},
                {"good.example", DNS_MX, "10 MAIL.good.example.", REASON_WORKS},
                {"good.example", DNS_TXT, "hello", REASON_WORKS},
                {"good.example", DNS_SOA, "42", REASON_WORKS},
                {"none.example", DNS_A, NULL, REASON_NAME_NOT_FOUND},
                {"empty.example", DNS_A, NULL, REASON_NAME_NOT_FOUND},
                {"failing.example", DNS_A, NULL, REASON_BAD_ANSWER},
                {"broken.example", DNS_A, NULL, REASON_BAD_ANSWER},
                {"silent.example", DNS_A, NULL, REASON_SILENT},
                {"liar.example", DNS_A, NULL, REASON_SILENT},
        };

        for (uint32_t i = 0; i < COUNT(rows); i++) {
                struct config_check c = any_check(CHECK_DNS);
                char *expect[] = {(char *)rows[i].expect, NULL};

                c.port = (uint16_t)hostile_port("names");
                c.dns.name = stage_text("%s", rows[i].name);
                c.dns.type = rows[i].type;
                if (rows[i].expect != NULL)
                        c.dns.expect = expect;
                start(i, &c);
        }
        for (uint32_t i = 0; i < COUNT(rows); i++) {
                stage_until_reason(&stage, i, rows[i].reason);
        }
}

static void test_tcp_says_and_expects(void **state)
{
        static const struct {
                const char *server, *send, *expect;
                enum reason reason;
        } rows[] = {
                {"status", "GET / HTTP/1.0\\r\\n\\r\\n", "^HTTP/1.1 503", REASON_WORKS},
                {"status", "\\x47ET / HTTP/1.0\\r\\n\\r\\n", "^HTTP/1.1 200", REASON_MISMATCH},
                {"silent", "hello", "anything", REASON_NO_ANSWER},
                {"closed", "hello", "anything", REASON_CLOSED},
                {"body", "hello", "never there", REASON_MISMATCH},
                {"gone", "hello", "anything", REASON_REFUSED},
        };

        for (uint32_t i = 0; i < COUNT(rows); i++) {
                struct config_check c = tcp_check(hostile_port(rows[i].server));

                c.tcp.send = stage_text("%s", rows[i].send);
                c.tcp.expect = stage_text("%s", rows[i].expect);
                start(i, &c);
        }
        for (uint32_t i = 0; i < COUNT(rows); i++)
                stage_until_reason(&stage, i, rows[i].reason);
}

/* What a client library makes of a server ends with its own program. */
static void test_a_database_that_misbehaves_harms_its_own_look_only(void **state)
{
        static const struct {
                enum check_kind kind;
                const char *server;
                enum reason reason;
        } rows[] = {
                {CHECK_POSTGRESQL, "gone", REASON_REFUSED},
                {CHECK_POSTGRESQL, "silent", REASON_NO_ANSWER},
                {CHECK_POSTGRESQL, "closed", REASON_CLOSED},
                {CHECK_POSTGRESQL, "reset", REASON_CLOSED},
                {CHECK_POSTGRESQL, "rounds", REASON_NO_ANSWER},
#ifndef SANITIZED /* its memory has no limit then */
                {CHECK_POSTGRESQL, "row", REASON_BAD_ANSWER},
#endif
                {CHECK_POSTGRESQL, "noise", REASON_BAD_ANSWER},
                {CHECK_MYSQL, "gone", REASON_REFUSED},
                {CHECK_MYSQL, "silent", REASON_NO_ANSWER},
        };

        for (uint32_t i = 0; i < COUNT(rows); i++) {
                struct config_check c = any_check(rows[i].kind);

                if (!check_kind_is_built(rows[i].kind))
                        continue;
                c.port = (uint16_t)hostile_port(rows[i].server);
                c.interval = c.quick = c.timeout = span_s(2);
                c.sql.password = strdup("secret"); /* beside the defaults, which are its own, too */
                start(i, &c);
                check_done(&c);
        }
        for (uint32_t i = 0; i < COUNT(rows); i++) {
                if (!check_kind_is_built(rows[i].kind))
                        continue;
                stage_until_reason(&stage, i, rows[i].reason);
                checker_stop(stage.checker, i);
        }
}

/* A port of UDP that nobody has at the moment. */
static uint16_t free_port(void)
{
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(at);
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
        close(fd);
        return ntohs(at.sin_port);
}

static void send_trap(uint16_t port, const char *text)
{
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_int_equal(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)), strlen(text));
        close(fd);
}

static bool is_over(const struct stage *s, int id)
{
        return s->last[id].reason == REASON_WORKS && strstr(s->text[id], "its last failure is over") != NULL;
}

static void test_a_trap_says_how_it_is_until_the_next_one(void **state)
{
        static const char from_mon[] =
                "pro='0.3807'\nusr='root'\npas='pw\\27'\nspc='0'\nseq='0'\ntyp='trap'\n"
                "grp='web'\nsvc='http'\nsta='3'\nsum='alpha\\20is\\20bad'\ndtl=''\n";
        struct config_check any = any_check(CHECK_TRAP), secret, other, late, brief;

        any.ip = (struct ip){0};
        any.port = free_port();
        any.trap.group = stage_text("web");
        any.trap.service = stage_text("http");
        secret = other = late = brief = any;
        secret.trap.user = stage_text("root");
        secret.trap.password = stage_text("pw'");
        ip_parse("127.0.0.1", &secret.ip);
        ip_parse("127.0.0.2", &other.ip); /* sends nothing */
        late.trap.service = stage_text("smtp");
        late.trap.within = span_ms(100);
        brief.trap.lasts = span_ms(100);
        start(1, &any);
        start(2, &secret);
        start(3, &other);
        start(4, &late);
        start(5, &brief);
        stage_until_reason(&stage, 4, REASON_MISSING);
        assert_non_null(strstr(stage.text[4], "trap web:smtp: is not there: no trap within 100ms"));
        for (uint32_t i = 1; i <= 3; i++)
                stage_until_reason(&stage, i, REASON_NOT_YET);

        send_trap(any.port, "grp=web\nsvc=http\nsta=0\nsum=all is well\n");
        stage_until_state(&stage, 1, VERDICT_UP);
        assert_non_null(strstr(stage.text[1], "all is well"));
        send_trap(any.port, "grp=web\nsvc=http\nsta=one\n"); /* is none */
        send_trap(any.port, from_mon);
        stage_until_state(&stage, 1, VERDICT_DOWN);
        stage_until_state(&stage, 2, VERDICT_DOWN);
        assert_int_equal(stage.last[2].detail, 3);
        assert_non_null(strstr(stage.text[2], "3, alpha is bad"));
        stage_until(&stage, is_over, 5, "the failure has lasted long enough");
        assert_int_equal(stage.last[3].reason, REASON_NOT_YET);
}

static void test_what_a_trap_said_outlives_the_checker(void **state)
{
        struct config_check known = any_check(CHECK_TRAP), told, old;

        known.ip = (struct ip){0};
        known.port = free_port();
        known.trap.group = stage_text("web");
        known.trap.service = stage_text("http");
        told = old = known;
        told.trap.service = stage_text("dns");
        old.trap.service = stage_text("smtp");
        old.trap.within = span_s(1);
        start(1, &known);
        stage_until_reason(&stage, 1, REASON_NOT_YET);
        send_trap(known.port, "grp=web\nsvc=http\nsta=2\nsum=torn\n");
        stage_until_state(&stage, 1, VERDICT_DOWN);
        instant at = stage.last[1].told;
        assert_true(at.us != 0 && instant_reached(instant_now(), at));

        kill(checker_pid(stage.checker), SIGKILL);
        stage_until_reason(&stage, 1, REASON_NO_CHECKER);
        stage_until_state(&stage, 1, VERDICT_DOWN);
        assert_non_null(strstr(stage.text[1], "2, torn"));
        assert_int_equal(stage.last[1].told.us, at.us);

        start(2, &told); /* what another node was told a while ago */
        checker_remember(stage.checker, 2, instant_now(), 0, "done");
        start(3, &old);
        checker_remember(stage.checker, 3, (instant){instant_now().us - span_s(2).us}, 0, "done");
        stage_until_state(&stage, 2, VERDICT_UP);
        assert_non_null(strstr(stage.text[2], "done"));
        stage_until_reason(&stage, 3, REASON_MISSING);
        send_trap(known.port, "grp=web\nsvc=dns\nsta=1\nsum=gone\n");
        stage_until_state(&stage, 2, VERDICT_DOWN);
        checker_remember(stage.checker, 2, instant_now(), 0, "done"); /* too late: it runs */
        kill(checker_pid(stage.checker), SIGKILL);
        stage_until_reason(&stage, 2, REASON_NO_CHECKER);
        stage_until_state(&stage, 2, VERDICT_DOWN);
        assert_non_null(strstr(stage.text[2], "gone"));
}

static bool may_ping(void)
{
        int fd = icmp_socket_open(AF_INET);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

static void test_icmp_hears_who_answers_and_whose_packets_get_lost(void **state)
{
        struct config_check up, several, late, six, gone;

        if (!may_ping()) {
                print_message("no ICMP socket may be had here\n");
                skip();
        }
        up = any_check(CHECK_ICMP);
        several = late = six = gone = up;
        several.icmp.packets = 5;
        several.source = several.ip;
        late.icmp.packets = 2;
        late.icmp.rtt_max = span_us(1);
        ip_parse("::1", &six.ip);
        ip_parse("240.0.0.1", &gone.ip); /* reserved: nobody has it, and nothing is sent there */
        start(1, &up);
        start(2, &several);
        start(3, &late);
        start(4, &six);
        start(5, &gone);
        stage_until_state(&stage, 1, VERDICT_UP);
        stage_until_state(&stage, 2, VERDICT_UP);
        assert_non_null(strstr(stage.text[2], "0 of 5 packets lost"));
        stage_until_reason(&stage, 3, REASON_LIMIT);
        assert_non_null(strstr(stage.text[3], "at most 1us"));
        if (access("/proc/net/if_inet6", R_OK) == 0)
                stage_until_state(&stage, 4, VERDICT_UP);
        stage_until_state(&stage, 5, VERDICT_DOWN);
}

int main(int argc, char **argv)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)
        const struct CMUnitTest tests[] = {
                STAGED(test_every_kind_of_misbehaviour_has_its_reason),
                STAGED(test_libcurl_judges_alike),
                STAGED(test_a_certificate_has_to_be_good_for_long_enough),
                STAGED(test_a_name_server_is_judged_by_what_it_says),
                STAGED(test_tcp_says_and_expects),
                STAGED(test_a_trap_says_how_it_is_until_the_next_one),
                STAGED(test_what_a_trap_said_outlives_the_checker),
                STAGED(test_a_database_that_misbehaves_harms_its_own_look_only),
                STAGED(test_icmp_hears_who_answers_and_whose_packets_get_lost),
        };

        if (argc != 4)
                return 2;
        checker_path = argv[1];
        hostile_python = argv[2];
        hostile_script = argv[3];
        return cmocka_run_group_tests(tests, hostile_start, hostile_stop);
}
