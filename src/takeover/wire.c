#include "takeover/wire.h"

#include "base/text.h"
#include "takeover/filter.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Larger than any neighbour message we understand; longer ones are cut and then refused. */
#define PACKET_ROOM 512
/* So many packets are looked at in one turn; a storm waits for the next, behind everybody else. */
#define PACKETS_PER_TURN 16

struct wire {
        uv_poll_t poll;
        int sender, ears;
        unsigned ifindex;
        char device[IFNAMSIZ];
        struct mac own;
        struct ip ip;
        bool routes; /* this host forwards packets here */
        bool joined; /* the group where askers speak */
        enum wire_attention attention;
        wire_heard_fn *on_heard;
        void *user;
};

int wire_sender_open(void)
{
        const int priority = TC_PRIO_CONTROL;
        /* Protocol 0: it hears nothing and costs nothing. */
        int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd == -1)
                return -errno;
        /* Ahead of what waits in the queue; best effort. */
        setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
        return fd;
}

static int open_arp(const struct wire *w)
{
        struct sockaddr_ll here = {
                .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = (int)w->ifindex};
        int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd == -1)
                return -errno;
        int error = filter_set(fd, &w->ip, WIRE_DEAF);
        if (error == 0 && bind(fd, (struct sockaddr *)&here, sizeof(here)) == -1)
                error = -errno;
        if (error < 0) {
                close(fd);
                return error;
        }
        return fd;
}

/* A raw socket and not a packet socket: it sees ICMPv6 alone, where the latter would run its filter on all
 * IPv6 traffic of the machine. */
static int open_icmpv6(const struct wire *w)
{
        struct icmp6_filter types;
        const int on = 1;
        int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);

        if (fd == -1)
                return -errno;
        ICMP6_FILTER_SETBLOCKALL(&types);
        ICMP6_FILTER_SETPASS(NDP_SOLICITATION, &types);
        ICMP6_FILTER_SETPASS(NDP_ADVERTISEMENT, &types);
        int error = filter_set(fd, &w->ip, WIRE_DEAF);
        if (error == 0 &&
            (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types, sizeof(types)) == -1 ||
             setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) == -1 ||
             setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) == -1 ||
             setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &w->ifindex, sizeof(w->ifindex)) == -1))
                error = -errno;
        if (error < 0) {
                close(fd);
                return error;
        }
        return fd;
}

/* 1 and what it means, 0 when it means nothing, or a negative errno when nothing is there. */
static int receive_arp(struct wire *w, struct heard *ret_heard)
{
        uint8_t packet[PACKET_ROOM];
        struct sockaddr_ll from = {0};
        socklen_t from_size = sizeof(from);
        struct arp arp;
        ssize_t n = recvfrom(w->ears, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_size);

        if (n == -1)
                return -errno;
        if (from.sll_pkttype == PACKET_OUTGOING || arp_decode(packet, (size_t)n, &arp) < 0)
                return 0;
        *ret_heard = heard_arp(&arp, from.sll_pkttype == PACKET_HOST, &w->ip, w->own);
        return ret_heard->kind != HEARD_NOTHING;
}

static int receive_icmpv6(struct wire *w, struct heard *ret_heard)
{
        uint8_t packet[PACKET_ROOM];
        _Alignas(struct cmsghdr) char
                control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
        struct sockaddr_in6 from = {0};
        struct iovec part = {.iov_base = packet, .iov_len = sizeof(packet)};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof(from),
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof(control)};
        struct ip source, destination = {.family = AF_INET6};
        int hop_limit = -1;
        struct ndp ndp;
        ssize_t n = recvmsg(w->ears, &message, 0);

        if (n == -1)
                return -errno;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                if (c->cmsg_level != IPPROTO_IPV6)
                        continue;
                if (c->cmsg_type == IPV6_PKTINFO)
                        memcpy(destination.bytes, CMSG_DATA(c), sizeof(destination.bytes));
                else if (c->cmsg_type == IPV6_HOPLIMIT)
                        memcpy(&hop_limit, CMSG_DATA(c), sizeof(hop_limit));
        }
        if (hop_limit != NDP_HOP_LIMIT || ndp_decode(packet, (size_t)n, &ndp) < 0)
                return 0;
        ip_from_sockaddr((struct sockaddr *)&from, &source);
        *ret_heard = heard_ndp(&ndp, &source, &destination, &w->ip, w->own);
        return ret_heard->kind != HEARD_NOTHING;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
        struct wire *w = poll->data;
        struct heard heard;

        for (int i = 0; i < PACKETS_PER_TURN && w->ears != -1; i++) {
                int r = w->ip.family == AF_INET ? receive_arp(w, &heard) : receive_icmpv6(w, &heard);
                if (r == 1)
                        w->on_heard(w->user, &heard); /* may free the wire: then `ears` is -1 */
                else if (r < 0 && r != -EINTR)
                        return; /* -EAGAIN: all read; -ENETDOWN: says what the watch says as well */
        }
}

void wire_hear(struct wire *w)
{
        if (w->ears != -1)
                on_readable(&w->poll, 0, UV_READABLE);
}

