/* What is on the wire, byte by byte; what a packet means; when announcements go out. No privileges needed. */

#include "base/text.h"
#include "takeover/arp.h"
#include "takeover/heard.h"
#include "takeover/ndp.h"
#include "takeover/schedule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct mac ours = {{0x02, 0, 0, 0, 0, 0x01}};
static const struct mac theirs = {{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc}};

static struct ip ip(const char *text)
{
        struct ip parsed;

        assert_int_equal(ip_parse(text, &parsed), 0);
        return parsed;
}

static void arp_packets_are_what_rfc_826_and_5227_say(void **state)
{
        static const uint8_t request[ARP_SIZE] = {0,  1, 8, 0,   6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
                                                  10, 0, 0, 111, 0, 0, 0, 0, 0, 0, 10, 0, 0, 111};
        static const uint8_t reply[ARP_SIZE] = {0,  1, 8, 0,   6, 4, 0, 2, 2, 0, 0,  0, 0, 1,
                                                10, 0, 0, 111, 2, 0, 0, 0, 0, 1, 10, 0, 0, 111};
        static const uint8_t probe[ARP_SIZE] = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
                                                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 111};
        static const uint8_t question[ARP_SIZE] = {0,  1, 8, 0,   6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
                                                   10, 0, 0, 111, 0, 0, 0, 0, 0, 0, 10, 0, 0, 254};
        struct ip floating = ip("10.0.0.111"), gateway = ip("10.0.0.254");
        const struct {
                struct arp arp;
                const uint8_t *golden;
        } rows[] = {
                {arp_announcement(ARP_REQUEST, &floating, ours), request},
                {arp_announcement(ARP_REPLY, &floating, ours), reply},
                {arp_probe(&floating, ours), probe},
                {arp_question(&gateway, &floating, ours), question},
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                uint8_t packet[ARP_SIZE];
                struct arp back;
                arp_encode(&rows[i].arp, packet);
                assert_memory_equal(packet, rows[i].golden, ARP_SIZE);
                assert_int_equal(arp_decode(packet, sizeof(packet), &back), 0);
                assert_int_equal(back.operation, rows[i].arp.operation);
                assert_true(ip_equal(&back.sender_ip, &rows[i].arp.sender_ip));
                assert_true(ip_equal(&back.target_ip, &rows[i].arp.target_ip));
                assert_true(mac_equal(back.sender_mac, rows[i].arp.sender_mac));
                assert_true(mac_equal(back.target_mac, rows[i].arp.target_mac));
        }
}

static void broken_arp_is_refused(void **state)
{
        static const struct {
                size_t at;
                uint8_t value;
        } rows[] = {{0, 1}, {1, 6}, {2, 0x86}, {3, 1}, {4, 8}, {5, 16}, {6, 1}, {7, 0}, {7, 3}};
        struct ip floating = ip("10.0.0.111");
        struct arp arp = arp_announcement(ARP_REQUEST, &floating, ours), back;
        uint8_t good[ARP_SIZE], bad[ARP_SIZE];

        arp_encode(&arp, good);
        for (size_t n = 0; n < ARP_SIZE; n++)
                assert_int_equal(arp_decode(good, n, &back), -EBADMSG);
        for (size_t i = 0; i < COUNT(rows); i++) {
                memcpy(bad, good, sizeof(bad));
                bad[rows[i].at] = rows[i].value;
                assert_int_equal(arp_decode(bad, sizeof(bad), &back), -EBADMSG);
        }
}

