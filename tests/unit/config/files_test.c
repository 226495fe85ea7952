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

#define SERVICES 1000
#define SERVERS  10

/* So many services as one director is made for, and print it with every default, which is what the next core
 * reads. */
static void a_thousand_services_of_ten_servers_are_read_and_read_back(void **state)
{
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);

        fputs("cluster c { key = /etc/haven/key }\nnode alpha { address = 10.0.0.2 }\n"
              "node beta { address = 10.0.0.3 }\narbiter ping { target = 10.0.0.254 }\n"
              "group lb {\nnodes = {alpha, beta}\ndirector front {\n",
              to);
        for (int i = 0; i < SERVICES; i++) {
                fprintf(to, "pool p%d {\n", i);
                for (int k = 0; k < SERVERS; k++)
                        fprintf(to, "real 10.%d.%d.%d:8080 { weight = %d }\n", 1 + i / 250, i % 250, k + 1,
                                k + 1);
                fprintf(to,
                        "check http { url = \"http://%%h:%%p/health\" }\n}\n"
                        "virtual 10.100.%d.%d:80 { pool = p%d }\n",
                        i / 250, i % 250 + 1, i);
        }
        fputs("}\naddress 10.0.0.111/24 { device = eth0 }\n}\n", to);
        fclose(to);

        char path[] = "/tmp/haven-large-XXXXXX";
        int fd = mkstemp(path);
        assert_int_not_equal(fd, -1);
        assert_int_equal(write(fd, text, size), (ssize_t)size);
        free(text);
        struct config *c = loaded(path);
        text = printed(c);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
        struct config *again = loaded(path);
        assert_true(again->digest == c->digest);
        assert_int_equal(again->group[0].resource[0].director->pool_count, SERVICES);
        assert_int_equal(again->group[0].resource[0].director->pool[999].server_count, SERVERS);
        close(fd);
        unlink(path);
        free(text);
        config_free(again);
        config_free(c);
}

static void a_file_that_is_too_large_is_not_read(void **state)
{
        char path[] = "/tmp/haven-large-XXXXXX", expected[128], *said = NULL;
        int fd = mkstemp(path);
        size_t size = 0;
        FILE *to = open_memstream(&said, &size);

        assert_int_not_equal(fd, -1);
        assert_int_equal(ftruncate(fd, 8 * 1024 * 1024 + 1), 0);
        assert_null(config_load(path, mistakes_to, to));
        fclose(to);
        snprintf(expected, sizeof(expected), "%s:0: cannot read this file: it is larger than 8 MiB\n", path);
        assert_string_equal(said, expected);
        free(said);
        close(fd);
        unlink(path);
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
                cmocka_unit_test(a_thousand_services_of_ten_servers_are_read_and_read_back),
                cmocka_unit_test(a_file_that_is_too_large_is_not_read),
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
