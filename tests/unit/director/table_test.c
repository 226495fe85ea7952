/* The wanted table and the kernel's: what leads from the one to the other, made on a kernel in memory that
 * refuses what the real one refuses. */
#include "random_table.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ip ip(const char *text)
{
        struct ip ip;

        assert_int_equal(ip_parse(text, &ip), 0);
        return ip;
}

static struct virtual_service web(const char *address, uint16_t port)
{
        struct virtual_service s = {
                .key = {.family = ip(address).family, .protocol = IPPROTO_TCP, .port = port},
                .scheduler = "wrr",
                .mask_bits = 32};

        s.key.ip = ip(address);
        return s;
}

static struct real_server real(const char *address, uint16_t port, uint32_t weight)
{
        return (struct real_server){.ip = ip(address), .port = port, .weight = weight};
}

/* The kernel in memory. */

static struct virtual_service *there(struct table *t, const struct virtual_key *key)
{
        for (size_t i = 0; i < t->count; i++)
                if (virtual_key_compare(&t->service[i].key, key) == 0)
                        return &t->service[i];
        return NULL;
}

static struct real_server *server_there(struct virtual_service *s, const struct real_server *r)
{
        for (size_t i = 0; i < s->count; i++)
                if (ip_equal(&s->server[i].ip, &r->ip) && s->server[i].port == r->port)
                        return &s->server[i];
        return NULL;
}

static void make_service(struct table *t, const struct change *c)
{
        struct virtual_service *s = there(t, &c->service->key);

        switch (c->kind) {
        case CHANGE_SERVICE_ADD:
                assert_null(s);
                assert_non_null(table_add(t, c->service));
                break;
        case CHANGE_SERVICE_SET: {
                struct virtual_service before = *s;
                *s = *c->service;
                s->server = before.server;
                s->count = before.count;
                s->room = before.room;
                break;
        }
        default:
                assert_int_equal(c->kind, CHANGE_SERVICE_REMOVE);
                assert_non_null(s);
                free(s->server);
                *s = t->service[--t->count];
        }
}

static void make_server(struct table *t, const struct change *c)
{
        struct virtual_service *s = there(t, &c->service->key);
        assert_non_null(s);
        struct real_server *r = server_there(s, c->server);

        if (c->kind == CHANGE_SERVER_ADD) {
                assert_null(r);
                assert_int_equal(service_add(s, c->server), 0);
                return;
        }
        assert_non_null(r);
        *r = c->kind == CHANGE_SERVER_SET ? *c->server : s->server[--s->count];
}

static void make_all(struct table *t, const struct changes *c)
{
        const struct virtual_service *twin;

        for (size_t i = 0; i < c->count; i++) {
                if (c->change[i].server)
                        make_server(t, &c->change[i]);
                else
                        make_service(t, &c->change[i]);
        }
        assert_true(table_sort(t, &twin));
}

static void copy(const struct table *from, struct table *ret_to)
{
        *ret_to = (struct table){0};
        for (size_t i = 0; i < from->count; i++) {
                struct virtual_service *s = table_add(ret_to, &from->service[i]);
                for (size_t j = 0; j < from->service[i].count; j++)
                        service_add(s, &from->service[i].server[j]);
        }
}

static void assert_service_is(const struct virtual_service *s, const struct virtual_service *wanted)
{
        assert_true(service_same(wanted, s));
        assert_int_equal(s->count, wanted->count);
        for (size_t j = 0; j < s->count; j++) {
                assert_true(ip_equal(&s->server[j].ip, &wanted->server[j].ip));
                assert_int_equal(s->server[j].port, wanted->server[j].port);
                assert_true(server_same(&wanted->server[j], &s->server[j]));
        }
}

static void test_making_the_changes_gives_what_is_wanted(void **state)
{
        unsigned seed = 20261121;

        for (int round = 0; round < 3000; round++) {
                struct table wanted, actual, before, mine;
                struct changes c = {0}, none = {0};
                bool sweep = random_next(&seed, 4) == 0;
                random_table(&seed, random_next(&seed, 9), 4, &wanted);
                random_table(&seed, random_next(&seed, 9), 4, &actual);
                random_table(&seed, random_next(&seed, 9), 0, &mine);
                copy(&actual, &before);
                assert_int_equal(changes_between(&wanted, &before, &mine, sweep, &c), 0);
                make_all(&actual, &c);
                for (size_t i = 0; i < wanted.count; i++)
                        assert_service_is(table_service(&actual, &wanted.service[i].key), &wanted.service[i]);
                size_t foreign = 0;
                for (size_t i = 0; i < actual.count; i++) {
                        const struct virtual_key *key = &actual.service[i].key;
                        if (table_service(&wanted, key))
                                continue;
                        assert_false(sweep || table_service(&mine, key));
                        assert_service_is(&actual.service[i], table_service(&before, key));
                        foreign++;
                }
                assert_int_equal(foreign, c.foreign);
                assert_int_equal(changes_between(&wanted, &actual, &mine, sweep, &none), 0);
                assert_int_equal(none.count, 0);
                changes_free(&c);
                changes_free(&none);
                table_free(&wanted);
                table_free(&actual);
                table_free(&before);
                table_free(&mine);
        }
}

