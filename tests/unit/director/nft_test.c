/* The table as commands for nftables. What leads from one table to another is tried in the kernel, in a
 * network of the test's own: that part is skipped without root, or without nft(8). */
#include "director/nft/digest.h"
#include "director/nft/name.h"
#include "director/nft/slots.h"
#include "director/nft/text.h"
#include "director/nft/wire.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TABLE "haven.test"

static bool has_kernel;

static struct real_server server(const char *ip, uint16_t port, uint32_t weight)
{
        struct real_server r = {.port = port, .weight = weight};

        assert_int_equal(ip_parse(ip, &r.ip), 0);
        return r;
}

static struct virtual_service service(const char *ip, uint16_t port, const char *scheduler)
{
        struct virtual_service s = {.key = {.protocol = IPPROTO_TCP, .port = port}};

        assert_int_equal(ip_parse(ip, &s.key.ip), 0);
        s.key.family = s.key.ip.family;
        snprintf(s.scheduler, sizeof(s.scheduler), "%s", scheduler);
        return s;
}

/* --- slots --- */

static void assert_share(const uint16_t *slot, size_t count, uint16_t who, size_t expected, size_t about)
{
        size_t n = 0;

        for (size_t i = 0; i < count; i++)
                n += slot[i] == who;
        if (n + about < expected || n > expected + about)
                fail_msg("server %u has %zu of %zu slots, not %zu", who, n, count, expected);
}

static void test_slots_in_turn_are_spread_by_weight(void **state)
{
        static const uint32_t weight[] = {2, 0, 6}, huge[] = {65535, 1, 30000}, none[] = {0, 0};
        static const uint16_t expected[] = {2, 0, 2, 2};
        uint16_t slot[SLOTS_MAX];

        assert_int_equal(slots_in_turn(weight, 3, slot), 4);
        for (size_t i = 0; i < 4; i++)
                assert_true(slot[i] == expected[i] || slot[i] == 2);
        assert_share(slot, 4, 0, 1, 0);
        assert_share(slot, 4, 2, 3, 0);
        size_t n = slots_in_turn(huge, 3, slot);
        assert_true(n <= SLOTS_MAX);
        assert_share(slot, n, 0, n * 65535 / 95536, 2);
        assert_share(slot, n, 1, 1, 0);
        assert_int_equal(slots_in_turn(none, 2, slot), 0);
        assert_int_equal(slots_in_turn(none, 0, slot), 0);
}

static void test_a_server_that_goes_leaves_the_others_their_slots(void **state)
{
        uint32_t weight[10], seed[10];
        uint16_t before[SLOTS_MAX], after[SLOTS_MAX];
        size_t n = 0, moved = 0;

        for (uint32_t i = 0; i < 10; i++) {
                weight[i] = 1;
                seed[i] = 1000 + i;
        }
        n = slots_by_hash(weight, seed, 10, before);
        for (uint16_t i = 0; i < 10; i++)
                assert_share(before, n, i, n / 10, 2);
        weight[3] = 0;
        assert_int_equal(slots_by_hash(weight, seed, 10, after), n);
        for (size_t i = 0; i < n; i++)
                moved += before[i] != 3 && before[i] != after[i];
        assert_share(after, n, 3, 0, 0);
        assert_true(moved < n / 10); /* a modulo would move nine of ten */
        weight[3] = 3;
        n = slots_by_hash(weight, seed, 10, after);
        assert_share(after, n, 3, n * 3 / 12, 4);
}

/* --- what it cannot do --- */

static void test_what_it_cannot_do_is_said(void **state)
{
        struct virtual_service s = service("10.0.0.1", 80, "wlc");
        struct real_server r = server("10.0.0.2", 80, 1);
        char why[NFT_WHY];

        assert_true(nft_can(&s, why));
        s.flags = SERVICE_ONE_PACKET;
        assert_false(nft_can(&s, why));
        s.flags = 0;
        strcpy(s.scheduler, "lblc");
        assert_false(nft_can(&s, why));
        assert_string_equal(why, "tcp 10.0.0.1:80: nftables cannot do lblc, only IPVS can");
        strcpy(s.scheduler, "mh");
        r.forward = FORWARD_TUNNEL;
        assert_int_equal(service_add(&s, &r), 0);
        assert_false(nft_can(&s, why));
        assert_string_equal(why, "tcp 10.0.0.1:80: nftables cannot do forward = tunnel, only IPVS can");
        service_done(&s);
        s = (struct virtual_service){.key = {.family = AF_INET, .mark = 7}};
        assert_false(nft_can(&s, why));
}

/* --- in the kernel --- */

static char *text_of(const struct table *wanted, const struct table *actual)
{
        static const struct nft_style style = {.table = TABLE, .masquerade = true};
        char *text = NULL;
        size_t n;
        FILE *to = open_memstream(&text, &n);

        assert_non_null(to);
        if (actual)
                nft_put_changes(&style, wanted, actual, to);
        else
                nft_put_whole(&style, wanted, to);
        assert_int_equal(fclose(to), 0);
        return text;
}

