#include "cluster/document.h"

#include "cluster/message.h"
#include "sample.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void what_is_written_reads_back(void **state)
{
        static struct document d, back;
        uint8_t bytes[DOCUMENT_BYTES_MAX];
        uint8_t again[DOCUMENT_BYTES_MAX];
        uint64_t seed = 1;

        for (int i = 0; i < 500; i++) {
                sample_random_document(&seed, &d);
                int n = document_encode(&d, bytes, sizeof(bytes));
                assert_in_range(n, 1, sizeof(bytes));
                memset(&back, 0xaa, sizeof(back));
                assert_int_equal(document_decode(bytes, (size_t)n, &back), 0);
                assert_true(sample_documents_equal(&d, &back));
                assert_int_equal(document_encode(&back, again, sizeof(again)), n);
                assert_memory_equal(bytes, again, (size_t)n);
        }
}

static void the_largest_fits(void **state)
{
        static struct document d;
        uint8_t bytes[DOCUMENT_BYTES_MAX];

        sample_largest_document(&d);
        int n = document_encode(&d, bytes, sizeof(bytes));
        assert_in_range(n, 8000, sizeof(bytes));
        assert_int_equal(document_encode(&d, bytes, (size_t)n), n);
        assert_int_equal(document_encode(&d, bytes, (size_t)n - 1), -EMSGSIZE);
}

/* A release that writes other bytes cannot read its own disk after an upgrade. */
static void the_bytes_are_those_of_the_golden_file(void **state)
{
        static struct document d, back;
        uint8_t bytes[DOCUMENT_BYTES_MAX];
        uint8_t golden[DOCUMENT_BYTES_MAX];

        sample_document(&d);
        size_t golden_n = sample_golden(GOLDEN "/document-1.hex", golden, sizeof(golden));
        int n = document_encode(&d, bytes, sizeof(bytes));
        assert_int_equal(n, golden_n);
        assert_memory_equal(bytes, golden, golden_n);
        assert_int_equal(document_decode(golden, golden_n, &back), 0);
        assert_true(sample_documents_equal(&d, &back));
}

static void cut_short_or_longer_changes_nothing(void **state)
{
        static struct document d, back, before;
        uint8_t bytes[DOCUMENT_BYTES_MAX + 1] = {0};

        sample_document(&d);
        size_t n = (size_t)document_encode(&d, bytes, DOCUMENT_BYTES_MAX);
        memset(&back, 0x55, sizeof(back));
        memcpy(&before, &back, sizeof(back));
        /* but where a field ends, what follows is at its default */
        for (size_t i = 0; i < n; i++)
                if (i != 15 && i != 49)
                        assert_int_equal(document_decode(bytes, i, &back), -EBADMSG);
        assert_int_equal(document_decode(bytes, n + 1, &back), -EBADMSG);
        assert_memory_equal(&before, &back, sizeof(back));
}

/* Any byte changed reads as another document or none, and what it reads as writes back to those bytes. */
/* Adds a field to a part whose length stands at `length_at`, and to the lengths around it. */
static size_t insert(uint8_t *bytes, size_t n, size_t at, const uint8_t *field, size_t field_n,
                     const size_t *length_at, size_t lengths)
{
        memmove(bytes + at + field_n, bytes + at, n - at);
        memcpy(bytes + at, field, field_n);
        for (size_t i = 0; i < lengths; i++) {
                size_t length = (size_t)bytes[length_at[i]] << 8 | bytes[length_at[i] + 1];
                length += field_n;
                bytes[length_at[i]] = (uint8_t)(length >> 8);
                bytes[length_at[i] + 1] = (uint8_t)length;
        }
        return n + field_n;
}

