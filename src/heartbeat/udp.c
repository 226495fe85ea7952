/* Links over UDP, unicast. The i-th addresses of all nodes together are a link; it has one socket, bound to
 * our own address there and the cluster's port. An address that is not there yet is no error: the socket is
 * bound to it all the same (IP_FREEBIND) and works as soon as it comes; a socket that cannot be had at all is
 * asked for again every second. */
#include "heartbeat/medium.h"

#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/ipv6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Class selector 6, network control (RFC 4594 3.2): routers and switches keep what keeps the network. */
#define TRAFFIC_CLASS 0xc0
/* The highest band that needs no privilege (socket(7)); after IP_TOS, which sets one of its own. */
#define SOCKET_PRIORITY 6

#define RETRY_MS 1000
/* Packets taken per turn of the loop and link, so that a flood does not starve the timers. */
#define TURN_MAX 64

struct peer {
        struct ip ip; /* family 0: has no such link */
        struct sockaddr_storage to;
        socklen_t to_size;
        int error;
        bool from_network; /* the error came back by ICMP: only a packet of the peer disproves it */
};

struct link {
        struct udp_links *links;
        bool used;
        int index; /* in config.link */
        int fd;    /* -1: waiting for it */
        uv_poll_t poll;
        int error; /* of our own end */
        struct peer peer[NODES_MAX];
};

struct udp_links {
        struct medium medium;
        uv_loop_t *loop;
        struct medium_hooks hooks;
        int self;
        uint16_t port;
        int node_count;
        struct link link[LINKS_MAX]; /* as config.link */
        uv_timer_t retry;
        int handles; /* still open; memory goes with the last */
        bool freed;
        uint8_t buffer[]; /* hooks.most + 1 */
};

/* What is known of each direction */

static void set_own_error(struct link *l, int error)
{
        if (l->error == error)
                return;
        l->error = error;
        if (l->links->hooks.on_change)
                l->links->hooks.on_change(l->links->hooks.user, MEDIUM_NODE_SELF, l->index, error);
}

static void set_peer_error(struct link *l, int node, int error, bool from_network)
{
        struct peer *p = &l->peer[node];

        p->from_network = from_network;
        if (p->error == error)
                return;
        p->error = error;
        if (l->links->hooks.on_change)
                l->links->hooks.on_change(l->links->hooks.user, node, l->index, error);
}

static int find_peer(const struct link *l, const struct ip *ip)
{
        for (int i = 0; i < l->links->node_count; i++)
                if (l->peer[i].ip.family != 0 && ip_equal(&l->peer[i].ip, ip))
                        return i;
        return -1;
}

/* Receiving */

static void take_error(struct link *l, const struct ip *to, const struct sock_extended_err *e)
{
        const struct medium_hooks *hooks = &l->links->hooks;
        int node = find_peer(l, to);

        if (node == -1)
                return;
        if (e->ee_errno != ECONNREFUSED)
                set_peer_error(l, node, -(int)e->ee_errno, true);
        else if (hooks->on_unreachable)
                hooks->on_unreachable(hooks->user, node, l->index);
}

/* The error queue names the packet's destination, which the socket's plain error does not (ip(7),
 * IP_RECVERR). False when it is empty. */
static bool read_error(struct link *l)
{
        struct sockaddr_storage to;
        union {
                struct cmsghdr align;
                char bytes[512];
        } control;
        struct msghdr m = {.msg_name = &to,
                           .msg_namelen = sizeof(to),
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        struct ip ip;

        if (recvmsg(l->fd, &m, MSG_ERRQUEUE) == -1)
                return false;
        ip_from_sockaddr((struct sockaddr *)&to, &ip);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
                if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
                        take_error(l, &ip, (const struct sock_extended_err *)CMSG_DATA(c));
        return true;
}

static void read_errors(struct link *l)
{
        int pending;
        socklen_t size = sizeof(pending);

        for (int i = 0; i < TURN_MAX && !l->links->freed && read_error(l); i++)
                ;
        /* reading it clears it; left standing it would wake us for ever */
        getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &pending, &size);
}

