/* test_script.c - both conventions of scripts, by their tables, and the runner of actions beneath. */
#include "stage.h"

#include "base/file.h"
#include "resource/action.h"
#include "resource/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct engine_epoch epoch = {3, 7};

/* A script with one answer to status, looked at for adoption: present, or started because it is not. */
static bool is_taken_as_running(enum script_style style, int code, const char *says)
{
        static struct stage s;
        char text[512], path[128];

        stage_init(&s, false);
        struct config_resource *r = stage_script(&s, "a");
        r->style = style;
        int n = snprintf(text, sizeof(text),
                         "#!/bin/sh\necho \"$@\" >> %s/log\n[ $1 = start ] && exit 0\nprintf '%s'\nexit %d\n",
                         s.directory, says, code);
        snprintf(path, sizeof(path), "%s/a", s.directory);
        assert_int_equal(file_replace(path, text, (size_t)n, 0755), 0);
        stage_open(&s);
        engine_adopt(s.engine, 0, epoch);
        stage_await(&s, ENGINE_STARTED);
        bool running = stage_reported(&s, ENGINE_BROKEN) == 0;
        stage_done(&s);
        return running;
}

static void lsb_status_is_judged_by_its_exit_status(void **state)
{
        static const struct {
                int code;
                bool running;
        } row[] = {{0, true}, {1, false}, {2, false}, {3, false}, {4, false}, {5, false}, {150, false}};

        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
                if (is_taken_as_running(SCRIPT_LSB, row[i].code, "is running OK") != row[i].running)
                        fail_msg("status %d", row[i].code);
}

static void heartbeat_status_is_judged_by_what_it_says(void **state)
{
        static const struct {
                int code;
                const char *says;
                bool running;
        } row[] = {
                {0, "running\\n", true},
                {3, "running\\n", true},
                {0, "stopped\\n", false},
                {0, "not running\\n", false},
                {0, "is NOT running\\n", false},
                {1, "nginx is Running\\n", true},
                {0, "OK\\n", true},
                {7, "OK\\n", true},
                {0, "ok\\n", false},
                {0, "", false},
                {0, "Not Running, OK\\n", false},
                {0, "RUNNING\\n", false},
                {0, "one\\ntwo running\\n", true},
        };

        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
                if (is_taken_as_running(SCRIPT_HEARTBEAT, row[i].code, row[i].says) != row[i].running)
                        fail_msg("\"%s\" with %d", row[i].says, row[i].code);
}

static void heartbeat_arguments_come_before_the_action(void **state)
{
        static struct stage s;
        char path[128];
        const char text[] =
                "#!/bin/sh\necho \"$@\" >> ${0%/*}/log\n[ $3 = status ] && echo stopped\nexit 0\n";

        stage_init(&s, false);
        struct config_resource *r = stage_script(&s, "a");
        r->style = SCRIPT_HEARTBEAT;
        r->argv = realloc(r->argv, 4 * sizeof(char *));
        r->argv[1] = strdup("10.0.0.3/24");
        r->argv[2] = strdup("www");
        r->argv[3] = NULL;
        snprintf(path, sizeof(path), "%s/a", s.directory);
        assert_int_equal(file_replace(path, text, sizeof(text) - 1, 0755), 0);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_string_equal(stage_log(&s),
                            "10.0.0.3/24 www status, 10.0.0.3/24 www start, 10.0.0.3/24 www stop");
        stage_done(&s);
}

/* By the exit status of start: whether trying again is worth anything. */
static void lsb_start_is_not_tried_again_where_it_cannot_help(void **state)
{
        static const struct {
                int code;
                size_t tries;
        } row[] = {{1, 2}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1}, {7, 2}, {99, 2}};

        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
                static struct stage s;
                char text[128], path[128];
                stage_init(&s, false);
                s.group.restart_max = 1;
                stage_script(&s, "a");
                int n = snprintf(text, sizeof(text), "#!/bin/sh\n[ $1 = start ] && exit %d\nexit 0\n",
                                 row[i].code);
                snprintf(path, sizeof(path), "%s/a", s.directory);
                assert_int_equal(file_replace(path, text, (size_t)n, 0755), 0);
                stage_open(&s);
                engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
                stage_await(&s, ENGINE_START_FAILED);
                assert_int_equal(stage_reported(&s, ENGINE_BROKEN), row[i].tries - 1);
                stage_done(&s);
        }
}