/* A document of a later release: a field more of itself, of node 0 and of the group "web". */
static size_t document_of_tomorrow(uint8_t *bytes)
{
        static const uint8_t of_document[] = {0x50, 0, 3, 7, 8, 9}, of_node[] = {0x40, 0, 1, 5};
        static const uint8_t of_group[] = {0x30, 0, 0, 0x31, 0, 2, 1, 2};
        static struct document d;

        sample_document(&d);
        size_t n = (size_t)document_encode(&d, bytes, DOCUMENT_BYTES_MAX);
        n = insert(bytes, n, n, of_document, sizeof(of_document), NULL, 0);
        n = insert(bytes, n, 75, of_group, sizeof(of_group), (size_t[]){50, 52}, 2);
        return insert(bytes, n, 28, of_node, sizeof(of_node), (size_t[]){16, 18}, 2);
}

/* Rule 27: a node of today that leads or hands over must not lose what tomorrow's nodes have agreed on. */
static void fields_of_a_later_release_are_handed_on(void **state)
{
        static struct document today;
        uint8_t bytes[DOCUMENT_BYTES_MAX + 64];
        uint8_t again[DOCUMENT_BYTES_MAX];

        size_t n = document_of_tomorrow(bytes);
        assert_int_equal(document_decode(bytes, n, &today), 0);
        assert_int_equal(today.group[0].group, document_group(&today, today.group[0].group)->group);
        assert_int_equal(document_encode(&today, again, sizeof(again)), n);
        assert_memory_equal(again, bytes, n);

        /* what today changes stays beside it */
        document_group(&today, today.group[1].group)->wanted = NODE_NONE;
        today.member[0].standby = true;
        size_t shorter = (size_t)document_encode(&today, again, sizeof(again));
        assert_int_equal(shorter, n - 4 + 11);
        assert_non_null(memmem(again, shorter, "\x30\0\0\x31\0\2\1\2", 8));
        assert_non_null(memmem(again, shorter, "\x40\0\1\5", 4));
        assert_memory_equal(again + shorter - 6, "\x50\0\3\7\x8\x9", 6);

        /* a group that goes takes along what is its own, and nothing else */
        document_remove_group(&today, &today.group[0]);
        shorter = (size_t)document_encode(&today, again, sizeof(again));
        assert_null(memmem(again, shorter, "\x30\0\0\x31\0\2\1\2", 8));
        assert_non_null(memmem(again, shorter, "\x40\0\1\5", 4));
}

static void more_unknown_than_can_be_kept_is_refused(void **state)
{
        static struct document back;
        uint8_t bytes[DOCUMENT_BYTES_MAX + 64];
        size_t n = document_of_tomorrow(bytes), more = DOCUMENT_KEPT_MAX;

        bytes[n++] = 0x51;
        bytes[n++] = (uint8_t)(more >> 8);
        bytes[n++] = (uint8_t)more;
        memset(bytes + n, 0, more);
        assert_int_equal(document_decode(bytes, n + more, &back), -EBADMSG);
}