int wire_new(uv_loop_t *loop, int sender, const struct wire_place *place, const struct ip *ip,
             wire_heard_fn *on_heard, void *user, struct wire **ret_wire)
{
        struct wire *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (struct wire){.sender = sender,
                           .ifindex = place->ifindex,
                           .own = place->own,
                           .ip = *ip,
                           .on_heard = on_heard,
                           .user = user};
        text_copy(w->device, sizeof(w->device), place->device);
        wire_refresh(w);
        w->ears = ip->family == AF_INET ? open_arp(w) : open_icmpv6(w);
        int r = w->ears < 0 ? w->ears : uv_poll_init(loop, &w->poll, w->ears);
        if (r < 0) {
                if (w->ears >= 0)
                        close(w->ears);
                free(w);
                return r;
        }
        w->poll.data = w;
        r = uv_poll_start(&w->poll, UV_READABLE, on_readable);
        if (r < 0) {
                wire_free(w);
                return r;
        }
        *ret_wire = w;
        return 0;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

void wire_free(struct wire *w)
{
        if (!w)
                return;
        uv_poll_stop(&w->poll);
        close(w->ears);
        w->ears = -1;
        uv_close((uv_handle_t *)&w->poll, on_closed);
}

void wire_set_own_mac(struct wire *w, struct mac own)
{
        w->own = own;
}

/* While asking, we listen where a second asker speaks (RFC 4862 5.4.2). */
static void join_askers(struct wire *w, bool join)
{
        struct ip group = ndp_solicited_node(&w->ip);
        struct ipv6_mreq request = {.ipv6mr_interface = w->ifindex};

        if (w->joined == join)
                return;
        memcpy(&request.ipv6mr_multiaddr, group.bytes, sizeof(request.ipv6mr_multiaddr));
        /* Without it the answer still comes, to all nodes; only a second asker goes unheard. */
        if (setsockopt(w->ears, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request,
                       sizeof(request)) == 0)
                w->joined = join;
}

void wire_listen(struct wire *w, enum wire_attention attention)
{
        if (w->attention == attention)
                return;
        if (attention != WIRE_ALL)
                join_askers(w, false);
        /* A filter too narrow costs a proof, one too wide some wake-ups: neither is worth failing for. */
        if (filter_set(w->ears, &w->ip, attention) == 0)
                w->attention = attention;
}

void wire_refresh(struct wire *w)
{
        char path[64 + IFNAMSIZ];
        char value = '0';

        if (w->ip.family != AF_INET6)
                return;
        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/forwarding", w->device);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd == -1)
                return;
        if (read(fd, &value, 1) == 1)
                w->routes = value != '0';
        close(fd);
}

static int send_to(struct wire *w, struct mac to, const uint8_t *packet, size_t size)
{
        struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                      .sll_protocol = htons(w->ip.family == AF_INET ? ETH_P_ARP : ETH_P_IPV6),
                                      .sll_ifindex = (int)w->ifindex,
                                      .sll_halen = sizeof(to.bytes)};

        memcpy(address.sll_addr, to.bytes, sizeof(to.bytes));
        if (sendto(w->sender, packet, size, 0, (struct sockaddr *)&address, sizeof(address)) == -1)
                return -errno;
        return 0;
}

static int send_arp(struct wire *w, const struct arp *arp)
{
        uint8_t packet[ARP_SIZE];

        arp_encode(arp, packet);
        return send_to(w, MAC_BROADCAST, packet, sizeof(packet));
}

static int send_ndp(struct wire *w, struct ip destination, const uint8_t packet[static NDP_PACKET_SIZE])
{
        return send_to(w, ndp_group_mac(&destination), packet, NDP_PACKET_SIZE);
}

int wire_announce(struct wire *w)
{
        uint8_t packet[NDP_PACKET_SIZE];

        if (w->ip.family == AF_INET6) {
                struct ip all = ndp_announcement(&w->ip, w->own, w->routes, packet);
                return send_ndp(w, all, packet);
        }
        struct arp request = arp_announcement(ARP_REQUEST, &w->ip, w->own);
        struct arp reply = arp_announcement(ARP_REPLY, &w->ip, w->own);
        int r = send_arp(w, &request);
        int second = send_arp(w, &reply);
        return r < 0 ? r : second;
}

int wire_probe(struct wire *w)
{
        uint8_t packet[NDP_PACKET_SIZE];

        if (w->ip.family == AF_INET6) {
                join_askers(w, true);
                struct ip group = ndp_probe(&w->ip, w->own, packet);
                return send_ndp(w, group, packet);
        }
        struct arp arp = arp_probe(&w->ip, w->own);
        return send_arp(w, &arp);
}

int wire_ask(struct wire *w, const struct ip *neighbour)
{
        uint8_t packet[NDP_PACKET_SIZE];

        if (neighbour->family != w->ip.family)
                return -EAFNOSUPPORT;
        if (w->ip.family == AF_INET6) {
                struct ip group = ndp_question(neighbour, &w->ip, w->own, packet);
                return send_ndp(w, group, packet);
        }
        struct arp arp = arp_question(neighbour, &w->ip, w->own);
        return send_arp(w, &arp);
}
