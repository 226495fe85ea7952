#include "director/ipvs/attributes.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <string.h>

#define ADDRESS_SIZE 16 /* union nf_inet_addr, whatever the family */

static const uint32_t forward_flag[] = {
        [FORWARD_MASQ] = IP_VS_CONN_F_MASQ,
        [FORWARD_DIRECT] = IP_VS_CONN_F_DROUTE,
        [FORWARD_TUNNEL] = IP_VS_CONN_F_TUNNEL,
};

static const uint8_t tunnel_type[] = {
        [TUNNEL_IPIP] = IP_VS_CONN_F_TUNNEL_TYPE_IPIP,
        [TUNNEL_GUE] = IP_VS_CONN_F_TUNNEL_TYPE_GUE,
        [TUNNEL_GRE] = IP_VS_CONN_F_TUNNEL_TYPE_GRE,
};

static const uint16_t checksum_flag[] = {
        [TUNNEL_NO_CHECKSUM] = IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM,
        [TUNNEL_CHECKSUM] = IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
        [TUNNEL_REMOTE_CHECKSUM] = IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
};

static void put_key(struct nlmsghdr *request, const struct virtual_key *key)
{
        mnl_attr_put_u16(request, IPVS_SVC_ATTR_AF, key->family);
        if (key->mark) {
                mnl_attr_put_u32(request, IPVS_SVC_ATTR_FWMARK, key->mark);
                return;
        }
        mnl_attr_put_u16(request, IPVS_SVC_ATTR_PROTOCOL, key->protocol);
        mnl_attr_put(request, IPVS_SVC_ATTR_ADDR, ADDRESS_SIZE, key->ip.bytes);
        mnl_attr_put_u16(request, IPVS_SVC_ATTR_PORT, htons(key->port));
}

void service_put_key(struct nlmsghdr *request, const struct virtual_key *key)
{
        struct nlattr *nest = mnl_attr_nest_start(request, IPVS_CMD_ATTR_SERVICE);

        put_key(request, key);
        mnl_attr_nest_end(request, nest);
}

/* IPv4: a mask in network order; IPv6: a number of bits (ip_vs_ctl.c). */
static uint32_t mask_of(const struct virtual_service *s)
{
        if (s->key.family == AF_INET6)
                return s->mask_bits ? s->mask_bits : 128;
        return s->mask_bits ? htonl(UINT32_MAX << (32 - s->mask_bits)) : UINT32_MAX;
}

void service_put(struct nlmsghdr *request, const struct virtual_service *s)
{
        struct nlattr *nest = mnl_attr_nest_start(request, IPVS_CMD_ATTR_SERVICE);
        uint32_t flags = s->flags | (s->persistence_s ? IP_VS_SVC_F_PERSISTENT : 0);
        struct ip_vs_flags masked = {.flags = flags, .mask = SERVICE_FLAGS | IP_VS_SVC_F_PERSISTENT};

        put_key(request, &s->key);
        mnl_attr_put_strz(request, IPVS_SVC_ATTR_SCHED_NAME, s->scheduler);
        if (s->retriever[0])
                mnl_attr_put_strz(request, IPVS_SVC_ATTR_PE_NAME, s->retriever);
        mnl_attr_put(request, IPVS_SVC_ATTR_FLAGS, sizeof(masked), &masked);
        mnl_attr_put_u32(request, IPVS_SVC_ATTR_TIMEOUT, s->persistence_s);
        mnl_attr_put_u32(request, IPVS_SVC_ATTR_NETMASK, mask_of(s));
        mnl_attr_nest_end(request, nest);
}

static void put_endpoint(struct nlmsghdr *request, const struct real_server *r)
{
        mnl_attr_put_u16(request, IPVS_DEST_ATTR_ADDR_FAMILY, r->ip.family);
        mnl_attr_put(request, IPVS_DEST_ATTR_ADDR, ADDRESS_SIZE, r->ip.bytes);
        mnl_attr_put_u16(request, IPVS_DEST_ATTR_PORT, htons(r->port));
}

void server_put_key(struct nlmsghdr *request, const struct real_server *r)
{
        struct nlattr *nest = mnl_attr_nest_start(request, IPVS_CMD_ATTR_DEST);

        put_endpoint(request, r);
        mnl_attr_nest_end(request, nest);
}

