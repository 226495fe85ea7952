/* test_group.c - up in order, down in reverse, mended in place within bounds, and what blocks is said. */
#include "stage.h"

#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct engine_epoch epoch = {3, 7};

static void resources_start_in_order_and_stop_in_reverse(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_script(&s, "b");
        stage_script(&s, "c");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        assert_string_equal(stage_log(&s), "a start, b start, c start");
        assert_string_equal(engine_resource(s.engine, 0, 1).state, "started");
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_RELEASED);
        stage_await(&s, ENGINE_STOPPED);
        assert_string_equal(stage_log(&s), "a start, b start, c start, c stop, b stop, a stop");
        stage_done(&s);
}

static void what_does_not_start_is_tried_again_and_then_undone(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_script(&s, "b");
        s.group.restart_max = 2;
        stage_flag(&s, "b.fail-start");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        const char *text = stage_await(&s, ENGINE_START_FAILED);
        assert_non_null(strstr(text, "script b did not start"));
        assert_non_null(strstr(text, "start says no"));
        assert_string_equal(stage_log(&s),
                            "a start, b start, b stop, b start, b stop, b start, b stop, a stop");
        assert_int_equal(stage_reported(&s, ENGINE_BROKEN), 2);
        assert_int_equal(stage_reported(&s, ENGINE_STARTED), 0);
        assert_false(stage_flagged(&s, "a.run"));
        stage_done(&s);
}

