/* probe_redis.c - PING to a Redis server, after AUTH where it has a password (its RESP protocol, version 2).
 */
#include "monitor/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 512 /* of a line; ours are seldom longer than 80 */

struct probe {
        uv_poll_t poll;
        int fd;
        const struct check_login *login;
        bool connected, authenticated;
        char heard[ANSWER_MAX + 1];
        size_t heard_n;
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

static void over(struct probe *p, enum reason reason, int detail, const char *said)
{
        struct ending e = {.reason = reason, .detail = detail};
        probe_done_fn *on_done = p->on_done;
        void *user = p->user;

        ending_say(&e, "%.120s", said);
        probe_free(p);
        on_done(user, &e);
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = p->connected ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
        probe_free(p);
}

/* One line without its end. False when the probe is over. */
static bool on_line(struct probe *p, const char *line)
{
        bool login = p->login->password != NULL && !p->authenticated;

        if (login && strcmp(line, "+OK") == 0) {
                p->authenticated = true;
                return true;
        }
        if (!login && strcmp(line, "+PONG") == 0)
                over(p, REASON_WORKS, 0, "");
        else if (line[0] == '-' &&
                 (login || strncmp(line, "-NOAUTH", 7) == 0 || strncmp(line, "-NOPERM", 7) == 0))
                over(p, REASON_DENIED, 0, line + 1);
        else if (line[0] == '-')
                over(p, REASON_MISMATCH, 0, line + 1);
        else
                over(p, REASON_BAD_ANSWER, 0, "it does not speak as Redis does");
        return false;
}

static void on_heard(uv_poll_t *poll, int status, int events)
{
        struct probe *p = poll->data;
        ssize_t n = recv(p->fd, p->heard + p->heard_n, ANSWER_MAX - p->heard_n, MSG_DONTWAIT);
        char *end;

        if (n == -1 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                over(p, n == 0 ? REASON_CLOSED : reason_from_errno(errno, true), n == 0 ? 0 : errno, "");
                return;
        }
        p->heard_n += (size_t)n;
        p->heard[p->heard_n] = '\0';
        while ((end = strstr(p->heard, "\r\n")) != NULL) {
                *end = '\0';
                if (!on_line(p, p->heard))
                        return;
                p->heard_n -= (size_t)(end + 2 - p->heard);
                memmove(p->heard, end + 2, p->heard_n + 1);
        }
        if (p->heard_n == ANSWER_MAX)
                over(p, REASON_BAD_ANSWER, 0, "a line without end");
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
                over(p, reason_from_errno(errno, false), errno, "");
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
