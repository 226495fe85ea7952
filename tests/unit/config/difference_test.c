/* What a reload would change, in the words of `haven reload`, and what a running cluster refuses to take. */
#include "config/difference.h"

#include "base/text.h"
#include "files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER "cluster c { }\n"
#define NODES   "node a { address = 10.0.0.1 }\nnode b { address = 10.0.0.2 }\n"
#define GROUP   "group g {\nnodes = {a, b}\naddress 10.0.0.9/24 { }\nservice s { }\n"
#define CHECK   "check http { url = http://10.0.0.9/ }\n"
#define ALERT   "alert exec { command = /bin/page }\n"
#define WATCH   "watch w {\nhosts = 10.0.0.7\nservice s {\ncheck tcp { port = 1 }\n}\n}\n"
#define ALL     CLUSTER NODES GROUP CHECK "}\n" ALERT

static const struct row {
        const char *fresh;
        const char *told;    /* against ALL */
        const char *refused; /* what cannot change; NULL: it can be reloaded */
} rows[] = {
        {ALL, "", NULL},
        {"# another\n" ALERT GROUP CHECK "}" NODES CLUSTER, "", NULL},
        {"cluster c { start-wait = 5s }" NODES GROUP CHECK "}" ALERT, "cluster: start-wait 10s -> 5s\n",
         NULL},
        {"cluster c { key = /k }" NODES GROUP CHECK "}" ALERT, "cluster: key /etc/haven/key -> /k\n", NULL},
        {"cluster d { }" NODES GROUP CHECK "}" ALERT, "cluster: name c -> d\n", "the cluster's name"},
        {"cluster c { port = 7000 }" NODES GROUP CHECK "}" ALERT, "cluster: port 694 -> 7000\n", "the port"},
        {"cluster c { profile = fast }" NODES GROUP CHECK "}" ALERT,
         "cluster: heartbeat 100ms -> 20ms\ncluster: dead 500ms -> 100ms\ncluster: warn 300ms -> 60ms\n",
         NULL},
        {CLUSTER NODES "arbiter ping { target = 10.0.0.254 }" GROUP CHECK "}" ALERT,
         "arbiter: none -> ping\narbiter: target {} -> {10.0.0.254}\n", "the arbiter"},
        {CLUSTER NODES "node x { address = 10.0.0.3 }" GROUP CHECK "}" ALERT, "node x: added\n", NULL},
        {CLUSTER "node a { address = 10.0.0.1 }\nnode b { address = 10.0.0.7 }" GROUP CHECK "}" ALERT,
         "node b: address {10.0.0.2} -> {10.0.0.7}\n", "the links of a node"},
        {CLUSTER NODES GROUP CHECK "failback = manual }" ALERT, "group g: failback auto -> manual\n", NULL},
        {CLUSTER NODES "group g {\nnodes = {b, a}\naddress 10.0.0.9/24 { }\nservice s { }\n" CHECK "}" ALERT,
         "group g: nodes {a, b} -> {b, a}\n", NULL},
        {CLUSTER NODES "group g {\nnodes = {a, b}\nservice s { }\naddress 10.0.0.9/24 { }\n" CHECK "}" ALERT,
         "group g: address 10.0.0.9/24 has another place in the order\n", NULL},
        {CLUSTER NODES "group g {\nnodes = {a, b}\nservice s { warm = yes }\naddress 10.0.0.9/24 { }\n" CHECK
                       "}" ALERT,
         "group g, service s: warm no -> yes\ngroup g: address 10.0.0.9/24 has another place in the order\n",
         NULL},
        {CLUSTER NODES "group g {\nnodes = {a, b}\naddress 10.0.0.8/24 { }\nservice s { }\n" CHECK "}" ALERT,
         "group g: address 10.0.0.9/24 removed\ngroup g: address 10.0.0.8/24 added\n", NULL},
        {CLUSTER NODES GROUP "check http {\nurl = http://10.0.0.9/\nfall = 5\n} }" ALERT,
         "group g, check http: fall 3 -> 5\n", NULL},
        {CLUSTER NODES GROUP "check tcp {\naddress = 10.0.0.9\nport = 80\n} }" ALERT,
         "group g: check http removed\ngroup g: check tcp added\n", NULL},
        {CLUSTER NODES GROUP CHECK "}\ngroup h {\nnodes = a\nservice h { }\n}" ALERT, "group h: added\n",
         NULL},
        {CLUSTER NODES ALERT, "group g: removed\n", NULL},
        {CLUSTER "node a {\naddress = 10.0.0.1\ncheck tcp {\naddress = 10.0.0.5\nport = 1\n}\n}\n"
                 "node b { address = 10.0.0.2 }\n" GROUP CHECK "}\n" ALERT,
         "node a: check tcp added\n", NULL},
        {ALL WATCH, "watch w: added\n", NULL},
        {ALL "alert mail { to = root }", "alert mail: added\n", NULL},
        {CLUSTER NODES GROUP CHECK "}", "alert exec: removed\n", NULL},
        {CLUSTER NODES GROUP CHECK "}\nalert exec {\ncommand = /bin/page\non = split\n}",
         "alert exec: on {down, up, moved, split, blocked, failing, flapping, fenced, quorum, acknowledged} "
         "-> "
         "{split}\n",
         NULL},
};

