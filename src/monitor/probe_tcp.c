#include "monitor/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe_tcp {
        uv_poll_t poll;
        int fd;
        probe_done_fn *on_done;
        void *user;
};

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

void probe_tcp_cancel(struct probe_tcp *probe)
{
        if (probe == NULL)
                return;
        uv_poll_stop(&probe->poll);
        close(probe->fd);
        uv_close((uv_handle_t *)&probe->poll, on_closed);
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
        struct probe_tcp *probe = handle->data;
        probe_done_fn *on_done = probe->on_done;
        void *user = probe->user;
        enum reason reason = REASON_WORKS;
        int error = 0;
        socklen_t size = sizeof(error);

        if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
                error = errno;
        if (error != 0)
                reason = reason_from_errno(error, false);
        else if (connected_to_itself(probe->fd))
                reason = REASON_REFUSED;
        probe_tcp_cancel(probe);
        on_done(user, reason, error);
}

int probe_tcp_begin(uv_loop_t *loop, const struct config_check *check, probe_done_fn *on_done, void *user,
                    struct probe_tcp **ret_probe)
{
        struct probe_tcp *probe = calloc(1, sizeof(*probe));
        struct sockaddr_storage to;
        socklen_t size = ip_to_sockaddr(&check->ip, check->port, &to);
        int r;

        if (probe == NULL)
                return -ENOMEM;
        probe->on_done = on_done;
        probe->user = user;
        probe->fd = socket(check->ip.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (probe->fd == -1) {
                r = -errno;
                free(probe);
                return r;
        }
        if (connect(probe->fd, (struct sockaddr *)&to, size) == -1 && errno != EINPROGRESS) {
                r = -errno;
                goto undo;
        }
        r = uv_poll_init(loop, &probe->poll, probe->fd);
        if (r != 0)
                goto undo;
        probe->poll.data = probe;
        uv_poll_start(&probe->poll, UV_WRITABLE, on_ready);
        *ret_probe = probe;
        return 0;
undo:
        close(probe->fd);
        free(probe);
        return r;
}
