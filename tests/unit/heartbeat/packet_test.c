#include "heartbeat/packet.h"

#include "../cluster/sample.h"
#include "heartbeat/seal.h"
#include "message_sample.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct message message, back;
static uint8_t body[PACKET_BODY_MAX];
static uint8_t opened[PACKET_BODY_MAX];
static uint8_t packet[PACKET_MAX + 1];

static struct seal make_seal(const char *cluster, uint8_t first, uint8_t second)
{
        struct keyring keys = {.count = second ? 2 : 1};
        struct seal s;

        memset(keys.key[0].secret, first, KEY_BYTES);
        memset(keys.key[1].secret, second, KEY_BYTES);
        seal_init(&s, cluster, &keys);
        return s;
}

/* The sample message as a packet of cluster "shop", key 0x01.., with a fixed nonce. */
static size_t sample_packet(void)
{
        struct seal s = make_seal("shop", 1, 0);
        uint8_t nonce[SEAL_NONCE];

        for (size_t i = 0; i < sizeof(nonce); i++)
                nonce[i] = (uint8_t)(0xa0 + i);
        sample_message(&message);
        int n = packet_encode(&message, body, sizeof(body));
        assert_true(n > 0);
        n = seal_close_with(&s, nonce, body, (size_t)n, packet, sizeof(packet));
        assert_true(n > 0);
        return (size_t)n;
}

static void assert_refused(enum packet_refusal got, enum packet_refusal expected)
{
        if (got != expected)
                fail_msg("refused as \"%s\", not as \"%s\"", packet_refusal_name(got),
                         packet_refusal_name(expected));
}

static enum packet_refusal open_with(const struct seal *s, size_t n)
{
        size_t opened_n = 0;
        enum packet_refusal r = seal_open(s, packet, n, opened, &opened_n);

        return r == PACKET_ACCEPTED ? packet_decode(opened, opened_n, &back) : r;
}

static void what_is_said_is_heard(void **state)
{
        struct seal s = make_seal("shop", 1, 0);
        uint64_t seed = 3;

        for (int i = 0; i < 1000; i++) {
                sample_random_message(&seed, &message);
                int n = packet_encode(&message, body, sizeof(body));
                assert_true(n > 0);
                n = seal_close(&s, body, (size_t)n, packet, sizeof(packet));
                assert_true(n > 0);
                assert_refused(open_with(&s, (size_t)n), PACKET_ACCEPTED);
                assert_true(sample_messages_equal(&message, &back));
        }
}

/* A 115200 baud line carries eleven bytes a millisecond. */
static void a_quiet_packet_is_small(void **state)
{
        assert_in_range(sample_packet(), 100, 184);
}

static void the_largest_message_fits_a_packet(void **state)
{
        struct seal s = make_seal("shop", 1, 0);

        sample_largest_message(&message);
        int n = packet_encode(&message, body, sizeof(body));
        assert_in_range(n, 12000, PACKET_BODY_MAX);
        for (int size = 0; size < n; size += 37)
                assert_int_equal(packet_encode(&message, opened, (size_t)size), -EMSGSIZE);
        assert_int_equal(seal_close(&s, body, (size_t)n, packet, (size_t)n + PACKET_HEADER + PACKET_TAG - 1),
                         -EMSGSIZE);
        n = seal_close(&s, body, (size_t)n, packet, PACKET_MAX);
        assert_true(n > 0);
        assert_refused(open_with(&s, (size_t)n), PACKET_ACCEPTED);
        assert_true(sample_messages_equal(&message, &back));
}

/* Two releases that write other bytes under one version do not hear each other. */
static void the_bytes_are_those_of_the_golden_files(void **state)
{
        uint8_t golden[PACKET_MAX];
        size_t n = sample_packet();

        size_t golden_n = sample_golden(GOLDEN "/body-1.hex", golden, sizeof(golden));
        assert_int_equal(n - PACKET_HEADER - PACKET_TAG, golden_n);
        assert_memory_equal(body, golden, golden_n);
        golden_n = sample_golden(GOLDEN "/packet-1.hex", golden, sizeof(golden));
        assert_int_equal(n, golden_n);
        assert_memory_equal(packet, golden, golden_n);
}

