/* The kernel's IPVS, in a network of the test's own: what is made is what is read, and what ipvsadm sees.
 * Skipped where the kernel has no IPVS; tests/guest/test_director.py runs it where there is one. */
#include "director/ipvs/ipvs.h"
#include "random_table.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SAVED_SIZE (1 << 20)

static struct ipvs kernel;

static void on_refused(void *user, const struct change *c, int error)
{
        char text[CHANGE_TEXT], why[IPVS_WHY];

        fail_msg("%s: refused: %s", change_format(c, text), ipvs_why(c, error, why));
}

static void make_so(const struct table *wanted)
{
        struct table actual;
        struct changes c = {0};

        assert_int_equal(ipvs_read(&kernel, &actual), 0);
        assert_int_equal(changes_between(wanted, &actual, NULL, true, &c), 0);
        assert_int_equal(ipvs_make(&kernel, c.change, c.count, on_refused, NULL), 0);
        changes_free(&c);
        table_free(&actual);
}

static void assert_is(const struct table *wanted)
{
        struct table actual;
        struct changes c = {0};
        char text[CHANGE_TEXT];

        assert_int_equal(ipvs_read(&kernel, &actual), 0);
        assert_int_equal(changes_between(wanted, &actual, NULL, true, &c), 0);
        if (c.count)
                fail_msg("not as wanted, still to do: %s", change_format(&c.change[0], text));
        changes_free(&c);
        table_free(&actual);
}

/* As `ipvsadm -Sn` writes it, each line by itself and in no certain order. */

static const char *service_words(const struct virtual_service *s, char to[static 100])
{
        const char *option = s->key.protocol == IPPROTO_TCP   ? "-t"
                             : s->key.protocol == IPPROTO_UDP ? "-u"
                                                              : "--sctp-service";
        char endpoint[SERVER_TEXT];

        if (s->key.mark)
                snprintf(to, 100, "-f %u%s", s->key.mark, s->key.family == AF_INET6 ? " -6" : "");
        else
                snprintf(to, 100, "%s %s", option, endpoint_format(&s->key.ip, s->key.port, endpoint));
        return to;
}

static void assert_line(const char *saved, const char *line)
{
        char whole[400];

        snprintf(whole, sizeof(whole), "\n%s\n", line);
        if (!strstr(saved, whole))
                fail_msg("ipvsadm does not say '%s' but:%s", line, saved);
}

static void assert_service_saved(const char *saved, const struct virtual_service *s)
{
        char words[100], line[300], persistent[64] = "", flags[40] = "";

        if (s->persistence_s)
                snprintf(persistent, sizeof(persistent), " -p %u -M %s", s->persistence_s,
                         s->key.family == AF_INET6 ? "64" : "255.255.255.0");
        if (s->flags & SERVICE_FLAG_1)
                snprintf(flags, sizeof(flags), " -b %s",
                         !strcmp(s->scheduler, "mh")   ? "mh-fallback"
                         : !strcmp(s->scheduler, "sh") ? "sh-fallback"
                                                       : "flag-1");
        snprintf(line, sizeof(line), "-A %s -s %s%s%s%s", service_words(s, words), s->scheduler, persistent,
                 s->flags & SERVICE_ONE_PACKET ? " -o" : "", flags);
        assert_line(saved, line);
}

static void assert_server_saved(const char *saved, const struct virtual_service *s,
                                const struct real_server *r)
{
        char words[100], line[300], endpoint[SERVER_TEXT], tunnel[60] = "";
        const char checksum[][12] = {"--tun-nocsum", "--tun-csum"};

        if (r->forward == FORWARD_TUNNEL && r->tunnel == TUNNEL_IPIP)
                snprintf(tunnel, sizeof(tunnel), " --tun-type ipip");
        else if (r->forward == FORWARD_TUNNEL && r->tunnel == TUNNEL_GUE)
                snprintf(tunnel, sizeof(tunnel), " --tun-type gue --tun-port %u %.12s", r->tunnel_port,
                         checksum[r->checksum]);
        else if (r->forward == FORWARD_TUNNEL)
                snprintf(tunnel, sizeof(tunnel), " --tun-type gre %.12s", checksum[r->checksum]);
        snprintf(line, sizeof(line), "-a %s -r %s -%c -w %u%s", service_words(s, words),
                 endpoint_format(&r->ip, r->port, endpoint), "mgi"[r->forward], r -> weight, tunnel);
        assert_line(saved, line);
}

static char *ipvsadm_saves(void)
{
        char *saved = calloc(1, SAVED_SIZE);
        FILE *pipe = popen("ipvsadm -Sn 2>&1", "r");

        assert_non_null(saved);
        assert_non_null(pipe);
        saved[0] = '\n';
        size_t n = fread(saved + 1, 1, SAVED_SIZE - 2, pipe);
        saved[n + 1] = '\0';
        assert_int_equal(pclose(pipe), 0);
        return saved;
}

