/* Alerts run real commands: shell scripts that write down what they were told. */
#include "monitor/alert.h"

#include "base/file.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static uv_loop_t loop;
static struct alerts *alerts;
static char directory[] = "/tmp/haven-alert-XXXXXX";
static char told_path[64];

static char *argv_of[3][4];
static struct config_alert alert[3];
static struct config_node node[2] = {{.name = "alpha"}, {.name = "beta"}};
static struct config config = {.cluster = "shop", .node = node, .node_count = 2, .alert = alert};

/* The i-th alert runs this shell script, where $1 is the file to write to. */
static void alert_is(size_t i, const char *script, unsigned on, span timeout)
{
        argv_of[i][0] = "/bin/sh";
        argv_of[i][1] = "-c";
        argv_of[i][2] = (char *)script;
        argv_of[i][3] = NULL;
        alert[i] =
                (struct config_alert){.kind = ALERT_EXEC, .argv = argv_of[i], .on = on, .timeout = timeout};
        config.alert_count = i + 1;
}

static const char *told(void)
{
        static char text[8192];
        ssize_t n = file_read(told_path, text, sizeof(text) - 1);

        text[n < 0 ? 0 : n] = '\0';
        return text;
}

static void on_impatient(uv_timer_t *timer)
{
        *(bool *)timer->data = true;
}