static void a_packet_cut_anywhere_is_refused(void **state)
{
        struct seal s = make_seal("shop", 1, 0);
        size_t n = sample_packet();

        for (size_t i = 0; i < n; i++)
                assert_refused(open_with(&s, i),
                               i < PACKET_HEADER + PACKET_TAG ? PACKET_TOO_SHORT : PACKET_BROKEN_SEAL);
        assert_refused(open_with(&s, n + 1), PACKET_BROKEN_SEAL);
        assert_refused(open_with(&s, sizeof(packet)), PACKET_TOO_LONG);
}

static void a_packet_with_any_bit_changed_is_refused(void **state)
{
        struct seal s = make_seal("shop", 1, 0);
        size_t n = sample_packet();

        for (size_t bit = 0; bit < 8 * n; bit++) {
                size_t at = bit / 8;
                packet[at] ^= (uint8_t)(1U << bit % 8);
                enum packet_refusal why = open_with(&s, n);
                packet[at] ^= (uint8_t)(1U << bit % 8);
                if (at == 4)
                        assert_true(why == PACKET_FUTURE_VERSION || why == PACKET_NOT_HAVEN);
                else
                        assert_refused(why, at < 4    ? PACKET_NOT_HAVEN
                                            : at < 9  ? PACKET_OTHER_CLUSTER
                                            : at < 13 ? PACKET_UNKNOWN_KEY
                                                      : PACKET_BROKEN_SEAL);
        }
        assert_refused(open_with(&s, n), PACKET_ACCEPTED);
}

static void each_wrong_packet_has_its_name(void **state)
{
        struct seal other_cluster = make_seal("farm", 1, 0);
        struct seal other_key = make_seal("shop", 2, 0);
        struct seal ours = make_seal("shop", 1, 0);
        size_t n = sample_packet();

        assert_refused(open_with(&other_cluster, n), PACKET_OTHER_CLUSTER);
        assert_refused(open_with(&other_key, n), PACKET_UNKNOWN_KEY);
        packet[4] = PACKET_VERSION + 1;
        assert_refused(open_with(&ours, n), PACKET_FUTURE_VERSION);
        assert_refused(open_with(&ours, 5), PACKET_FUTURE_VERSION);
}

/* One name's hash may collide, and one key file may serve two clusters: the derived keys still differ. */
static void equal_keys_of_two_clusters_do_not_open_each_other(void **state)
{
        struct seal farm = make_seal("farm", 1, 0);
        struct seal shop = make_seal("shop", 1, 0);

        assert_true(farm.key[0].id != shop.key[0].id);
        farm.cluster = shop.cluster;
        farm.key[0].id = shop.key[0].id;
        assert_refused(open_with(&farm, sample_packet()), PACKET_BROKEN_SEAL);
}

static void the_second_key_is_accepted_and_the_first_used(void **state)
{
        struct seal old = make_seal("shop", 1, 0);
        struct seal both = make_seal("shop", 2, 1);
        struct seal fresh = make_seal("shop", 2, 0);
        size_t n = sample_packet();

        assert_refused(open_with(&both, n), PACKET_ACCEPTED);
        n = (size_t)seal_close(&both, body, 40, packet, sizeof(packet));
        size_t opened_n;
        assert_refused(seal_open(&fresh, packet, n, opened, &opened_n), PACKET_ACCEPTED);
        assert_refused(seal_open(&old, packet, n, opened, &opened_n), PACKET_UNKNOWN_KEY);
}

