/* The checker process and its client, against real servers: nginx, and those of hostile.py.
 * Arguments: haven-checker, python, hostile.py, nginx or "". */
#include "hostile.h"
#include "stage.h"

#include "base/text.h"
#include "monitor/checker_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *checker_path, *nginx_path;
static struct stage stage;

/* ---- servers ---- */

static struct {
        pid_t pid;
        int port;
        char directory[64];
} web;

static int free_port(void)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
        getsockname(fd, (struct sockaddr *)&a, &size);
        close(fd);
        return ntohs(a.sin_port);
}

static void write_file(const char *name, const char *text)
{
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", web.directory, name);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static void web_run(void)
{
        char config[1024];

        snprintf(config, sizeof(config),
                 "daemon off; master_process off; error_log stderr crit; pid %s/pid; events {}\n"
                 "http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path "
                 "%s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
                 "server { listen 127.0.0.1:%d; server_name good.example; root %s; }\n"
                 "server { listen 127.0.0.1:%d default_server; return 404; } }\n",
                 web.directory, web.directory, web.directory, web.directory, web.directory, web.directory,
                 web.port, web.directory, web.port);
        write_file("nginx.conf", config);
        web.pid = fork();
        if (web.pid == 0) {
                char path[128];

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                snprintf(path, sizeof(path), "%s/nginx.conf", web.directory);
                execl(nginx_path, nginx_path, "-p", web.directory, "-c", path, NULL);
                _exit(127);
        }
}

static void web_open(void)
{
        strcpy(web.directory, "/tmp/haven-monitor-XXXXXX");
        assert_non_null(mkdtemp(web.directory));
        chmod(web.directory, 0755);
        web.port = free_port();
        write_file("index.html", "<h1>welcome</h1>\nline two\n");
        web_run();
}

static void web_kill(void)
{
        kill(web.pid, SIGKILL);
        waitpid(web.pid, NULL, 0);
        web.pid = 0;
}

static void web_close(void)
{
        static const char *const rest[] = {"nginx.conf", "index.html", "pid", "b", "p", "f", "u", "s"};
        char path[128];

        if (web.pid != 0)
                web_kill();
        for (size_t i = 0; i < COUNT(rest); i++) {
                snprintf(path, sizeof(path), "%s/%s", web.directory, rest[i]);
                remove(path);
        }
        rmdir(web.directory);
        web.directory[0] = '\0';
}

static int open_stage(void **state)
{
        stage_open(&stage, checker_path);
        return 0;
}

static int close_stage(void **state)
{
        stage_close(&stage);
        if (web.directory[0] != '\0')
                web_close();
        return 0;
}

static void start(uint32_t id, const struct config_check *check)
{
        assert_int_equal(checker_start(stage.checker, id, check), 0);
}

/* ---- tests ---- */

static void test_tcp_is_up_where_someone_listens_and_down_where_not(void **state)
{
        struct config_check up = tcp_check(hostile_port("silent")), down = tcp_check(hostile_port("gone"));

        start(1, &up);
        start(2, &down);
        stage_until_state(&stage, 1, VERDICT_UP);
        stage_until_state(&stage, 2, VERDICT_DOWN);
        assert_int_equal(stage.last[2].reason, REASON_REFUSED);
        assert_true(stage.last[1].changed);
}

static void test_a_web_server_dies_freezes_and_returns(void **state)
{
        struct config_check good, other, mismatch, tcp;

        if (nginx_path[0] == '\0')
                skip();
        web_open();
        good = http_check("127.0.0.1", web.port, "/");
        good.http.host = stage_text("good.example");
        good.http.expect = stage_text("^line (one|two)$");
        mismatch = good;
        mismatch.http.expect = stage_text("goodbye");
        other = http_check("127.0.0.1", web.port, "/");
        tcp = tcp_check(web.port);
        start(1, &good);
        start(2, &other);
        start(3, &mismatch);
        start(4, &tcp);
        stage_until_state(&stage, 1, VERDICT_UP);
        stage_until_state(&stage, 2, VERDICT_DOWN);
        stage_until_reason(&stage, 2, REASON_BAD_STATUS);
        stage_until_reason(&stage, 3, REASON_MISMATCH);
        kill(web.pid, SIGSTOP);
        stage_until_state(&stage, 1, VERDICT_DOWN);
        assert_int_equal(stage.failures[1], good.fall); /* told at once: it did not wait for others */
        assert_int_equal(stage.last[1].reason, REASON_NO_ANSWER);
        assert_int_equal(stage.last[4].state, VERDICT_UP); /* the kernel still accepts: why http is asked */
        kill(web.pid, SIGCONT);
        stage_until_state(&stage, 1, VERDICT_UP);
        web_kill();
        stage_until_state(&stage, 1, VERDICT_DOWN);
        stage_until_reason(&stage, 1, REASON_REFUSED);
        stage_until_state(&stage, 4, VERDICT_DOWN);
        web_run();
        stage_until_state(&stage, 1, VERDICT_UP);
        stage_until_state(&stage, 4, VERDICT_UP); /* close_stage() ends the server, after a failure too */
}

static void test_a_dead_checker_means_unknown_never_down(void **state)
{
        struct config_check c = tcp_check(hostile_port("silent"));
        int first;

        start(1, &c);
        stage_until_state(&stage, 1, VERDICT_UP);
        first = checker_pid(stage.checker);
        assert_true(first > 0);
        kill(first, SIGKILL);
        stage_until_reason(&stage, 1, REASON_NO_CHECKER);
        assert_int_equal(stage.last[1].state, VERDICT_UNKNOWN);
        stage_until_state(&stage, 1, VERDICT_UP);
        assert_int_not_equal(checker_pid(stage.checker), first);
}

static void test_a_frozen_checker_is_killed_and_replaced(void **state)
{
        struct config_check c = tcp_check(hostile_port("silent"));
        int first;

        stage.checker->tick_ms = 300; /* four of them; the checker reports every half second or so */
        start(1, &c);
        stage_until_state(&stage, 1, VERDICT_UP);
        first = checker_pid(stage.checker);
        kill(first, SIGSTOP);
        stage_until_reason(&stage, 1, REASON_NO_CHECKER);
        assert_int_equal(stage.last[1].state, VERDICT_UNKNOWN);
        stage_until_state(&stage, 1, VERDICT_UP);
        assert_int_not_equal(checker_pid(stage.checker), first);
}

static bool no_process(const struct stage *s, int pid)
{
        return kill(pid, 0) == -1 && errno == ESRCH;
}

static void test_the_process_lives_as_long_as_there_are_checks(void **state)
{
        struct config_check c = tcp_check(hostile_port("silent"));
        int pid;

        assert_int_equal(checker_pid(stage.checker), 0);
        start(1, &c);
        stage_until_state(&stage, 1, VERDICT_UP);
        pid = checker_pid(stage.checker);
        checker_stop(stage.checker, 1);
        assert_int_equal(checker_pid(stage.checker), 0);
        stage_until(&stage, no_process, pid, "the end of the idle checker");
        start(1, &c);
        stage.results[1] = 0;
        stage_until_state(&stage, 1, VERDICT_UP);
}

static void test_a_program_that_is_not_there_is_said(void **state)
{
        struct config_check c = tcp_check(1);
        struct stage other;

        stage_open(&other, "/nonexistent/haven-checker");
        assert_int_equal(checker_start(other.checker, 1, &c), 0);
        stage_until_reason(&other, 1, REASON_NO_CHECKER);
        assert_non_null(strstr(other.text[1], "No such file"));
        assert_int_equal(other.last[1].state, VERDICT_UNKNOWN);
        stage_close(&other);
}

static void test_a_reload_keeps_what_did_not_change(void **state)
{
        struct config_check c = tcp_check(hostile_port("silent"));
        struct check_result before, after;
        char text[REASON_TEXT];

        start(1, &c);
        stage_until_state(&stage, 1, VERDICT_UP);
        checker_result(stage.checker, 1, &before, text);
        start(1, &c);
        c.interval = c.quick = span_ms(60);
        start(1, &c);
        checker_result(stage.checker, 1, &after, text);
        assert_int_equal(after.state, VERDICT_UP);
        assert_int_equal(after.since.us, before.since.us);
        stage.results[1] = 0;
        stage_until_reason(&stage, 1, REASON_WORKS); /* the new definition works on it */
        assert_int_equal(stage.last[1].since.us, before.since.us);
        c.port = (uint16_t)hostile_port("gone");
        start(1, &c);
        checker_result(stage.checker, 1, &after, text);
        assert_int_equal(after.state, VERDICT_UNKNOWN);
        stage_until_state(&stage, 1, VERDICT_DOWN);
}

static int listener(int *ret_port)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
        assert_int_equal(listen(fd, 64), 0);
        getsockname(fd, (struct sockaddr *)&a, &size);
        *ret_port = ntohs(a.sin_port);
        return fd;
}

