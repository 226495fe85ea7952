/* redis.c - PING to a Redis server, after AUTH where it has a password (its RESP protocol, version 2).
 */
#include "monitor/kinds/redis_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe {
        struct polled polled;
        struct poller *poller;
        const struct check_login *login;
        bool connected;
        struct redis_answer answer;
        probe_done_fn *on_done;
        void *user;
};

static void probe_free(struct probe *p)
{
        poller_close(p->poller, &p->polled);
        free(p);
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

static void hear(struct probe *p)
{
        struct ending e = {0};
        char bytes[REDIS_LINE_MAX];

        for (;;) {
                ssize_t n = recv(p->polled.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

                if (n == -1 && errno == EAGAIN)
                        return;
                if (n == -1) {
                        over_by_errno(p, errno, true);
                        return;
                }
                if (n == 0)
                        e.reason = REASON_CLOSED;
                if (n == 0 || redis_answer_read(&p->answer, bytes, (size_t)n, &e)) {
                        over(p, &e);
                        return;
                }
        }
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

/* False when the connection has failed: it says so at its first use. */
static bool ask(struct probe *p)
{
        char request[1024]; /* user and password have 127 bytes at most: so little always fits a fresh socket
                             */
        size_t n = write_request(p->login, request);

        if (send(p->polled.fd, request, n, MSG_NOSIGNAL | MSG_DONTWAIT) == -1) {
                over_by_errno(p, errno, false);
                return false;
        }
        p->connected = true;
        return true;
}

static void on_ready(struct polled *polled, uint32_t events)
{
        struct probe *p = (struct probe *)polled; /* its first member */

        if ((p->connected || ask(p)) && (events & ~(uint32_t)EPOLLOUT) != 0)
                hear(p);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *p = calloc(1, sizeof(*p));
        int fd, r;

        if (p == NULL)
                return -ENOMEM;
        p->poller = house->poller;
        p->login = &check->login;
        p->answer.login = check->login.password != NULL;
        p->on_done = on_done;
        p->user = user;
        fd = probe_connect(&check->ip, check->port, &check->source);
        r = fd < 0 ? fd : poller_add(house->poller, &p->polled, fd, on_ready);
        if (r != 0) {
                if (fd >= 0)
                        close(fd);
                free(p);
                return r;
        }
        *ret_probe = p;
        return 0;
}

const struct probe_kind probe_redis = {.begin = begin, .cut = cut};