/* As nft(8) takes them: without the lines that are haven-nft's. */
static void make(const struct table *wanted, const struct table *actual)
{
        char *text = text_of(wanted, actual), *save = NULL;
        FILE *to = popen("nft -f -", "w");

        assert_non_null(to);
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (strncmp(line, "forget ", 7) != 0)
                        fprintf(to, "%s\n", line);
        assert_int_equal(pclose(to), 0);
        free(text);
}

/* What is in the kernel, in no order. */
static char *listed(void)
{
        char *text = calloc(1, 1 << 20);
        FILE *from = popen("nft -s list table inet " TABLE " | sort", "r");

        assert_non_null(text);
        assert_non_null(from);
        assert_true(fread(text, 1, (1 << 20) - 1, from) > 0);
        assert_int_equal(pclose(from), 0);
        return text;
}

static void add_servers(struct virtual_service *s, unsigned bits)
{
        for (unsigned i = 0; i < 4; i++) {
                char ip[32];
                snprintf(ip, sizeof(ip), s->key.family == AF_INET6 ? "fd00::2:%u" : "10.2.0.%u", i + 1);
                struct real_server r = server(ip, i % 2 ? 8080 : 0, rand() % 3 == 0 ? 0 : 1 + bits % 5);
                if (bits & 1u << i)
                        assert_int_equal(service_add(s, &r), 0);
        }
}

static void random_table(struct table *t)
{
        static const char *const addresses[] = {"10.1.0.1", "10.1.0.2", "fd00::1", "10.1.0.3"};
        static const char *const schedulers[] = {"rr", "wrr", "mh", "sh"};
        const struct virtual_service *twin;

        *t = (struct table){0};
        for (size_t i = 0; i < 4; i++) {
                struct virtual_service s = service(addresses[i], 80, schedulers[rand() % 4]);
                if (rand() % 4 == 0)
                        continue;
                s.key.protocol = i == 3 ? IPPROTO_UDP : IPPROTO_TCP;
                s.persistence_s = rand() % 2 ? 300 : 0;
                s.mask_bits = rand() % 2 ? 24 : s.key.family == AF_INET6 ? 128 : 32;
                s.flags = rand() % 2 ? SERVICE_FLAG_2 : 0;
                struct virtual_service *in = table_add(t, &s);
                assert_non_null(in);
                add_servers(in, (unsigned)rand() % 16);
        }
        assert_true(table_sort(t, &twin));
}

static char *wire_of(const struct table *t)
{
        char *text = NULL;
        size_t n;
        FILE *to = open_memstream(&text, &n);

        assert_non_null(to);
        nft_wire_put(t, to);
        assert_int_equal(fclose(to), 0);
        return text;
}

static int from_wire(const char *text, struct table *ret_table)
{
        FILE *from = fmemopen((void *)text, strlen(text), "r");

        assert_non_null(from);
        int error = nft_wire_get(from, ret_table);
        fclose(from);
        return error;
}