void server_put(struct nlmsghdr *request, const struct real_server *r)
{
        struct nlattr *nest = mnl_attr_nest_start(request, IPVS_CMD_ATTR_DEST);

        put_endpoint(request, r);
        mnl_attr_put_u32(request, IPVS_DEST_ATTR_FWD_METHOD, forward_flag[r->forward]);
        mnl_attr_put_u32(request, IPVS_DEST_ATTR_WEIGHT, r->weight);
        if (r->forward == FORWARD_TUNNEL) {
                mnl_attr_put_u8(request, IPVS_DEST_ATTR_TUN_TYPE, tunnel_type[r->tunnel]);
                mnl_attr_put_u16(request, IPVS_DEST_ATTR_TUN_PORT, htons(r->tunnel_port));
                mnl_attr_put_u16(request, IPVS_DEST_ATTR_TUN_FLAGS, checksum_flag[r->checksum]);
        }
        mnl_attr_put_u32(request, IPVS_DEST_ATTR_U_THRESH, r->upper);
        mnl_attr_put_u32(request, IPVS_DEST_ATTR_L_THRESH, r->lower);
        mnl_attr_nest_end(request, nest);
}

void sync_put(struct nlmsghdr *request, enum sync_role role, const struct sync_daemon *d)
{
        struct nlattr *nest = mnl_attr_nest_start(request, IPVS_CMD_ATTR_DAEMON);

        mnl_attr_put_u32(request, IPVS_DAEMON_ATTR_STATE,
                         role == SYNC_MASTER ? IP_VS_STATE_MASTER : IP_VS_STATE_BACKUP);
        if (d) {
                mnl_attr_put_strz(request, IPVS_DAEMON_ATTR_MCAST_IFN, d->interface);
                mnl_attr_put_u32(request, IPVS_DAEMON_ATTR_SYNC_ID, d->id);
                if (d->size)
                        mnl_attr_put_u16(request, IPVS_DAEMON_ATTR_SYNC_MAXLEN, d->size);
                if (d->group.family == AF_INET)
                        mnl_attr_put(request, IPVS_DAEMON_ATTR_MCAST_GROUP, 4, d->group.bytes);
                else if (d->group.family == AF_INET6)
                        mnl_attr_put(request, IPVS_DAEMON_ATTR_MCAST_GROUP6, 16, d->group.bytes);
                if (d->port)
                        mnl_attr_put_u16(request, IPVS_DAEMON_ATTR_MCAST_PORT, d->port);
                if (d->hops)
                        mnl_attr_put_u8(request, IPVS_DAEMON_ATTR_MCAST_TTL, d->hops);
        }
        mnl_attr_nest_end(request, nest);
}

#define ATTRIBUTES 24 /* no set of them has as many */

/* The attributes in the one of type `type` of the message, by type; an unknown one is left out. False: not
 * there. */
static bool open_nest(const struct nlmsghdr *message, uint16_t type,
                      const struct nlattr *by[static ATTRIBUTES])
{
        const struct nlattr *nest, *a;
        bool found = false;

        for (size_t i = 0; i < ATTRIBUTES; i++)
                by[i] = NULL;
        mnl_attr_for_each(nest, message, sizeof(struct genlmsghdr))
        {
                if (mnl_attr_get_type(nest) != type)
                        continue;
                found = true;
                mnl_attr_for_each_nested(a, nest)
                {
                        if (mnl_attr_get_type(a) < ATTRIBUTES)
                                by[mnl_attr_get_type(a)] = a;
                }
        }
        return found;
}

/* A number of whatever width it has; 0 when it is not there. */
static uint64_t number(const struct nlattr *a)
{
        if (!a)
                return 0;
        switch (mnl_attr_get_payload_len(a)) {
        case 1: return mnl_attr_get_u8(a);
        case 2: return mnl_attr_get_u16(a);
        case 4: return mnl_attr_get_u32(a);
        case 8: return mnl_attr_get_u64(a);
        default: return 0;
        }
}

static void get_name(const struct nlattr *a, char *to, size_t size)
{
        size_t n = a ? mnl_attr_get_payload_len(a) : 0;

        if (n >= size)
                n = size - 1;
        if (n)
                memcpy(to, mnl_attr_get_payload(a), n);
        to[n] = '\0';
}