static void until_all_told(void)
{
        bool over = false;
        uv_timer_t timer;

        uv_timer_init(&loop, &timer);
        timer.data = &over;
        uv_update_time(&loop);
        uv_timer_start(&timer, on_impatient, PATIENCE_MS, 0);
        while (!over && alerts_waiting(alerts) > 0)
                uv_run(&loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_false(over);
}

static void begin(void)
{
        unlink(told_path);
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(alerts_new(&loop, &config, 1, &alerts), 0);
        alerts_retry_after(alerts, span_ms(5));
}

static void end(void)
{
        alerts_free(alerts);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_the_command_is_told_by_environment_and_by_input(void **state)
{
        alert_is(0, "{ env | grep ^HAVEN_ | grep -v TIME | sort; echo --; grep -v TIME; } >>told",
                 ALERT_DOWN | ALERT_UP, span_s(5));
        begin();
        alert_raise(alerts, ALERT_DOWN, "group-failed", "web", "status 503,\nwanted 200-399");
        alert_raise(alerts, ALERT_MOVED, "group-moved", "web", "nobody asked for this");
        until_all_told();
        assert_string_equal(told(), "HAVEN_ALERT=down\nHAVEN_CLUSTER=shop\nHAVEN_DROPPED=0\n"
                                    "HAVEN_EVENT=group-failed\nHAVEN_NODE=beta\nHAVEN_SUBJECT=web\n"
                                    "HAVEN_TEXT=status 503, wanted 200-399\n--\n"
                                    "HAVEN_ALERT=down\nHAVEN_EVENT=group-failed\nHAVEN_SUBJECT=web\n"
                                    "HAVEN_TEXT=status 503, wanted 200-399\nHAVEN_CLUSTER=shop\n"
                                    "HAVEN_NODE=beta\nHAVEN_DROPPED=0\n");
        end();
}

static void test_one_after_the_other_in_order(void **state)
{
        alert_is(0, "test ! -e busy && touch busy && echo $HAVEN_SUBJECT >>told; rm busy", ALERT_DOWN,
                 span_s(5));
        begin();
        for (int i = 0; i < 5; i++)
                alert_raise(alerts, ALERT_DOWN, "node-down", (const char *[]){"a", "b", "c", "d", "e"}[i],
                            "");
        until_all_told();
        assert_string_equal(told(), "a\nb\nc\nd\ne\n");
        end();
}

static void test_a_failing_command_is_run_four_times_then_given_up(void **state)
{
        alert_is(0, "echo $HAVEN_SUBJECT $HAVEN_DROPPED >>told; test $HAVEN_SUBJECT = b", ALERT_DOWN,
                 span_s(5));
        begin();
        alert_raise(alerts, ALERT_DOWN, "node-down", "a", "");
        alert_raise(alerts, ALERT_DOWN, "node-down", "b", "");
        until_all_told();
        assert_string_equal(told(), "a 0\na 0\na 0\na 0\nb 1\n");
        end();
}

static void test_a_command_that_hangs_is_killed_with_its_children(void **state)
{
        char path[96], text[32];
        pid_t pid;
        ssize_t n;

        alert_is(0, "echo $HAVEN_SUBJECT >>told; sleep 1000 & echo $! >pid; wait", ALERT_DOWN, span_ms(100));
        begin();
        alert_raise(alerts, ALERT_DOWN, "node-down", "a", "");
        until_all_told();
        assert_string_equal(told(), "a\na\na\na\n");
        snprintf(path, sizeof(path), "%s/pid", directory);
        n = file_read(path, text, sizeof(text) - 1);
        assert_true(n > 0);
        text[n] = '\0';
        pid = atoi(text);
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        n = file_read(path, text, sizeof(text)); /* gone, or dead and not yet reaped by init */
        assert_true(n < 0 || strstr(text, ") Z") != NULL || kill(pid, 0) == -1);
        end();
}

static void test_a_program_that_is_not_there_holds_nobody_up(void **state)
{
        alert_is(0, "", ALERT_DOWN, span_s(5));
        argv_of[0][0] = "/nonexistent/mail";
        alert_is(1, "echo $HAVEN_SUBJECT >>told", ALERT_DOWN, span_s(5));
        begin();
        alert_raise(alerts, ALERT_DOWN, "node-down", "a", "");
        until_all_told();
        assert_string_equal(told(), "a\n");
        end();
}

static void test_a_full_queue_drops_the_oldest_and_says_so(void **state)
{
        char name[8], *line;

        alert_is(0, "echo $HAVEN_SUBJECT $HAVEN_DROPPED >>told", ALERT_DOWN, span_s(5));
        begin();
        for (int i = 0; i < ALERT_QUEUE_MAX + 10; i++) {
                snprintf(name, sizeof(name), "n%d", i);
                alert_raise(alerts, ALERT_DOWN, "node-down", name, "");
        }
        assert_int_equal(alerts_waiting(alerts), ALERT_QUEUE_MAX);
        until_all_told();
        line = strchr(told(), '\n') + 1;
        assert_memory_equal(told(), "n0 0\n", 5); /* it ran already */
        assert_memory_equal(line, "n11 10\n", 7);
        assert_non_null(strstr(told(), "n73 0\n"));
        end();
}

static void test_a_reload_keeps_what_waits(void **state)
{
        alert_is(0, "echo $HAVEN_SUBJECT >>told", ALERT_DOWN, span_s(5));
        alert_is(1, "echo other >>told", ALERT_UP, span_s(5));
        begin();
        alert_raise(alerts, ALERT_DOWN, "node-down", "a", "");
        alert_raise(alerts, ALERT_DOWN, "node-down", "b", "");
        config.alert_count = 1;
        assert_int_equal(alerts_reload(alerts, &config, 1), 0);
        alert_raise(alerts, ALERT_UP, "node-up", "a", "");
        until_all_told();
        assert_string_equal(told(), "a\nb\n");
        end();
}

static void test_the_command_starts_ordinary(void **state)
{
        struct sched_param urgent = {.sched_priority = 1}, ordinary = {.sched_priority = 0};
        const char *ignored;
        sigset_t blocked;
        bool real_time;

        if (getuid() != 0)
                skip();
        alert_is(0,
                 "{ awk '{print $18, $19, $41}' /proc/self/stat; cat /proc/self/oom_score_adj; "
                 "grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd | tr '\\n' ' '; } >told",
                 ALERT_DOWN, span_s(5));
        begin();
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGTERM);
        sigprocmask(SIG_BLOCK, &blocked, NULL);
        signal(SIGPIPE, SIG_IGN);
        setpriority(PRIO_PROCESS, 0, -5);
        /* some containers forbid it: then nice alone is proven */
        real_time = sched_setscheduler(0, SCHED_FIFO, &urgent) == 0;
        alert_raise(alerts, ALERT_DOWN, "node-down", "a", "");
        if (real_time)
                sched_setscheduler(0, SCHED_OTHER, &ordinary);
        setpriority(PRIO_PROCESS, 0, 0);
        sigprocmask(SIG_UNBLOCK, &blocked, NULL);
        signal(SIGPIPE, SIG_DFL);
        until_all_told();
        /* priority 20, nice 0, SCHED_OTHER; descriptors 0 to 2 and what the shell itself opened (10, 255) */
        assert_memory_equal(told(), "20 0 0\n0\n", 9);
        assert_non_null(strstr(told(), "SigBlk:\t0000000000000000"));
        ignored = strstr(told(), "SigIgn:\t");
        assert_non_null(ignored);
        /* glibc leaves its own two, 32 and 33, ignored in what it spawns */
        assert_int_equal(strtoull(ignored + 8, NULL, 16) & ~UINT64_C(0x180000000), 0);
        assert_null(strstr(told(), " 90 "));
        end();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_command_is_told_by_environment_and_by_input),
                cmocka_unit_test(test_one_after_the_other_in_order),
                cmocka_unit_test(test_a_failing_command_is_run_four_times_then_given_up),
                cmocka_unit_test(test_a_command_that_hangs_is_killed_with_its_children),
                cmocka_unit_test(test_a_program_that_is_not_there_holds_nobody_up),
                cmocka_unit_test(test_a_full_queue_drops_the_oldest_and_says_so),
                cmocka_unit_test(test_a_reload_keeps_what_waits),
                cmocka_unit_test(test_the_command_starts_ordinary),
        };
        char path[96];
        int r;

        if (mkdtemp(directory) == NULL || chdir(directory) == -1)
                return 1;
        snprintf(told_path, sizeof(told_path), "%s/told", directory);
        dup2(0, 90); /* a descriptor that no command may see */
        r = cmocka_run_group_tests(tests, NULL, NULL);
        unlink(told_path);
        snprintf(path, sizeof(path), "%s/pid", directory);
        unlink(path);
        rmdir(directory);
        return r;
}
