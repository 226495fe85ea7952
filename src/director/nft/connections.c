#include "director/nft/connections.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One way of a connection. */
struct way {
        struct ip from, to;
        uint16_t from_port, to_port;
        uint8_t protocol;
};

struct walk {
        struct mnl_socket *socket, *ending; /* the second for ends, while the first one is being read */
        struct nft_connections *list;
        size_t count;
};

static int by_name(const void *name, const void *one)
{
        return strcmp(name, ((const struct nft_connections *)one)->name);
}

static void take_ip(const struct nlattr *a, sa_family_t family, struct ip *to)
{
        to->family = family;
        if (mnl_attr_get_payload_len(a) == ip_size(to))
                memcpy(to->bytes, mnl_attr_get_payload(a), ip_size(to));
}

static void take_addresses(const struct nlattr *nest, struct way *way)
{
        const struct nlattr *a;

        mnl_attr_for_each_nested(a, nest)
        {
                switch (mnl_attr_get_type(a)) {
                case CTA_IP_V4_SRC: take_ip(a, AF_INET, &way->from); break;
                case CTA_IP_V4_DST: take_ip(a, AF_INET, &way->to); break;
                case CTA_IP_V6_SRC: take_ip(a, AF_INET6, &way->from); break;
                case CTA_IP_V6_DST: take_ip(a, AF_INET6, &way->to); break;
                }
        }
}

static void take_ports(const struct nlattr *nest, struct way *way)
{
        const struct nlattr *a;

        mnl_attr_for_each_nested(a, nest)
        {
                switch (mnl_attr_get_type(a)) {
                case CTA_PROTO_NUM: way->protocol = mnl_attr_get_u8(a); break;
                case CTA_PROTO_SRC_PORT: way->from_port = ntohs(mnl_attr_get_u16(a)); break;
                case CTA_PROTO_DST_PORT: way->to_port = ntohs(mnl_attr_get_u16(a)); break;
                }
        }
}

static void take_way(const struct nlattr *tuple, struct way *way)
{
        const struct nlattr *a;

        mnl_attr_for_each_nested(a, tuple)
        {
                if (mnl_attr_get_type(a) == CTA_TUPLE_IP)
                        take_addresses(a, way);
                else if (mnl_attr_get_type(a) == CTA_TUPLE_PROTO)
                        take_ports(a, way);
        }
}

static uint8_t tcp_state(const struct nlattr *protocol_info)
{
        const struct nlattr *tcp, *a;

        mnl_attr_for_each_nested(tcp, protocol_info)
        {
                if (mnl_attr_get_type(tcp) != CTA_PROTOINFO_TCP)
                        continue;
                mnl_attr_for_each_nested(a, tcp)
                {
                        if (mnl_attr_get_type(a) == CTA_PROTOINFO_TCP_STATE)
                                return mnl_attr_get_u8(a);
                }
        }
        return TCP_CONNTRACK_NONE;
}

/* The client's next packet, or the server's, finds no connection; the client learns by that packet. */
static void end(struct walk *w, sa_family_t family, const struct nlattr *original, const struct nlattr *zone)
{
        char buffer[512];
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        struct nfgenmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));

        request->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
        request->nlmsg_flags = NLM_F_REQUEST;
        head->nfgen_family = (uint8_t)family;
        head->version = NFNETLINK_V0;
        mnl_attr_put(request, CTA_TUPLE_ORIG | NLA_F_NESTED, mnl_attr_get_payload_len(original),
                     mnl_attr_get_payload(original));
        if (zone)
                mnl_attr_put(request, CTA_ZONE, mnl_attr_get_payload_len(zone), mnl_attr_get_payload(zone));
        /* one that has ended by itself meanwhile is what was asked for */
        (void)mnl_socket_sendto(w->ending, request, request->nlmsg_len);
}

static int on_connection(const struct nlmsghdr *message, void *user)
{
        struct walk *w = user;
        const struct nfgenmsg *head = mnl_nlmsg_get_payload(message);
        const struct nlattr *a, *original = NULL, *zone = NULL;
        struct way asked = {0}, answered = {0};
        uint32_t status = 0;
        uint8_t state = TCP_CONNTRACK_NONE;
        struct virtual_key key = {0};
        char name[NFT_NAME];

        mnl_attr_for_each(a, message, sizeof(*head))
        {
                switch (mnl_attr_get_type(a)) {
                case CTA_TUPLE_ORIG:
                        original = a;
                        take_way(a, &asked);
                        break;
                case CTA_TUPLE_REPLY: take_way(a, &answered); break;
                case CTA_STATUS: status = ntohl(mnl_attr_get_u32(a)); break;
                case CTA_PROTOINFO: state = tcp_state(a); break;
                case CTA_ZONE: zone = a; break;
                }
        }
        if (!(status & IPS_NAT_MASK) || !original)
                return MNL_CB_OK;
        key.protocol = asked.protocol;
        if (status & IPS_DST_NAT) {
                key.ip = asked.to;
                key.port = asked.to_port;
                nft_server_name(&key, &answered.from, answered.from_port, name);
        } else { /* learned of by a server's packet, after a takeover */
                key.ip = answered.to;
                key.port = answered.to_port;
                nft_server_name(&key, &asked.from, asked.from_port, name);
        }
        struct nft_connections *c = bsearch(name, w->list, w->count, sizeof(*w->list), by_name);
        if (!c)
                return MNL_CB_OK;
        if (c->forget)
                end(w, (sa_family_t)head->nfgen_family, original, zone);
        else if (asked.protocol == IPPROTO_TCP ? state == TCP_CONNTRACK_ESTABLISHED
                                               : (status & IPS_SEEN_REPLY) != 0)
                c->active++;
        else
                c->inactive++;
        return MNL_CB_OK;
}

static int read_all(struct walk *w)
{
        static char buffer[1 << 16];
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        struct nfgenmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
        unsigned port = mnl_socket_get_portid(w->socket);
        int r = MNL_CB_OK;

        request->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
        request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        request->nlmsg_seq = 1;
        head->nfgen_family = AF_UNSPEC;
        head->version = NFNETLINK_V0;
        if (mnl_socket_sendto(w->socket, request, request->nlmsg_len) == -1)
                return -errno;
        while (r > MNL_CB_STOP) {
                ssize_t n = mnl_socket_recvfrom(w->socket, buffer, sizeof(buffer));
                if (n == -1)
                        return -errno;
                r = mnl_cb_run(buffer, (size_t)n, 1, port, on_connection, w);
        }
        return r == MNL_CB_ERROR ? -errno : 0;
}

static struct mnl_socket *socket_new(void)
{
        struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

        if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == -1) {
                mnl_socket_close(s);
                s = NULL;
        }
        return s;
}

int nft_connections_walk(struct nft_connections *list, size_t count)
{
        struct walk w = {.socket = socket_new(), .ending = socket_new(), .list = list, .count = count};
        int error = w.socket && w.ending ? read_all(&w) : -errno;

        if (w.socket)
                mnl_socket_close(w.socket);
        if (w.ending)
                mnl_socket_close(w.ending);
        return error;
}