static void no_two_packets_share_a_nonce(void **state)
{
        struct seal s = make_seal("shop", 1, 0);
        uint8_t second[PACKET_HEADER + 8 + PACKET_TAG];

        seal_close(&s, body, 8, packet, sizeof(packet));
        seal_close(&s, body, 8, second, sizeof(second));
        assert_memory_not_equal(packet + 13, second + 13, SEAL_NONCE);
        assert_memory_not_equal(packet + PACKET_HEADER, second + PACKET_HEADER, 8);
}

static void random_packets_are_refused(void **state)
{
        struct seal s = make_seal("shop", 1, 0);
        uint64_t seed = 4;

        for (int i = 0; i < 20000; i++) {
                size_t n = sample_number(&seed) % 300;
                for (size_t j = 0; j < n; j++)
                        packet[j] = (uint8_t)(sample_number(&seed) >> 40);
                enum packet_refusal why = open_with(&s, n);
                assert_true(why == PACKET_TOO_SHORT || why == PACKET_NOT_HAVEN);
        }
}

/* Below the seal: a broken release of our own, or a later one. */

static void a_body_cut_anywhere_is_refused_or_ends_at_a_section(void **state)
{
        uint64_t seed = 5;

        sample_random_message(&seed, &message);
        int n = packet_encode(&message, body, sizeof(body));
        int whole = 0;
        for (int i = 0; i < n; i++)
                whole += packet_decode(body, (size_t)i, &back) == PACKET_ACCEPTED;
        assert_in_range(whole, 1, 9);
}

static void random_bodies_do_no_harm(void **state)
{
        uint64_t seed = 6;

        for (int i = 0; i < 20000; i++) {
                sample_random_message(&seed, &message);
                message.has_document = false;
                int n = packet_encode(&message, body, sizeof(body));
                for (int j = 0; j < 3; j++)
                        body[sample_number(&seed) % (uint64_t)n] = (uint8_t)sample_number(&seed);
                if (packet_decode(body, (size_t)n, &back) == PACKET_ACCEPTED) {
                        assert_true(back.from < DOCUMENT_NODES_MAX && back.to < DOCUMENT_NODES_MAX);
                        assert_true(back.hold_count <= DOCUMENT_GROUPS_MAX);
                        assert_true(packet_encode(&back, opened, sizeof(opened)) > 0);
                }
        }
}

