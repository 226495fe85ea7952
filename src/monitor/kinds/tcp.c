/* tcp.c - a TCP connection, and where wanted a few bytes each way. */
#include "monitor/kinds/pattern.h"
#include "monitor/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEARD_MAX 4096
#define SEND_MAX  512 /* of what a check sends */

struct probe {
        uv_poll_t poll;
        int fd;
        const struct check_tcp *check;
        bool connected;
        char *heard; /* what came so far; NULL: nothing is expected */
        size_t heard_n;
        probe_done_fn *on_done;
        void *user;
};

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void probe_free(struct probe *probe)
{
        uv_poll_stop(&probe->poll);
        close(probe->fd);
        free(probe->heard);
        uv_close((uv_handle_t *)&probe->poll, on_closed);
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
static bool connected_to_itself(int fd)
{
        struct sockaddr_storage own = {0}, peer = {0};
        struct ip own_ip, peer_ip;
        socklen_t own_size = sizeof(own), peer_size = sizeof(peer);

        if (getsockname(fd, (struct sockaddr *)&own, &own_size) == -1 ||
            getpeername(fd, (struct sockaddr *)&peer, &peer_size) == -1)
                return false;
        return ip_from_sockaddr((struct sockaddr *)&own, &own_ip) ==
                       ip_from_sockaddr((struct sockaddr *)&peer, &peer_ip) &&
               ip_equal(&own_ip, &peer_ip);
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

static void on_heard(uv_poll_t *handle, int status, int events)
{
        struct probe *probe = handle->data;
        ssize_t n = recv(probe->fd, probe->heard + probe->heard_n, HEARD_MAX - probe->heard_n, MSG_DONTWAIT);
        bool over_now = n == 0;

        if (n == -1 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n == -1) {
                over(probe, reason_from_errno(errno, true), errno);
                return;
        }
        /* regexec(3) ends at a NUL, so bytes that are one become blanks */
        for (ssize_t i = 0; i < n; i++)
                if (probe->heard[probe->heard_n + (size_t)i] == '\0')
                        probe->heard[probe->heard_n + (size_t)i] = ' ';
        probe->heard_n += (size_t)n;
        probe->heard[probe->heard_n] = '\0';
        if (pattern_matches(probe->check->expect, probe->heard, probe->heard_n))
                over(probe, REASON_WORKS, 0);
        else if (probe->heard_n == HEARD_MAX)
                over(probe, REASON_MISMATCH, 0);
        else if (over_now)
                over(probe, probe->heard_n > 0 ? REASON_MISMATCH : REASON_CLOSED, 0);
}

static void on_connected(uv_poll_t *handle, int status, int events)
{
        struct probe *probe = handle->data;
        char bytes[SEND_MAX];
        int error = 0;
        socklen_t size = sizeof(error);

        if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
                error = errno;
        if (error != 0) {
                over(probe, reason_from_errno(error, false), error);
                return;
        }
        if (connected_to_itself(probe->fd)) {
                over(probe, REASON_REFUSED, 0);
                return;
        }
        probe->connected = true;
        /* So little always fits a fresh socket. */
        if (probe->check->send != NULL &&
            send(probe->fd, bytes, unescape(probe->check->send, bytes), MSG_NOSIGNAL | MSG_DONTWAIT) == -1) {
                over(probe, reason_from_errno(errno, true), errno);
                return;
        }
        if (probe->check->expect == NULL)
                over(probe, REASON_WORKS, 0);
        else
                uv_poll_start(handle, UV_READABLE, on_heard);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *probe = calloc(1, sizeof(*probe));
        int r = -ENOMEM;

        if (probe == NULL)
                return r;
        probe->check = &check->tcp;
        probe->on_done = on_done;
        probe->user = user;
        if (check->tcp.expect != NULL)
                probe->heard = malloc(HEARD_MAX + 1);
        if (check->tcp.expect != NULL && probe->heard == NULL)
                goto fail;
        probe->fd = probe_connect(&check->ip, check->port, &check->source);
        r = probe->fd;
        if (r < 0)
                goto fail;
        r = uv_poll_init(house->loop, &probe->poll, probe->fd);
        if (r != 0) {
                close(probe->fd);
                goto fail;
        }
        probe->poll.data = probe;
        uv_poll_start(&probe->poll, UV_WRITABLE, on_connected);
        *ret_probe = probe;
        return 0;
fail:
        free(probe->heard);
        free(probe);
        return r;
}

const struct probe_kind probe_tcp = {.begin = begin, .cut = cut};
