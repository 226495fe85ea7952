/* The control socket under clients that do all they should not. Clients are plain non-blocking sockets in the
 * same thread; the loop turns until what is waited for is there, so nothing sleeps. */
#include "api/api.h"
#include "base/text.h"
#include "situations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS_MAX 5000 /* of the loop, a millisecond each, before a wait counts as failed */

static uv_loop_t loop;
static struct api *api;
static struct journal *journal;
static char directory[64], path[128], log_path[128];
static struct api_reply *owed[API_CLIENTS_MAX + 8];
static int owed_count, order_count;
static struct api_command last_order;
static bool answer_at_once;

static void give_view(void *user, struct view *ret_view)
{
        situation_calm(ret_view);
}

static int give_explanation(void *user, const char *group, char *text, size_t size)
{
        bool known = strcmp(group, "web") == 0;

        snprintf(text, size, known ? "web is on alpha: preferred and well" : "there is no group %s", group);
        return known ? 0 : -ENOENT;
}

static void take_order(void *user, const struct api_command *c, struct api_reply *reply)
{
        last_order = *c;
        order_count++;
        if (answer_at_once)
                api_reply_send(reply, 0, "done");
        else
                owed[owed_count++] = reply;
}

/* More than what may stay unread, and what the kernel takes at once. */
#define LARGE (API_UNREAD_MAX + (1 << 20))

static json_t *give_large_table(void *user)
{
        size_t n = LARGE;
        char *text = malloc(n + 1);

        assert_non_null(text);
        memset(text, 't', n);
        text[n] = '\0';
        json_t *json = json_pack("{s:s}", "table", text);
        free(text);
        return json;
}

static const struct api_hooks hooks = {give_view, give_explanation, take_order, .lvs = give_large_table};