static size_t lines_of(const char *text)
{
        size_t n = 0;

        for (text = strchr(text, '\n'); text; text = strchr(text + 1, '\n'))
                n++;
        return n;
}

static void test_what_is_made_is_what_is_read_and_what_ipvsadm_sees(void **state)
{
        unsigned seed = 7;

        for (int round = 0; round < 20; round++) {
                struct table wanted;
                size_t lines = 1;
                random_table(&seed, 12, 6, &wanted);
                make_so(&wanted);
                assert_is(&wanted);
                char *saved = round % 4 == 0 ? ipvsadm_saves() : NULL;
                for (size_t i = 0; saved && i < wanted.count; i++) {
                        const struct virtual_service *s = &wanted.service[i];
                        lines += 1 + s->count;
                        assert_service_saved(saved, s);
                        for (size_t j = 0; j < s->count; j++)
                                assert_server_saved(saved, s, &s->server[j]);
                }
                if (saved)
                        assert_int_equal(lines_of(saved), lines);
                free(saved);
                table_free(&wanted);
        }
}

static void test_what_others_made_is_left_alone(void **state)
{
        unsigned seed = 11;
        struct table wanted, empty = {0}, actual;
        struct changes c = {0};

        random_table(&seed, 3, 3, &wanted);
        make_so(&wanted);
        assert_int_equal(ipvs_read(&kernel, &actual), 0);
        assert_int_equal(changes_between(&empty, &actual, NULL, false, &c), 0);
        assert_int_equal(c.count, 0);
        assert_int_equal(c.foreign, wanted.count);
        assert_int_equal(changes_between(&empty, &actual, &wanted, false, &c), 0);
        assert_int_equal(ipvs_make(&kernel, c.change, c.count, on_refused, NULL), 0);
        assert_is(&empty);
        changes_free(&c);
        table_free(&actual);
        table_free(&wanted);
}

struct refusals {
        size_t count;
        int error[4];
        char why[4][IPVS_WHY];
};

static void note_refusal(void *user, const struct change *c, int error)
{
        struct refusals *r = user;

        assert_true(r->count < 4);
        r->error[r->count] = error;
        ipvs_why(c, error, r->why[r->count++]);
}

static void test_what_is_refused_does_not_keep_the_rest_from_being_made(void **state)
{
        struct virtual_service odd = {.key = {.family = AF_INET, .mark = 1}, .scheduler = "nonsense"},
                               good = odd;
        struct real_server r = {.ip = {.family = AF_INET, .bytes = {10, 0, 0, 1}}, .weight = 1};
        struct refusals refusals = {0};
        struct table empty = {0};

        good.key.mark = 2;
        strcpy(good.scheduler, "rr");
        assert_int_equal(service_add(&good, &r), 0);
        struct change changes[] = {{CHANGE_SERVICE_ADD, &odd, NULL},
                                   {CHANGE_SERVER_ADD, &odd, good.server},
                                   {CHANGE_SERVICE_ADD, &good, NULL},
                                   {CHANGE_SERVER_ADD, &good, good.server},
                                   {CHANGE_SERVER_ADD, &good, good.server}};
        make_so(&empty);
        assert_int_equal(ipvs_make(&kernel, changes, 5, note_refusal, &refusals), 0);
        assert_int_equal(refusals.count, 3);
        assert_int_equal(refusals.error[0], -ENOENT);
        assert_string_equal(refusals.why[0],
                            "this kernel has no scheduler 'nonsense' (module ip_vs_nonsense)");
        assert_int_equal(refusals.error[1], -ESRCH);
        assert_int_equal(refusals.error[2], -EEXIST);
        struct table actual;
        assert_int_equal(ipvs_read(&kernel, &actual), 0);
        assert_int_equal(actual.count, 1);
        assert_int_equal(actual.service[0].count, 1);
        table_free(&actual);
        make_so(&empty);
        free(good.server);
}

static void test_the_sync_daemons(void **state)
{
        struct sync_daemon d[2], master = {.interface = "lo", .id = 7}, backup = {.interface = "lo", .id = 9};
        struct sync_daemon nowhere = {.interface = "nowhere", .id = 1};

        assert_int_equal(ipvs_sync_read(&kernel, d), 0);
        assert_false(d[SYNC_MASTER].running || d[SYNC_BACKUP].running);
        assert_int_equal(ipvs_sync_start(&kernel, SYNC_MASTER, &nowhere), -ENODEV);
        assert_int_equal(ipvs_sync_start(&kernel, SYNC_MASTER, &master), 0);
        assert_int_equal(ipvs_sync_start(&kernel, SYNC_MASTER, &master), -EEXIST);
        assert_int_equal(ipvs_sync_read(&kernel, d), 0);
        assert_true(d[SYNC_MASTER].running);
        assert_false(d[SYNC_BACKUP].running);
        assert_int_equal(d[SYNC_MASTER].id, 7);
        assert_string_equal(d[SYNC_MASTER].interface, "lo");
        assert_int_equal(ipvs_sync_start(&kernel, SYNC_BACKUP, &backup), 0);
        assert_int_equal(ipvs_sync_read(&kernel, d), 0);
        assert_true(d[SYNC_MASTER].running && d[SYNC_BACKUP].running);
        assert_int_equal(d[SYNC_BACKUP].id, 9);
        assert_int_equal(ipvs_sync_stop(&kernel, SYNC_MASTER), 0);
        assert_int_equal(ipvs_sync_stop(&kernel, SYNC_BACKUP), 0);
        assert_int_equal(ipvs_sync_stop(&kernel, SYNC_BACKUP), -ESRCH);
}