static void test_what_is_new_comes_before_what_goes(void **state)
{
        struct virtual_service wanted = web("10.0.0.111", 80), actual = wanted;
        struct real_server old = real("10.0.0.1", 80, 1), new = real("10.0.0.9", 80, 1);
        struct changes c = {0};

        assert_int_equal(service_add(&wanted, &new), 0);
        assert_int_equal(service_add(&actual, &old), 0);
        assert_int_equal(changes_of_service(&wanted, &actual, &c), 0);
        assert_int_equal(c.count, 2);
        assert_int_equal(c.change[0].kind, CHANGE_SERVER_ADD);
        assert_int_equal(c.change[1].kind, CHANGE_SERVER_REMOVE);
        changes_free(&c);
        free(wanted.server);
        free(actual.server);
}

static void test_a_weight_is_one_change(void **state)
{
        struct virtual_service wanted = web("10.0.0.111", 80), actual = wanted;
        struct changes c = {0};
        char text[CHANGE_TEXT];

        for (unsigned i = 0; i < 10; i++) {
                struct real_server r = real("10.0.0.1", (uint16_t)(8000 + i), 5);
                r.active = i; /* what the kernel counts is no difference */
                service_add(&actual, &r);
                r.weight = i == 3 ? 0 : 5;
                r.active = 0;
                service_add(&wanted, &r);
        }
        assert_int_equal(changes_of_service(&wanted, &actual, &c), 0);
        assert_int_equal(c.count, 1);
        assert_string_equal(change_format(&c.change[0], text),
                            "tcp 10.0.0.111:80: setting 10.0.0.1:8003 masq weight 0");
        changes_free(&c);
        free(wanted.server);
        free(actual.server);
}

static void test_a_mask_counts_with_persistence_only(void **state)
{
        struct virtual_service a = web("10.0.0.111", 80), b = a;

        b.mask_bits = 24;
        assert_true(service_same(&a, &b));
        a.persistence_s = b.persistence_s = 300;
        assert_false(service_same(&a, &b));
}

static void test_a_local_server_of_an_old_kernel_is_as_wanted(void **state)
{
        struct real_server wanted = real("10.0.0.1", 80, 1), actual = wanted;

        wanted.forward = FORWARD_TUNNEL;
        actual.forward = FORWARD_DIRECT;
        assert_false(server_same(&wanted, &actual));
        actual.local = true;
        assert_true(server_same(&wanted, &actual));
        actual.weight = 0;
        assert_false(server_same(&wanted, &actual));
}

static void test_direct_routing_keeps_the_port_of_the_service(void **state)
{
        struct virtual_service s = web("10.0.0.111", 80), mark = {.key = {.family = AF_INET, .mark = 7}};
        struct real_server r = real("10.0.0.1", 8080, 1);

        r.forward = FORWARD_DIRECT;
        service_add(&s, &r);
        r.ip = ip("10.0.0.2");
        r.forward = FORWARD_MASQ;
        service_add(&s, &r);
        r.forward = FORWARD_DIRECT;
        service_add(&mark, &r);
        assert_int_equal(s.server[0].port, 80);
        assert_int_equal(s.server[1].port, 8080);
        assert_int_equal(mark.server[0].port, 8080);
        free(s.server);
        free(mark.server);
}

static void test_twins_are_found(void **state)
{
        struct table t = {0};
        const struct virtual_service *twin = NULL;
        struct virtual_service s = web("10.0.0.111", 80), udp = s;
        struct real_server r = real("10.0.0.1", 80, 1);

        udp.key.protocol = IPPROTO_UDP;
        struct virtual_service *added = table_add(&t, &s);
        service_add(added, &r);
        table_add(&t, &udp);
        assert_true(table_sort(&t, &twin));
        r.weight = 2;
        service_add(table_service(&t, &s.key), &r);
        assert_false(table_sort(&t, &twin));
        assert_int_equal(virtual_key_compare(&twin->key, &s.key), 0);
        table_free(&t);
        table_add(&t, &s);
        table_add(&t, &s);
        assert_false(table_sort(&t, &twin));
        table_free(&t);
}

static void test_keys_are_told_in_words(void **state)
{
        static const struct {
                struct virtual_key key;
                const char *address, *text;
        } rows[] = {
                {{.family = AF_INET, .protocol = IPPROTO_TCP, .port = 80}, "10.0.0.111", "tcp 10.0.0.111:80"},
                {{.family = AF_INET6, .protocol = IPPROTO_SCTP, .port = 53}, "fd00::1", "sctp [fd00::1]:53"},
                {{.family = AF_INET, .mark = 7}, NULL, "mark 7"},
                {{.family = AF_INET6, .mark = 7}, NULL, "mark6 7"},
        };
        char text[VIRTUAL_TEXT];

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct virtual_key key = rows[i].key;
                if (rows[i].address)
                        key.ip = ip(rows[i].address);
                assert_string_equal(virtual_key_format(&key, text), rows[i].text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_making_the_changes_gives_what_is_wanted),
                cmocka_unit_test(test_what_is_new_comes_before_what_goes),
                cmocka_unit_test(test_a_weight_is_one_change),
                cmocka_unit_test(test_a_mask_counts_with_persistence_only),
                cmocka_unit_test(test_a_local_server_of_an_old_kernel_is_as_wanted),
                cmocka_unit_test(test_direct_routing_keeps_the_port_of_the_service),
                cmocka_unit_test(test_twins_are_found),
                cmocka_unit_test(test_keys_are_told_in_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