static size_t lines(const char *text)
{
        size_t n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

static void each_change_is_told_in_a_line(void **state)
{
        struct config *old = parsed(ALL);

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct config *fresh = parsed(rows[i].fresh);
                char *told = NULL;
                size_t size = 0;
                FILE *to = open_memstream(&told, &size);
                int count = config_difference(old, fresh, to);
                fclose(to);
                assert_string_equal(told, rows[i].told);
                assert_int_equal(count, lines(told));
                assert_int_equal(count == 0, fresh->digest == old->digest);
                free(told);
                config_free(fresh);
        }
        config_free(old);
}

static void what_a_running_cluster_cannot_take_is_refused(void **state)
{
        struct config *old = parsed(ALL);

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct config *fresh = parsed(rows[i].fresh);
                char *said = NULL;
                size_t size = 0;
                FILE *to = open_memstream(&said, &size);
                bool possible = config_reload_possible(old, fresh, mistakes_to, to);
                fclose(to);
                assert_int_equal(possible, rows[i].refused == NULL);
                if (rows[i].refused) {
                        assert_non_null(strstr(said, rows[i].refused));
                        assert_non_null(strstr(said, "stop havend on all nodes"));
                } else {
                        assert_string_equal(said, "");
                }
                free(said);
                config_free(fresh);
        }
        config_free(old);
}

static void equal_groups_and_resources_are_told_from_others(void **state)
{
        struct config *old = parsed(ALL), *same = parsed(ALL),
                      *other = parsed(CLUSTER NODES GROUP CHECK "restart = \"1 in 5m\" }" ALERT),
                      *warm = parsed(CLUSTER NODES "group g {\nnodes = {a, b}\naddress 10.0.0.9/24 { }\n"
                                                   "service s { warm = yes }\n" CHECK "}" ALERT);
        const struct config_group *g = &old->group[0];

        assert_true(config_group_equal(old, g, same, &same->group[0]));
        assert_false(config_group_equal(old, g, other, &other->group[0]));
        assert_false(config_group_equal(old, g, warm, &warm->group[0]));
        assert_true(config_resource_equal(&g->resource[0], &warm->group[0].resource[0]));
        assert_false(config_resource_equal(&g->resource[1], &warm->group[0].resource[1]));
        assert_false(config_resource_equal(&g->resource[0], &g->resource[1]));
        config_free(old);
        config_free(same);
        config_free(other);
        config_free(warm);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_change_is_told_in_a_line),
                cmocka_unit_test(what_a_running_cluster_cannot_take_is_refused),
                cmocka_unit_test(equal_groups_and_resources_are_told_from_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