static int accept_all(int fd)
{
        int n = 0;

        for (int got; (got = accept(fd, NULL, NULL)) != -1; n++)
                close(got);
        return n;
}

/* With a day from one look to the next, nothing but `quick` leads anywhere. */
static void test_what_may_change_is_looked_at_quickly(void **state)
{
        struct config_check up = tcp_check(hostile_port("silent")), down = tcp_check(hostile_port("gone"));

        up.interval = down.interval = span_s(24 * 3600);
        up.rise = down.fall = 5;
        start(1, &up);
        start(2, &down);
        stage_until_state(&stage, 1, VERDICT_UP);
        stage_until_state(&stage, 2, VERDICT_DOWN);
}

static void test_it_speaks_from_the_address_that_is_wanted(void **state)
{
        struct sockaddr_in from = {0};
        socklen_t size = sizeof(from);
        struct config_check c;
        int port, fd = listener(&port), got;

        c = tcp_check(port);
        ip_parse("127.0.0.5", &c.source);
        start(1, &c);
        stage_until_state(&stage, 1, VERDICT_UP);
        got = accept(fd, (struct sockaddr *)&from, &size);
        assert_int_not_equal(got, -1);
        assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7f000005);
        close(got);
        ip_parse("192.0.2.1", &c.source); /* not ours: that is no fault of the service */
        start(1, &c);
        stage_until_reason(&stage, 1, REASON_LOCAL);
        close(fd);
}

