/* What is in the kernel of a director that only stands by. */
#include "director/standby.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SERVERS 3

static struct ip ip(const char *text)
{
        struct ip ip;

        assert_int_equal(ip_parse(text, &ip), 0);
        return ip;
}

/* `user` is this machine's addresses, with blanks around each. */
static bool own(const void *user, const struct ip *ip)
{
        char address[IP_TEXT], word[IP_TEXT + 2];

        snprintf(word, sizeof(word), " %s ", ip_format(ip, address));
        return strstr(user, word) != NULL;
}

/* One service, three servers 10.0.0.1 to 3 of weight 4, 0 and 2, all drained. */
static struct farm *make(enum forward forward, uint32_t mark, struct plan *plan)
{
        static struct plan_server servers[SERVERS];
        static struct plan_service service;

        service = (struct plan_service){
                .service = {.key = {.family = AF_INET, .protocol = IPPROTO_TCP, .port = 80},
                            .scheduler = "sh"},
                .server_count = SERVERS,
                .server = servers,
                .quorum = 1,
                .quorum_down = 1,
        };
        service.service.key.ip = ip("10.0.0.111");
        if (mark)
                service.service.key = (struct virtual_key){.family = AF_INET, .mark = mark};
        for (unsigned i = 0; i < SERVERS; i++) {
                char address[20];
                snprintf(address, sizeof(address), "10.0.0.%u", i + 1);
                servers[i] = (struct plan_server){.real = {.port = 80,
                                                           .weight = (uint32_t[]){4, 0, 2}[i],
                                                           .upper = 7,
                                                           .lower = 3,
                                                           .forward = forward}};
                servers[i].real.ip = ip(address);
        }
        *plan = (struct plan){.service_count = 1, .service = &service};
        struct farm *farm = farm_new(plan);
        assert_non_null(farm);
        for (size_t i = 0; i < SERVERS; i++)
                farm_drain(farm, &servers[i].real.ip, 0, true);
        return farm;
}

struct row {
        enum forward forward;
        uint32_t mark;
        const char *own;
        enum standing standing;
        const char *table; /* "1:4" is 10.0.0.1 with weight 4; "-": the service is not there */
};

static void assert_row(const struct row *row)
{
        struct plan plan;
        struct farm *farm = make(row->forward, row->mark, &plan);
        struct table t;
        char text[100] = "";
        size_t n = 0;

        assert_int_equal(standby_standing(&plan.service[0], own, row->own), row->standing);
        assert_int_equal(standby_table(farm, INSTANT_LONG_AGO, own, row->own, &t), 0);
        if (t.count == 0)
                strcpy(text, "-");
        for (size_t i = 0; t.count && i < t.service[0].count; i++) {
                const struct real_server *r = &t.service[0].server[i];
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u:%u", n ? " " : "",
                                      (unsigned)r->ip.bytes[3], r->weight);
                assert_int_equal(r->upper, row->standing == STANDING_SELF ? 0 : 7);
        }
        assert_string_equal(text, row->table);
        table_free(&t);
        farm_free(farm);
}

static void test_a_table_is_whole_but_for_what_this_node_serves_itself(void **state)
{
        static const struct row rows[] = {
                {FORWARD_DIRECT, 0, " 10.0.0.9 ", STANDING_WHOLE, "1:0 2:0 3:0"},
                /* drained or not: who sends packets here has chosen this node */
                {FORWARD_DIRECT, 0, " 10.0.0.1 ", STANDING_SELF, "1:4"},
                {FORWARD_TUNNEL, 0, " 10.0.0.9 10.0.0.2 10.0.0.111 ", STANDING_SELF, "2:1"},
                {FORWARD_DIRECT, 0, " 10.0.0.1 10.0.0.3 ", STANDING_SELF, "1:4 3:2"},
                /* a mark is no address that somebody could have */
                {FORWARD_DIRECT, 5, " 10.0.0.3 ", STANDING_SELF, "3:2"},
                {FORWARD_DIRECT, 5, " 10.0.0.111 ", STANDING_WHOLE, "1:0 2:0 3:0"},
                /* what is rewritten is addressed to the server, and to no service */
                {FORWARD_MASQ, 0, " 10.0.0.1 ", STANDING_WHOLE, "1:0 2:0 3:0"},
                {FORWARD_MASQ, 0, " 10.0.0.1 10.0.0.111 ", STANDING_OUT, "-"},
                {FORWARD_DIRECT, 0, " 10.0.0.111 ", STANDING_OUT, "-"},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_row(&rows[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_table_is_whole_but_for_what_this_node_serves_itself),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
