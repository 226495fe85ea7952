/* Files as people write them. Each wrong/NAME.conf has all that must be said about it in wrong/NAME.out; each
 * right/NAME.conf, and each of docs/examples, is printed as right/NAME.out says, and what is printed is read
 * back to the same. */
#include "base/text.h"
#include "files.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILES_LEAST 100 /* a pattern that finds no files must not pass */
#define FILES_MOST  1000

static char *out_of(const char *conf)
{
        char path[512];

        snprintf(path, sizeof(path), "%.*s.out", (int)(strlen(conf) - strlen(".conf")), conf);
        return file_text(path);
}

static void is_refused_with_these_words(void **state)
{
        const char *path = *state;
        char *said = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&said, &size);

        assert_int_equal(chdir(SOURCE "/wrong"), 0);
        struct config *c = config_load(path, mistakes_to, to);
        fclose(to);
        assert_null(c);
        char *expected = out_of(path);
        if (strstr(path, "sql-") && !check_kind_is_built(CHECK_POSTGRESQL))
                assert_non_null(strstr(said, "check postgresql: this haven was built without libpq"));
        else
                assert_string_equal(said, expected);
        free(said);
        free(expected);
}

static void check_reads_back(struct config *c, const char *text)
{
        struct config *again = parsed(text);
        char *text_again = printed(again);

        assert_string_equal(text_again, text);
        assert_true(again->digest == c->digest);
        assert_int_equal(again->members_digest, c->members_digest);
        config_free(again);
        free(text_again);
}

static void is_printed_in_full_and_reads_back(void **state)
{
        assert_int_equal(chdir(SOURCE "/right"), 0);
        struct config *c = loaded(*state);
        char *text = printed(c), *expected = out_of(*state);

        assert_string_equal(text, expected);
        check_reads_back(c, text);
        config_free(c);
        free(text);
        free(expected);
}

static void example_reads_back(void **state)
{
        assert_int_equal(chdir(EXAMPLES), 0);
        struct config *c = loaded(*state);
        char *text = printed(c);

        check_reads_back(c, text);
        config_free(c);
        free(text);
}

static void digest_does_not_depend_on_comments_order_and_includes(void **state)
{
        assert_int_equal(chdir(SOURCE "/right"), 0);
        struct config *one = loaded("orders.conf"), *other = loaded("orders-other.conf"),
                      *third = loaded("everything.conf");

        assert_true(one->digest == other->digest);
        assert_true(one->digest != third->digest);
        assert_int_equal(one->members_digest, other->members_digest);
        assert_int_not_equal(one->members_digest, third->members_digest);
        config_free(one);
        config_free(other);
        config_free(third);
}

static void a_file_that_is_not_there_is_named(void **state)
{
        char *said = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&said, &size);

        assert_null(config_load("/nonexistent/haven.conf", mistakes_to, to));
        fclose(to);
        assert_string_equal(said,
                            "/nonexistent/haven.conf:0: cannot read this file: No such file or directory\n");
        free(said);
}

static struct CMUnitTest tests[FILES_MOST];
static size_t test_count;

/* A test for each file of a directory. */
static void add_files(const char *directory, CMUnitTestFunction test)
{
        glob_t found;

        assert_int_equal(chdir(directory), 0);
        if (glob("*.conf", 0, NULL, &found) != 0)
                fail_msg("no files in %s", directory);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                char *name = strdup(found.gl_pathv[i]);
                assert_true(test_count < FILES_MOST);
                tests[test_count++] =
                        (struct CMUnitTest){.name = name, .test_func = test, .initial_state = name};
        }
        globfree(&found);
}

int main(void)
{
        const struct CMUnitTest others[] = {
                cmocka_unit_test(digest_does_not_depend_on_comments_order_and_includes),
                cmocka_unit_test(a_file_that_is_not_there_is_named),
        };

        add_files(SOURCE "/wrong", is_refused_with_these_words);
        add_files(SOURCE "/right", is_printed_in_full_and_reads_back);
        add_files(EXAMPLES, example_reads_back);
        if (test_count < FILES_LEAST)
                return 1;
        int failed = _cmocka_run_group_tests("files", tests, test_count, NULL, NULL);
        failed += cmocka_run_group_tests_name("all files", others, NULL, NULL);
        for (size_t i = 0; i < test_count; i++)
                free((char *)tests[i].name);
        return failed;
}
