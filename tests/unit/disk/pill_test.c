#include "disk/pill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t uuid[DISK_UUID] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t other_uuid[DISK_UUID] = {9};
static struct disk_keys keys, others;
static uint8_t block[DISK_BLOCK], whole[DISK_BLOCK];

static int set_keys(void **state)
{
        uint8_t secret[DISK_KEY] = {42};

        keys.count = others.count = 1;
        disk_key_derive(secret, "shop", keys.key[0]);
        disk_key_derive(secret, "bar", others.key[0]);
        return 0;
}

static struct disk_life sample_life(void)
{
        return (struct disk_life){.node = 2,
                                  .boot = {0xaa, 0xbb, 0xcc},
                                  .count = 0x1122334455667788,
                                  .watchdog = span_s(10),
                                  .taken = 77,
                                  .written = 1795000000};
}

static struct disk_pills sample_pills(void)
{
        struct disk_pills p = {.node = 1};

        p.to[2] = (struct disk_pill){.number = 77, .boot = {0xaa, 0xbb, 0xcc}, .written = 1795000001};
        p.to[DISK_NODES_MAX - 1] = (struct disk_pill){.number = UINT64_MAX, .boot = {1}};
        return p;
}

static enum disk_refusal life_is(uint8_t node, const uint8_t *of, const struct disk_keys *with)
{
        struct disk_life l;

        return disk_life_decode(block, of, node, with, &l);
}

static void what_is_written_reads_back(void **state)
{
        struct disk_life l = sample_life(), life;
        struct disk_pills p = sample_pills(), pills;

        disk_life_encode(&l, uuid, &keys, block);
        assert_int_equal(disk_life_decode(block, uuid, 2, &keys, &life), DISK_OK);
        assert_int_equal(life.node, l.node);
        assert_memory_equal(life.boot, l.boot, PILL_BOOT);
        assert_int_equal(life.count, l.count);
        assert_int_equal(life.watchdog.us, l.watchdog.us);
        assert_int_equal(life.taken, l.taken);
        assert_int_equal(life.written, l.written);
        disk_pills_encode(&p, uuid, &keys, block);
        assert_int_equal(disk_pills_decode(block, uuid, 1, &keys, &pills), DISK_OK);
        for (size_t i = 0; i < DISK_NODES_MAX; i++) {
                assert_int_equal(pills.to[i].number, p.to[i].number);
                assert_memory_equal(pills.to[i].boot, p.to[i].boot, PILL_BOOT);
                assert_int_equal(pills.to[i].written, p.to[i].written);
        }
}

static void what_is_not_ours_resets_nobody(void **state)
{
        struct disk_life l = sample_life();
        struct disk_pills pills;

        memset(block, 0, sizeof(block));
        assert_int_equal(life_is(2, uuid, &keys), DISK_BLANK);
        disk_life_encode(&l, uuid, &keys, block);
        assert_int_equal(life_is(1, uuid, &keys), DISK_NOT_OURS);
        assert_int_equal(life_is(2, other_uuid, &keys), DISK_NOT_OURS);
        assert_int_equal(life_is(2, uuid, &others), DISK_FORGED);
        assert_int_equal(disk_pills_decode(block, uuid, 2, &keys, &pills), DISK_NOT_OURS);
        memcpy(whole, block, sizeof(block));
        for (size_t at = 5; at < DISK_BLOCK; at += 7) {
                memcpy(block, whole, sizeof(block));
                block[at] ^= 1;
                assert_int_not_equal(life_is(2, uuid, &keys), DISK_OK);
        }
        memcpy(block, whole, sizeof(block));
        block[4]++;
        assert_int_equal(life_is(2, uuid, &keys), DISK_FUTURE);
}

static void they_have_places_of_their_own(void **state)
{
        for (uint8_t i = 0; i < DISK_NODES_MAX; i++) {
                assert_true(disk_life_place(i) >= disk_record_place(i, 1) + DISK_RECORD);
                assert_int_equal(disk_pills_place(i), disk_life_place(i) + DISK_BLOCK);
                assert_true(disk_pills_place(i) + DISK_BLOCK <= DISK_BYTES(i + 1));
                for (uint8_t j = 0; j < DISK_NODES_MAX; j++)
                        assert_true(i == j || disk_life_place(i) >= disk_mail_place(i, j) + DISK_MAIL ||
                                    disk_pills_place(i) + DISK_BLOCK <= disk_mail_place(i, j));
        }
}

static void compare_golden(const char *name)
{
        char path[512];
        uint8_t file[DISK_BLOCK];

        snprintf(path, sizeof(path), GOLDEN "/%s", name);
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        assert_int_equal(fread(file, 1, sizeof(file), f), sizeof(file));
        fclose(f);
        assert_memory_equal(file, block, sizeof(file));
}

static void the_bytes_are_those_of_before(void **state)
{
        struct disk_life l = sample_life();
        struct disk_pills p = sample_pills();

        disk_life_encode(&l, uuid, &keys, block);
        compare_golden("life");
        disk_pills_encode(&p, uuid, &keys, block);
        compare_golden("pills");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_reads_back),
                cmocka_unit_test(what_is_not_ours_resets_nobody),
                cmocka_unit_test(they_have_places_of_their_own),
                cmocka_unit_test(the_bytes_are_those_of_before),
        };

        return cmocka_run_group_tests(tests, set_keys, NULL);
}
