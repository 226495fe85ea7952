/* tcp.c - a TCP connection, and where wanted a few bytes each way. */
#include "monitor/kinds/pattern.h"
#include "monitor/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEARD_MAX 4096
#define SEND_MAX  512 /* of what a check sends */

struct probe {
        struct polled polled;
        struct poller *poller;
        const struct config_check *check;
        bool connected;
        char *heard; /* what came so far; NULL: nothing is expected */
        size_t heard_n;
        probe_done_fn *on_done;
        void *user;
};

static void probe_free(struct probe *probe)
{
        poller_close(probe->poller, &probe->polled);
        free(probe->heard);
        free(probe);
}

static void cut(struct probe *probe, struct ending *ret_ending)
{
        ret_ending->reason = probe->connected ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
        if (probe->heard_n > 0) {
                ret_ending->reason = REASON_MISMATCH;
                probe->heard[probe->heard_n] = '\0';
                ending_say(ret_ending, "heard '%.100s'", probe->heard);
        }
        probe_free(probe);
}

static void over(struct probe *probe, enum reason reason, int detail)
{
        struct ending ending = {.reason = reason, .detail = detail};
        probe_done_fn *on_done = probe->on_done;
        void *user = probe->user;

        if (reason == REASON_MISMATCH)
                ending_say(&ending, "heard '%.100s'", probe->heard);
        probe_free(probe);
        on_done(user, &ending);
}

/* Where nobody listens on a local port of the ephemeral range, the kernel may choose that very port as the
 * source, and TCP's simultaneous open connects the socket to itself: a dead service would look up. */
static bool connected_to_itself(const struct probe *probe)
{
        struct sockaddr_storage own = {0};
        struct ip ip;
        socklen_t size = sizeof(own);

        if (getsockname(probe->polled.fd, (struct sockaddr *)&own, &size) == -1)
                return false;
        return ip_from_sockaddr((struct sockaddr *)&own, &ip) == probe->check->port &&
               ip_equal(&ip, &probe->check->ip);
}

static int digit_of(char c)
{
        static const char digits[] = "0123456789abcdef";
        const char *at = c == '\0' ? NULL : strchr(digits, c | 0x20);

        return at == NULL ? -1 : (int)(at - digits);
}

/* \r \n \t \\ and \xHH as bytes; any other backslash as it is. Returns how many. */
static size_t unescape(const char *text, char bytes[static SEND_MAX])
{
        size_t n = 0;

        for (; *text != '\0' && n < SEND_MAX; text++) {
                bytes[n] = *text;
                if (*text == '\\' && text[1] != '\0') {
                        static const char names[] = "rnt\\", means[] = "\r\n\t\\";
                        const char *name = strchr(names, text[1]);
                        int high = digit_of(text[2]), low = high < 0 ? -1 : digit_of(text[3]);

                        if (name != NULL) {
                                bytes[n] = means[name - names];
                                text++;
                        } else if (text[1] == 'x' && high >= 0 && low >= 0) {
                                bytes[n] = (char)(high * 16 + low);
                                text += 3;
                        }
                }
                n++;
        }
        return n;
}

/* False when that ended the probe. */
static bool take_heard(struct probe *probe, size_t n)
{
        /* regexec(3) ends at a NUL, so bytes that are one become blanks */
        for (size_t i = 0; i < n; i++)
                if (probe->heard[probe->heard_n + i] == '\0')
                        probe->heard[probe->heard_n + i] = ' ';
        probe->heard_n += n;
        probe->heard[probe->heard_n] = '\0';
        if (pattern_matches(probe->check->tcp.expect, probe->heard, probe->heard_n))
                over(probe, REASON_WORKS, 0);
        else if (probe->heard_n == HEARD_MAX)
                over(probe, REASON_MISMATCH, 0);
        else if (n == 0)
                over(probe, probe->heard_n > 0 ? REASON_MISMATCH : REASON_CLOSED, 0);
        else
                return true;
        return false;
}

static void hear(struct probe *probe)
{
        ssize_t n;

        do {
                n = recv(probe->polled.fd, probe->heard + probe->heard_n, HEARD_MAX - probe->heard_n,
                         MSG_DONTWAIT);
                if (n == -1 && errno != EAGAIN)
                        over(probe, reason_from_errno(errno, true), errno);
        } while (n != -1 && take_heard(probe, (size_t)n));
}

/* False when that ended the probe. */
static bool take_connection(struct probe *probe, uint32_t events)
{
        char bytes[SEND_MAX];
        const char *text = probe->check->tcp.send;
        int error = 0;
        socklen_t size = sizeof(error);

        if ((events & EPOLLERR) != 0 &&
            getsockopt(probe->polled.fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
                error = errno;
        probe->connected = error == 0;
        if (error != 0)
                over(probe, reason_from_errno(error, false), error);
        else if (connected_to_itself(probe))
                over(probe, REASON_REFUSED, 0);
        else if (text != NULL &&
                 send(probe->polled.fd, bytes, unescape(text, bytes), MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
                over(probe, reason_from_errno(errno, true), errno); /* so little always fits a fresh socket */
        else if (probe->check->tcp.expect == NULL)
                over(probe, REASON_WORKS, 0);
        else
                return true;
        return false;
}

static void on_ready(struct polled *polled, uint32_t events)
{
        struct probe *probe = (struct probe *)polled; /* its first member */

        if ((probe->connected || take_connection(probe, events)) && (events & ~(uint32_t)EPOLLOUT) != 0)
                hear(probe);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *probe = calloc(1, sizeof(*probe));
        int fd = -ENOMEM, r;

        if (probe == NULL)
                return -ENOMEM;
        probe->poller = house->poller;
        probe->check = check;
        probe->on_done = on_done;
        probe->user = user;
        if (check->tcp.expect != NULL)
                probe->heard = malloc(HEARD_MAX + 1);
        if (check->tcp.expect == NULL || probe->heard != NULL)
                fd = probe_connect(&check->ip, check->port, &check->source);
        r = fd < 0 ? fd : poller_add(house->poller, &probe->polled, fd, on_ready);
        if (r != 0) {
                if (fd >= 0)
                        close(fd);
                free(probe->heard);
                free(probe);
                return r;
        }
        *ret_probe = probe;
        return 0;
}

const struct probe_kind probe_tcp = {.begin = begin, .cut = cut};
