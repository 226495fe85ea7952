/* gate.bpf.c - the part of the lease gate that runs in the kernel, at ingress and egress of every interface.
 *
 * What has to do with an address that this node holds passes until the lease's end; then nothing reaches the
 * address and nothing says that it is here, whatever has become of haven's processes. At ingress that is what
 * is sent to the address or asks for it, at egress what comes from it or answers for it. The other direction
 * stays open: a node that holds the address no longer is a client of it like any other.
 *
 * When the address has left this host in good order, packets may still wait in its name, for a neighbour's
 * MAC for instance: these are dropped for some seconds more.
 *
 * One file for every interface: headers are found from where the kernel found the network header, so that a
 * packet looks the same on an Ethernet, on a tunnel without a link header and under VLAN tags. A VLAN, bridge
 * or bond is an interface of its own with its own two gates; tags in the packet are still stepped over, for
 * what is sent below them. Every fragment of a packet carries the addresses, so fragments need no care.
 *
 * ARP: RFC 826. Neighbour discovery: RFC 4861. */
#include "gate_map.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VLAN_TAGS_MAX 2
/* RFC 8200 4.1 names six kinds, each once but one; Linux itself sets no limit below eight. */
#define EXTENSIONS_MAX 6
#define HEADERS_MAX    256 /* link header, tags, IPv6, extensions and the neighbour discovery we look at */

#define ND_SOLICITATION  135
#define ND_ADVERTISEMENT 136

/* The fixed part; addresses follow: sender's hardware and protocol, target's hardware and protocol. */
struct arp_head {
        __be16 hardware, protocol;
        __u8 hardware_size, protocol_size;
        __be16 operation;
};

/* CLOCK_BOOTTIME in nanoseconds. Written by haven-core through shared memory, with every renewal. */
volatile __u64 gate_lease_end_ns = 0;

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, GATE_ADDRESSES_MAX);
        __type(key, struct gate_key);
        __type(value, struct gate_entry);
} gate_guarded SEC(".maps");

enum way { IN, OUT };

/* What has to do with the address: packets to it or from it, or who asks and answers whose it is. */
enum matter { TRAFFIC, DISCOVERY };

/* Some drivers leave all but the link header outside the packet's linear part, where relative reads do not
 * reach. What is too short even so is nothing that the kernel would take. */
static __noinline bool read_at(struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
        __u32 most = skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX;

        if (bpf_skb_load_bytes_relative(skb, offset, to, size, BPF_HDR_START_NET) == 0)
                return true;
        return bpf_skb_pull_data(skb, most) == 0 &&
               bpf_skb_load_bytes_relative(skb, offset, to, size, BPF_HDR_START_NET) == 0;
}

static __always_inline bool is_shut(struct __sk_buff *skb, const struct gate_key *key, enum way way,
                                    enum matter matter)
{
        const struct gate_entry *e = bpf_map_lookup_elem(&gate_guarded, key);

        if (!e)
                return false;
        switch (e->mode) {
        case GATE_LEASED: return bpf_ktime_get_boot_ns() >= gate_lease_end_ns;
        case GATE_SERVED:
                if (matter == TRAFFIC)
                        return false;
                /* fall through */
        case GATE_LEFT:
                /* what came in by another interface is only passing through, to or from the new owner */
                return way == OUT && skb->ingress_ifindex == 0 && bpf_ktime_get_boot_ns() < e->until_ns;
        default: return true;
        }
}

/* At `offset` stands an IPv4 address. */
static __always_inline bool is_shut_v4(struct __sk_buff *skb, __u32 offset, enum way way, enum matter matter)
{
        struct gate_key key = {.bytes = {[10] = 0xff, [11] = 0xff}};

        return read_at(skb, offset, key.bytes + 12, 4) && is_shut(skb, &key, way, matter);
}

static __always_inline bool is_shut_v6(struct __sk_buff *skb, __u32 offset, enum way way, enum matter matter)
{
        struct gate_key key;

        return read_at(skb, offset, &key, sizeof(key)) && is_shut(skb, &key, way, matter);
}

static __always_inline bool ipv4_is_shut(struct __sk_buff *skb, __u32 at, enum way way)
{
        return is_shut_v4(skb,
                          at + (way == IN ? offsetof(struct iphdr, daddr) : offsetof(struct iphdr, saddr)),
                          way, TRAFFIC);
}

/* The kernel takes only what has its interface's length of hardware addresses, whatever that is. */
static __always_inline bool arp_is_shut(struct __sk_buff *skb, __u32 at, enum way way)
{
        struct arp_head arp;

        if (!read_at(skb, at, &arp, sizeof(arp)) || arp.protocol != bpf_htons(ETH_P_IP) ||
            arp.protocol_size != 4)
                return false;
        __u32 sender = at + sizeof(arp) + arp.hardware_size, target = sender + 4 + arp.hardware_size;

        return is_shut_v4(skb, way == IN ? target : sender, way, DISCOVERY);
}

/* From the IPv6 header on to ICMPv6. False if there is none. The kernel drops neighbour discovery in
 * fragments (RFC 6980), and what is encrypted it sees again when it is not. */
static __always_inline bool icmpv6_find(struct __sk_buff *skb, __u32 at, __u32 *ret_at)
{
        __u8 next, head[2];

        if (!read_at(skb, at + offsetof(struct ipv6hdr, nexthdr), &next, sizeof(next)))
                return false;
        at += sizeof(struct ipv6hdr);
        for (int i = 0; i <= EXTENSIONS_MAX; i++) {
                if (next == IPPROTO_ICMPV6) {
                        *ret_at = at;
                        return true;
                }
                if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
                        return false;
                if (!read_at(skb, at, head, sizeof(head)))
                        return false;
                next = head[0];
                at += (head[1] + 1U) * 8;
        }
        return false;
}

static __always_inline bool ipv6_is_shut(struct __sk_buff *skb, __u32 at, enum way way)
{
        __u32 icmp;
        __u8 type;

        if (is_shut_v6(skb,
                       at + (way == IN ? offsetof(struct ipv6hdr, daddr) : offsetof(struct ipv6hdr, saddr)),
                       way, TRAFFIC))
                return true;
        if (!icmpv6_find(skb, at, &icmp) || !read_at(skb, icmp, &type, sizeof(type)))
                return false;
        /* asked for it, or answering for it */
        return type == (way == IN ? ND_SOLICITATION : ND_ADVERTISEMENT) &&
               is_shut_v6(skb, icmp + 8, way, DISCOVERY);
}

static __always_inline int judge(struct __sk_buff *skb, enum way way)
{
        __be16 protocol = (__be16)skb->protocol, tag[2];
        bool shut = false;
        __u32 at = 0;

        for (int i = 0; i < VLAN_TAGS_MAX; i++) {
                if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
                        break;
                if (!read_at(skb, at, tag, sizeof(tag)))
                        return TC_ACT_UNSPEC;
                protocol = tag[1];
                at += sizeof(tag);
        }
        if (protocol == bpf_htons(ETH_P_IP))
                shut = ipv4_is_shut(skb, at, way);
        else if (protocol == bpf_htons(ETH_P_IPV6))
                shut = ipv6_is_shut(skb, at, way);
        else if (protocol == bpf_htons(ETH_P_ARP))
                shut = arp_is_shut(skb, at, way);
        /* not "ok": filters of others, after ours, have their say */
        return shut ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("tc")
int haven_gate_in(struct __sk_buff *skb)
{
        return judge(skb, IN);
}

SEC("tc")
int haven_gate_out(struct __sk_buff *skb)
{
        return judge(skb, OUT);
}

char gate_license[] SEC("license") = "GPL";