static void changed_bits_never_read_as_the_same(void **state)
{
        static struct document d, back;
        uint8_t bytes[DOCUMENT_BYTES_MAX];
        uint8_t again[DOCUMENT_BYTES_MAX];

        sample_document(&d);
        size_t n = (size_t)document_encode(&d, bytes, sizeof(bytes));
        for (size_t bit = 0; bit < 8 * n; bit++) {
                bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
                if (document_decode(bytes, n, &back) == 0) {
                        assert_int_equal(document_encode(&back, again, sizeof(again)), n);
                        assert_memory_equal(bytes, again, n);
                        assert_false(sample_documents_equal(&d, &back));
                }
                bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
}

static void random_bytes_are_read_as_they_are_or_not_at_all(void **state)
{
        static struct document back;
        uint8_t bytes[256];
        uint8_t again[DOCUMENT_BYTES_MAX];
        uint64_t seed = 2;

        for (int i = 0; i < 20000; i++) {
                for (size_t j = 0; j < sizeof(bytes); j++)
                        bytes[j] = (uint8_t)(sample_number(&seed) >> 40);
                bytes[0] = 1; /* else the format ends it at once */
                size_t n = sample_number(&seed) % sizeof(bytes);
                if (document_decode(bytes, n, &back) == 0) {
                        assert_int_equal(document_encode(&back, again, sizeof(again)), n);
                        assert_memory_equal(bytes, again, n);
                }
        }
}

static void values_that_cannot_be_are_refused(void **state)
{
        static struct document d, back;
        uint8_t bytes[DOCUMENT_BYTES_MAX];
        static const struct {
                const char *what;
                size_t at; /* in the bytes of sample_document() */
                uint8_t value;
        } row[] = {
                {"format of a later release", 0, 2},
                {"author that is no node", 10, DOCUMENT_NODES_MAX},
                {"a field twice, or one out of order", 49, 2},
                {"a part longer than what holds it", 19, 0x20},
                {"a field with more in it than is known", 40, 9},
                {"owner that is no node", 58, DOCUMENT_NODES_MAX},
        };

        sample_document(&d);
        size_t n = (size_t)document_encode(&d, bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
                uint8_t was = bytes[row[i].at];
                bytes[row[i].at] = row[i].value;
                if (document_decode(bytes, n, &back) != -EBADMSG)
                        fail_msg("%s was accepted", row[i].what);
                bytes[row[i].at] = was;
        }
}

static void a_group_listed_twice_is_refused(void **state)
{
        static struct document d, back;
        uint8_t bytes[DOCUMENT_BYTES_MAX];

        sample_document(&d);
        d.group[1].group = d.group[0].group;
        size_t n = (size_t)document_encode(&d, bytes, sizeof(bytes));
        assert_int_equal(document_decode(bytes, n, &back), -EBADMSG);
}

static void versions_are_ordered_by_term_author_and_number(void **state)
{
        assert_true(version_compare((struct version){2, 0, 0}, (struct version){1, 9, 9}) > 0);
        assert_true(version_compare((struct version){2, 0, 9}, (struct version){2, 1, 0}) < 0);
        assert_true(version_compare((struct version){2, 1, 2}, (struct version){2, 1, 1}) > 0);
        assert_int_equal(version_compare((struct version){2, 1, 2}, (struct version){2, 1, 2}), 0);
        assert_true(epoch_compare((struct epoch){1, 9}, (struct epoch){2, 1}) < 0);
        assert_true(epoch_compare((struct epoch){2, 2}, (struct epoch){2, 1}) > 0);
        assert_true(epoch_equal((struct epoch){2, 2}, (struct epoch){2, 2}));
}

static void a_full_document_takes_no_more_groups(void **state)
{
        static struct document d;

        for (uint32_t i = 1; i <= DOCUMENT_GROUPS_MAX; i++)
                assert_non_null(document_add_group(&d, i));
        assert_null(document_add_group(&d, 1000));
        assert_ptr_equal(document_add_group(&d, 7), document_group(&d, 7));
        assert_null(document_group(&d, 1000));
        assert_int_equal(d.group_count, DOCUMENT_GROUPS_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_reads_back),
                cmocka_unit_test(the_largest_fits),
                cmocka_unit_test(the_bytes_are_those_of_the_golden_file),
                cmocka_unit_test(cut_short_or_longer_changes_nothing),
                cmocka_unit_test(fields_of_a_later_release_are_handed_on),
                cmocka_unit_test(more_unknown_than_can_be_kept_is_refused),
                cmocka_unit_test(changed_bits_never_read_as_the_same),
                cmocka_unit_test(random_bytes_are_read_as_they_are_or_not_at_all),
                cmocka_unit_test(values_that_cannot_be_are_refused),
                cmocka_unit_test(a_group_listed_twice_is_refused),
                cmocka_unit_test(versions_are_ordered_by_term_author_and_number),
                cmocka_unit_test(a_full_document_takes_no_more_groups),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