static struct ip get_ip(const struct nlattr *a, sa_family_t family)
{
        struct ip ip = {.family = family};

        if (a && mnl_attr_get_payload_len(a) >= ip_size(&ip))
                memcpy(ip.bytes, mnl_attr_get_payload(a), ip_size(&ip));
        return ip;
}

static struct traffic get_traffic(const struct nlattr *nest)
{
        const struct nlattr *by[ATTRIBUTES] = {NULL}, *a;

        if (nest)
                mnl_attr_for_each_nested(a, nest) if (mnl_attr_get_type(a) < ATTRIBUTES)
                        by[mnl_attr_get_type(a)] = a;
        return (struct traffic){
                .connections = number(by[IPVS_STATS_ATTR_CONNS]),
                .packets_in = number(by[IPVS_STATS_ATTR_INPKTS]),
                .packets_out = number(by[IPVS_STATS_ATTR_OUTPKTS]),
                .bytes_in = number(by[IPVS_STATS_ATTR_INBYTES]),
                .bytes_out = number(by[IPVS_STATS_ATTR_OUTBYTES]),
                .connections_s = number(by[IPVS_STATS_ATTR_CPS]),
                .packets_in_s = number(by[IPVS_STATS_ATTR_INPPS]),
                .packets_out_s = number(by[IPVS_STATS_ATTR_OUTPPS]),
                .bytes_in_s = number(by[IPVS_STATS_ATTR_INBPS]),
                .bytes_out_s = number(by[IPVS_STATS_ATTR_OUTBPS]),
        };
}

static uint8_t bits_of(uint32_t mask, sa_family_t family)
{
        return (uint8_t)(family == AF_INET6 ? mask : (uint32_t)__builtin_popcount(mask));
}

bool service_get(const struct nlmsghdr *message, struct virtual_service *ret_service)
{
        const struct nlattr *by[ATTRIBUTES];
        struct ip_vs_flags flags = {0};

        if (!open_nest(message, IPVS_CMD_ATTR_SERVICE, by))
                return false;
        struct virtual_service s = {.key.family = (sa_family_t)number(by[IPVS_SVC_ATTR_AF])};
        if (s.key.family != AF_INET && s.key.family != AF_INET6)
                return false;
        s.key.mark = (uint32_t)number(by[IPVS_SVC_ATTR_FWMARK]);
        if (!s.key.mark) {
                s.key.protocol = (uint8_t)number(by[IPVS_SVC_ATTR_PROTOCOL]);
                s.key.port = ntohs((uint16_t)number(by[IPVS_SVC_ATTR_PORT]));
                s.key.ip = get_ip(by[IPVS_SVC_ATTR_ADDR], s.key.family);
        }
        get_name(by[IPVS_SVC_ATTR_SCHED_NAME], s.scheduler, sizeof(s.scheduler));
        get_name(by[IPVS_SVC_ATTR_PE_NAME], s.retriever, sizeof(s.retriever));
        const struct nlattr *f = by[IPVS_SVC_ATTR_FLAGS];
        if (f && mnl_attr_get_payload_len(f) == sizeof(flags))
                memcpy(&flags, mnl_attr_get_payload(f), sizeof(flags));
        s.flags = flags.flags & SERVICE_FLAGS;
        if (flags.flags & IP_VS_SVC_F_PERSISTENT)
                s.persistence_s = (uint32_t)number(by[IPVS_SVC_ATTR_TIMEOUT]);
        s.mask_bits = bits_of((uint32_t)number(by[IPVS_SVC_ATTR_NETMASK]), s.key.family);
        const struct nlattr *wide = by[IPVS_SVC_ATTR_STATS64];
        s.traffic = get_traffic(wide ? wide : by[IPVS_SVC_ATTR_STATS]);
        *ret_service = s;
        return true;
}

static enum forward get_forward(uint64_t flags, bool *ret_local)
{
        *ret_local = false;
        switch (flags & IP_VS_CONN_F_FWD_MASK) {
        case IP_VS_CONN_F_DROUTE: return FORWARD_DIRECT;
        case IP_VS_CONN_F_TUNNEL: return FORWARD_TUNNEL;
        case IP_VS_CONN_F_LOCALNODE: *ret_local = true; return FORWARD_DIRECT;
        default: return FORWARD_MASQ;
        }
}

