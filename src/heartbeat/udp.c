/* Links over UDP: to each node alone, or to everybody in a multicast group or a network at once.
 *
 * A link has one socket (udp_socket.h). A socket that cannot be had, because our address is not there yet, is
 * asked for again every second. Senders are known by their addresses. A packet is for one node whatever
 * carries it; told to all, it is for that node to keep and for the others to drop, which transport.c sees by
 * the name inside. */
#include "heartbeat/medium.h"
#include "heartbeat/udp_socket.h"

#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* An open socket. Apart from its link, since libuv closes it later than we do. */
struct port {
        uv_poll_t poll;
        struct link *link;
        int fd;
};

struct link {
        struct udp_links *links;
        bool used;
        int index; /* in config.link */
        struct udp_place place;
        struct port *port; /* NULL: waiting for it */
        int error;         /* of our own end */
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

        if (recvmsg(l->port->fd, &m, MSG_ERRQUEUE) == -1)
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
        getsockopt(l->port->fd, SOL_SOCKET, SO_ERROR, &pending, &size);
}

/* False when nothing more is there. */
static bool read_packet(struct link *l)
{
        struct udp_links *u = l->links;
        struct sockaddr_storage from;
        socklen_t from_size = sizeof(from);
        struct ip ip;

        ssize_t n =
                recvfrom(l->port->fd, u->buffer, u->hooks.most + 1, 0, (struct sockaddr *)&from, &from_size);
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
        if (node == u->self && l->place.kind != LINK_UDP)
                return true; /* our own word to all */
        if (l->peer[node].from_network)
                set_peer_error(l, node, 0, false);
        u->hooks.on_packet(u->hooks.user, node, l->index, &ip, u->buffer, (size_t)n, received);
        return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
        struct link *l = ((struct port *)poll->data)->link;

        read_errors(l);
        for (int i = 0; i < TURN_MAX && !l->links->freed && l->port && read_packet(l); i++)
                ;
        /* on POLLERR, which the error queue raises, libuv stops watching */
        if (status < 0 && !l->links->freed && l->port)
                uv_poll_start(poll, UV_READABLE, on_readable);
}

/* Sockets */

static int port_open(struct link *l)
{
        struct port *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->link = l;
        p->fd = udp_socket_open(&l->place);
        int error = p->fd < 0 ? p->fd : uv_poll_init(l->links->loop, &p->poll, p->fd);
        if (error) {
                if (p->fd >= 0)
                        close(p->fd);
                free(p);
                return error;
        }
        l->links->handles++;
        p->poll.data = p;
        l->port = p;
        error = uv_poll_start(&p->poll, UV_READABLE, on_readable);
        assert(error == 0); /* it fails for closing handles only */
        return 0;
}

static void on_port_closed(uv_handle_t *handle);

static void port_close(struct link *l)
{
        struct port *p = l->port;

        l->port = NULL;
        uv_close((uv_handle_t *)&p->poll, on_port_closed);
        close(p->fd);
}

static void on_retry(uv_timer_t *timer);

static void open_missing(struct udp_links *u)
{
        bool missing = false;

        for (int i = 0; i < LINKS_MAX && !u->freed; i++) {
                struct link *l = &u->link[i];
                if (!l->used)
                        continue;
                if (!l->port)
                        set_own_error(l, port_open(l));
                missing = missing || !l->port;
        }
        if (missing && !u->freed)
                uv_timer_start(&u->retry, on_retry, RETRY_MS, 0);
}

static void on_retry(uv_timer_t *timer)
{
        open_missing(timer->data);
}

/* Life */

static void peer_init(struct peer *p, const struct ip *ip, const struct udp_place *place)
{
        p->ip = *ip;
        p->to_size = ip_to_sockaddr(ip, place->port, &p->to);
}

static void link_init(struct link *l, struct udp_links *u, int index, const struct config *config)
{
        const struct config_link *from = &config->link[index];
        const struct ip *own = config_link_ip(config, index, u->self);

        l->links = u;
        l->index = index;
        l->used = own != NULL; /* else it is another medium's, or we are not on it */
        if (!own)
                return;
        l->place = (struct udp_place){.kind = from->kind,
                                      .own = *own,
                                      .all = config_link_all(config, index, u->self),
                                      .port = config->port,
                                      .ttl = config->multicast_ttl};
        for (int i = 0; i < (int)config->node_count; i++) {
                const struct ip *ip = config_link_ip(config, index, i);
                if (ip)
                        peer_init(&l->peer[i], ip, &l->place);
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

static void on_port_closed(uv_handle_t *handle)
{
        struct port *p = handle->data;
        struct udp_links *u = p->link->links;

        free(p);
        handle_closed(u);
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
                if (l->port)
                        port_close(l);
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

/* Where the interface is gone, so is what the socket has joined there: a new one is had when it is back. */
static int lose(struct link *l, int error)
{
        port_close(l);
        uv_timer_start(&l->links->retry, on_retry, RETRY_MS, 0);
        set_own_error(l, error);
        return error;
}

static int tell_all(struct link *l, const uint8_t *bytes, size_t n)
{
        int error = udp_socket_tell_all(l->port->fd, &l->place, bytes, n);

        if (error && error != -EAGAIN && error != -ENOBUFS)
                return lose(l, udp_address_is_here(&l->place.own) ? error : -EADDRNOTAVAIL);
        set_own_error(l, error);
        return error;
}

static int udp_send(struct medium *m, int node, int link, const uint8_t *bytes, size_t n)
{
        struct udp_links *u = links_of(m);
        struct link *l = &u->link[link];
        struct peer *p = &l->peer[node];

        assert(node != u->self && l->used && p->ip.family != 0);
        if (!l->port)
                return l->error;
        if (l->place.kind != LINK_UDP)
                return tell_all(l, bytes, n);
        int error = send_to(l->port->fd, p, bytes, n);
        if (error && !udp_address_is_here(&l->place.own)) {
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
        .carries = 1U << LINK_UDP | 1U << LINK_MULTICAST | 1U << LINK_BROADCAST,
        .create = udp_create,
        .free = udp_free,
        .send = udp_send,
        .error = udp_error,
};
