/* What SIP and RADIUS servers answer, read from bytes. */
#include "monitor/kinds/radius_packet.h"
#include "monitor/kinds/sip_answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BRANCH "z9hG4bK0123456789abcdef"
#define VIA    "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=" BRANCH ";rport=5060\r\n"
#define CSEQ   "CSeq: 1 OPTIONS\r\n"

static void test_what_a_sip_server_answers(void **state)
{
        static const struct {
                const char *text;
                int result, status;
                bool ours;
        } rows[] = {
                {"SIP/2.0 200 OK\r\n" VIA CSEQ "Content-Length: 0\r\n\r\n", 0, 200, true},
                {"SIP/2.0 200 OK\r\nv:SIP/2.0/TCP a ; BRANCH=" BRANCH "\r\ncseq:\t7 OPTIONS \r\nl:0\r\n\r\n",
                 0, 200, true},
                {"SIP/2.0 180 Ringing\r\n" VIA CSEQ "\r\n", 0, 180, true},
                {"SIP/2.0 404 Not Found\r\n" VIA CSEQ "Warning: 1\r\n goes on: here\r\n\r\n", 0, 404, true},
                {"SIP/2.0 603 Decline\r\n" VIA CSEQ "\r\n", 0, 603, true},
                {"SIP/2.0 200\r\n" VIA CSEQ "\r\n", 0, 200, true},
                /* to somebody else */
                {"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=" BRANCH "0\r\n" CSEQ "\r\n", 0, 200, false},
                {"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=" BRANCH
                 "\r\n" CSEQ "\r\n",
                 0, 200, false},
                {"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP b\r\n" VIA CSEQ "\r\n", 0, 200, false},
                {"SIP/2.0 200 OK\r\n" VIA "CSeq: 1 INVITE\r\n\r\n", 0, 200, false},
                {"SIP/2.0 200 OK\r\n" CSEQ "\r\n", 0, 200, false},
                {"SIP/2.0 200 OK\r\n\r\n", 0, 200, false},
                /* not whole */
                {"", -EAGAIN},
                {"SIP", -EAGAIN},
                {"SIP/2.0 200 OK\r\n" VIA, -EAGAIN},
                /* no answer of SIP */
                {"HTTP/1.1 200 OK\r\n\r\n", -EBADMSG},
                {"H", -EBADMSG},
                {"SIP/2.0 099 Early\r\n\r\n", -EBADMSG},
                {"SIP/2.0 700 Late\r\n\r\n", -EBADMSG},
                {"SIP/2.0 20x OK\r\n\r\n", -EBADMSG},
                {"SIP/2.0 2000 OK\r\n\r\n", -EBADMSG},
                {"SIP/2.0 200 OK\r\nno field\r\n\r\n", -EBADMSG},
                {"SIP/2.0 200 OK\r\n" VIA CSEQ "Content-Length: -1\r\n\r\n", -EBADMSG},
                {"SIP/2.0 200 OK\r\n" VIA CSEQ "Content-Length: 99999999999999999999\r\n\r\n", -EBADMSG},
                {"OPTIONS sip:a SIP/2.0\r\n\r\n", -EBADMSG},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct sip_answer a;
                int r = sip_answer_read(rows[i].text, strlen(rows[i].text), BRANCH, &a);
                if (r != rows[i].result || (r == 0 && (a.status != rows[i].status || a.ours != rows[i].ours)))
                        fail_msg("%s: %d", rows[i].text, r);
        }
}

static void test_a_sip_answer_ends_with_its_body(void **state)
{
        static const char text[] =
                "SIP/2.0 200 Everything is well\r\n" VIA CSEQ "Content-Length: 4\r\n\r\nbody";
        struct sip_answer a;

        assert_int_equal(sip_answer_read(text, strlen(text), BRANCH, &a), 0);
        assert_int_equal(a.size, strlen(text));
        assert_string_equal(a.phrase, "Everything is well");
}

static void test_a_sip_head_without_end_is_none(void **state)
{
        static char text[SIP_HEAD_MAX];
        struct sip_answer a;

        memset(text, 'x', sizeof(text));
        for (size_t i = 0; i < 8; i++)
                text[i] = "SIP/2.0 "[i];
        assert_int_equal(sip_answer_read(text, sizeof(text) - 1, BRANCH, &a), -EAGAIN);
        assert_int_equal(sip_answer_read(text, sizeof(text), BRANCH, &a), -EBADMSG);
}

