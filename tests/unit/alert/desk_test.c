/* Desks tell by real commands: shell scripts that write down what they were told. */
#include "alert/desk.h"
#include "alert/sent.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000
#define HEAD                                                                                                 \
        "cluster shop { key = /k }\nnode alpha { address = 10.0.0.1 }\nnode beta { address = 10.0.0.2 }\n"   \
        "group web { nodes = {alpha, beta}  service nginx { } }\n"                                           \
        "watch farm { hosts = {10.1.0.1, 10.1.0.2} service http { check tcp { port = 80 } } }\n"

static uv_loop_t loop;
static struct config *config;
static struct board *board;
static struct desk *desk;
static char directory[] = "/tmp/haven-desk-XXXXXX";
static char trouble[2000];

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        fail_msg("%s:%d: %s", file, line, text);
}

static void on_trouble(void *user, const char *alert, const char *text)
{
        size_t n = strlen(trouble);

        snprintf(trouble + n, sizeof(trouble) - n, "%s: %s\n", alert, text);
}

static void on_change(void *user)
{
}

static struct desk *make_desk(struct board *on)
{
        const struct desk_hooks hooks = {.on_trouble = on_trouble, .on_change = on_change};
        char program[64];
        struct desk *d;

        snprintf(program, sizeof(program), "%s/haven-alert", directory);
        assert_int_equal(desk_new(&loop, config, 1, on, program, &hooks, &d), 0);
        desk_retry_after(d, span_ms(5));
        return d;
}

static void begin(const char *alerts)
{
        char text[4000];

        unlink("told");
        trouble[0] = '\0';
        snprintf(text, sizeof(text), HEAD "%s", alerts);
        config = config_parse(text, "text", on_mistake, NULL);
        assert_non_null(config);
        assert_int_equal(uv_loop_init(&loop), 0);
        board = board_new(2, 22);
        desk = make_desk(board);
        desk_role(desk, DESK_LEADS);
}

static void end(void)
{
        desk_free(desk);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        board_free(board);
        config_free(config);
}

static const char *told(void)
{
        static char text[65536];
        ssize_t n = file_read("told", text, sizeof(text) - 1);

        text[n < 0 ? 0 : n] = '\0';
        return text;
}

static void on_impatient(uv_timer_t *timer)
{
        *(bool *)timer->data = true;
}

