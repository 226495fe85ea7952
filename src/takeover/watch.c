#include "takeover/watch.h"

#include "base/log.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* An interface's message is 1-2 KiB, more with many virtual functions; the kernel cuts what does not fit. */
#define MESSAGE_ROOM 32768
/* Room for the burst of a routing daemon's or container engine's restart, lest we read all anew each time. */
#define QUEUE_SIZE (1024 * 1024)

struct watch {
        uv_poll_t poll;
        struct mnl_socket *socket;
        struct netlink *requests;
        struct interfaces *tables;
        watch_change_fn *on_change;
        void *user;
};

/* Reads all into fresh tables and puts them in the place of the old. */
static int read_all(struct watch *w)
{
        struct interfaces fresh = {0};
        int r = netlink_dump(w->requests, RTM_GETLINK, interfaces_collect, &fresh);

        if (r == 0)
                r = netlink_dump(w->requests, RTM_GETADDR, interfaces_collect, &fresh);
        if (r < 0) {
                interfaces_free(&fresh);
                return r;
        }
        interfaces_free(w->tables);
        *w->tables = fresh;
        return 0;
}

/* 1 when a message was taken in, 0 when none is left, -ENOBUFS when some were lost. */
static int receive(struct watch *w)
{
        char buffer[MESSAGE_ROOM];
        ssize_t size = recv(mnl_socket_get_fd(w->socket), buffer, sizeof(buffer), MSG_DONTWAIT);

        if (size == -1)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (mnl_cb_run(buffer, (size_t)size, 0, 0, interfaces_collect, w->tables) == MNL_CB_ERROR)
                return -errno;
        return 1;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
        struct watch *w = poll->data;
        bool lost = status < 0;
        int r;

        while ((r = receive(w)) != 0)
                if (r < 0) {
                        lost = true;
                        if (r != -ENOBUFS)
                                break;
                }
        if (lost && (r = read_all(w)) < 0)
                log_warning("takeover: cannot read the interfaces again after lost messages: %s; "
                            "carrier and removals may go unnoticed",
                            strerror(-r));
        w->on_change(w->user);
}

static int subscribe(struct watch *w)
{
        const int size = QUEUE_SIZE;

        w->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (!w->socket)
                return -errno;
        if (mnl_socket_bind(w->socket, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_TC,
                            MNL_SOCKET_AUTOPID) == -1)
                return -errno;
        int fd = mnl_socket_get_fd(w->socket);
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == -1)
                setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        return 0;
}

int watch_new(uv_loop_t *loop, struct netlink *requests, struct interfaces *tables,
              watch_change_fn *on_change, void *user, struct watch **ret_watch)
{
        struct watch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        *w = (struct watch){.requests = requests, .tables = tables, .on_change = on_change, .user = user};
        r = subscribe(w);
        if (r == 0)
                r = read_all(w);
        if (r == 0)
                r = uv_poll_init(loop, &w->poll, mnl_socket_get_fd(w->socket));
        if (r < 0) {
                if (w->socket)
                        mnl_socket_close(w->socket);
                free(w);
                return r;
        }
        w->poll.data = w;
        r = uv_poll_start(&w->poll, UV_READABLE, on_readable);
        if (r < 0) {
                watch_free(w);
                return r;
        }
        *ret_watch = w;
        return 0;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

void watch_free(struct watch *w)
{
        if (!w)
                return;
        uv_poll_stop(&w->poll);
        mnl_socket_close(w->socket);
        w->socket = NULL;
        uv_close((uv_handle_t *)&w->poll, on_closed);
}