static void sections_of_a_later_release_are_skipped_unless_required(void **state)
{
        static const uint8_t unknown[] = {0x3f, 0, 2, 0xaa, 0xbb};
        static const uint8_t required[] = {0x81, 0, 0};
        static const uint8_t cut[] = {0x3f, 0, 3, 0xaa, 0xbb};
        static const uint8_t twice[] = {1, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

        sample_message(&message);
        size_t n = (size_t)packet_encode(&message, body, sizeof(body));
        memcpy(body + n, unknown, sizeof(unknown));
        assert_refused(packet_decode(body, n + sizeof(unknown), &back), PACKET_ACCEPTED);
        assert_true(sample_messages_equal(&message, &back));
        memcpy(body + n, required, sizeof(required));
        assert_refused(packet_decode(body, n + sizeof(required), &back), PACKET_UNKNOWN_SECTION);
        memcpy(body + n, cut, sizeof(cut));
        assert_refused(packet_decode(body, n + sizeof(cut), &back), PACKET_BAD_LENGTH);
        memcpy(body + n, twice, sizeof(twice));
        assert_refused(packet_decode(body, n + sizeof(twice), &back), PACKET_BAD_VALUE);
}

static void values_that_cannot_be_are_refused(void **state)
{
        static const struct {
                const char *what;
                enum packet_refusal why;
                size_t n;
                uint8_t section[32];
        } row[] = {
                {"echo too long", PACKET_BAD_LENGTH, 20, {1, 0, 17}},
                {"echo too short", PACKET_BAD_LENGTH, 18, {1, 0, 15}},
                {"author that is no node", PACKET_BAD_VALUE, 12, {2, 0, 9, 0, 0, 0, 1, DOCUMENT_NODES_MAX}},
                {"ballot of no kind", PACKET_BAD_VALUE, 17, {5, 0, 14, 0}},
                {"ballot of unknown kind", PACKET_BAD_VALUE, 17, {5, 0, 14, 3}},
                {"ballot with unknown flag", PACKET_BAD_VALUE, 17, {5, 0, 14, 1, 4}},
                {"ballot older than for ever", PACKET_BAD_VALUE, 17, {5, 0, 14, 1, 0, 0, 0, 0, 0, 0x20, 1}},
                {"order of unknown kind", PACKET_BAD_VALUE, 21, {6, 0, 18, ORDER_CONFIRM_OFF + 1}},
                {"order for no node",
                 PACKET_BAD_VALUE,
                 21,
                 {6, 0, 18, 1, 0, 0, 0, 0, 0, 0, 0, 0, DOCUMENT_NODES_MAX}},
                {"result of no order", PACKET_BAD_VALUE, 8, {7, 0, 5}},
                {"hold in no state", PACKET_BAD_VALUE, 16, {8, 0, 13, 0, 0, 0, 1, HOLD_FAILED + 1}},
                {"hold cut short", PACKET_BAD_LENGTH, 15, {8, 0, 12}},
                {"group held twice", PACKET_BAD_VALUE, 29, {8, 0, 26}},
                {"document that is none", PACKET_BAD_DOCUMENT, 5, {9, 0, 2, 1, 1}},
        };

        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
                message = (struct message){.leader = NODE_NONE};
                size_t n = (size_t)packet_encode(&message, body, sizeof(body));
                memcpy(body + n, row[i].section, row[i].n);
                enum packet_refusal why = packet_decode(body, n + row[i].n, &back);
                if (why != row[i].why)
                        fail_msg("%s: %s, not %s", row[i].what, packet_refusal_name(why),
                                 packet_refusal_name(row[i].why));
        }
        message = (struct message){.leader = DOCUMENT_NODES_MAX};
        size_t n = (size_t)packet_encode(&message, body, sizeof(body));
        assert_refused(packet_decode(body, n, &back), PACKET_BAD_VALUE);
        message = (struct message){.from = DOCUMENT_NODES_MAX};
        n = (size_t)packet_encode(&message, body, sizeof(body));
        assert_refused(packet_decode(body, n, &back), PACKET_BAD_VALUE);
}

static void every_refusal_has_a_name_of_its_own(void **state)
{
        for (enum packet_refusal i = PACKET_ACCEPTED; i < PACKET_REFUSALS; i++) {
                assert_non_null(packet_refusal_name(i));
                for (enum packet_refusal j = PACKET_ACCEPTED; j < i; j++)
                        assert_string_not_equal(packet_refusal_name(i), packet_refusal_name(j));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_said_is_heard),
                cmocka_unit_test(a_quiet_packet_is_small),
                cmocka_unit_test(the_largest_message_fits_a_packet),
                cmocka_unit_test(the_bytes_are_those_of_the_golden_files),
                cmocka_unit_test(a_packet_cut_anywhere_is_refused),
                cmocka_unit_test(a_packet_with_any_bit_changed_is_refused),
                cmocka_unit_test(each_wrong_packet_has_its_name),
                cmocka_unit_test(equal_keys_of_two_clusters_do_not_open_each_other),
                cmocka_unit_test(the_second_key_is_accepted_and_the_first_used),
                cmocka_unit_test(no_two_packets_share_a_nonce),
                cmocka_unit_test(random_packets_are_refused),
                cmocka_unit_test(a_body_cut_anywhere_is_refused_or_ends_at_a_section),
                cmocka_unit_test(random_bodies_do_no_harm),
                cmocka_unit_test(sections_of_a_later_release_are_skipped_unless_required),
                cmocka_unit_test(values_that_cannot_be_are_refused),
                cmocka_unit_test(every_refusal_has_a_name_of_its_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
