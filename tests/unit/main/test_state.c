#include "main/state.h"

#include "base/file.h"
#include "cluster/message.h"
#include "main/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES 32768

static char dir[64];

static const char *file(const char *name)
{
        static char path[PATH_SIZE];

        assert_int_equal(path_join(dir, name, path), 0);
        return path;
}

static int setup(void **state)
{
        strcpy(dir, "/tmp/haven-state-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        unlink(file(PATH_BOOT));
        unlink(file(PATH_CLUSTER));
        return rmdir(dir);
}

static void the_boot_count_goes_up_by_one(void **state)
{
        uint64_t boot;

        assert_int_equal(state_boot_write(dir, 41), 0);
        assert_int_equal(state_boot_next(dir, &boot), 0);
        assert_int_equal(boot, 42);
        assert_int_equal(state_boot_next(dir, &boot), 0);
        assert_int_equal(boot, 43);
}

static void without_a_boot_count_there_is_no_state_and_none_is_made(void **state)
{
        uint64_t boot = 9;

        assert_int_equal(state_boot_next(dir, &boot), 0);
        assert_int_equal(boot, 0);
        assert_int_equal(access(file(PATH_BOOT), F_OK), -1);
}

static void a_damaged_boot_count_is_refused_and_left_alone(void **state)
{
        static const char *const bad[] = {"",       "\n",
                                          "12",     "-1\n",
                                          "0\n",    "12 \n",
                                          "0x12\n", "99999999999999999999\n",
                                          "1\n1\n", "123456789012345678901234567890\n"};

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                uint64_t boot = 9;
                char text[64] = "";
                assert_int_equal(file_replace(file(PATH_BOOT), bad[i], strlen(bad[i]), 0600), 0);
                assert_int_equal(state_boot_next(dir, &boot), -EBADMSG);
                assert_int_equal(boot, 0);
                assert_int_equal(file_read(file(PATH_BOOT), text, sizeof(text)), (ssize_t)strlen(bad[i]));
                assert_string_equal(text, bad[i]);
        }
}

static struct state sample(void)
{
        struct state s = {.node = "alpha",
                          .valid = true,
                          .term = 77,
                          .voted_for = 3,
                          .committed = {76, 1, 12},
                          .told = {.term = 76, .version = {75, 0, 3}},
                          .document = {.version = {77, 1, 13}, .members = 0xabcdef01, .member_count = 2}};
        struct assignment *a = document_add_group(&s.document, 0x1234);

        s.document.member[1].boot = 99;
        a->owner = 1;
        a->owner_boot = 99;
        a->epoch = (struct epoch){77, 2};
        a->from = NODE_NONE;
        a->wanted = NODE_NONE;
        return s;
}