static int begin(void **state)
{
        strcpy(directory, "/tmp/haven-api-XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        snprintf(path, sizeof(path), "%s/haven.sock", directory);
        snprintf(log_path, sizeof(log_path), "%s/events.log", directory);
        owed_count = order_count = 0;
        answer_at_once = false;
        uv_loop_init(&loop);
        if (journal_open(log_path, &journal) != 0)
                return -1;
        return api_new(&loop, path, &hooks, NULL, journal, &api);
}

static int end(void **state)
{
        api_free(api);
        uv_run(&loop, UV_RUN_DEFAULT);
        int error = uv_loop_close(&loop);
        for (int i = 0; i < owed_count; i++)
                api_reply_send(owed[i], 0, "too late"); /* leads nowhere */
        journal_close(journal);
        unlink(log_path);
        return error || rmdir(directory) == -1 ? -1 : 0; /* the socket must be gone */
}

static void turn(void)
{
        uv_run(&loop, UV_RUN_NOWAIT);
}

static int connected(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

        strcpy(address.sun_path, path);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        turn();
        return fd;
}

static void say(int fd, const char *text)
{
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turns the loop until a whole line has come; "" if the connection ended instead. */
static const char *hear(int fd)
{
        static char line[65536];
        size_t n = 0;

        for (int turns = 0; turns < TURNS_MAX;) {
                ssize_t r = recv(fd, line + n, 1, 0);
                if (r == 1 && line[n++] == '\n') {
                        line[n] = '\0';
                        return line;
                }
                if (r == 0 || (r == -1 && errno != EAGAIN))
                        return "";
                if (r == -1) {
                        struct pollfd soon = {.fd = fd, .events = POLLIN};
                        turn();
                        turns++;
                        poll(&soon, 1, 1);
                }
                assert_true(n < sizeof(line) - 1);
        }
        fail_msg("no answer came");
        return NULL;
}

static void hears(int fd, const char *part)
{
        const char *line = hear(fd);

        if (!strstr(line, part))
                print_message("instead of '%s': %s\n", part, line);
        assert_non_null(strstr(line, part));
}

static void is_closed(int fd)
{
        assert_string_equal(hear(fd), "");
        close(fd);
}

/* The server works: a new client gets a status. */
static void all_is_well(void)
{
        int fd = connected();

        say(fd, "{\"command\":\"status\"}\n");
        hears(fd, "\"leader\":\"alpha\"");
        close(fd);
        for (int i = 0; i < 10; i++)
                turn();
}

static void questions_are_answered_in_order(void **state)
{
        int fd = connected();

        say(fd, "{\"command\":\"explain\",\"group\":\"web\"}\n{\"command\":\"explain\",\"group\":\"nix\"}\n"
                "{\"command\":\"status\"}\n");
        hears(fd, "web is on alpha");
        hears(fd, "{\"ok\":false,\"error\":\"there is no group nix\"}");
        hears(fd, "\"ok\":true,\"view\"");
        close(fd);
}

static void an_order_is_answered_when_it_is_done(void **state)
{
        int fd = connected();

        say(fd, "{\"command\":\"move\",\"group\":\"web\",\"node\":\"beta\"}\n{\"command\":\"confirm\"}\n");
        while (owed_count == 0)
                turn();
        assert_int_equal(last_order.kind, API_MOVE);
        assert_string_equal(last_order.group, "web");
        assert_string_equal(last_order.node, "beta");
        for (int i = 0; i < 10; i++)
                turn();
        assert_int_equal(order_count, 1); /* the second waits for the first */
        api_reply_send(owed[0], 0, "web is on beta now");
        hears(fd, "{\"ok\":true,\"text\":\"web is on beta now\"}");
        assert_int_equal(order_count, 2);
        assert_int_equal(last_order.kind, API_CONFIRM);
        api_reply_send(owed[1], -EINVAL, "");
        hears(fd, "{\"ok\":false,\"error\":\"Invalid argument\"}");
        owed_count = 0;
        close(fd);
}

static void many_orders_answered_at_once_do_not_pile_up(void **state)
{
        int fd = connected();

        answer_at_once = true;
        for (int i = 0; i < 200; i++)
                say(fd, "{\"command\":\"clear\",\"group\":\"web\"}\n");
        for (int i = 0; i < 200; i++)
                hears(fd, "done");
        assert_int_equal(order_count, 200);
        close(fd);
}

#define AHEAD 20000 /* requests, more than what is taken in and what the kernel holds */

/* A client may go on asking while an order takes its time: it is not read from then, and loses nothing. */
static void requests_ahead_of_a_slow_order_wait_their_turn(void **state)
{
        static const char line[] = "{\"command\":\"explain\",\"group\":\"web\"}\n";
        static char all[AHEAD * (sizeof(line) - 1)];
        int fd = connected();
        size_t said = 0;

        for (size_t i = 0; i < AHEAD; i++)
                memcpy(all + i * (sizeof(line) - 1), line, sizeof(line) - 1);
        say(fd, "{\"command\":\"stop\",\"group\":\"web\"}\n");
        while (owed_count == 0)
                turn();
        for (int idle = 0; idle < 100; turn()) { /* until it would wait */
                ssize_t n = send(fd, all + said, sizeof(all) - said, MSG_NOSIGNAL);
                said += n > 0 ? (size_t)n : 0;
                idle = n > 0 ? 0 : idle + 1;
        }
        assert_true(said > API_REQUEST_SIZE_MAX && said < sizeof(all));
        assert_int_equal(order_count, 1);
        api_reply_send(owed[0], 0, "stopped");
        owed_count = 0;
        hears(fd, "stopped");
        for (int i = 0; i < AHEAD; i++) {
                ssize_t n = said < sizeof(all) ? send(fd, all + said, sizeof(all) - said, MSG_NOSIGNAL) : 0;
                said += n > 0 ? (size_t)n : 0;
                hears(fd, "web is on alpha");
        }
        close(fd);
}

static size_t hear_all(int fd, size_t most)
{
        static char block[65536];
        size_t heard = 0;

        for (int turns = 0; turns < TURNS_MAX && heard < most; turns++) {
                struct pollfd soon = {.fd = fd, .events = POLLIN};
                ssize_t n = recv(fd, block, sizeof(block), 0);
                if (n == 0 || (n == -1 && errno != EAGAIN))
                        return heard;
                heard += n > 0 ? (size_t)n : 0;
                turn();
                if (n == -1)
                        poll(&soon, 1, 1);
        }
        return heard;
}

static void one_answer_may_be_as_large_as_it_is_and_the_next_only_when_it_was_fetched(void **state)
{
        const char *ask = "{\"command\":\"lvs\"}\n";
        size_t size = LARGE + strlen("{\"ok\":true,\"lvs\":{\"table\":\"\"}}\n");
        int good = connected(), greedy = connected();

        say(good, ask);
        turn();
        assert_int_equal(hear_all(good, size), size);
        say(good, ask);
        turn();
        assert_int_equal(hear_all(good, size), size);
        say(greedy, ask);
        say(greedy, ask);
        for (int i = 0; i < 10; i++)
                turn();
        assert_true(hear_all(greedy, 2 * size) < size); /* dropped, with what it had not fetched */
        close(greedy);
        close(good);
        all_is_well();
}

static void a_client_that_left_before_its_answer_harms_nobody(void **state)
{
        int fd = connected();

        say(fd, "{\"command\":\"stop\",\"group\":\"web\"}\n");
        while (owed_count == 0)
                turn();
        close(fd);
        for (int i = 0; i < 10; i++)
                turn();
        api_reply_send(owed[0], 0, "stopped");
        owed_count = 0;
        all_is_well();
}

static void a_client_that_only_ended_its_side_still_gets_its_answer(void **state)
{
        int fd = connected();

        say(fd, "{\"command\":\"stop\",\"group\":\"web\"}"); /* no newline either, as printf | socat */
        shutdown(fd, SHUT_WR);
        while (owed_count == 0)
                turn();
        api_reply_send(owed[0], 0, "stopped");
        owed_count = 0;
        hears(fd, "stopped");
        is_closed(fd);
}

static void half_a_line_does_nothing(void **state)
{
        int fd = connected();

        say(fd, "{\"command\":\"stop\",\"gro");
        for (int i = 0; i < 10; i++)
                turn();
        assert_int_equal(order_count, 0);
        all_is_well();
        shutdown(fd, SHUT_WR);
        hears(fd, "not JSON");
        is_closed(fd);
        assert_int_equal(order_count, 0);
}

static void a_line_in_single_bytes_is_one_request(void **state)
{
        const char *line = "{\"command\":\"explain\",\"group\":\"web\"}\n";
        int fd = connected();

        for (const char *p = line; *p; p++) {
                assert_int_equal(send(fd, p, 1, 0), 1);
                turn();
        }
        hears(fd, "web is on alpha");
        close(fd);
}

static void bad_json_gets_a_reason_and_the_next_line_works(void **state)
{
        int fd = connected();

        say(fd, "{{{\n\n[1]\n{\"command\":\"explain\",\"group\":\"web\"}\n");
        hears(fd, "not JSON");
        hears(fd, "not JSON");
        hears(fd, "member 'command'");
        hears(fd, "web is on alpha");
        assert_int_equal(order_count, 0);
        close(fd);
}

static void a_line_of_a_megabyte_is_refused(void **state)
{
        char block[4096];
        int fd = connected();

        memset(block, 'x', sizeof(block));
        for (int i = 0; i < 256; i++) {
                if (send(fd, block, sizeof(block), MSG_NOSIGNAL) == -1 && errno != EAGAIN)
                        break; /* it has closed already, rightly */
                turn();
        }
        hears(fd, "at most 64 KiB");
        is_closed(fd);
        all_is_well();
}

static void of_a_hundred_clients_thirty_two_are_served(void **state)
{
        int fds[100];
        int served = 0;

        for (int i = 0; i < 100; i++)
                fds[i] = connected();
        for (int i = 0; i < 100; i++) {
                if (send(fds[i], "{\"command\":\"status\"}\n", 21, MSG_NOSIGNAL) == -1)
                        assert_int_equal(errno, EPIPE);
                const char *line = hear(fds[i]);
                served += strstr(line, "\"ok\":true") != NULL;
                assert_true(strstr(line, "\"ok\":true") || strstr(line, "has its 32 clients already"));
        }
        assert_int_equal(served, API_CLIENTS_MAX);
        for (int i = 0; i < 100; i++)
                close(fds[i]);
        for (int i = 0; i < 100; i++)
                turn();
        all_is_well();
}

static void a_follower_hears_what_was_and_what_comes(void **state)
{
        int fd = connected(), other = connected();
        struct view_event e;

        journal_append(journal, 1, "node-up", "beta", "before", &e);
        say(fd, "{\"command\":\"events\",\"follow\":true}\n");
        hears(fd, "before");
        journal_append(journal, 2, "node-down", "beta", "after", &e);
        api_event(api, &e);
        hears(fd, "{\"event\":{\"number\":2,\"wall_us\":2,\"kind\":\"node-down\",\"subject\":\"beta\","
                  "\"text\":\"after\"}}");
        say(other, "{\"command\":\"events\",\"count\":1}\n");
        hears(other, "after");
        hears(other, "{\"ok\":true}");
        close(fd);
        close(other);
}

static void a_watcher_gets_a_view_at_once_and_after_an_event(void **state)
{
        int fd = connected();
        struct view_event e = {.number = 1};

        say(fd, "{\"command\":\"watch\"}\n");
        hears(fd, "{\"view\":{\"cluster\":\"shop\"");
        for (int i = 0; i < 100; i++)
                api_event(api, &e); /* a burst makes one view */
        uint64_t start = uv_hrtime();
        hears(fd, "{\"view\":{\"cluster\":\"shop\"");
        assert_true(uv_hrtime() - start < 900000000); /* the event's, not the tick's */
        char more[16];
        turn();
        assert_int_equal(recv(fd, more, sizeof(more), 0), -1);
        close(fd);
}

static void a_follower_that_does_not_read_is_dropped(void **state)
{
        int lazy = connected(), good = connected();
        struct view_event e = {.number = 1};

        memset(e.text, 'x', sizeof(e.text) - 1);
        say(lazy, "{\"command\":\"events\",\"follow\":true,\"count\":0}\n");
        say(good, "{\"command\":\"events\",\"follow\":true,\"count\":0}\n");
        for (int i = 0; i < 10; i++)
                turn();
        for (int i = 0; i < 12000; i++) {
                api_event(api, &e);
                hears(good, "\"number\":1");
        }
        /* what was on its way is read, then it ends: far less than was said */
        int lines = 0;
        while (*hear(lazy))
                lines++;
        assert_true(lines < 11000);
        close(lazy);
        close(good);
}

static void the_socket_is_for_root_and_its_group(void **state)
{
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0660);
}

static void a_living_socket_is_left_alone_and_a_dead_one_replaced(void **state)
{
        struct api *second = NULL;

        assert_int_equal(api_new(&loop, path, &hooks, NULL, NULL, &second), -EADDRINUSE);
        turn();
        all_is_well();
        api_free(api);
        turn();
        turn();

        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int dead = socket(AF_UNIX, SOCK_STREAM, 0);
        strcpy(address.sun_path, path);
        assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
        close(dead);
        assert_int_equal(api_new(&loop, path, &hooks, NULL, journal, &api), 0);
        all_is_well();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(questions_are_answered_in_order),
                TEST(an_order_is_answered_when_it_is_done),
                TEST(many_orders_answered_at_once_do_not_pile_up),
                TEST(requests_ahead_of_a_slow_order_wait_their_turn),
                TEST(one_answer_may_be_as_large_as_it_is_and_the_next_only_when_it_was_fetched),
                TEST(a_client_that_left_before_its_answer_harms_nobody),
                TEST(a_client_that_only_ended_its_side_still_gets_its_answer),
                TEST(half_a_line_does_nothing),
                TEST(a_line_in_single_bytes_is_one_request),
                TEST(bad_json_gets_a_reason_and_the_next_line_works),
                TEST(a_line_of_a_megabyte_is_refused),
                TEST(of_a_hundred_clients_thirty_two_are_served),
                TEST(a_follower_hears_what_was_and_what_comes),
                TEST(a_watcher_gets_a_view_at_once_and_after_an_event),
                TEST(a_follower_that_does_not_read_is_dropped),
                TEST(the_socket_is_for_root_and_its_group),
                TEST(a_living_socket_is_left_alone_and_a_dead_one_replaced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