static enum tunnel_checksum get_checksum(uint64_t flags)
{
        if (flags & IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM)
                return TUNNEL_REMOTE_CHECKSUM;
        return flags & IP_VS_TUNNEL_ENCAP_FLAG_CSUM ? TUNNEL_CHECKSUM : TUNNEL_NO_CHECKSUM;
}

bool server_get(const struct nlmsghdr *message, sa_family_t family, struct real_server *ret_server)
{
        const struct nlattr *by[ATTRIBUTES];

        if (!open_nest(message, IPVS_CMD_ATTR_DEST, by))
                return false;
        if (by[IPVS_DEST_ATTR_ADDR_FAMILY])
                family = (sa_family_t)number(by[IPVS_DEST_ATTR_ADDR_FAMILY]);
        if (family != AF_INET && family != AF_INET6)
                return false;
        struct real_server r = {
                .ip = get_ip(by[IPVS_DEST_ATTR_ADDR], family),
                .port = ntohs((uint16_t)number(by[IPVS_DEST_ATTR_PORT])),
                .weight = (uint32_t)number(by[IPVS_DEST_ATTR_WEIGHT]),
                .upper = (uint32_t)number(by[IPVS_DEST_ATTR_U_THRESH]),
                .lower = (uint32_t)number(by[IPVS_DEST_ATTR_L_THRESH]),
                .active = (uint32_t)number(by[IPVS_DEST_ATTR_ACTIVE_CONNS]),
                .inactive = (uint32_t)number(by[IPVS_DEST_ATTR_INACT_CONNS]),
                .persistent = (uint32_t)number(by[IPVS_DEST_ATTR_PERSIST_CONNS]),
        };
        r.forward = get_forward(number(by[IPVS_DEST_ATTR_FWD_METHOD]), &r.local);
        if (r.forward == FORWARD_TUNNEL) {
                uint64_t type = number(by[IPVS_DEST_ATTR_TUN_TYPE]);
                r.tunnel = type == IP_VS_CONN_F_TUNNEL_TYPE_GUE   ? TUNNEL_GUE
                           : type == IP_VS_CONN_F_TUNNEL_TYPE_GRE ? TUNNEL_GRE
                                                                  : TUNNEL_IPIP;
                r.tunnel_port = ntohs((uint16_t)number(by[IPVS_DEST_ATTR_TUN_PORT]));
                r.checksum = get_checksum(number(by[IPVS_DEST_ATTR_TUN_FLAGS]));
        }
        const struct nlattr *wide = by[IPVS_DEST_ATTR_STATS64];
        r.traffic = get_traffic(wide ? wide : by[IPVS_DEST_ATTR_STATS]);
        *ret_server = r;
        return true;
}

void sync_get(const struct nlmsghdr *message, struct sync_daemon daemon[static 2])
{
        const struct nlattr *by[ATTRIBUTES];

        if (!open_nest(message, IPVS_CMD_ATTR_DAEMON, by))
                return;
        struct sync_daemon d = {
                .running = true,
                .id = (uint8_t)number(by[IPVS_DAEMON_ATTR_SYNC_ID]),
                .size = (uint16_t)number(by[IPVS_DAEMON_ATTR_SYNC_MAXLEN]),
                .port = (uint16_t)number(by[IPVS_DAEMON_ATTR_MCAST_PORT]),
                .hops = (uint8_t)number(by[IPVS_DAEMON_ATTR_MCAST_TTL]),
        };
        get_name(by[IPVS_DAEMON_ATTR_MCAST_IFN], d.interface, sizeof(d.interface));
        if (by[IPVS_DAEMON_ATTR_MCAST_GROUP6])
                d.group = get_ip(by[IPVS_DAEMON_ATTR_MCAST_GROUP6], AF_INET6);
        else if (by[IPVS_DAEMON_ATTR_MCAST_GROUP])
                d.group = get_ip(by[IPVS_DAEMON_ATTR_MCAST_GROUP], AF_INET);
        uint64_t state = number(by[IPVS_DAEMON_ATTR_STATE]);
        if (state == IP_VS_STATE_MASTER)
                daemon[SYNC_MASTER] = d;
        else if (state == IP_VS_STATE_BACKUP)
                daemon[SYNC_BACKUP] = d;
}