static void test_timeouts_and_what_the_kernel_is(void **state)
{
        struct ipvs_timeouts before, after, some = {.tcp_s = 777};
        struct ipvs_info info;

        assert_int_equal(ipvs_info(&kernel, &info), 0);
        assert_int_equal(info.version >> 16, 1);
        assert_true(info.connection_table_size > 0);
        assert_int_equal(ipvs_timeouts_read(&kernel, &before), 0);
        assert_int_equal(ipvs_timeouts_set(&kernel, &some), 0);
        assert_int_equal(ipvs_timeouts_read(&kernel, &after), 0);
        assert_int_equal(after.tcp_s, 777);
        assert_int_equal(after.udp_s, before.udp_s);
        assert_int_equal(ipvs_timeouts_set(&kernel, &before), 0);
}

static double cpu_ms(void)
{
        struct rusage r;

        getrusage(RUSAGE_SELF, &r);
        return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
               (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
}

static void large_table(struct table *ret_table)
{
        const struct virtual_service *twin;

        *ret_table = (struct table){0};
        for (unsigned i = 0; i < 1000; i++) {
                struct virtual_service s = {.key = {.family = AF_INET, .protocol = IPPROTO_TCP, .port = 80},
                                            .scheduler = "wrr"};
                s.key.ip = (struct ip){.family = AF_INET, .bytes = {10, 1, (uint8_t)(i >> 8), (uint8_t)i}};
                struct virtual_service *added = table_add(ret_table, &s);
                for (uint8_t j = 1; j <= 10; j++) {
                        struct real_server r = {.port = 80, .weight = 5};
                        r.ip = (struct ip){.family = AF_INET, .bytes = {10, 2, 0, j}};
                        assert_int_equal(service_add(added, &r), 0);
                }
        }
        assert_true(table_sort(ret_table, &twin));
}

/* Figures for people; no test of speed fails. */
static void test_a_thousand_services_of_ten_servers(void **state)
{
        struct table large, empty = {0}, actual;
        struct changes c = {0};

        make_so(&empty);
        large_table(&large);
        double begun = cpu_ms();
        make_so(&large);
        double made = cpu_ms();
        assert_int_equal(ipvs_read(&kernel, &actual), 0);
        double read = cpu_ms();
        large.service[500].server[3].weight = 0;
        assert_int_equal(changes_between(&large, &actual, NULL, true, &c), 0);
        double compared = cpu_ms();
        assert_int_equal(c.count, 1);
        assert_int_equal(ipvs_make(&kernel, c.change, c.count, on_refused, NULL), 0);
        double changed = cpu_ms();
        assert_is(&large);
        print_message(
                "1000 x 10: made in %.0f ms of CPU, read in %.0f, compared in %.2f, one changed in %.3f\n",
                made - begun, read - made, compared - read, changed - compared);
        changes_free(&c);
        table_free(&large);
        table_free(&actual);
        make_so(&empty);
}

/* IPVS takes servers only where the kernel has routes at all. */
static void loopback_up(void)
{
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_true(fd != -1 && ioctl(fd, SIOCSIFFLAGS, &request) == 0);
        close(fd);
}

static int begin(void **state)
{
        int error;

        if (geteuid() != 0) {
                puts("SKIP: the kernel's table needs root");
                exit(77);
        }
        if (unshare(CLONE_NEWNET) == -1) {
                perror("SKIP: no network of our own");
                exit(77);
        }
        loopback_up();
        error = ipvs_open(&kernel);
        if (error == -ENOENT) {
                puts("SKIP: this kernel has no IPVS (module ip_vs)");
                exit(77);
        }
        return error;
}

static int end(void **state)
{
        ipvs_close(&kernel);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_made_is_what_is_read_and_what_ipvsadm_sees),
                cmocka_unit_test(test_what_others_made_is_left_alone),
                cmocka_unit_test(test_what_is_refused_does_not_keep_the_rest_from_being_made),
                cmocka_unit_test(test_the_sync_daemons),
                cmocka_unit_test(test_timeouts_and_what_the_kernel_is),
                cmocka_unit_test(test_a_thousand_services_of_ten_servers),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