/* False when nothing more is there. */
static bool read_packet(struct link *l)
{
        struct udp_links *u = l->links;
        struct sockaddr_storage from;
        socklen_t from_size = sizeof(from);
        struct ip ip;

        ssize_t n = recvfrom(l->fd, u->buffer, u->hooks.most + 1, 0, (struct sockaddr *)&from, &from_size);
        if (n == -1)
                return errno != EAGAIN;
        instant received = instant_now();
        ip_from_sockaddr((struct sockaddr *)&from, &ip);
        int node = find_peer(l, &ip);
        if (node == -1) {
                if (u->hooks.on_refused)
                        u->hooks.on_refused(u->hooks.user, MEDIUM_NODE_NONE, l->index, PACKET_STRANGER, &ip,
                                            received);
                return true;
        }
        if (l->peer[node].from_network)
                set_peer_error(l, node, 0, false);
        u->hooks.on_packet(u->hooks.user, node, l->index, &ip, u->buffer, (size_t)n, received);
        return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
        struct link *l = poll->data;

        read_errors(l);
        for (int i = 0; i < TURN_MAX && !l->links->freed && read_packet(l); i++)
                ;
        /* on POLLERR, which the error queue raises, libuv stops watching */
        if (status < 0 && !l->links->freed)
                uv_poll_start(poll, UV_READABLE, on_readable);
}

/* Sockets */

static int set_option(int fd, int level, int name, int value)
{
        return setsockopt(fd, level, name, &value, sizeof(value)) == -1 ? -errno : 0;
}

