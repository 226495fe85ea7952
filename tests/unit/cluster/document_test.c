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
        for (size_t i = 0; i < n; i++)
                assert_int_equal(document_decode(bytes, i, &back), -EBADMSG);
        assert_int_equal(document_decode(bytes, n + 1, &back), -EBADMSG);
        assert_memory_equal(&before, &back, sizeof(back));
}

/* Any byte changed reads as another document or none, and what it reads as writes back to those bytes. */
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
                {"unknown flag of maintenance", 15, 4},
                {"more members than there can be", 16, DOCUMENT_NODES_MAX + 1},
                {"owner that is no node", 48, DOCUMENT_NODES_MAX},
                {"unknown flag of a group", 65, 0x80},
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
                cmocka_unit_test(changed_bits_never_read_as_the_same),
                cmocka_unit_test(random_bytes_are_read_as_they_are_or_not_at_all),
                cmocka_unit_test(values_that_cannot_be_are_refused),
                cmocka_unit_test(a_group_listed_twice_is_refused),
                cmocka_unit_test(versions_are_ordered_by_term_author_and_number),
                cmocka_unit_test(a_full_document_takes_no_more_groups),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