/* The checksums come from another implementation of RFC 4443 2.3. */
static void an_advertisement_is_what_rfc_4861_says(void **state)
{
        static const uint8_t golden[NDP_PACKET_SIZE] = {
                0x60, 0,    0,    0,    0,    32, 58, 255, /* header */
                0x20, 0x01, 0x0d, 0xb8, 0,    0,  0,  0,   0, 0, 0, 0, 0, 0, 0x01, 0x11,
                0xff, 0x02, 0,    0,    0,    0,  0,  0,   0, 0, 0, 0, 0, 0, 0,    1,    /* to all nodes */
                136,  0,    0xf7, 0x0a, 0x20, 0,  0,  0,                                 /* override */
                0x20, 0x01, 0x0d, 0xb8, 0,    0,  0,  0,   0, 0, 0, 0, 0, 0, 0x01, 0x11, /* target */
                2,    1,    2,    0,    0,    0,  0,  1};
        uint8_t packet[NDP_PACKET_SIZE];
        struct ip floating = ip("2001:db8::111"), all = ip("ff02::1");

        struct ip to = ndp_announcement(&floating, ours, false, packet);
        assert_true(ip_equal(&to, &all));
        assert_memory_equal(packet, golden, sizeof(golden));
        ndp_announcement(&floating, ours, true, packet);
        assert_int_equal(packet[44], NDP_OVERRIDE | NDP_ROUTER);
        assert_int_equal(packet[42] << 8 | packet[43], 0x770a);
        struct mac group = ndp_group_mac(&to);
        assert_memory_equal(group.bytes, ((uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
}

/* Adding up a correct packet, its checksum included, gives all ones. */
static void assert_checksum(const uint8_t packet[static NDP_PACKET_SIZE])
{
        uint32_t sum = 32 + 58;

        for (size_t i = 8; i < NDP_PACKET_SIZE; i += 2)
                sum += (uint32_t)packet[i] << 8 | packet[i + 1];
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        assert_int_equal(sum, 0xffff);
}

static void solicitations_go_to_the_solicited_node(void **state)
{
        struct ip floating = ip("2001:db8::12:3456"), gateway = ip("2001:db8::ab:cdef"), none = ip("::");
        struct ip group = ip("ff02::1:ff12:3456"), gateway_group = ip("ff02::1:ffab:cdef");
        uint8_t packet[NDP_PACKET_SIZE];
        struct ndp ndp;

        struct ip to = ndp_probe(&floating, ours, packet);
        assert_true(ip_equal(&to, &group));
        assert_memory_equal(packet + 8, none.bytes, 16);
        assert_checksum(packet);
        assert_int_equal(ndp_decode(packet + 40, 32, &ndp), 0);
        assert_int_equal(ndp.type, NDP_SOLICITATION);
        assert_true(ip_equal(&ndp.target, &floating));
        assert_false(ndp.has_mac); /* RFC 4862 5.4.2: a probe must not carry it */
        assert_true(ndp.has_nonce);

        to = ndp_question(&gateway, &floating, ours, packet);
        assert_true(ip_equal(&to, &gateway_group));
        assert_memory_equal(packet + 8, floating.bytes, 16);
        assert_checksum(packet);
        assert_int_equal(ndp_decode(packet + 40, 32, &ndp), 0);
        assert_true(ip_equal(&ndp.target, &gateway));
        assert_true(ndp.has_mac && mac_equal(ndp.mac, ours));
}

static void broken_neighbour_messages_are_refused(void **state)
{
        static const struct {
                size_t at;
                uint8_t value;
        } rows[] = {{0, 134}, {0, 137}, {1, 1}, {8, 0xff}, {25, 0}, {25, 2}};
        struct ip floating = ip("2001:db8::111");
        uint8_t packet[NDP_PACKET_SIZE], bad[32];
        struct ndp back;

        ndp_announcement(&floating, ours, false, packet);
        for (size_t n = 0; n < 32; n++)
                if (n != 24) /* whole, without the option */
                        assert_int_equal(ndp_decode(packet + 40, n, &back), -EBADMSG);
        assert_int_equal(ndp_decode(packet + 40, 24, &back), 0);
        assert_false(back.has_mac);
        for (size_t i = 0; i < COUNT(rows); i++) {
                memcpy(bad, packet + 40, sizeof(bad));
                bad[rows[i].at] = rows[i].value;
                assert_int_equal(ndp_decode(bad, sizeof(bad), &back), -EBADMSG);
        }
}

static void arp_is_understood(void **state)
{
        static const char *const it = "10.0.0.111";
        static const struct {
                const char *sender, *target;
                enum arp_operation operation;
                bool from_us, to_us;
                enum heard_kind kind;
        } rows[] = {
                {"10.0.0.111", "10.0.0.111", ARP_REQUEST, false, false, HEARD_CLAIM},
                {"10.0.0.111", "10.0.0.5", ARP_REPLY, false, true, HEARD_CLAIM},
                {"10.0.0.111", "10.0.0.111", ARP_REPLY, true, false, HEARD_NOTHING},
                {"0.0.0.0", "10.0.0.111", ARP_REQUEST, false, false, HEARD_PROBE},
                {"0.0.0.0", "10.0.0.111", ARP_REQUEST, true, false, HEARD_NOTHING},
                {"0.0.0.0", "10.0.0.112", ARP_REQUEST, false, false, HEARD_NOTHING},
                {"10.0.0.254", "10.0.0.111", ARP_REPLY, false, true, HEARD_PROOF},
                {"10.0.0.254", "10.0.0.111", ARP_REQUEST, false, true, HEARD_PROOF},
                {"10.0.0.254", "10.0.0.111", ARP_REQUEST, false, false,
                 HEARD_NOTHING}, /* who has it? proves nothing */
                {"10.0.0.254", "10.0.0.7", ARP_REPLY, false, true, HEARD_NOTHING},
        };
        struct ip floating = ip(it);

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct arp arp = {.operation = rows[i].operation,
                                  .sender_mac = rows[i].from_us ? ours : theirs,
                                  .sender_ip = ip(rows[i].sender),
                                  .target_ip = ip(rows[i].target)};
                struct heard heard = heard_arp(&arp, rows[i].to_us, &floating, ours);
                if (heard.kind != rows[i].kind)
                        fail_msg("row %zu: %d", i, heard.kind);
        }
}

static void neighbour_messages_are_understood(void **state)
{
        static const struct {
                enum ndp_type type;
                const char *source, *destination, *target;
                char mac; /* 'o'urs, 't'heirs, '-' none; as nonce if upper case */
                enum heard_kind kind;
        } rows[] = {
                {NDP_ADVERTISEMENT, "fd::9", "ff02::1", "fd::111", 't', HEARD_CLAIM},
                {NDP_ADVERTISEMENT, "fd::9", "ff02::1", "fd::111", 'o', HEARD_NOTHING},
                {NDP_ADVERTISEMENT, "fd::9", "fd::111", "fd::111", '-', HEARD_CLAIM},
                {NDP_ADVERTISEMENT, "fd::1", "fd::111", "fd::1", 't', HEARD_PROOF},
                {NDP_ADVERTISEMENT, "fd::1", "ff02::1", "fd::1", 't', HEARD_NOTHING},
                {NDP_SOLICITATION, "::", "ff02::1:ff00:111", "fd::111", '-', HEARD_PROBE},
                {NDP_SOLICITATION, "::", "ff02::1:ff00:111", "fd::111", 'T', HEARD_PROBE},
                {NDP_SOLICITATION, "::", "ff02::1:ff00:111", "fd::111", 'O', HEARD_NOTHING},
                {NDP_SOLICITATION, "fd::1", "ff02::1:ff00:111", "fd::111", 't', HEARD_NOTHING},
                {NDP_SOLICITATION, "fd::1", "fd::111", "fd::111", 't', HEARD_PROOF},
        };
        struct ip floating = ip("fd::111");

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct mac mac = rows[i].mac == 'o' || rows[i].mac == 'O' ? ours : theirs;
                struct ndp ndp = {.type = rows[i].type, .target = ip(rows[i].target), .mac = mac};
                struct ip source = ip(rows[i].source), destination = ip(rows[i].destination);
                ndp.has_mac = rows[i].mac == 'o' || rows[i].mac == 't';
                ndp.has_nonce = rows[i].mac == 'O' || rows[i].mac == 'T';
                memcpy(ndp.nonce, mac.bytes, sizeof(ndp.nonce));
                struct heard heard = heard_ndp(&ndp, &source, &destination, &floating, ours);
                if (heard.kind != rows[i].kind)
                        fail_msg("row %zu: %d", i, heard.kind);
        }
}

static void announcements_thin_out_and_never_stop(void **state)
{
        static const int64_t ms[] = {0, 20, 100, 300, 1000, 2000, 4000, 8000, 38000, 68000};

        for (unsigned i = 0; i < COUNT(ms); i++)
                assert_int_equal(schedule_offset(i).us, ms[i] * 1000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(arp_packets_are_what_rfc_826_and_5227_say),
                cmocka_unit_test(broken_arp_is_refused),
                cmocka_unit_test(an_advertisement_is_what_rfc_4861_says),
                cmocka_unit_test(solicitations_go_to_the_solicited_node),
                cmocka_unit_test(broken_neighbour_messages_are_refused),
                cmocka_unit_test(arp_is_understood),
                cmocka_unit_test(neighbour_messages_are_understood),
                cmocka_unit_test(announcements_thin_out_and_never_stop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