static void test_a_check_stopped_while_being_changed_is_stopped_there_too(void **state)
{
        struct config_check c, other = tcp_check(hostile_port("silent"));
        int port, fd = listener(&port);

        c = tcp_check(port);
        c.interval = c.quick = span_ms(50);
        start(0, &other); /* keeps the process alive */
        start(1, &c);
        stage_until_state(&stage, 1, VERDICT_UP);
        c.interval = c.quick = span_ms(51);
        start(1, &c);
        checker_stop(stage.checker, 1); /* before the process has heard of the change */
        start(2, &other);
        stage_until_state(&stage, 2, VERDICT_UP); /* what was said before it has been read */
        assert_true(accept_all(fd) > 0);
        start(3, &other);
        stage_until_state(&stage, 3, VERDICT_UP); /* many times the interval later */
        assert_int_equal(accept_all(fd), 0);
        close(fd);
}

static void test_definitions_out_of_range_are_refused(void **state)
{
        struct config_check c = tcp_check(80);

        c.fall = 0;
        assert_int_equal(checker_start(stage.checker, 1, &c), -EINVAL);
        c.fall = 65;
        assert_int_equal(checker_start(stage.checker, 1, &c), -EINVAL);
        assert_int_equal(checker_pid(stage.checker), 0);
}

static bool has_failed_often(const struct stage *s, int times)
{
        return s->last[1].failures >= times;
}

static void test_failures_are_told_one_by_one_to_who_counts_them(void **state)
{
        struct config_check gone = tcp_check(hostile_port("gone"));

        start(1, &gone);
        checker_count(stage.checker, 1, 16);
        stage_until(&stage, has_failed_often, 16, "16 failures");
        assert_int_equal(stage.last[1].failures, 16);
        assert_true(stage.results[1] >= 16);
        int results = stage.results[1];
        stage_until(&stage, has_failed_often, 20, "some more");
        assert_true(stage.results[1] < results + 4); /* now and then */
        checker_count(stage.checker, 1, 1000);       /* the row goes on */
        stage_until(&stage, has_failed_often, stage.last[1].failures + 3, "three more");
}

