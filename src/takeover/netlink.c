#include "takeover/netlink.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* libmnl's advice: a dump's parts fit in 8 KiB or a page, whichever is less; larger is fewer calls. */
#define REPLY_SIZE 32768
/* A dump that changes while it is read is read again, so often; then what came is good enough. */
#define DUMP_TRIES 3

int netlink_open(struct netlink *n)
{
        int on = 1;

        *n = (struct netlink){.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)};
        if (!n->socket)
                return -errno;
        if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) == -1) {
                int error = -errno;
                netlink_close(n);
                return error;
        }
        /* Best effort: old kernels send the whole request back, and filter dumps less. */
        mnl_socket_setsockopt(n->socket, NETLINK_CAP_ACK, &on, sizeof(on));
        mnl_socket_setsockopt(n->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
        n->port = mnl_socket_get_portid(n->socket);
        return 0;
}

void netlink_close(struct netlink *n)
{
        if (n->socket)
                mnl_socket_close(n->socket);
        n->socket = NULL;
}

struct nlmsghdr *netlink_begin(struct netlink *n, void *buffer, uint16_t type, uint16_t flags)
{
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

        request->nlmsg_type = type;
        request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        request->nlmsg_seq = ++n->sequence;
        return request;
}

int netlink_run(struct netlink *n, const struct nlmsghdr *request, mnl_cb_t on_message, void *user)
{
        char reply[REPLY_SIZE];
        int r;

        if (mnl_socket_sendto(n->socket, request, request->nlmsg_len) == -1)
                return -errno;
        do {
                ssize_t size = mnl_socket_recvfrom(n->socket, reply, sizeof(reply));
                if (size == -1 && errno == EINTR) {
                        r = MNL_CB_OK;
                        continue;
                }
                if (size == -1)
                        return -errno;
                r = mnl_cb_run(reply, (size_t)size, request->nlmsg_seq, n->port, on_message, user);
                if (r == MNL_CB_ERROR && errno == EPROTO)
                        r = MNL_CB_OK; /* an answer to an earlier request that was given up */
        } while (r > MNL_CB_STOP);
        return r == MNL_CB_ERROR ? -errno : 0;
}

static void put_ip(struct nlmsghdr *request, uint16_t attribute, const struct ip *ip)
{
        mnl_attr_put(request, attribute, ip_size(ip), ip->bytes);
}

static void put_broadcast(struct nlmsghdr *request, const struct ip *ip, uint8_t prefix)
{
        uint32_t address;

        if (ip->family != AF_INET || prefix == 0 || prefix > 30)
                return; /* a host or a pair has none (RFC 3021) */
        memcpy(&address, ip->bytes, sizeof(address));
        mnl_attr_put_u32(request, IFA_BROADCAST, address | htonl(UINT32_MAX >> prefix));
}

static uint8_t scope_of(const struct ip *ip)
{
        if (ip->family == AF_INET && ip->bytes[0] == 127)
                return RT_SCOPE_HOST;
        return ip_is_link_local(ip) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

int netlink_address_set(struct netlink *n, const struct netlink_address *a)
{
        char buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request =
                netlink_begin(n, buffer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
        struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
        struct ifa_cacheinfo lifetime = {.ifa_prefered = a->valid_s, .ifa_valid = a->valid_s};

        /* deprecated (RFC 4862 5.5.4): else the kernel takes it for the source of whatever this machine
         * begins; IPv4 prefers the address that was there first */
        if (a->ip.family == AF_INET6)
                lifetime.ifa_prefered = 0;
        head->ifa_family = (uint8_t)a->ip.family;
        head->ifa_prefixlen = a->prefix;
        head->ifa_scope = a->passive && a->ip.family == AF_INET ? RT_SCOPE_HOST : scope_of(&a->ip);
        head->ifa_index = a->ifindex;
        put_ip(request, IFA_LOCAL, &a->ip);
        put_ip(request, IFA_ADDRESS, &a->ip);
        put_broadcast(request, &a->ip, a->prefix);
        if (a->ip.family == AF_INET6)
                mnl_attr_put_u32(request, IFA_FLAGS, IFA_F_NODAD | (a->no_route ? IFA_F_NOPREFIXROUTE : 0u));
        mnl_attr_put(request, IFA_CACHEINFO, sizeof(lifetime), &lifetime);
        return netlink_run(n, request, NULL, NULL);
}

int netlink_address_remove(struct netlink *n, const struct ip *ip, uint8_t prefix, unsigned ifindex)
{
        char buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request = netlink_begin(n, buffer, RTM_DELADDR, NLM_F_ACK);
        struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));

        head->ifa_family = (uint8_t)ip->family;
        head->ifa_prefixlen = prefix;
        head->ifa_index = ifindex;
        put_ip(request, IFA_LOCAL, ip);
        put_ip(request, IFA_ADDRESS, ip);
        return netlink_run(n, request, NULL, NULL);
}

