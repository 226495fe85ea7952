/* probe_tcp.c - a TCP connection, and where wanted a few bytes each way. */
#include "monitor/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe {
        uv_poll_t poll;
        int fd;
        probe_done_fn *on_done;
        void *user;
};

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void probe_end(struct probe *probe)
{
        uv_poll_stop(&probe->poll);
        close(probe->fd);
        uv_close((uv_handle_t *)&probe->poll, on_closed);
}

static void cut(struct probe *probe, struct ending *ret_ending)
{
        ret_ending->reason = REASON_NO_CONNECTION;
        probe_end(probe);
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

static void on_ready(uv_poll_t *handle, int status, int events)
{
        struct probe *probe = handle->data;
        probe_done_fn *on_done = probe->on_done;
        void *user = probe->user;
        struct ending ending = {.reason = REASON_WORKS};
        int error = 0;
        socklen_t size = sizeof(error);

        if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
                error = errno;
        if (error != 0)
                ending.reason = reason_from_errno(error, false);
        else if (connected_to_itself(probe->fd))
                ending.reason = REASON_REFUSED;
        ending.detail = error;
        probe_end(probe);
        on_done(user, &ending);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *probe = calloc(1, sizeof(*probe));
        int r;

        if (probe == NULL)
                return -ENOMEM;
        probe->on_done = on_done;
        probe->user = user;
        probe->fd = probe_connect(&check->ip, check->port, &check->source);
        if (probe->fd < 0) {
                r = probe->fd;
                free(probe);
                return r;
        }
        r = uv_poll_init(house->loop, &probe->poll, probe->fd);
        if (r != 0) {
                close(probe->fd);
                free(probe);
                return r;
        }
        probe->poll.data = probe;
        uv_poll_start(&probe->poll, UV_WRITABLE, on_ready);
        *ret_probe = probe;
        return 0;
}

const struct probe_kind probe_tcp = {.begin = begin, .cut = cut};
