/* What the runner is made of: what is due next, and the sockets it waits for. */
#include "monitor/runner/due.h"
#include "monitor/runner/poller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A sequence of its own, the same in each run. */
static uint32_t next_random(void)
{
        static uint32_t x = 1;

        x = x * 1664525 + 1013904223;
        return x >> 8;
}

static void test_what_is_due_comes_by_its_latest_moment(void **state)
{
        static struct due things[1000];
        struct due_heap heap = {0};
        uint64_t last = 0, by_ms;
        size_t left = COUNT(things);

        assert_null(due_first(&heap, &by_ms));
        for (size_t i = 0; i < COUNT(things); i++)
                assert_int_equal(due_add(&heap, &things[i], 0, next_random() % 500), 0);
        for (size_t i = 0; i < COUNT(things); i += 3)
                due_move(&heap, &things[i], 100, 100 + next_random() % 500);
        for (size_t i = 0; i < COUNT(things); i += 5, left--)
                due_remove(&heap, &things[i]);
        due_remove(&heap, &things[0]); /* is not in: ignored */
        for (struct due *d; (d = due_first(&heap, &by_ms)) != NULL; left--) {
                assert_true(by_ms >= last && by_ms >= d->from_ms);
                last = by_ms;
                due_remove(&heap, d);
        }
        assert_int_equal(left, 0);
        due_done(&heap);
}

struct end {
        struct polled polled;
        struct poller *poller;
        struct end *victim; /* closed when this one is ready */
        int other;          /* the socket's other end */
        int calls, bytes;
};

static void on_ready(struct polled *polled, uint32_t events)
{
        struct end *end = (struct end *)polled;
        char byte;

        end->calls++;
        if ((events & EPOLLIN) == 0)
                return;
        assert_int_equal(read(polled->fd, &byte, 1), 1); /* one only: there may be more */
        if (++end->bytes == 1)
                poller_again(end->poller, polled);
        if (end->victim != NULL)
                poller_close(end->poller, &end->victim->polled);
}

static void end_open(struct end *end, struct poller *poller)
{
        int fd[2];

        *end = (struct end){.poller = poller};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
        end->other = fd[1];
        assert_int_equal(poller_add(poller, &end->polled, fd[0], on_ready), 0);
}

static void test_a_socket_is_heard_until_it_is_closed(void **state)
{
        uv_loop_t loop;
        struct poller *poller;
        struct end a, b;

        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(poller_new(&loop, &poller), 0);
        end_open(&a, poller);
        end_open(&b, poller);
        uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(a.calls, 1); /* there is room to write */
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(a.calls, 1); /* and nothing new */

        assert_int_equal(write(a.other, "xy", 2), 2);
        uv_run(&loop, UV_RUN_ONCE);
        uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(a.bytes, 2); /* the second because it was asked for */
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(a.calls, 3);

        a.victim = &b; /* whose turn it is in the same turn of the loop */
        assert_int_equal(write(a.other, "x", 1), 1);
        assert_int_equal(write(b.other, "x", 1), 1);
        uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(b.bytes, 0);
        assert_int_equal(read(b.other, &(char){0}, 1), -1); /* reset: what was sent was not read */

        poller_close(poller, &a.polled);
        poller_free(poller);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        close(a.other);
        close(b.other);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_due_comes_by_its_latest_moment),
                cmocka_unit_test(test_a_socket_is_heard_until_it_is_closed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
