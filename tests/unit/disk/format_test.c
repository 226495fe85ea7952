#include "disk/format.h"

#include "../cluster/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t uuid[DISK_UUID] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static struct disk_keys keys;
static uint8_t bytes[DISK_RECORD], other[DISK_RECORD];
static uint8_t document[DOCUMENT_BYTES_MAX];

static struct disk_record sample(size_t document_n)
{
        memset(document, 0x5a, sizeof(document));
        return (struct disk_record){.node = 1,
                                    .kind = DISK_RENEWAL,
                                    .writer = {.boot = 0x1122334455667788, .core = 3},
                                    .seq = 99,
                                    .term = 12,
                                    .version = {.term = 12, .author = 1, .n = 7},
                                    .written = 1795000000,
                                    .document_n = (uint16_t)document_n,
                                    .document = document};
}

static int set_keys(void **state)
{
        uint8_t secret[DISK_KEY] = {42};

        keys.count = 1;
        disk_key_derive(secret, "shop", keys.key[0]);
        return 0;
}

static enum disk_refusal decode(const uint8_t *from, size_t n, struct disk_record *r)
{
        return disk_record_decode(from, n, uuid, 1, &keys, r);
}

static void what_is_written_reads_back(void **state)
{
        static const size_t sizes[] = {
                0, 1, 300, DISK_BLOCK - DISK_RECORD_HEAD, DISK_BLOCK, DOCUMENT_BYTES_MAX};

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                struct disk_record r = sample(sizes[i]), back;
                size_t n = disk_record_encode(&r, uuid, &keys, bytes);
                assert_int_equal(n % DISK_BLOCK, 0);
                assert_int_equal(disk_record_length(bytes), n);
                assert_int_equal(decode(bytes, n, &back), DISK_OK);
                assert_int_equal(back.kind, r.kind);
                assert_int_equal(back.writer.boot, r.writer.boot);
                assert_int_equal(back.writer.core, r.writer.core);
                assert_int_equal(back.seq, r.seq);
                assert_int_equal(back.term, r.term);
                assert_true(version_equal(back.version, r.version));
                assert_int_equal(back.written, r.written);
                assert_int_equal(back.document_n, r.document_n);
                assert_memory_equal(back.document, document, sizes[i]);
        }
}