static void test_what_is_sent_is_what_comes(void **state)
{
        static const char *const bad[] = {"service 6 10.0.0.1 80 rr 0 0 32\n", "server 10.0.0.1 80 1\nend\n",
                                          "service 6 10.0.0 80 rr 0 0 32\nend\n", "nonsense\nend\n"};
        struct table t, again;

        srand(2);
        for (int i = 0; i < 50; i++) {
                random_table(&t);
                char *text = wire_of(&t);
                assert_int_equal(from_wire(text, &again), 0);
                char *back = wire_of(&again), *commands = text_of(&t, NULL), *same = text_of(&again, NULL);
                assert_string_equal(text, back);
                assert_string_equal(commands, same);
                free(text);
                free(back);
                free(commands);
                free(same);
                table_free(&t);
                table_free(&again);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_true(from_wire(bad[i], &again) < 0 && again.count == 0);
}

static uint64_t digest_now(void)
{
        uint32_t generation;
        uint64_t digest;

        assert_int_equal(nft_digest(TABLE, &digest, &generation), 0);
        return digest;
}

static void test_a_change_leads_where_the_whole_would(void **state)
{
        struct table from, to;

        if (!has_kernel)
                skip();
        srand(1);
        random_table(&from);
        make(&from, NULL);
        for (int i = 0; i < 12; i++) {
                random_table(&to);
                char *text = text_of(&to, &from);
                if (text[0])
                        make(&to, &from);
                char *changed = listed();
                uint64_t digest = digest_now();
                make(&to, NULL);
                char *whole = listed();
                assert_true(digest == digest_now());
                if (strcmp(changed, whole) != 0)
                        fail_msg("%s\n---\n%s\n---\n%s", text, changed, whole);
                free(text);
                free(changed);
                free(whole);
                table_free(&from);
                from = to;
        }
        table_free(&from);
}

static void test_the_digest_is_another_after_any_change_and_not_without_one(void **state)
{
        static const char *const touches[] = {
                "delete element inet " TABLE " services4 { 10.1.0.1 . tcp . 80 }",
                "add element inet " TABLE " reals4 { 10.9.9.9 . tcp . 80 }",
                "add rule inet " TABLE " tcp/10.1.0.1/80 accept",
                "insert rule inet " TABLE " tcp/10.1.0.1/80/10.2.0.1/80 drop",
                "add chain inet " TABLE " somebody",
                "add set inet " TABLE " somebody { type ipv4_addr; }",
        };
        struct virtual_service s = service("10.1.0.1", 80, "sh");
        struct real_server one = server("10.2.0.1", 80, 1), two = server("10.2.0.2", 80, 1);
        struct table t = {0};
        uint32_t before, after;
        uint64_t digest;
        char command[256];

        if (!has_kernel)
                skip();
        s.persistence_s = 60;
        struct virtual_service *in = table_add(&t, &s);
        assert_int_equal(service_add(in, &one), 0);
        assert_int_equal(service_add(in, &two), 0);
        make(&t, NULL);
        digest = digest_now();
        for (size_t i = 0; i < sizeof(touches) / sizeof(touches[0]); i++) {
                snprintf(command, sizeof(command), "nft '%s'", touches[i]);
                assert_int_equal(system(command), 0);
                if (digest_now() == digest)
                        fail_msg("the digest is the same after: %s", touches[i]);
                make(&t, NULL);
                assert_true(digest_now() == digest);
        }
        /* who is remembered, and what another table has, is not of it */
        assert_int_equal(nft_generation(&before), 0);
        assert_true(digest_now() == digest);
        assert_int_equal(nft_generation(&after), 0);
        assert_int_equal(before, after);
        assert_int_equal(system("nft 'add element inet " TABLE " tcp/10.1.0.1/80/10.2.0.1/80 { 10.5.5.5 }'"),
                         0);
        assert_int_equal(system("nft 'add table inet somebody; add chain inet somebody tcp/10.1.0.1/80'"), 0);
        assert_true(digest_now() == digest);
        assert_int_equal(nft_generation(&after), 0);
        assert_true(before != after);
        assert_int_equal(system("nft delete table inet " TABLE), 0);
        assert_int_equal(nft_digest(TABLE, &digest, &after), -ENOENT);
        table_free(&t);
}

static void test_one_weight_is_one_small_change(void **state)
{
        struct table a = {0}, b = {0};
        struct virtual_service s = service("10.1.0.1", 80, "wrr");

        for (size_t i = 0; i < 2; i++) {
                struct virtual_service *in = table_add(i ? &b : &a, &s);
                struct real_server one = server("10.2.0.1", 80, 1), two = server("10.2.0.2", 80, i ? 2 : 1);
                assert_int_equal(service_add(in, &one), 0);
                assert_int_equal(service_add(in, &two), 0);
        }
        char *text = text_of(&b, &a);
        assert_string_equal(
                text, "flush chain inet haven.test tcp/10.1.0.1/80\n"
                      "flush map inet haven.test tcp/10.1.0.1/80\n"
                      "add element inet haven.test tcp/10.1.0.1/80 "
                      "{ 0 : goto tcp/10.1.0.1/80/10.2.0.2/80, "
                      "1 : goto tcp/10.1.0.1/80/10.2.0.1/80, "
                      "2 : goto tcp/10.1.0.1/80/10.2.0.2/80 }\n"
                      "add rule inet haven.test tcp/10.1.0.1/80 numgen inc mod 3 vmap @tcp/10.1.0.1/80\n");
        free(text);
        text = text_of(&a, &a);
        assert_string_equal(text, "");
        free(text);
        /* who is gone has no connections any more; who stays keeps them */
        b.service[0].count = 1;
        text = text_of(&b, &a);
        assert_non_null(strstr(text, "forget tcp/10.1.0.1/80/10.2.0.2/80\n"));
        assert_null(strstr(text, "forget tcp/10.1.0.1/80/10.2.0.1/80\n"));
        free(text);
        table_free(&a);
        table_free(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slots_in_turn_are_spread_by_weight),
                cmocka_unit_test(test_a_server_that_goes_leaves_the_others_their_slots),
                cmocka_unit_test(test_what_it_cannot_do_is_said),
                cmocka_unit_test(test_one_weight_is_one_small_change),
                cmocka_unit_test(test_what_is_sent_is_what_comes),
                cmocka_unit_test(test_a_change_leads_where_the_whole_would),
                cmocka_unit_test(test_the_digest_is_another_after_any_change_and_not_without_one),
        };

        has_kernel = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
                     system("nft list tables >/dev/null 2>&1") == 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
