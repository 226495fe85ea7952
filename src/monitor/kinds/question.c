#include "monitor/kinds/question.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_FIRST 500 /* ms */
#define AGAIN_MOST  4000

struct question {
        uv_poll_t poll;
        uv_timer_t timer;
        int handles; /* that are still open */
        int fd;
        uint64_t again_ms;
        struct question_setup setup;
        size_t n;
        uint8_t bytes[QUESTION_MAX];
};

static void on_closed(uv_handle_t *handle)
{
        struct question *q = handle->data;

        if (--q->handles == 0)
                free(q);
}

void question_free(struct question *q)
{
        uv_poll_stop(&q->poll);
        close(q->fd);
        uv_close((uv_handle_t *)&q->poll, on_closed);
        uv_close((uv_handle_t *)&q->timer, on_closed);
}

static void over(struct question *q, const struct ending *e)
{
        probe_done_fn *on_done = q->setup.on_done;
        void *user = q->setup.user;

        question_free(q);
        on_done(user, e);
}

static void over_by_errno(struct question *q, int error)
{
        over(q, &(struct ending){.reason = reason_from_errno(error, false), .detail = error});
}

static void on_heard(uv_poll_t *poll, int status, int events)
{
        struct question *q = poll->data;
        uint8_t bytes[QUESTION_MAX];
        struct ending e = {0};
        ssize_t n = recv(q->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n == -1 && errno != EAGAIN && errno != EINTR)
                over_by_errno(q, errno);
        else if (n >= 0 && q->setup.on_heard(q->setup.user, bytes, (size_t)n, &e))
                over(q, &e);
}

static void ask(uv_timer_t *timer)
{
        struct question *q = timer->data;

        if (send(q->fd, q->bytes, q->n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 && errno != EAGAIN &&
            errno != EINTR) {
                over_by_errno(q, errno);
                return;
        }
        uv_timer_start(timer, ask, q->again_ms, 0);
        q->again_ms = 2 * q->again_ms < AGAIN_MOST ? 2 * q->again_ms : AGAIN_MOST;
}

void question_ask(struct question *q, const void *bytes, size_t n)
{
        assert(n <= sizeof(q->bytes));
        memcpy(q->bytes, bytes, n);
        q->n = n;
        q->again_ms = AGAIN_FIRST;
        uv_poll_start(&q->poll, UV_READABLE, on_heard);
        uv_timer_start(&q->timer, ask, 0, 0); /* an error is told from the loop, as all */
}

int question_source(const struct question *q, struct ip *ret_ip, uint16_t *ret_port)
{
        struct sockaddr_storage own = {0};
        socklen_t size = sizeof(own);

        if (getsockname(q->fd, (struct sockaddr *)&own, &size) == -1)
                return -errno;
        *ret_ip = (struct ip){0};
        *ret_port = ip_from_sockaddr((struct sockaddr *)&own, ret_ip);
        return 0;
}

static int connected_socket(const struct config_check *c)
{
        struct sockaddr_storage to, from;
        socklen_t size = ip_to_sockaddr(&c->ip, c->port, &to);
        int fd = socket(c->ip.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd == -1)
                return -errno;
        if ((c->source.family &&
             bind(fd, (struct sockaddr *)&from, ip_to_sockaddr(&c->source, 0, &from)) == -1) ||
            connect(fd, (struct sockaddr *)&to, size) == -1) {
                int error = errno;
                close(fd);
                return -error;
        }
        return fd;
}

int question_new(uv_loop_t *loop, const struct question_setup *setup, struct question **ret_question)
{
        struct question *q = calloc(1, sizeof(*q));
        int r;

        if (q == NULL)
                return -ENOMEM;
        q->setup = *setup;
        q->fd = connected_socket(setup->check);
        r = q->fd < 0 ? q->fd : uv_poll_init(loop, &q->poll, q->fd);
        if (r != 0) {
                if (q->fd >= 0)
                        close(q->fd);
                free(q);
                return r;
        }
        uv_timer_init(loop, &q->timer);
        q->handles = 2;
        q->poll.data = q->timer.data = q;
        *ret_question = q;
        return 0;
}
