/* What a director leaves in the run directory for the daemon after it. */
#include "director/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/haven-keep-XXXXXX", path[64];

static struct drained drained(const char *text)
{
        struct drained d;

        assert_int_equal(ip_parse_endpoint(text, &d.ip, &d.port), 0);
        return d;
}

static void order(struct drains *d, const char *text, bool drain)
{
        struct drained server = drained(text);

        assert_int_equal(drains_set(d, &server.ip, server.port, drain), 0);
        assert_int_equal(keep_drain(path, d, &server, drain), 0);
}

static void assert_kept(const struct drains *d)
{
        struct drains kept;

        kept_drains(path, &kept);
        assert_int_equal(kept.count, d->count);
        assert_int_equal(kept.lines, d->lines);
        for (size_t i = 0; i < d->count; i++) {
                size_t k = 0;
                while (k < kept.count && (!ip_equal(&kept.server[k].ip, &d->server[i].ip) ||
                                          kept.server[k].port != d->server[i].port))
                        k++;
                assert_true(k < kept.count);
        }
        drains_free(&kept);
}

static void test_the_last_word_on_a_server_counts(void **state)
{
        struct drains d = {0};

        unlink(path);
        order(&d, "10.0.0.11:80", true);
        order(&d, "[fd00::2]:80", true);
        order(&d, "10.0.0.11:80", false);
        order(&d, "10.0.0.12", true);
        assert_int_equal(d.count, 2);
        assert_kept(&d);
        order(&d, "10.0.0.12:81", true);
        order(&d, "10.0.0.12", false); /* whatever its port */
        assert_int_equal(d.count, 1);
        assert_kept(&d);
        drains_free(&d);
}

static void test_its_file_does_not_grow_for_ever(void **state)
{
        struct drains d = {0};

        unlink(path);
        order(&d, "10.0.0.99:80", true);
        for (int i = 0; i < 1000; i++) {
                order(&d, "10.0.0.11:80", true);
                order(&d, "10.0.0.11:80", false);
        }
        assert_int_equal(d.count, 1);
        assert_true(d.lines < 300);
        assert_kept(&d);
        drains_free(&d);
}

static void test_many_are_kept(void **state)
{
        struct drains d = {0};
        char text[32];

        unlink(path);
        for (int i = 0; i < 3000; i++) {
                snprintf(text, sizeof(text), "10.0.%d.%d:80", i / 250, i % 250);
                order(&d, text, true);
        }
        assert_int_equal(d.count, 3000);
        assert_kept(&d);
        drains_free(&d);
}

static void test_what_cannot_be_read_is_passed_over(void **state)
{
        struct drains kept;
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        fputs("10.0.0.11:80\nnobody\n-\n-10.0.0.13:80\n10.0.0.12:99999\n10.0.0.12:80\n", file);
        assert_int_equal(fclose(file), 0);
        kept_drains(path, &kept);
        assert_int_equal(kept.count, 2);
        drains_free(&kept);
}

static void test_services_are_read_as_they_were_written(void **state)
{
        static const char *const keys[] = {"tcp 10.0.0.111:80", "udp [fd00::1]:53", "mark 7", "mark6 7"};
        const struct virtual_service *twin;
        struct table t = {0}, kept;

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                struct virtual_service s = {0};
                assert_int_equal(virtual_key_parse(keys[i], &s.key), 0);
                assert_non_null(table_add(&t, &s));
        }
        assert_true(table_sort(&t, &twin));
        assert_int_equal(keep_services(path, &t), 0);
        kept_services(path, &kept);
        assert_int_equal(kept.count, t.count);
        for (size_t i = 0; i < t.count; i++)
                assert_int_equal(virtual_key_compare(&kept.service[i].key, &t.service[i].key), 0);
        table_free(&t);
        table_free(&kept);
}

static int end(void **state)
{
        unlink(path);
        return rmdir(directory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_last_word_on_a_server_counts),
                cmocka_unit_test(test_its_file_does_not_grow_for_ever),
                cmocka_unit_test(test_many_are_kept),
                cmocka_unit_test(test_what_cannot_be_read_is_passed_over),
                cmocka_unit_test(test_services_are_read_as_they_were_written),
        };

        if (!mkdtemp(directory))
                return 1;
        snprintf(path, sizeof(path), "%s/kept", directory);
        return cmocka_run_group_tests(tests, NULL, end);
}
