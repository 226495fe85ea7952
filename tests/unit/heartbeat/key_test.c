#include "heartbeat/key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/haven-key-XXXXXX";
static char path[64];
static char reason[KEY_REASON];

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static int make_directory(void **state)
{
        if (!mkdtemp(directory))
                return -1;
        snprintf(path, sizeof(path), "%s/key", directory);
        return 0;
}

static int remove_directory(void **state)
{
        unlink(path);
        return rmdir(directory);
}

static void write_file(const char *text, mode_t mode)
{
        unlink(path);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
        assert_int_equal(chmod(path, mode), 0);
}

static void what_is_saved_is_loaded(void **state)
{
        struct keyring keys = {.count = 2};
        struct keyring back;
        struct stat st;

        key_generate(2, &keys.key[0]);
        key_generate(1, &keys.key[1]);
        assert_memory_not_equal(keys.key[0].secret, keys.key[1].secret, KEY_BYTES);
        assert_int_equal(key_save(path, &keys), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(key_load(path, &back, reason), 0);
        assert_int_equal(back.count, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(back.key[i].number, keys.key[i].number);
                assert_memory_equal(back.key[i].secret, keys.key[i].secret, KEY_BYTES);
        }
        key_wipe(&back);
        assert_int_equal(back.count, 0);
}

static void comments_and_blanks_are_allowed(void **state)
{
        struct keyring keys;

        write_file("# the key of shop\n\n  7\t" HEX "  # since spring\r\n", 0400);
        assert_int_equal(key_load(path, &keys, reason), 0);
        assert_int_equal(keys.count, 1);
        assert_int_equal(keys.key[0].number, 7);
        assert_int_equal(keys.key[0].secret[31], 0x1f);
}

static void unsafe_permissions_are_named_with_their_repair(void **state)
{
        struct keyring keys = {.count = 99};
        char repair[128];

        static const mode_t unsafe[] = {0644, 0640, 0602, 0604, 0610};
        snprintf(repair, sizeof(repair), "chmod 600 %s", path);
        for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
                char mode[16];
                snprintf(mode, sizeof(mode), "mode %04o", unsafe[i]);
                write_file("1 " HEX "\n", unsafe[i]);
                assert_int_equal(key_load(path, &keys, reason), -EACCES);
                assert_non_null(strstr(reason, path));
                assert_non_null(strstr(reason, mode));
                assert_non_null(strstr(reason, "owner "));
                assert_non_null(strstr(reason, repair));
        }
        assert_int_equal(keys.count, 99);
}

static void a_stranger_s_key_file_is_unsafe(void **state)
{
        struct keyring keys;

        write_file("1 " HEX "\n", 0600);
        if (chown(path, 12345, 12345) == -1)
                skip(); /* needs root */
        assert_int_equal(key_load(path, &keys, reason), -EACCES);
        assert_non_null(strstr(reason, "uid 12345"));
        assert_non_null(strstr(reason, "chown root:"));
}

static void what_is_no_key_is_named_by_line_and_not_quoted(void **state)
{
        struct keyring keys;
        static const struct {
                const char *text;
                const char *said;
        } row[] = {
                {"", "holds no key"},
                {"# nothing\n", "holds no key"},
                {HEX "\n", ":1: a key's number and a blank"},
                {"x " HEX "\n", ":1: a key's number"},
                {"99999999999 " HEX "\n", ":1: a key's number"},
                {"1 " HEX "00\n", ":1: 64 hexadecimal digits"},
                {"1 0102\n", ":1: 64 hexadecimal digits"},
                {"1 " HEX " more\n", ":1: 64 hexadecimal digits"},
                {"1 0000000000000000000000000000000000000000000000000000000000000000\n",
                 ":1: a key of zeros"},
                {"1 " HEX "\n2 " HEX "\n\n3 " HEX "\n", ":4: two keys are the most"},
        };

        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
                write_file(row[i].text, 0600);
                assert_int_equal(key_load(path, &keys, reason), -EBADMSG);
                if (!strstr(reason, row[i].said))
                        fail_msg("\"%s\" does not say \"%s\"", reason, row[i].said);
                assert_null(strstr(reason, "0001020304"));
        }
}

static void a_missing_file_says_how_to_make_one(void **state)
{
        struct keyring keys;

        unlink(path);
        assert_int_equal(key_load(path, &keys, reason), -ENOENT);
        assert_non_null(strstr(reason, path));
        assert_non_null(strstr(reason, "haven keygen"));
        assert_int_equal(key_load(directory, &keys, reason), -EBADMSG);
        assert_non_null(strstr(reason, "not a regular file"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_saved_is_loaded),
                cmocka_unit_test(comments_and_blanks_are_allowed),
                cmocka_unit_test(unsafe_permissions_are_named_with_their_repair),
                cmocka_unit_test(a_stranger_s_key_file_is_unsafe),
                cmocka_unit_test(what_is_no_key_is_named_by_line_and_not_quoted),
                cmocka_unit_test(a_missing_file_says_how_to_make_one),
        };

        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