static void a_start_that_succeeds_at_the_second_try_is_a_start(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_process(&s, "p", "[ -e once ] || { touch once; exit 3; }; exec sleep 1000")->ready_after =
                span_ms(50);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        assert_true(stage_flagged(&s, "once"));
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static void a_program_that_is_not_there_is_not_tried_again(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        struct config_resource *r = stage_process(&s, "p", "");
        free(r->argv[0]);
        r->argv[0] = strdup("/nowhere/to/be/found");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        const char *text = stage_await(&s, ENGINE_START_FAILED);
        assert_non_null(strstr(text, "cannot run /nowhere/to/be/found: No such file or directory"));
        assert_int_equal(stage_reported(&s, ENGINE_BROKEN), 0);
        stage_done(&s);
}

static void a_broken_resource_is_mended_with_those_after_it(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_script(&s, "b")->status_interval = span_ms(20);
        stage_script(&s, "c");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        stage_unflag(&s, "log");
        stage_unflag(&s, "b.run");
        const char *text = stage_await(&s, ENGINE_RESTARTED);
        assert_non_null(strstr(text, "script b status exited with status 3"));
        assert_string_equal(stage_log(&s) + strlen(stage_log(&s)) -
                                    strlen("c stop, b stop, b start, c start"),
                            "c stop, b stop, b start, c start");
        assert_null(strstr(stage_log(&s), "a "));
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static void when_the_restarts_are_used_up_the_group_has_failed_and_the_rest_runs_on(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_process(&s, "p", "echo x >> runs; sleep 0.03; exit 5")->ready_after = span_ms(1);
        s.group.restart_max = 1;
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        stage_await(&s, ENGINE_RESTARTED);
        const char *text = stage_await(&s, ENGINE_FAILED);
        assert_non_null(strstr(text, "process p exited with status 5"));
        assert_string_equal(stage_read(&s, "runs"), "x, x");
        assert_true(stage_flagged(&s, "a.run"));
        assert_string_equal(engine_resource(s.engine, 0, 1).state, "failed");
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_false(stage_flagged(&s, "a.run"));
        stage_done(&s);
}

static void a_stop_that_fails_blocks_the_group_until_one_succeeds(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        struct config_resource *r = stage_script(&s, "b");
        r->stop_timeout = span_ms(100);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        stage_flag(&s, "b.fail-stop");
        engine_stop(s.engine, 0);
        const char *text = stage_await(&s, ENGINE_STOP_FAILED);
        assert_non_null(strstr(text, "script b cannot be stopped"));
        assert_true(stage_flagged(&s, "a.run")); /* what b stands on is left to it */
        assert_int_equal(stage_reported(&s, ENGINE_RELEASED), 0);
        assert_int_equal(stage_reported(&s, ENGINE_STOPPED), 0);
        stage_unflag(&s, "b.fail-stop");
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_RELEASED);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static void a_hanging_start_is_given_up_in_time(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a")->start_timeout = span_ms(50);
        s.group.restart_max = 0;
        stage_flag(&s, "a.hang-start");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        assert_non_null(strstr(stage_await(&s, ENGINE_START_FAILED), "start did not end in time"));
        stage_done(&s);
}

static bool b_is_starting(struct stage *s)
{
        return strstr(stage_log(s), "b start") != NULL;
}

static void a_stop_cuts_a_start_short(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_script(&s, "b")->start_timeout = span_s(1000);
        stage_flag(&s, "b.hang-start");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_until(&s, b_is_starting);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_string_equal(stage_log(&s), "a start, b start, b stop, a stop");
        assert_int_equal(stage_reported(&s, ENGINE_STARTED), 0);
        stage_done(&s);
}

static void warm_resources_start_first_when_asked_and_stop_after_the_release(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        fake_log[0] = '\0';
        stage_address(&s, "192.0.2.1/24");
        stage_script(&s, "w")->warm = true;
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_WARM, false);
        stage_await(&s, ENGINE_WARMED);
        assert_string_equal(stage_log(&s), "w start");
        assert_string_equal(fake_log, "");
        engine_start(s.engine, 0, epoch, ENGINE_ALL, true);
        stage_await(&s, ENGINE_STARTED);
        assert_string_equal(stage_log(&s), "w start");
        assert_string_equal(fake_log, "probe");
        engine_stop(s.engine, 0);
        assert_int_equal(stage_reported(&s, ENGINE_RELEASED), 1); /* inside the call */
        assert_int_equal(stage_reported(&s, ENGINE_STOPPED), 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_string_equal(stage_log(&s), "w start, w stop");
        stage_done(&s);
}

static void without_a_warm_part_it_is_warm_at_once(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_address(&s, "192.0.2.1/24");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_WARM, false);
        assert_int_equal(stage_reported(&s, ENGINE_WARMED), 1);
        stage_done(&s);
}

static void an_address_tells_its_story(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        fake_log[0] = '\0';
        struct config_resource *r = stage_address(&s, "192.0.2.1/24");
        strcpy(r->device, "none0");
        stage_open(&s);
        assert_non_null(strstr(stage_await(&s, ENGINE_UNFIT), "waiting for none0"));
        assert_string_equal(engine_resource(s.engine, 0, 0).state, "waiting");
        struct address *a = engine_address(s.engine, 0, 0);
        assert_null(engine_address(s.engine, 0, 1));
        fake_event(a, ADDRESS_EV_CARRIER_BACK, "none0 is there");
        stage_await(&s, ENGINE_FIT);
        engine_lease(s.engine, instant_add(instant_now(), span_s(1)));
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        fake_event(a, ADDRESS_EV_VERIFIED, "by 192.0.2.254");
        assert_non_null(strstr(stage_await(&s, ENGINE_NOTE), "by 192.0.2.254"));
        engine_lease(s.engine, instant_add(instant_now(), span_s(1)));
        engine_announce(s.engine, 0);
        fake_event(a, ADDRESS_EV_LOST, "taken away too often");
        stage_await(&s, ENGINE_RESTARTED);
        assert_string_equal(fake_log, "take, renew, announce, release, take");
        fake_release_error = -EBUSY;
        engine_stop(s.engine, 0);
        fake_release_error = 0;
        assert_non_null(strstr(stage_await(&s, ENGINE_STOP_FAILED), "Device or resource busy"));
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static void a_refused_address_names_the_stranger(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_address(&s, "192.0.2.1/24");
        s.group.restart_max = 1;
        fake_refuse = true;
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, true);
        assert_non_null(strstr(stage_await(&s, ENGINE_REFUSED), "02:00:00:00:00:01"));
        fake_refuse = false;
        stage_done(&s);
}

static void checks_restart_the_service_and_not_the_address(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        fake_log[0] = '\0';
        stage_address(&s, "192.0.2.1/24");
        stage_script(&s, "a");
        s.group.restart_max = 1;
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        engine_check_failed(s.engine, 0, "http: connection refused");
        assert_non_null(strstr(stage_await(&s, ENGINE_RESTARTED), "connection refused"));
        assert_string_equal(stage_log(&s), "a start, a stop, a start");
        engine_check_failed(s.engine, 0, "http: connection refused");
        stage_await(&s, ENGINE_FAILED);
        assert_string_equal(fake_log, "take");
        stage_done(&s);
}

static void on_report_stop(struct stage *s, const struct engine_report *report)
{
        if (report->kind == ENGINE_STARTED)
                engine_stop(s->engine, 0);
}

static void orders_may_be_given_from_inside_a_report(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_address(&s, "192.0.2.1/24");
        s.on_report = on_report_stop;
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        stage_await(&s, ENGINE_RELEASED);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static void a_start_during_a_stop_waits_for_its_end(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        engine_stop(s.engine, 0);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STOPPED);
        stage_await(&s, ENGINE_STARTED);
        assert_string_equal(stage_log(&s), "a start, a stop, a start");
        stage_done(&s);
}

static void a_group_nobody_looked_at_is_really_stopped(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_flag(&s, "a.run");
        stage_open(&s);
        assert_string_equal(engine_resource(s.engine, 0, 0).state, "unknown");
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_false(stage_flagged(&s, "a.run"));
        stage_done(&s);
}

static void adoption_finds_what_runs_and_starts_what_is_missing(void **state)
{
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_script(&s, "b");
        stage_flag(&s, "a.run");
        stage_flag(&s, "b.run");
        stage_open(&s);
        engine_adopt(s.engine, 0, epoch);
        stage_await(&s, ENGINE_STARTED);
        assert_null(strstr(stage_log(&s), "start,"));
        stage_close(&s);
        stage_unflag(&s, "b.run");
        stage_unflag(&s, "log");
        stage_open(&s);
        engine_adopt(s.engine, 0, epoch);
        stage_await(&s, ENGINE_STARTED);
        assert_non_null(strstr(stage_log(&s), "b start"));
        assert_null(strstr(stage_log(&s), "a start"));
        stage_done(&s);
}

static void a_reload_replaces_what_differs_and_leaves_the_rest(void **state)
{
        struct config_resource changed[3];
        struct config_group group;
        struct config config;
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        stage_script(&s, "b");
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        stage_unflag(&s, "log");

        /* c is new and comes first, a is as it was, b says other words */
        stage_script(&s, "c");
        config = s.config;
        group = s.group;
        changed[0] = s.resource[2];
        changed[1] = s.resource[0];
        changed[2] = s.resource[1];
        changed[2].environment = (char *[]){"WORD=other", NULL};
        group.resource = changed;
        config.group = &group;
        assert_int_equal(engine_reload(s.engine, &config), 0);
        stage_await(&s, ENGINE_RESTARTED);
        assert_string_equal(stage_log(&s), "b stop, c start, b start");
        stage_unflag(&s, "log");
        assert_int_equal(engine_reload(s.engine, &config), 0);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_string_equal(stage_log(&s), "b stop, a stop, c stop");
        stage_done(&s);
}

static void a_reload_changes_how_often_a_group_is_restarted(void **state)
{
        struct config_group group;
        struct config config;
        static struct stage s;

        stage_init(&s, false);
        stage_script(&s, "a");
        s.group.restart_max = 0;
        stage_flag(&s, "a.fail-start");
        stage_open(&s);
        config = s.config;
        group = s.group;
        group.restart_max = 1;
        config.group = &group;
        assert_int_equal(engine_reload(s.engine, &config), 0);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_START_FAILED);
        assert_string_equal(stage_log(&s), "a start, a stop, a start, a stop");
        stage_done(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(resources_start_in_order_and_stop_in_reverse, stage_clear),
                cmocka_unit_test_teardown(what_does_not_start_is_tried_again_and_then_undone, stage_clear),
                cmocka_unit_test_teardown(a_start_that_succeeds_at_the_second_try_is_a_start, stage_clear),
                cmocka_unit_test_teardown(a_program_that_is_not_there_is_not_tried_again, stage_clear),
                cmocka_unit_test_teardown(a_broken_resource_is_mended_with_those_after_it, stage_clear),
                cmocka_unit_test_teardown(
                        when_the_restarts_are_used_up_the_group_has_failed_and_the_rest_runs_on, stage_clear),
                cmocka_unit_test_teardown(a_stop_that_fails_blocks_the_group_until_one_succeeds, stage_clear),
                cmocka_unit_test_teardown(a_hanging_start_is_given_up_in_time, stage_clear),
                cmocka_unit_test_teardown(a_stop_cuts_a_start_short, stage_clear),
                cmocka_unit_test_teardown(warm_resources_start_first_when_asked_and_stop_after_the_release,
                                          stage_clear),
                cmocka_unit_test_teardown(without_a_warm_part_it_is_warm_at_once, stage_clear),
                cmocka_unit_test_teardown(an_address_tells_its_story, stage_clear),
                cmocka_unit_test_teardown(a_refused_address_names_the_stranger, stage_clear),
                cmocka_unit_test_teardown(checks_restart_the_service_and_not_the_address, stage_clear),
                cmocka_unit_test_teardown(orders_may_be_given_from_inside_a_report, stage_clear),
                cmocka_unit_test_teardown(a_start_during_a_stop_waits_for_its_end, stage_clear),
                cmocka_unit_test_teardown(a_group_nobody_looked_at_is_really_stopped, stage_clear),
                cmocka_unit_test_teardown(adoption_finds_what_runs_and_starts_what_is_missing, stage_clear),
                cmocka_unit_test_teardown(a_reload_replaces_what_differs_and_leaves_the_rest, stage_clear),
                cmocka_unit_test_teardown(a_reload_changes_how_often_a_group_is_restarted, stage_clear),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