int netlink_dump(struct netlink *n, uint16_t type, mnl_cb_t on_message, void *user)
{
        int error = -EINTR;

        for (int i = 0; i < DUMP_TRIES && error == -EINTR; i++) {
                char buffer[NETLINK_REQUEST_SIZE];
                struct nlmsghdr *request = netlink_begin(n, buffer, type, NLM_F_DUMP);
                if (type == RTM_GETLINK)
                        mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
                else
                        mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
                error = netlink_run(n, request, on_message, user);
        }
        return error == -EINTR ? 0 : error;
}

static int on_route(const struct nlmsghdr *message, void *user)
{
        struct ip *gateway = user;
        const struct rtmsg *head = mnl_nlmsg_get_payload(message);
        const struct nlattr *attribute;

        mnl_attr_for_each(attribute, message, sizeof(*head))
        {
                if (mnl_attr_get_type(attribute) != RTA_GATEWAY)
                        continue;
                struct ip ip = {.family = head->rtm_family};
                if (mnl_attr_get_payload_len(attribute) != ip_size(&ip))
                        continue;
                memcpy(ip.bytes, mnl_attr_get_payload(attribute), ip_size(&ip));
                *gateway = ip;
        }
        return MNL_CB_OK;
}

int netlink_gateway(struct netlink *n, sa_family_t family, unsigned ifindex, struct ip *ret_gateway)
{
        char buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request = netlink_begin(n, buffer, RTM_GETROUTE, NLM_F_ACK);
        struct rtmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
        struct ip gateway = {0}, far;

        /* Looking up one far address is a single step even where a full internet table, of which a dump would
         * take seconds, is loaded. It is a root name server's; nothing is sent to it. */
        int r = ip_parse(family == AF_INET6 ? "2001:503:ba3e::2:30" : "198.41.0.4", &far);
        assert(r == 0);
        head->rtm_family = (uint8_t)family;
        head->rtm_dst_len = (uint8_t)(ip_size(&far) * 8);
        put_ip(request, RTA_DST, &far);
        mnl_attr_put_u32(request, RTA_OIF, ifindex);
        r = netlink_run(n, request, on_route, &gateway);
        if (r < 0)
                return r;
        if (gateway.family == 0)
                return -ENOENT;
        *ret_gateway = gateway;
        return 0;
}

struct neighbour_list {
        unsigned ifindex;
        struct ip *list;
        size_t n, max;
        size_t fresh; /* the first so many answered lately */
};

static void neighbour_put(struct neighbour_list *known, const struct ip *ip, bool fresh)
{
        if (fresh && known->fresh < known->max) {
                if (known->n < known->max)
                        known->n++;
                memmove(known->list + known->fresh + 1, known->list + known->fresh,
                        (known->n - known->fresh - 1) * sizeof(*known->list));
                known->list[known->fresh++] = *ip;
        } else if (!fresh && known->n < known->max) {
                known->list[known->n++] = *ip;
        }
}

static int on_neighbour(const struct nlmsghdr *message, void *user)
{
        struct neighbour_list *known = user;
        const struct ndmsg *head = mnl_nlmsg_get_payload(message);
        const uint16_t usable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
        const struct nlattr *attribute;

        if (message->nlmsg_type != RTM_NEWNEIGH || (unsigned)head->ndm_ifindex != known->ifindex ||
            !(head->ndm_state & usable) || (head->ndm_flags & NTF_PROXY))
                return MNL_CB_OK;
        mnl_attr_for_each(attribute, message, sizeof(*head))
        {
                struct ip ip = {.family = head->ndm_family};
                if (mnl_attr_get_type(attribute) != NDA_DST ||
                    mnl_attr_get_payload_len(attribute) != ip_size(&ip))
                        continue;
                memcpy(ip.bytes, mnl_attr_get_payload(attribute), ip_size(&ip));
                neighbour_put(known, &ip, head->ndm_state & NUD_REACHABLE);
        }
        return MNL_CB_OK;
}

size_t netlink_neighbours(struct netlink *n, sa_family_t family, unsigned ifindex, struct ip *ret_list,
                          size_t max)
{
        char buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request = netlink_begin(n, buffer, RTM_GETNEIGH, NLM_F_DUMP);
        struct ndmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
        struct neighbour_list known = {.ifindex = ifindex, .list = ret_list, .max = max};

        head->ndm_family = (uint8_t)family;
        mnl_attr_put_u32(request, NDA_IFINDEX, ifindex);
        /* A broken dump leaves a shorter list: there are then fewer to ask. */
        netlink_run(n, request, on_neighbour, &known);
        return known.n;
}
