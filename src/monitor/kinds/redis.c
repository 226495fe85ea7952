/* redis.c - PING to a Redis server, after AUTH where it has a password (its RESP protocol, version 2).
 */
#include "monitor/kinds/redis_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe {
        uv_poll_t poll;
        int fd;
        const struct check_login *login;
        bool connected;
        struct redis_answer answer;
        probe_done_fn *on_done;
        void *user;
};

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void probe_free(struct probe *p)
{
        uv_poll_stop(&p->poll);
        close(p->fd);
        uv_close((uv_handle_t *)&p->poll, on_closed);
}

static void over(struct probe *p, const struct ending *e)
{
        probe_done_fn *on_done = p->on_done;
        void *user = p->user;

        probe_free(p);
        on_done(user, e);
}

static void over_by_errno(struct probe *p, int error, bool connected)
{
        over(p, &(struct ending){.reason = reason_from_errno(error, connected), .detail = error});
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = p->connected ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
        probe_free(p);
}

static void on_heard(uv_poll_t *poll, int status, int events)
{
        struct probe *p = poll->data;
        struct ending e = {0};
        char bytes[REDIS_LINE_MAX];
        ssize_t n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n == -1 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n == -1)
                over_by_errno(p, errno, true);
        else if (n == 0)
                over(p, &(struct ending){.reason = REASON_CLOSED});
        else if (redis_answer_read(&p->answer, bytes, (size_t)n, &e))
                over(p, &e);
}

static size_t put_argument(char *to, size_t size, const char *text)
{
        return (size_t)snprintf(to, size, "$%zu\r\n%s\r\n", strlen(text), text);
}

static size_t write_request(const struct check_login *login, char text[static 1024])
{
        size_t n = 0;

        if (login->password != NULL) {
                n += (size_t)snprintf(text, 1024, "*%d\r\n$4\r\nAUTH\r\n", login->user == NULL ? 2 : 3);
                if (login->user != NULL)
                        n += put_argument(text + n, 1024 - n, login->user);
                n += put_argument(text + n, 1024 - n, login->password);
        }
        return n + (size_t)snprintf(text + n, 1024 - n, "*1\r\n$4\r\nPING\r\n");
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
        struct probe *p = poll->data;
        char request[1024]; /* user and password have 127 bytes at most */

        /* so little always fits a fresh socket; a connection that failed says so at its first use */
        if (send(p->fd, request, write_request(p->login, request), MSG_NOSIGNAL | MSG_DONTWAIT) == -1) {
                over_by_errno(p, errno, false);
                return;
        }
        p->connected = true;
        uv_poll_start(poll, UV_READABLE, on_heard);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *p = calloc(1, sizeof(*p));
        int r;

        if (p == NULL)
                return -ENOMEM;
        p->login = &check->login;
        p->answer.login = check->login.password != NULL;
        p->on_done = on_done;
        p->user = user;
        p->fd = probe_connect(&check->ip, check->port, &check->source);
        r = p->fd < 0 ? p->fd : uv_poll_init(house->loop, &p->poll, p->fd);
        if (r != 0) {
                if (p->fd >= 0)
                        close(p->fd);
                free(p);
                return r;
        }
        p->poll.data = p;
        uv_poll_start(&p->poll, UV_WRITABLE, on_connected);
        *ret_probe = p;
        return 0;
}

const struct probe_kind probe_redis = {.begin = begin, .cut = cut};
