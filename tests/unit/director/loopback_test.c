/* The real server's own side, in a network of the test's own. Skipped without root. */
#include "director/loopback.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/haven-loopback-XXXXXX", keep[64];

static struct loopback loopback(const char *ip, const char *device)
{
        struct loopback l = {.keep = keep, .device = device, .user = ip};

        assert_int_equal(ip_parse(ip, &l.ip), 0);
        return l;
}

static void set_to(const char *name, long value)
{
        char path[128];

        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s", name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fprintf(file, "%ld\n", value);
        assert_int_equal(fclose(file), 0);
}

static long value_of(const char *name)
{
        char path[128];
        long value = -1;

        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s", name);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fscanf(file, "%ld", &value), 1);
        fclose(file);
        return value;
}

static void assert_is(const char *scope, long ignore, long announce)
{
        char name[64];

        snprintf(name, sizeof(name), "%s/arp_ignore", scope);
        assert_int_equal(value_of(name), ignore);
        snprintf(name, sizeof(name), "%s/arp_announce", scope);
        assert_int_equal(value_of(name), announce);
}

static void set(const struct loopback *l, int expected)
{
        char why[LOOPBACK_WHY];
        int r = loopback_set(l, why);

        if (r != expected)
                fail_msg("loopback_set: %d, %s", r, why);
        assert_true(loopback_there(l));
}

static void clear(const struct loopback *l)
{
        char why[LOOPBACK_WHY];
        int r = loopback_clear(l, why);

        if (r != 0)
                fail_msg("loopback_clear: %d, %s", r, why);
        assert_false(loopback_there(l));
}

static void begin(long ignore, long announce)
{
        set_to("all/arp_ignore", ignore);
        set_to("all/arp_announce", announce);
}

static void test_what_was_found_comes_back(void **state)
{
        static const long found[][2] = {{0, 0}, {0, 1}, {1, 0}, {2, 2}, {8, 1}};
        struct loopback l = loopback("10.9.9.9", "");

        for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
                begin(found[i][0], found[i][1]);
                assert_false(loopback_there(&l));
                set(&l, 1);
                set(&l, 0);
                assert_is("all", found[i][0] ? found[i][0] : 1, 2);
                clear(&l);
                clear(&l);
                assert_is("all", found[i][0], found[i][1]);
                assert_int_equal(access(keep, F_OK), -1);
        }
}

static void test_the_last_user_restores(void **state)
{
        struct loopback one = loopback("10.9.9.1", ""), two = loopback("10.9.9.2", ""),
                        six = loopback("fd00::9", ""), quiet = loopback("10.9.9.3", "lo");

        begin(0, 1);
        set(&one, 1);
        set(&two, 1);
        set(&six, 1);
        set(&quiet, 1);
        assert_is("lo", 1, 2);
        clear(&one);
        assert_is("all", 1, 2);
        assert_true(loopback_there(&two));
        clear(&quiet);
        assert_is("lo", 0, 0);
        clear(&two);
        assert_is("all", 0, 1);
        assert_true(loopback_there(&six));
        clear(&six);
}

static void test_what_others_undo_is_done_again(void **state)
{
        struct loopback l = loopback("10.9.9.9", "");

        begin(0, 0);
        set(&l, 1);
        begin(0, 2);
        set(&l, 1);
        assert_is("all", 1, 2);
        assert_int_equal(system("ip addr flush dev lo"), 0);
        assert_false(loopback_there(&l));
        set(&l, 1);
        clear(&l);
        assert_is("all", 0, 0);
}

static void test_what_is_not_ours_is_left_alone(void **state)
{
        struct loopback l = loopback("10.9.9.9", "");

        begin(1, 1);
        assert_int_equal(system("ip addr add 10.9.9.9/32 dev lo"), 0);
        clear(&l);
        assert_is("all", 1, 1);
        assert_int_equal(system("ip addr show dev lo | grep -q 10.9.9.9/32"), 0);
        assert_int_equal(system("ip addr del 10.9.9.9/32 dev lo"), 0);
}

static void test_an_interface_that_is_not_there(void **state)
{
        struct loopback l = loopback("10.9.9.9", "none0");
        char why[LOOPBACK_WHY];

        begin(0, 0);
        assert_int_equal(loopback_set(&l, why), -ENOENT);
        assert_string_equal(why, "net.ipv4.conf.none0.arp_ignore: No such file or directory");
        assert_false(loopback_there(&l));
}

static int end(void **state)
{
        unlink(keep);
        return rmdir(directory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_found_comes_back),
                cmocka_unit_test(test_the_last_user_restores),
                cmocka_unit_test(test_what_others_undo_is_done_again),
                cmocka_unit_test(test_what_is_not_ours_is_left_alone),
                cmocka_unit_test(test_an_interface_that_is_not_there),
        };

        if (geteuid() != 0) {
                puts("SKIP: an interface's addresses need root");
                return 77;
        }
        if (unshare(CLONE_NEWNET) == -1) {
                perror("SKIP: no network of our own");
                return 77;
        }
        if (system("ip link set lo up") != 0 || !mkdtemp(directory))
                return 1;
        snprintf(keep, sizeof(keep), "%s/realserver", directory);
        return cmocka_run_group_tests(tests, NULL, end);
}