static void one_bit_changed_anywhere_is_seen(void **state)
{
        struct disk_record r = sample(5000), back;
        size_t n = disk_record_encode(&r, uuid, &keys, bytes);

        for (size_t bit = 0; bit < n * 8; bit += 97) {
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_not_equal(decode(bytes, n, &back), DISK_OK);
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(decode(bytes, n, &back), DISK_OK);
}

static void each_refusal_has_its_reason(void **state)
{
        struct disk_record r = sample(100), back;
        struct disk_keys strange = {.count = 1};
        uint8_t elsewhere[DISK_UUID] = {9};
        size_t n = disk_record_encode(&r, uuid, &keys, bytes);

        assert_int_equal(disk_record_decode(bytes, n, uuid, 0, &keys, &back), DISK_NOT_OURS);
        assert_int_equal(disk_record_decode(bytes, n, elsewhere, 1, &keys, &back), DISK_NOT_OURS);
        assert_int_equal(disk_record_decode(bytes, n, uuid, 1, &strange, &back), DISK_FORGED);
        strange.count = 2; /* while the key is changed, both are good */
        memcpy(strange.key[1], keys.key[0], DISK_KEY);
        assert_int_equal(disk_record_decode(bytes, n, uuid, 1, &strange, &back), DISK_OK);
        bytes[4] = DISK_VERSION + 1;
        assert_int_equal(decode(bytes, n, &back), DISK_FUTURE);
        memset(bytes, 0, sizeof(bytes));
        assert_int_equal(decode(bytes, DISK_BLOCK, &back), DISK_BLANK);
        bytes[0] = 1;
        assert_int_equal(decode(bytes, DISK_BLOCK, &back), DISK_NOT_OURS);
        r.seq = 0;
        n = disk_record_encode(&r, uuid, &keys, bytes);
        assert_int_equal(decode(bytes, n, &back), DISK_BAD);
}

static void a_torn_write_leaves_the_one_before(void **state)
{
        struct disk_record r = sample(6000), back;
        const uint8_t *both[2] = {bytes, other};
        size_t n[2];
        unsigned which;

        n[0] = disk_record_encode(&r, uuid, &keys, bytes);
        memset(other, 0, sizeof(other));
        n[1] = DISK_BLOCK;
        assert_int_equal(disk_newest(both, n, uuid, 1, &keys, &back, &which), DISK_OK);
        assert_int_equal(which, 0);
        r.seq++;
        n[1] = disk_record_encode(&r, uuid, &keys, other);
        assert_int_equal(disk_newest(both, n, uuid, 1, &keys, &back, &which), DISK_OK);
        assert_int_equal(which, 1);
        assert_int_equal(back.seq, 100);
        memset(other + DISK_BLOCK, 0, DISK_BLOCK); /* its second block never came */
        assert_int_equal(disk_newest(both, n, uuid, 1, &keys, &back, &which), DISK_OK);
        assert_int_equal(which, 0);
        bytes[5000] ^= 1;
        assert_int_equal(disk_newest(both, n, uuid, 1, &keys, &back, &which), DISK_TORN);
        memset(bytes, 0, sizeof(bytes));
        assert_int_equal(disk_newest(both, n, uuid, 1, &keys, &back, &which), DISK_BLANK);
}

/* What one release writes the next has to read: the area outlives every upgrade. */
static void the_bytes_are_those_of_the_golden_file(void **state)
{
        struct disk_record r = sample(3), back;
        struct disk_header h = {.cluster = "shop", .node_count = 2, .made = 1795000000}, header;
        static uint8_t golden[DISK_BLOCK];

        memcpy(h.uuid, uuid, sizeof(uuid));
        disk_header_encode(&h, bytes);
        memset(golden, 0, sizeof(golden));
        size_t n = sample_golden(GOLDEN "/header-1.hex", golden, sizeof(golden));
        assert_int_equal(n, 64);
        assert_memory_equal(bytes, golden, 64);
        assert_int_equal(disk_header_decode(bytes, &header), DISK_OK);
        assert_string_equal(header.cluster, "shop");
        assert_int_equal(header.node_count, 2);
        disk_record_encode(&r, uuid, &keys, bytes);
        n = sample_golden(GOLDEN "/record-1.hex", golden, sizeof(golden));
        assert_int_equal(n, DISK_RECORD_HEAD + 3);
        assert_memory_equal(bytes, golden, n);
        memset(golden + n, 0, sizeof(golden) - n);
        assert_int_equal(decode(golden, DISK_BLOCK, &back), DISK_OK);
}

static void a_header_is_refused_by_name(void **state)
{
        struct disk_header h = {.cluster = "shop", .node_count = 2}, back;

        memset(bytes, 0, DISK_BLOCK);
        assert_int_equal(disk_header_decode(bytes, &back), DISK_BLANK);
        memset(bytes, 'x', DISK_BLOCK);
        assert_int_equal(disk_header_decode(bytes, &back), DISK_NOT_OURS);
        disk_header_encode(&h, bytes);
        bytes[30] ^= 1;
        assert_int_equal(disk_header_decode(bytes, &back), DISK_TORN);
        h.node_count = 0;
        disk_header_encode(&h, bytes);
        assert_int_equal(disk_header_decode(bytes, &back), DISK_BAD);
}

static void mail_reads_back_whole_or_not_at_all(void **state)
{
        static uint8_t mail[DISK_MAIL], packet[DISK_MAIL_MAX];
        const uint8_t *got;
        uint64_t number;
        size_t got_n;

        memset(packet, 7, sizeof(packet));
        size_t n = disk_mail_encode(5, uuid, packet, sizeof(packet), mail);
        assert_int_equal(n, DISK_MAIL);
        assert_int_equal(disk_mail_decode(mail, n, uuid, &number, &got, &got_n), DISK_OK);
        assert_int_equal(got_n, sizeof(packet));
        assert_memory_equal(got, packet, got_n);
        n = disk_mail_encode(6, uuid, packet, 180, mail);
        assert_int_equal(disk_mail_length(mail), DISK_BLOCK);
        assert_int_equal(disk_mail_decode(mail, n, uuid, &number, &got, &got_n), DISK_OK);
        assert_int_equal(number, 6);
        mail[100] ^= 1;
        assert_int_equal(disk_mail_decode(mail, n, uuid, &number, &got, &got_n), DISK_TORN);
}

static void areas_do_not_overlap(void **state)
{
        for (uint8_t i = 0; i + 1 < DISK_NODES_MAX; i++)
                assert_int_equal(disk_mail_place(i, DISK_NODES_MAX - 1) + DISK_MAIL,
                                 disk_record_place((uint8_t)(i + 1), 0));
        assert_int_equal(DISK_BYTES(2), disk_record_place(2, 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_reads_back),
                cmocka_unit_test(one_bit_changed_anywhere_is_seen),
                cmocka_unit_test(each_refusal_has_its_reason),
                cmocka_unit_test(a_torn_write_leaves_the_one_before),
                cmocka_unit_test(the_bytes_are_those_of_the_golden_file),
                cmocka_unit_test(a_header_is_refused_by_name),
                cmocka_unit_test(mail_reads_back_whole_or_not_at_all),
                cmocka_unit_test(areas_do_not_overlap),
        };
        return cmocka_run_group_tests(tests, set_keys, NULL);
}