/* Runs the loop until nothing waits, or the file holds so many lines. */
static void until(size_t lines)
{
        bool over = false;
        uv_timer_t timer;

        uv_timer_init(&loop, &timer);
        timer.data = &over;
        uv_update_time(&loop);
        uv_timer_start(&timer, on_impatient, PATIENCE_MS, 0);
        for (;;) {
                struct desk_view v;
                size_t n = 0;

                desk_view(desk, &v);
                for (const char *at = told(); *at; at++)
                        n += *at == '\n';
                if (over || (lines ? n >= lines : v.waiting == 0))
                        break;
                uv_run(&loop, UV_RUN_ONCE);
        }
        uv_close((uv_handle_t *)&timer, NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_false(over);
}

static void the_command_is_told_by_environment_and_by_input(void **state)
{
        begin("alert exec { on = {down, up}  command = \"/bin/sh -c '{ env | grep ^HAVEN_ | grep -v -e TIME "
              "-e "
              "_ID | sort; echo --; grep -v -e TIME -e _ID; } >>told'\" }");
        desk_raise(desk, ALERT_DOWN, "group-failed", "web", "status 503,\nwanted 200-399", NULL);
        desk_raise(desk, ALERT_MOVED, "group-moved", "web", "nobody asked for this", NULL);
        until(0);
        assert_string_equal(told(), "HAVEN_ALERT=down\nHAVEN_CLUSTER=shop\nHAVEN_DROPPED=0\n"
                                    "HAVEN_EVENT=group-failed\nHAVEN_NODE=beta\nHAVEN_SUBJECT=web\n"
                                    "HAVEN_TEXT=status 503, wanted 200-399\n--\n"
                                    "HAVEN_ALERT=down\nHAVEN_EVENT=group-failed\nHAVEN_SUBJECT=web\n"
                                    "HAVEN_TEXT=status 503, wanted 200-399\nHAVEN_CLUSTER=shop\n"
                                    "HAVEN_NODE=beta\nHAVEN_DROPPED=0\n");
        end();
}

static void one_after_the_other_in_order(void **state)
{
        begin("alert exec { command = \"/bin/sh -c 'test ! -e busy && touch busy && echo $HAVEN_SUBJECT "
              ">>told; "
              "rm busy'\" }");
        for (int i = 0; i < 5; i++) {
                desk_raise(desk, ALERT_DOWN, "node-down", (const char *[]){"a", "b", "c", "d", "e"}[i], "",
                           NULL);
                usleep(10); /* the order is that of the clock */
        }
        until(0);
        assert_string_equal(told(), "a\nb\nc\nd\ne\n");
        end();
}

static void what_cannot_be_told_is_kept_and_tried_again(void **state)
{
        struct desk_view v;

        begin("alert exec { command = \"/bin/sh -c 'echo $HAVEN_SUBJECT $HAVEN_ID >>told; test -e works'\" "
              "}");
        unlink("works");
        desk_raise(desk, ALERT_DOWN, "node-down", "a", "text", NULL);
        until(3);
        desk_view(desk, &v);
        assert_int_equal(v.waiting, 1);
        assert_string_equal(v.trouble, "alert exec: exit status 1");
        assert_non_null(strstr(trouble, "exec: exit status 1; not told, trying again in 5ms\n"));
        assert_null(strstr(strchr(trouble, '\n') + 1, "exit")); /* said once, not at each try */
        close(open("works", O_CREAT | O_WRONLY, 0600));
        until(0);
        assert_non_null(strstr(trouble, "exec: told at last\n"));
        desk_view(desk, &v);
        assert_string_equal(v.trouble, "");
        /* each try has told the same under the same name */
        char *first = strdup(told());
        size_t line = strcspn(first, "\n") + 1;
        for (const char *at = told(); *at; at += line)
                assert_memory_equal(at, first, line);
        free(first);
        end();
}

static void one_that_fails_does_not_keep_the_others(void **state)
{
        begin("alert exec { command = \"/bin/sh -c 'echo $HAVEN_SUBJECT >>told; test $HAVEN_SUBJECT != "
              "bad'\" }");
        desk_raise(desk, ALERT_DOWN, "node-down", "bad", "", NULL);
        usleep(10);
        desk_raise(desk, ALERT_DOWN, "node-down", "good", "", NULL);
        until(4);
        assert_non_null(strstr(told(), "good\n"));
        assert_null(strstr(strstr(told(), "good\n") + 1, "good"));
        end();
}

static void what_hangs_is_killed(void **state)
{
        begin("alert exec { timeout = 100ms  command = \"/bin/sh -c 'echo try >>told; sleep 1000 & wait'\" "
              "}");
        desk_raise(desk, ALERT_DOWN, "node-down", "a", "", NULL);
        until(2);
        assert_non_null(strstr(trouble, "did not end in time, killed"));
        end();
}

static void only_what_an_alert_is_for(void **state)
{
        begin("alert exec { name = web  for = web  on = {moved, down}  command = \"/bin/sh -c 'echo web "
              "$HAVEN_SUBJECT >>told'\" }\n"
              "alert exec { name = boss  unacknowledged = 1h  command = \"/bin/sh -c 'echo boss >>told'\" }");
        desk_raise(desk, ALERT_MOVED, "group-moved", "web", "", NULL);
        desk_raise(desk, ALERT_UP, "group-started", "web", "", NULL);
        desk_raise(desk, ALERT_DOWN, "node-down", "alpha", "", NULL);
        until(0);
        assert_string_equal(told(), "web web\n");
        end();
}

static void the_same_thing_is_told_once(void **state)
{
        begin("alert exec { command = \"/bin/sh -c 'echo $HAVEN_SUBJECT >>told'\" }");
        desk_take(desk, 0, ALERT_DOWN, "watch", "farm:http@10.1.0.1", "refused", "one id");
        desk_take(desk, 0, ALERT_DOWN, "watch", "farm:http@10.1.0.1", "refused", "one id");
        until(0);
        desk_take(desk, 0, ALERT_DOWN, "watch", "farm:http@10.1.0.1", "refused", "one id");
        desk_take(desk, 0, ALERT_DOWN, "watch", "farm:http@10.1.0.1", "refused", "another");
        until(0);
        assert_string_equal(told(), "farm:http@10.1.0.1\nfarm:http@10.1.0.1\n");
        end();
}

static void more_than_is_wanted_waits(void **state)
{
        struct desk_view v;

        begin("alert exec { most = \"3 in 1h\"  command = \"/bin/sh -c 'echo x >>told'\" }");
        for (int i = 0; i < 6; i++)
                desk_raise(desk, ALERT_DOWN, "node-down", "a", "", NULL);
        until(3);
        for (int i = 0; i < 3; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        usleep(100000);
        uv_run(&loop, UV_RUN_NOWAIT);
        desk_view(desk, &v);
        assert_int_equal(v.waiting, 3);
        assert_string_equal(told(), "x\nx\nx\n");
        end();
}

static void what_went_is_counted_however_much_it_was(void **state)
{
        struct sent s = {0}, read;
        uint8_t bytes[SENT_RECORD_MAX];
        int64_t now = 1700000000000000;
        span hour = span_s(3600);

        for (int i = 0; i < 1000; i++) { /* one a second */
                assert_int_equal(sent_wait(&s, 1000, hour, now).us, 0);
                sent_add(&s, now, hour);
                now += 1000000;
        }
        assert_int_equal(s.count, SENT_MOMENTS);
        span wait = sent_wait(&s, 1000, hour, now);
        assert_true(wait.us >= span_s(2600).us && wait.us <= span_s(2700).us); /* never too early */
        size_t n = sent_encode(&s, bytes);
        assert_int_equal(sent_decode(bytes, n, &read), 0);
        assert_int_equal(sent_wait(&read, 1000, hour, now).us, wait.us);
        for (size_t cut = 0; cut < n; cut++)
                assert_int_equal(sent_decode(bytes, cut, &read), -EBADMSG);
        assert_int_equal(sent_wait(&s, 1000, hour, now - span_s(5000).us).us, 0); /* the clock was set back */
        sent_add(&s, now - span_s(5000).us, hour);
        assert_int_equal(s.count, 1);
        now += hour.us;
        assert_int_equal(sent_wait(&s, 1, hour, now).us, 0);
}

static void the_oldest_is_dropped_when_too_many_wait_and_that_is_said(void **state)
{
        struct desk_view v;
        char name[32];

        begin("alert exec { command = \"/bin/sh -c 'echo $HAVEN_SUBJECT $HAVEN_DROPPED >>told'\" }");
        desk_role(desk, DESK_WAITS);
        for (int i = 0; i < DESK_NOTICES_MAX + 3; i++) {
                snprintf(name, sizeof(name), "n%03d", i);
                desk_raise(desk, ALERT_DOWN, "node-down", name, "", NULL);
                usleep(2);
        }
        desk_view(desk, &v);
        assert_int_equal(v.waiting, DESK_NOTICES_MAX);
        assert_int_equal(v.dropped, 3);
        desk_role(desk, DESK_LEADS);
        until(1);
        assert_memory_equal(told(), "n003 3\n", 7);
        end();
}

/* --- several nodes --- */

static void talk(struct board *a, struct board *b)
{
        uint8_t post[4000];

        for (int i = 0; i < 20; i++) {
                size_t n = board_post(a, 1, post, sizeof(post));
                if (n > 0)
                        assert_int_equal(board_take(b, 0, post, n, NULL, NULL), 0);
                n = board_post(b, 0, post, sizeof(post));
                if (n > 0)
                        assert_int_equal(board_take(a, 1, post, n, NULL, NULL), 0);
        }
}

static void who_leads_tells_what_others_saw_and_nobody_tells_it_again(void **state)
{
        struct board *other = board_new(1, 11);

        begin("alert exec { command = \"/bin/sh -c 'echo $HAVEN_NODE $HAVEN_SUBJECT >>told'\" }");
        struct desk *elsewhere = make_desk(other); /* does not lead */
        desk_raise(elsewhere, ALERT_DOWN, "node-down", "a", "", NULL);
        assert_string_equal(told(), "");
        talk(other, board);
        desk_look(desk);
        until(0);
        assert_string_equal(told(), "beta a\n");
        talk(other, board);
        desk_role(desk, DESK_WAITS);
        desk_role(elsewhere, DESK_LEADS); /* a takeover */
        for (int i = 0; i < 3; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_string_equal(told(), "beta a\n");
        desk_free(elsewhere);
        board_free(other);
        end();
}

static void a_limit_is_counted_on_by_whoever_tells_next(void **state)
{
        struct board *other = board_new(1, 11);
        struct desk_view v;

        begin("alert exec { most = \"2 in 1h\"  command = \"/bin/sh -c 'echo $HAVEN_SUBJECT >>told'\" }");
        for (const char *const *name = (const char *const[]){"a", "b", "c", NULL}; *name; name++) {
                desk_raise(desk, ALERT_DOWN, "node-down", *name, "", NULL);
                usleep(2);
        }
        until(2);
        for (int i = 0; i < 3; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        struct desk *elsewhere = make_desk(other);
        talk(other, board);
        desk_role(desk, DESK_WAITS);
        desk_role(elsewhere, DESK_LEADS);
        usleep(50000);
        for (int i = 0; i < 3; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        desk_view(elsewhere, &v);
        assert_int_equal(v.waiting, 1);
        assert_string_equal(told(), "a\nb\n");
        desk_free(elsewhere);
        board_free(other);
        end();
}

static void alone_a_node_tells_what_no_other_has(void **state)
{
        struct board *other = board_new(1, 11);

        begin("alert exec { command = \"/bin/sh -c 'echo $HAVEN_SUBJECT >>told'\" }");
        desk_role(desk, DESK_WAITS);
        desk_raise(desk, ALERT_DOWN, "node-down", "shared", "", NULL);
        talk(other, board);
        desk_raise(desk, ALERT_QUORUM, "quorum-lost", "mine", "", NULL);
        desk_role(desk, DESK_ALONE);
        until(1);
        for (int i = 0; i < 3; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_string_equal(told(), "mine\n");
        board_free(other);
        end();
}

/* Stands in for haven-alert: writes down the message, and works once the file is there. */
static void make_program(void)
{
        FILE *script = fopen("haven-alert", "w");

        fputs("#!/bin/sh\ncat >>told; echo >>told; test -e works || { echo the server is down; exit 1; }\n",
              script);
        fchmod(fileno(script), 0755);
        fclose(script);
        unlink("works");
}

/* The message of that line: its id, and how many things it tells. */
static size_t message_of(size_t line, char id[static 32])
{
        const char *at = told();
        json_error_t error;

        for (; line > 0; line--)
                at = strchr(at, '\n') + 1;
        json_t *json = json_loadb(at, strcspn(at, "\n"), 0, &error);
        assert_non_null(json);
        text_copy(id, 32, json_string_value(json_object_get(json, "id")));
        size_t n = json_array_size(json_object_get(json_object_get(json, "message"), "alerts"));
        json_decref(json);
        return n;
}

static void what_comes_together_is_one_message_and_stays_that_message(void **state)
{
        char first[32], again[32];
        struct desk_view v;

        begin("alert mail { to = root  gather = 200ms }");
        make_program();
        desk_take(desk, 0, ALERT_DOWN, "watch", "farm:http@10.1.0.1", "refused", "1");
        desk_take(desk, 0, ALERT_DOWN, "watch", "farm:http@10.1.0.2", "refused", "2");
        desk_raise(desk, ALERT_DOWN, "node-down", "alpha", "silent", NULL);
        until(1);
        assert_int_equal(message_of(0, first), 3);
        desk_take(desk, 0, ALERT_UP, "watch", "farm:http@10.1.0.1", "works",
                  "3"); /* while it cannot be told */
        until(2);
        assert_int_equal(message_of(1, again), 3);
        assert_string_equal(first, again);
        desk_view(desk, &v);
        assert_int_equal(v.waiting, 4);
        assert_string_equal(v.trouble, "alert mail: the server is down");
        close(open("works", O_CREAT | O_WRONLY, 0600));
        until(0);
        size_t last = 0;
        for (const char *at = told(); *at; at++)
                last += *at == '\n';
        assert_int_equal(message_of(last - 1, again), 1);
        assert_string_not_equal(first, again);
        end();
}

static void a_mon_script_is_called_as_mon_calls_it(void **state)
{
        char alerts[200];
        FILE *script;

        snprintf(alerts, sizeof(alerts), "alert mon { command = \"%s/show oncall -x\" }", directory);
        begin(alerts);
        script = fopen("show", "w");
        fputs("#!/bin/sh\n{ echo \"$@\" | sed 's/-t [0-9]*/-t T/'; cat; env | grep -e MON_ALERTTYPE -e "
              "MON_GROUP -e MON_SERVICE -e MON_LAST_SUMMARY -e MON_RETVAL -e MON_OPSTATUS | sort; } >>told\n",
              script);
        fchmod(fileno(script), 0755);
        fclose(script);
        desk_take(desk, 0, ALERT_DOWN, "watch", "farm:http@10.1.0.2", "refused", "1");
        until(0);
        assert_string_equal(told(), "-s http -g farm -h 10.1.0.1 10.1.0.2 -t T oncall -x\n10.1.0.2\nrefused\n"
                                    "MON_ALERTTYPE=failure\nMON_GROUP=farm\nMON_LAST_SUMMARY=10.1.0.2\n"
                                    "MON_OPSTATUS=0\nMON_RETVAL=1\nMON_SERVICE=http\n");
        unlink("told");
        desk_take(desk, 0, ALERT_UP, "watch", "farm:http@10.1.0.2", "works", "2");
        until(0);
        assert_non_null(strstr(told(), "-t T -u oncall -x\n"));
        assert_non_null(strstr(told(), "MON_ALERTTYPE=up\n"));
        end();
}

static int make_directory(void **state)
{
        return mkdtemp(directory) == NULL || chdir(directory) == -1 ? -1 : 0;
}

static int remove_directory(void **state)
{
        char command[96];

        snprintf(command, sizeof(command), "rm -rf %s", directory);
        return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_command_is_told_by_environment_and_by_input),
                cmocka_unit_test(one_after_the_other_in_order),
                cmocka_unit_test(what_cannot_be_told_is_kept_and_tried_again),
                cmocka_unit_test(one_that_fails_does_not_keep_the_others),
                cmocka_unit_test(what_hangs_is_killed),
                cmocka_unit_test(only_what_an_alert_is_for),
                cmocka_unit_test(the_same_thing_is_told_once),
                cmocka_unit_test(more_than_is_wanted_waits),
                cmocka_unit_test(what_went_is_counted_however_much_it_was),
                cmocka_unit_test(a_limit_is_counted_on_by_whoever_tells_next),
                cmocka_unit_test(the_oldest_is_dropped_when_too_many_wait_and_that_is_said),
                cmocka_unit_test(who_leads_tells_what_others_saw_and_nobody_tells_it_again),
                cmocka_unit_test(alone_a_node_tells_what_no_other_has),
                cmocka_unit_test(what_comes_together_is_one_message_and_stays_that_message),
                cmocka_unit_test(a_mon_script_is_called_as_mon_calls_it),
        };

        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
