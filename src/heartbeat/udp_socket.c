#include "heartbeat/udp_socket.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Class selector 6, network control (RFC 4594 3.2): routers and switches keep what keeps the network. */
#define TRAFFIC_CLASS 0xc0
/* The highest band that needs no privilege (socket(7)); after IP_TOS, which sets one of its own. */
#define SOCKET_PRIORITY 6

static int set_option(int fd, int level, int name, int value)
{
        return setsockopt(fd, level, name, &value, sizeof(value)) == -1 ? -errno : 0;
}

static int set_common(int fd, sa_family_t family)
{
        bool v6 = family == AF_INET6;
        int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
        int error = set_option(fd, level, v6 ? IPV6_TCLASS : IP_TOS, TRAFFIC_CLASS);

        if (!error)
                error = set_option(fd, SOL_SOCKET, SO_PRIORITY, SOCKET_PRIORITY);
        /* a heartbeat with a document may be longer than some tunnel's MTU: let it be cut, not lost (IPv6 has
         * the same value for it) */
        if (!error)
                error = set_option(fd, level, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
        return error;
}

static int bind_to(int fd, const struct ip *ip, uint16_t port, unsigned scope)
{
        struct sockaddr_storage sa;
        socklen_t size = ip_to_sockaddr(ip, port, &sa);

        if (ip->family == AF_INET6)
                ((struct sockaddr_in6 *)&sa)->sin6_scope_id = scope;
        return bind(fd, (const struct sockaddr *)&sa, size) == -1 ? -errno : 0;
}

/* The index of the interface that has the address, or -EADDRNOTAVAIL. */
static int interface_of(const struct ip *ip)
{
        struct ifaddrs *all;
        int index = -EADDRNOTAVAIL;

        if (getifaddrs(&all) == -1)
                return -errno;
        for (const struct ifaddrs *a = all; a && index < 0; a = a->ifa_next) {
                struct ip here;
                if (!a->ifa_addr || a->ifa_addr->sa_family != ip->family)
                        continue;
                ip_from_sockaddr(a->ifa_addr, &here);
                if (ip_equal(&here, ip))
                        index = (int)if_nametoindex(a->ifa_name);
        }
        freeifaddrs(all);
        return index == 0 ? -ENODEV : index;
}

static int prepare_unicast(int fd, const struct udp_place *p)
{
        bool v6 = p->own.family == AF_INET6;
        int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
        int error = set_option(fd, level, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1);

        if (!error)
                error = set_option(fd, level, v6 ? IPV6_RECVERR : IP_RECVERR, 1);
        return error ? error : bind_to(fd, &p->own, p->port, 0);
}

/* Bound to the broadcast address, it hears nothing that was meant for us alone. Other clusters may have the
 * same port (SO_REUSEADDR: each socket gets its copy). */
static int prepare_broadcast(int fd, const struct udp_place *p)
{
        int error = set_option(fd, SOL_SOCKET, SO_BROADCAST, 1);

        if (!error)
                error = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (!error && !udp_address_is_here(&p->own))
                error = -EADDRNOTAVAIL;
        return error ? error : bind_to(fd, &p->all, p->port, 0);
}

/* IP_MULTICAST_ALL off: of groups that others on this machine have joined elsewhere, nothing comes here. Our
 * own words do not come back: nobody else on this machine is to hear them. */
static int prepare_multicast4(int fd, const struct udp_place *p)
{
        struct ip_mreqn group = {.imr_ifindex = interface_of(&p->own)};
        int error = group.imr_ifindex < 0 ? group.imr_ifindex : set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

        memcpy(&group.imr_multiaddr, p->all.bytes, 4);
        memcpy(&group.imr_address, p->own.bytes, 4);
        if (!error)
                error = bind_to(fd, &p->all, p->port, 0);
        if (!error)
                error = set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
        if (!error)
                error = set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
        if (!error)
                error = set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, p->ttl);
        if (!error && (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)) == -1 ||
                       setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) == -1))
                error = -errno;
        return error;
}

static int prepare_multicast6(int fd, const struct udp_place *p)
{
        int index = interface_of(&p->own);
        struct ipv6_mreq group = {.ipv6mr_interface = (unsigned)index};
        int error = index < 0 ? index : set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

        memcpy(&group.ipv6mr_multiaddr, p->all.bytes, 16);
        if (!error)
                error = bind_to(fd, &p->all, p->port, (unsigned)index);
        if (!error)
                error = set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
        if (!error)
                error = set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
        if (!error)
                error = set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, p->ttl);
        if (!error)
                error = set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index);
        if (!error && setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof(group)) == -1)
                error = -errno;
        return error;
}

static int prepare(int fd, const struct udp_place *p)
{
        if (p->kind == LINK_UDP)
                return prepare_unicast(fd, p);
        if (p->kind == LINK_BROADCAST)
                return prepare_broadcast(fd, p);
        return p->own.family == AF_INET6 ? prepare_multicast6(fd, p) : prepare_multicast4(fd, p);
}

int udp_socket_open(const struct udp_place *p)
{
        int fd = socket(p->own.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd == -1)
                return -errno;
        int error = set_common(fd, p->own.family);
        if (!error)
                error = prepare(fd, p);
        if (error) {
                close(fd);
                return error;
        }
        return fd;
}

/* The source is said with each packet: of several addresses of the interface the kernel would take the first.
 */
int udp_socket_tell_all(int fd, const struct udp_place *p, const uint8_t *bytes, size_t n)
{
        struct sockaddr_storage to;
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
        } control = {0};
        struct iovec part = {.iov_base = (void *)bytes, .iov_len = n};
        struct msghdr m = {.msg_name = &to,
                           .msg_namelen = ip_to_sockaddr(&p->all, p->port, &to),
                           .msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        if (p->own.family == AF_INET6) {
                struct in6_pktinfo source = {0};
                memcpy(&source.ipi6_addr, p->own.bytes, 16);
                *c = (struct cmsghdr){CMSG_LEN(sizeof(source)), IPPROTO_IPV6, IPV6_PKTINFO};
                memcpy(CMSG_DATA(c), &source, sizeof(source));
                m.msg_controllen = CMSG_SPACE(sizeof(source));
        } else {
                struct in_pktinfo source = {0};
                memcpy(&source.ipi_spec_dst, p->own.bytes, 4);
                *c = (struct cmsghdr){CMSG_LEN(sizeof(source)), IPPROTO_IP, IP_PKTINFO};
                memcpy(CMSG_DATA(c), &source, sizeof(source));
                m.msg_controllen = CMSG_SPACE(sizeof(source));
        }
        return sendmsg(fd, &m, MSG_NOSIGNAL) == -1 ? -errno : 0;
}

bool udp_address_is_here(const struct ip *ip)
{
        int fd = socket(ip->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd == -1)
                return true; /* not known to be missing */
        bool here = bind_to(fd, ip, 0, 0) != -EADDRNOTAVAIL;
        close(fd);
        return here;
}