static void test_states_and_their_age_outlive_the_core(void **state)
{
        char path[] = "/tmp/haven-checks-XXXXXX", text[REASON_TEXT];
        struct config_check up = tcp_check(hostile_port("silent")), down = tcp_check(hostile_port("gone"));
        struct check_result first, second;
        struct stage next;
        FILE *f;

        close(mkstemp(path));
        start(1, &up);
        start(2, &down);
        stage_until_state(&stage, 1, VERDICT_UP);
        stage_until_state(&stage, 2, VERDICT_DOWN);
        checker_result(stage.checker, 1, &first, text);
        assert_int_equal(checker_save(stage.checker, path), 0);

        stage_open(&next, checker_path);
        assert_int_equal(checker_load(next.checker, path), 0);
        assert_int_equal(checker_start(next.checker, 1, &up), 0);
        assert_int_equal(checker_start(next.checker, 2, &up), 0); /* the number is the same, the target not */
        checker_result(next.checker, 1, &second, text);
        assert_int_equal(second.state, VERDICT_UP);
        assert_int_equal(second.since.us, first.since.us);
        assert_int_equal(second.reason, REASON_NOT_YET);
        checker_result(next.checker, 2, &second, text);
        assert_int_equal(second.state, VERDICT_UNKNOWN);
        stage_until_reason(&next, 1, REASON_WORKS);
        assert_int_equal(next.last[1].since.us, first.since.us);
        assert_false(next.last[1].changed);
        stage_close(&next);

        stage_open(&next, checker_path);
        f = fopen(path, "w");
        fputs("hvk2"
              "00000000-0000-0000-0000-000000000000",
              f);
        fwrite("\0\0\0", 1, 4, f);
        fclose(f);
        assert_int_equal(checker_load(next.checker, path), -ESTALE);
        f = fopen(path, "w");
        fputs("hvk", f);
        fclose(f);
        assert_int_equal(checker_load(next.checker, path), -EBADMSG);
        unlink(path);
        assert_int_equal(checker_load(next.checker, path), -ENOENT);
        stage_close(&next);
}

/* The value of a line of /proc/PID/status. */
static void status_line(int pid, const char *name, char *value, size_t size)
{
        char path[40], line[256];
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        f = fopen(path, "r");
        assert_non_null(f);
        value[0] = '\0';
        while (fgets(line, sizeof(line), f) != NULL)
                if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
                        snprintf(value, size, "%s", line + strlen(name) + 2);
        fclose(f);
        value[strcspn(value, "\n")] = '\0';
}

static void test_the_process_has_no_privilege_left(void **state)
{
        static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
        struct config_check c = tcp_check(hostile_port("silent"));
        char value[128], path[40];
        int pid;

        start(1, &c);
        stage_until_state(&stage, 1, VERDICT_UP);
        pid = checker_pid(stage.checker);
        for (size_t i = 0; i < COUNT(sets); i++) {
                if (strcmp(sets[i], "CapBnd") == 0 && getuid() != 0)
                        continue; /* only root can empty it */
                status_line(pid, sets[i], value, sizeof(value));
                assert_string_equal(value, "0000000000000000");
        }
        status_line(pid, "NoNewPrivs", value, sizeof(value));
        assert_string_equal(value, "1");
        status_line(pid, "Uid", value, sizeof(value));
        assert_int_not_equal(atoi(value), 0);
        status_line(pid, "Groups", value, sizeof(value));
        if (getuid() == 0)
                assert_string_equal(value, " ");
        if (getuid() == 0) { /* a descriptor of ours, not close-on-exec, must not be there */
                snprintf(path, sizeof(path), "/proc/%d/fd/90", pid);
                assert_int_equal(access(path, F_OK), -1);
        }
}

