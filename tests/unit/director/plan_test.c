/* What a director is asked to do, from the configuration and from ldirectord's files. */
#include "director/farm.h"
#include "director/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NATIVE                                                                                               \
        "    pool farm { real 10.1.0.1:80 { } real 10.1.0.2:8080 { weight = 3 }\n"                           \
        "        check tcp { }  check http { url = \"http://%h:%p/\" } }\n"                                  \
        "    virtual 10.0.0.1:80 { pool = farm }\n    virtual 10.0.0.2:80 { pool = farm }\n"
#define OLD                                                                                                  \
        "checkinterval=5\nfailurecount=2\nvirtual=10.0.0.3:80\n    real=10.1.0.1:8080 masq 5\n    "          \
        "real=10.1.0.2->10.1.0.3:80 gate\n"                                                                  \
        "    fallback=127.0.0.1:80\n    request=\"x\"\n    receive=\"ok\"\n    virtualhost=www\n"            \
        "virtual=10.0.0.4:25\n    real=10.1.0.1:25 masq\n    checktype=connect\n"                            \
        "virtual=7\n    real=10.1.0.1 gate\n    checktype=off\n"

static char path[] = "/tmp/plan-test-XXXXXX";

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        fail_msg("%s:%d: %s", file, line, text);
}

static int plan_of(const char *inside, const char *old, struct plan *plan, char why[static PLAN_WHY])
{
        char text[4000];
        FILE *to = fopen(path, "w");

        fputs(old, to);
        fclose(to);
        snprintf(text, sizeof(text),
                 "cluster c { key = /k }\nnode a { address = 10.9.0.1 }\nnode b { address = 10.9.0.2 }\n"
                 "group lb { nodes = {a, b}\n director d {\n%s    ldirectord = {%s}\n } }\n",
                 inside, path);
        struct config *c = config_parse(text, "test", on_mistake, NULL);
        assert_non_null(c);
        int error = plan_from_config(c->group[0].resource[0].director, plan, why);
        config_free(c);
        return error;
}

static const struct plan_service *find(const struct plan *p, const char *key)
{
        char text[VIRTUAL_TEXT];

        for (size_t i = 0; i < p->service_count; i++)
                if (strcmp(virtual_key_format(&p->service[i].service.key, text), key) == 0)
                        return &p->service[i];
        fail_msg("no service %s", key);
        return NULL;
}

static void test_pools_are_shared_and_checked_once(void **state)
{
        char why[PLAN_WHY];
        struct plan p;

        assert_int_equal(plan_of(NATIVE, "", &p, why), 0);
        assert_int_equal(p.service_count, 2);
        assert_int_equal(p.check_count, 4);
        assert_string_equal(p.check[3].name, "farm 10.1.0.2:8080 http");
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(p.service[i].server[1].check_count, 2);
                assert_int_equal(p.service[i].server[1].check[0], 2);
                assert_int_equal(p.service[i].server[1].real.weight, 3);
        }
        plan_free(&p);
}

static void test_ldirectords_services_stand_beside_ours(void **state)
{
        char why[PLAN_WHY];
        struct plan p;

        assert_int_equal(plan_of(NATIVE, OLD, &p, why), 0);
        assert_int_equal(p.service_count, 5);
        const struct plan_service *web = find(&p, "tcp 10.0.0.3:80"), *mail = find(&p, "tcp 10.0.0.4:25"),
                                  *mark = find(&p, "mark 7");
        assert_int_equal(web->server_count, 3);
        assert_true(web->has_fallback);
        assert_string_equal(web->service.scheduler, "wrr");
        const struct config_check *c = &p.check[web->server[0].check[0]].check;
        assert_int_equal(c->kind, CHECK_HTTP);
        assert_string_equal(c->http.url, "http://10.1.0.1:8080/x");
        assert_string_equal(c->http.expect, "ok");
        assert_string_equal(c->http.host, "www");
        assert_int_equal(c->interval.us, 5000000);
        assert_int_equal(c->fall, 2);
        assert_int_equal(c->rise, 1);
        assert_int_equal(p.check[mail->server[0].check[0]].check.kind, CHECK_TCP);
        assert_int_equal(p.check[mail->server[0].check[0]].check.port, 25);
        assert_int_equal(mark->server[0].use, USE_NEVER);
        struct farm *farm = farm_new(&p);
        struct table t;
        assert_int_equal(farm_table(farm, INSTANT_LONG_AGO, &t), 0);
        assert_int_equal(t.count, 5);
        table_free(&t);
        farm_free(farm);
        plan_free(&p);
}

static void test_what_is_wrong_is_said_with_its_file_and_line(void **state)
{
        char why[PLAN_WHY], wanted[100];
        struct plan p;

        assert_int_equal(plan_of(NATIVE, "quiescent=maybe\n", &p, why), -EINVAL);
        assert_int_equal(p.service_count, 0);
        assert_string_equal(p.file[0].path, path); /* so that it can be watched */
        plan_free(&p);
        snprintf(wanted, sizeof(wanted), "%s:1: quiescent must be", path);
        assert_non_null(strstr(why, wanted));
        assert_int_equal(plan_of(NATIVE,
                                 "virtual=10.0.0.9:80\n    real=10.1.0.1:80 masq\n    receive=\"a(?=b)\"\n",
                                 &p, why),
                         -EINVAL);
        assert_non_null(strstr(why, ":2: receive is no expression that regex(7) knows"));
        plan_free(&p);
        assert_int_equal(plan_of(NATIVE, "virtual=10.0.0.1:80\n", &p, why), -EEXIST);
        assert_string_equal(why, "tcp 10.0.0.1:80 is there twice");
        plan_free(&p);
}

static int begin(void **state)
{
        int fd = mkstemp(path);

        return fd == -1 ? -1 : close(fd);
}

static int end(void **state)
{
        return unlink(path);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pools_are_shared_and_checked_once),
                cmocka_unit_test(test_ldirectords_services_stand_beside_ours),
                cmocka_unit_test(test_what_is_wrong_is_said_with_its_file_and_line),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