static void what_is_saved_is_loaded(void **state)
{
        struct state s = sample(), back;
        char text[STATE_TEXT];
        struct stat st;

        assert_int_equal(state_save(dir, &s), 0);
        assert_int_equal(state_load(dir, &back, text), 0);
        assert_string_equal(back.node, "alpha");
        assert_true(back.valid);
        assert_int_equal(back.term, 77);
        assert_int_equal(back.voted_for, 3);
        assert_true(back.told.term == 76 && back.told.version.term == 75 && back.told.version.n == 3);
        assert_true(back.committed.term == 76 && back.committed.author == 1 && back.committed.n == 12);
        assert_true(back.document.version.n == 13 && back.document.members == 0xabcdef01);
        assert_int_equal(back.document.member[1].boot, 99);
        assert_int_equal(document_group(&back.document, 0x1234)->owner, 1);
        assert_int_equal(stat(file(PATH_CLUSTER), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
}

static void no_file_is_told_from_a_damaged_one(void **state)
{
        struct state s;
        char text[STATE_TEXT];

        assert_int_equal(state_load(dir, &s, text), -ENOENT);
        assert_non_null(strstr(text, "/cluster: No such file"));
}

static void a_state_cut_short_anywhere_is_refused(void **state)
{
        static uint8_t bytes[FILE_BYTES];
        struct state s = sample(), back = {.term = 5};
        char text[STATE_TEXT];

        assert_int_equal(state_save(dir, &s), 0);
        ssize_t n = file_read(file(PATH_CLUSTER), bytes, sizeof(bytes));
        assert_true(n > 60);
        for (ssize_t cut = 0; cut < n; cut++) {
                assert_int_equal(truncate(file(PATH_CLUSTER), 0), 0);
                FILE *f = fopen(file(PATH_CLUSTER), "we");
                assert_int_equal(fwrite(bytes, 1, (size_t)cut, f), cut);
                fclose(f);
                assert_int_equal(state_load(dir, &back, text), -EBADMSG);
                assert_int_equal(back.term, 5);
                assert_non_null(strstr(text, "/cluster: "));
        }
}

static void a_state_with_any_bit_flipped_is_refused(void **state)
{
        static uint8_t bytes[FILE_BYTES];
        struct state s = sample(), back;
        char text[STATE_TEXT];

        assert_int_equal(state_save(dir, &s), 0);
        ssize_t n = file_read(file(PATH_CLUSTER), bytes, sizeof(bytes));
        for (ssize_t i = 0; i < n; i++) {
                bytes[i] ^= (uint8_t)(1U << (i % 8));
                FILE *f = fopen(file(PATH_CLUSTER), "we");
                assert_int_equal(fwrite(bytes, 1, (size_t)n, f), n);
                fclose(f);
                bytes[i] ^= (uint8_t)(1U << (i % 8));
                assert_int_equal(state_load(dir, &back, text), -EBADMSG);
        }
}

static void a_longer_state_and_a_newer_version_are_refused_by_name(void **state)
{
        static uint8_t bytes[FILE_BYTES];
        struct state s = sample(), back;
        char text[STATE_TEXT];

        assert_int_equal(state_save(dir, &s), 0);
        ssize_t n = file_read(file(PATH_CLUSTER), bytes, sizeof(bytes));
        assert_int_equal(file_replace(file(PATH_CLUSTER), bytes, (size_t)n + 1, 0600), 0);
        assert_int_equal(state_load(dir, &back, text), -EBADMSG);
        assert_non_null(strstr(text, "longer than it says"));
        assert_int_equal(file_replace(file(PATH_CLUSTER), bytes, sizeof(bytes), 0600), 0);
        assert_int_equal(state_load(dir, &back, text), -EBADMSG);
        assert_non_null(strstr(text, "longer than a state can be"));
        bytes[5]++;
        assert_int_equal(file_replace(file(PATH_CLUSTER), bytes, (size_t)n, 0600), 0);
        assert_int_equal(state_load(dir, &back, text), -EBADMSG);
        assert_non_null(strstr(text, "version"));
}

static void init_makes_a_voter_once(void **state)
{
        struct state s;
        char text[STATE_TEXT] = "";
        uint64_t boot, again;
        uint64_t now = (uint64_t)time(NULL);

        assert_int_equal(state_init(dir, "beta", false, text), 0);
        assert_int_equal(state_load(dir, &s, text), 0);
        assert_string_equal(s.node, "beta");
        assert_true(s.valid && s.voted_for == NODE_NONE && s.term == 0 && s.document.version.n == 0);
        assert_int_equal(state_boot_next(dir, &boot), 0);
        assert_true(boot > now);

        assert_int_equal(state_init(dir, "beta", false, text), -EEXIST);
        assert_non_null(strstr(text, "--force"));

        assert_int_equal(state_boot_write(dir, now + 1000000), 0);
        assert_int_equal(state_init(dir, "beta", true, text), 0);
        assert_int_equal(state_boot_next(dir, &again), 0);
        assert_int_equal(again, now + 1000002); /* above the old one, though the clock is behind */
}

static void init_leaves_alone_what_a_havend_goes_by(void **state)
{
        char text[STATE_TEXT] = "";

        assert_int_equal(state_init(dir, "beta", false, text), 0);
        int lock = state_lock(dir);
        assert_true(lock >= 0);
        assert_int_equal(state_lock(dir), -EWOULDBLOCK);
        assert_int_equal(state_init(dir, "beta", true, text), -EBUSY);
        assert_non_null(strstr(text, "stop it first"));
        close(lock);
        assert_int_equal(state_init(dir, "beta", true, text), 0);
}

/* Fields are tag u8, length u16, content; the hash at the end covers all. */
static void fields_of_a_later_release_are_passed_over_unless_required(void **state)
{
        static uint8_t bytes[FILE_BYTES];
        struct state s = sample(), back;
        char text[STATE_TEXT];

        for (int required = 0; required < 2; required++) {
                assert_int_equal(state_save(dir, &s), 0);
                size_t n = (size_t)file_read(file(PATH_CLUSTER), bytes, sizeof(bytes)) - 16;
                const uint8_t field[] = {required ? 0xc0 : 0x40, 0, 2, 7, 7};
                memcpy(bytes + n, field, sizeof(field));
                n += sizeof(field);
                size_t length = n - 10;
                bytes[8] = (uint8_t)(length >> 8);
                bytes[9] = (uint8_t)length;
                crypto_generichash(bytes + n, 16, bytes, n, NULL, 0);
                assert_int_equal(file_replace(file(PATH_CLUSTER), bytes, n + 16, 0600), 0);
                assert_int_equal(state_load(dir, &back, text), required ? -EBADMSG : 0);
                if (required)
                        assert_non_null(strstr(text, "of a later haven"));
                else
                        assert_int_equal(back.term, s.term);
        }
}

static void init_names_the_directory_that_it_cannot_make(void **state)
{
        char text[STATE_TEXT] = "";

        assert_int_equal(state_init("/proc/nowhere/haven", "beta", false, text), -ENOENT);
        assert_non_null(strstr(text, "/proc/nowhere/haven"));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_DIR(the_boot_count_goes_up_by_one),
                WITH_DIR(without_a_boot_count_there_is_no_state_and_none_is_made),
                WITH_DIR(a_damaged_boot_count_is_refused_and_left_alone),
                WITH_DIR(what_is_saved_is_loaded),
                WITH_DIR(no_file_is_told_from_a_damaged_one),
                WITH_DIR(a_state_cut_short_anywhere_is_refused),
                WITH_DIR(a_state_with_any_bit_flipped_is_refused),
                WITH_DIR(a_longer_state_and_a_newer_version_are_refused_by_name),
                WITH_DIR(init_makes_a_voter_once),
                WITH_DIR(init_leaves_alone_what_a_havend_goes_by),
                WITH_DIR(fields_of_a_later_release_are_passed_over_unless_required),
                cmocka_unit_test(init_names_the_directory_that_it_cannot_make),
        };

        return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