static void test_many_checks_do_not_wait_for_each_other(void **state)
{
        struct config_check slow = http_check("127.0.0.1", hostile_port("silent"), "/");
        struct config_check quick = tcp_check(hostile_port("silent"));
        instant began;

        slow.timeout = span_s(60);
        for (uint32_t id = 0; id < 60; id++)
                start(id, &slow);
        began = instant_now();
        start(60, &quick);
        stage_until_state(&stage, 60, VERDICT_UP);
        assert_true(span_between(began, instant_now()).us < 2 * 1000 * 1000);
}

static bool all_again(const struct stage *s, int arg)
{
        for (int id = 0; id < STAGE_IDS; id++)
                if (s->results[id] < arg)
                        return false;
        return true;
}

static void on_caller(uv_poll_t *poll, int status, int events)
{
        const int *listener = poll->data;
        int fd;

        while ((fd = accept4(*listener, NULL, NULL, SOCK_CLOEXEC)) != -1)
                close(fd);
}

/* What does not change is told of now and then, many checks together: fresh, and nothing else is new. */
static void test_a_state_that_stays_is_confirmed(void **state)
{
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t size = sizeof(own);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct check_result now;
        struct config_check c;
        char text[REASON_TEXT];
        uv_poll_t poll;
        instant up;

        assert_int_equal(bind(listener, (struct sockaddr *)&own, sizeof(own)), 0);
        assert_int_equal(listen(listener, 1024), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&own, &size), 0);
        uv_poll_init(&stage.loop, &poll, listener);
        poll.data = &listener;
        uv_poll_start(&poll, UV_READABLE, on_caller);

        c = tcp_check(ntohs(own.sin_port));
        c.timeout = span_s(5); /* a slow machine is not what this is about */
        for (uint32_t id = 0; id < STAGE_IDS; id++)
                start(id, &c);
        stage_until_state(&stage, 0, VERDICT_UP);
        up = stage.last[0].at;
        stage_until(&stage, all_again, 4, "many looks");
        for (uint32_t id = 0; id < STAGE_IDS; id++) {
                assert_true(checker_result(stage.checker, id, &now, text));
                assert_int_equal(now.state, VERDICT_UP);
                assert_int_equal(now.reason, REASON_WORKS);
                assert_false(stage.last[id].changed);
                assert_true(span_between(up, now.at).us > 0);
                assert_true(now.took.us >= 0 && instant_before(now.since, now.at));
        }
        uv_close((uv_handle_t *)&poll, NULL);
        uv_run(&stage.loop, UV_RUN_NOWAIT);
        close(listener);
}

int main(int argc, char **argv)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)
        const struct CMUnitTest tests[] = {
                STAGED(test_tcp_is_up_where_someone_listens_and_down_where_not),
                STAGED(test_a_web_server_dies_freezes_and_returns),
                STAGED(test_a_dead_checker_means_unknown_never_down),
                STAGED(test_a_frozen_checker_is_killed_and_replaced),
                STAGED(test_the_process_lives_as_long_as_there_are_checks),
                STAGED(test_a_program_that_is_not_there_is_said),
                STAGED(test_a_reload_keeps_what_did_not_change),
                STAGED(test_what_may_change_is_looked_at_quickly),
                STAGED(test_it_speaks_from_the_address_that_is_wanted),
                STAGED(test_a_check_stopped_while_being_changed_is_stopped_there_too),
                STAGED(test_definitions_out_of_range_are_refused),
                STAGED(test_failures_are_told_one_by_one_to_who_counts_them),
                STAGED(test_states_and_their_age_outlive_the_core),
                STAGED(test_the_process_has_no_privilege_left),
                STAGED(test_many_checks_do_not_wait_for_each_other),
                STAGED(test_a_state_that_stays_is_confirmed),
        };

        if (argc != 5)
                return 2;
        checker_path = argv[1];
        hostile_python = argv[2];
        hostile_script = argv[3];
        nginx_path = argv[4];
        dup2(0, 90);
        return cmocka_run_group_tests(tests, hostile_start, hostile_stop);
}