/* RFC 2865 7.1: nemo logs in. */
#define SECRET "xyzzy5461"
static const uint8_t authenticator[] = {0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57,
                                        0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a};
static const uint8_t granted[] = {0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24,
                                  0xba, 0x2a, 0x10, 0x05, 0xf6, 0xbf, 0x9b, 0x55, 0xe0, 0xb2,
                                  0x06, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x06, 0x00, 0x00,
                                  0x00, 0x00, 0x0e, 0x06, 0xc0, 0xa8, 0x01, 0x03};

static struct radius_request asked(const char *password)
{
        const struct check_radius check = {
                .user = (char *)"nemo", .password = (char *)password, .secret = (char *)SECRET};
        struct radius_request r = {.id = 0};

        memcpy(r.authenticator, authenticator, sizeof(authenticator));
        assert_int_equal(radius_request_write(&r, &check), 0);
        return r;
}

static void test_a_radius_question_is_that_of_the_rfc(void **state)
{
        static const uint8_t hidden[] = {0x02, 18,   0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13,
                                         0xce, 0x31, 0x96, 0xe4, 0x3f, 0x78, 0x2a, 0x0a, 0xee};
        struct radius_request r = asked("arctangent");

        assert_int_equal(r.bytes[0], 1);
        assert_int_equal(r.bytes[2] << 8 | r.bytes[3], (int)r.n);
        assert_int_equal(r.n, 20 + 18 + 6 + 18 + 7);
        assert_memory_equal(r.bytes + 4, authenticator, 16);
        assert_int_equal(r.bytes[20], 80);
        assert_memory_equal(r.bytes + 38, "\x01\x06nemo", 6);
        assert_memory_equal(r.bytes + 44, hidden, sizeof(hidden));
}

static void test_a_password_of_any_length_is_hidden_in_sixteens(void **state)
{
        char text[128];

        for (size_t n = 0; n < sizeof(text); n++) {
                memset(text, 'p', n);
                text[n] = '\0';
                struct radius_request r = asked(text);
                assert_int_equal(r.bytes[45], 2 + (n ? (n + 15) / 16 * 16 : 16));
        }
}

static void test_what_a_radius_server_answers(void **state)
{
        struct radius_request r = asked("arctangent");
        uint8_t other[sizeof(granted) + 9];
        char said[RADIUS_SAID];

        assert_int_equal(radius_answer_read(&r, SECRET, granted, sizeof(granted), said), RADIUS_ACCEPT);
        assert_int_equal(radius_answer_read(&r, "other", granted, sizeof(granted), said), RADIUS_UNSIGNED);
        memcpy(other, granted, sizeof(granted));
        memset(other + sizeof(granted), 0xaa, 9); /* what is behind its length does not count */
        assert_int_equal(radius_answer_read(&r, SECRET, other, sizeof(other), said), RADIUS_ACCEPT);
        for (size_t n = 0; n < sizeof(granted); n++)
                assert_int_equal(radius_answer_read(&r, SECRET, granted, n, said), RADIUS_FOREIGN);
        other[1] = 1; /* to another question */
        assert_int_equal(radius_answer_read(&r, SECRET, other, sizeof(granted), said), RADIUS_FOREIGN);
        other[1] = 0;
        other[0] = 5; /* not about logins */
        assert_int_equal(radius_answer_read(&r, SECRET, other, sizeof(granted), said), RADIUS_FOREIGN);
        other[0] = 3; /* a refusal made of an acceptance */
        assert_int_equal(radius_answer_read(&r, SECRET, other, sizeof(granted), said), RADIUS_UNSIGNED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_sip_server_answers),
                cmocka_unit_test(test_a_sip_answer_ends_with_its_body),
                cmocka_unit_test(test_a_sip_head_without_end_is_none),
                cmocka_unit_test(test_a_radius_question_is_that_of_the_rfc),
                cmocka_unit_test(test_a_password_of_any_length_is_hidden_in_sixteens),
                cmocka_unit_test(test_what_a_radius_server_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