static void a_daemon_of_a_script_outlives_its_start_and_dies_with_a_stop_that_hangs(void **state)
{
        static struct stage s;
        char path[128];
        const char text[] = "#!/bin/sh\ncd ${0%/*}\ncase $1 in\n"
                            "start) setsid sleep 1000 >/dev/null 2>&1 & echo $! > pid;;\n"
                            "stop) sleep 1000;;\n"
                            "status) grep -q 'State:.[^Z]' /proc/$(cat pid)/status || exit 3;;\nesac\n";

        stage_init(&s, true);
        if (!s.cgroup[0]) {
                print_message("skipped: needs root and a cgroup\n");
                stage_done(&s);
                skip();
        }
        stage_script(&s, "a")->stop_timeout = span_ms(100);
        snprintf(path, sizeof(path), "%s/a", s.directory);
        assert_int_equal(file_replace(path, text, sizeof(text) - 1, 0755), 0);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        assert_true(resource_cgroup_populated(s.cgroup));
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_false(resource_cgroup_populated(s.cgroup));
        stage_done(&s);
}

/* ---- actions ---- */

struct seen {
        bool done;
        int status;
        bool timed_out;
        size_t output_size;
        char output[9000];
        char text[ACTION_TEXT];
};

static void on_done(void *user, const struct action_result *result)
{
        struct seen *seen = user;

        seen->done = true;
        seen->status = result->status;
        seen->timed_out = result->timed_out;
        seen->output_size = strlen(result->output);
        strcpy(seen->output, result->output);
        strcpy(seen->text, result->text);
}

static void run(const char *text, span timeout, struct seen *seen)
{
        struct action_want want = {.argv = (char *[]){"/bin/sh", "-c", (char *)text, NULL},
                                   .env = (char *[]){"PATH=/usr/bin:/bin", NULL},
                                   .cgroup = "",
                                   .timeout = timeout};
        struct action *a;
        uv_loop_t loop;

        memset(seen, 0, sizeof(*seen));
        uv_loop_init(&loop);
        assert_int_equal(action_run(&loop, &want, on_done, seen, &a), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_true(seen->done);
        assert_int_equal(uv_loop_close(&loop), 0);
}

static void an_action_gives_its_status_and_both_streams(void **state)
{
        struct seen seen;

        run("echo out; echo err >&2; exit 3", SPAN_ZERO, &seen);
        assert_int_equal(WEXITSTATUS(seen.status), 3);
        assert_string_equal(seen.output, "out\nerr\n");
        assert_string_equal(seen.text, "exited with status 3: out err");
}

static void an_action_that_takes_too_long_is_ended_with_its_children(void **state)
{
        struct seen seen;

        run("echo begun; sleep 1000 & sleep 1000", span_ms(50), &seen);
        assert_true(seen.timed_out);
        assert_true(WIFSIGNALED(seen.status));
        assert_string_equal(seen.text, "did not end in time: begun");
}

static void an_action_ends_though_its_daemon_holds_its_output(void **state)
{
        struct seen seen;

        run("sleep 1 & exit 0", SPAN_ZERO, &seen);
        assert_int_equal(seen.status, 0);
}

static void much_output_is_kept_at_both_ends(void **state)
{
        struct seen seen;

        run("echo first; seq 1 200000; echo last", SPAN_ZERO, &seen);
        assert_in_range(seen.output_size, 4096, 8192);
        assert_memory_equal(seen.output, "first\n1\n2\n", 10);
        assert_non_null(strstr(seen.text, "199999 200000 last"));
        assert_in_range(strlen(seen.text), 1000, ACTION_TEXT - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(lsb_status_is_judged_by_its_exit_status, stage_clear),
                cmocka_unit_test_teardown(heartbeat_status_is_judged_by_what_it_says, stage_clear),
                cmocka_unit_test_teardown(heartbeat_arguments_come_before_the_action, stage_clear),
                cmocka_unit_test_teardown(lsb_start_is_not_tried_again_where_it_cannot_help, stage_clear),
                cmocka_unit_test_teardown(
                        a_daemon_of_a_script_outlives_its_start_and_dies_with_a_stop_that_hangs, stage_clear),
                cmocka_unit_test(an_action_gives_its_status_and_both_streams),
                cmocka_unit_test(an_action_that_takes_too_long_is_ended_with_its_children),
                cmocka_unit_test(an_action_ends_though_its_daemon_holds_its_output),
                cmocka_unit_test(much_output_is_kept_at_both_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