static int set_options(int fd, sa_family_t family)
{
        bool v6 = family == AF_INET6;
        int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
        int error = set_option(fd, level, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1);

        if (!error)
                error = set_option(fd, level, v6 ? IPV6_RECVERR : IP_RECVERR, 1);
        if (!error)
                error = set_option(fd, level, v6 ? IPV6_TCLASS : IP_TOS, TRAFFIC_CLASS);
        if (!error)
                error = set_option(fd, SOL_SOCKET, SO_PRIORITY, SOCKET_PRIORITY);
        /* a heartbeat with a document may be longer than some tunnel's MTU: let it be cut, not lost (IPv6 has
         * the same value for it) */
        if (!error)
                error = set_option(fd, level, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
        return error;
}

static int open_socket(const struct peer *own)
{
        int fd = socket(own->ip.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd == -1)
                return -errno;
        int error = set_options(fd, own->ip.family);
        if (!error && bind(fd, (const struct sockaddr *)&own->to, own->to_size) == -1)
                error = -errno;
        if (error) {
                close(fd);
                return error;
        }
        return fd;
}

static int link_open(struct link *l)
{
        struct udp_links *u = l->links;
        int fd = open_socket(&l->peer[u->self]);

        if (fd < 0)
                return fd;
        int error = uv_poll_init(u->loop, &l->poll, fd);
        if (error) {
                close(fd);
                return error;
        }
        u->handles++;
        l->fd = fd;
        l->poll.data = l;
        error = uv_poll_start(&l->poll, UV_READABLE, on_readable);
        assert(error == 0); /* it fails for closing handles only */
        return 0;
}

static void on_retry(uv_timer_t *timer);

static void open_missing(struct udp_links *u)
{
        bool missing = false;

        for (int i = 0; i < LINKS_MAX && !u->freed; i++) {
                struct link *l = &u->link[i];
                if (!l->used)
                        continue;
                if (l->fd == -1)
                        set_own_error(l, link_open(l));
                missing = missing || l->fd == -1;
        }
        if (missing && !u->freed)
                uv_timer_start(&u->retry, on_retry, RETRY_MS, 0);
}

static void on_retry(uv_timer_t *timer)
{
        open_missing(timer->data);
}

/* Life */

static void link_init(struct link *l, struct udp_links *u, int index, const struct config *config)
{
        size_t number = (size_t)config->link[index].number;

        l->links = u;
        l->index = index;
        l->fd = -1;
        l->used = config->link[index].kind == LINK_UDP && number < config->node[u->self].address_count;
        for (size_t i = 0; i < config->node_count && l->used; i++) {
                const struct config_node *node = &config->node[i];
                struct peer *p = &l->peer[i];
                if (number >= node->address_count)
                        continue;
                p->ip = node->address[number];
                p->to_size = ip_to_sockaddr(&p->ip, config->port, &p->to);
        }
}

static int udp_create(uv_loop_t *loop, const struct config *config, int self,
                      const struct medium_hooks *hooks, struct medium **ret_medium)
{
        struct udp_links *u = calloc(1, sizeof(*u) + hooks->most + 1);

        if (!u)
                return -ENOMEM;
        u->medium.kind = &medium_udp;
        u->loop = loop;
        u->hooks = *hooks;
        u->self = self;
        u->port = config->port;
        u->node_count = (int)config->node_count;
        for (int i = 0; i < (int)config->link_count; i++)
                link_init(&u->link[i], u, i, config);
        int error = uv_timer_init(loop, &u->retry);
        if (error) {
                free(u);
                return error;
        }
        u->handles = 1;
        u->retry.data = u;
        *ret_medium = &u->medium;
        open_missing(u);
        return 0;
}

static void handle_closed(struct udp_links *u)
{
        if (--u->handles == 0)
                free(u);
}

static void on_poll_closed(uv_handle_t *handle)
{
        handle_closed(((struct link *)handle->data)->links);
}

static void on_timer_closed(uv_handle_t *handle)
{
        handle_closed(handle->data);
}

static struct udp_links *links_of(struct medium *m)
{
        assert(m->kind == &medium_udp);
        return (struct udp_links *)m;
}

static void udp_free(struct medium *m)
{
        struct udp_links *u = links_of(m);

        u->freed = true;
        for (int i = 0; i < LINKS_MAX; i++) {
                struct link *l = &u->link[i];
                if (!l->used || l->fd == -1)
                        continue;
                uv_close((uv_handle_t *)&l->poll, on_poll_closed);
                close(l->fd);
                l->fd = -1;
        }
        uv_close((uv_handle_t *)&u->retry, on_timer_closed);
}

/* Sending */

/* 0, or a negative errno that belongs to this packet. */
static int send_to(int fd, const struct peer *p, const uint8_t *bytes, size_t n)
{
        const struct sockaddr *to = (const struct sockaddr *)&p->to;

        /* The first failure may be an earlier packet's, come back by ICMP; then this one has not been sent.
         * It stands in the error queue too, where on_readable() finds whose it was. */
        if (sendto(fd, bytes, n, MSG_NOSIGNAL, to, p->to_size) != -1)
                return 0;
        if (sendto(fd, bytes, n, MSG_NOSIGNAL, to, p->to_size) != -1)
                return 0;
        return -errno;
}

/* Whether this machine has the address. A socket bound freely learns it from no errno of its own: kernels say
 * EINVAL or ENETUNREACH for a missing source as for a missing route. */
static bool is_here(const struct peer *own)
{
        struct sockaddr_storage any_port;
        socklen_t size = ip_to_sockaddr(&own->ip, 0, &any_port);
        int fd = socket(own->ip.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd == -1)
                return true; /* not known to be missing */
        bool here = bind(fd, (const struct sockaddr *)&any_port, size) != -1 || errno != EADDRNOTAVAIL;
        close(fd);
        return here;
}

static int udp_send(struct medium *m, int node, int link, const uint8_t *bytes, size_t n)
{
        struct udp_links *u = links_of(m);
        struct link *l = &u->link[link];
        struct peer *p = &l->peer[node];

        assert(node != u->self && l->used && p->ip.family != 0);
        if (l->fd == -1)
                return l->error;
        int error = send_to(l->fd, p, bytes, n);
        if (error && !is_here(&l->peer[u->self])) {
                set_own_error(l, -EADDRNOTAVAIL);
                return -EADDRNOTAVAIL;
        }
        if (error) {
                set_peer_error(l, node, error, false);
                return error;
        }
        set_own_error(l, 0);
        if (!p->from_network)
                set_peer_error(l, node, 0, false);
        return 0;
}

static int udp_error(const struct medium *m, int node, int link)
{
        const struct link *l = &links_of((struct medium *)m)->link[link];

        return l->error ? l->error : l->peer[node].error;
}

const struct medium_kind medium_udp = {
        .carries = 1U << LINK_UDP,
        .create = udp_create,
        .free = udp_free,
        .send = udp_send,
        .error = udp_error,
};
