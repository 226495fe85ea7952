/* ndp.h - neighbour solicitation and advertisement (RFC 4861 4.3, 4.4). Pure: bytes in and out.
 *
 * What we send is a whole IPv6 packet, because a packet socket carries it; what we receive begins at the
 * ICMPv6 header, because a raw socket delivers it so, with the checksum verified by the kernel (RFC
 * 3542 3.1). */
#pragma once

#include "base/ip.h"
#include "takeover/mac.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NDP_PACKET_SIZE 72  /* 40 of IPv6, 24 of the message, 8 of its one option */
#define NDP_HOP_LIMIT   255 /* anything less has crossed a router and is refused (RFC 4861 7.1) */

enum ndp_type { NDP_SOLICITATION = 135, NDP_ADVERTISEMENT = 136 };

enum ndp_flag { NDP_ROUTER = 0x80, NDP_SOLICITED = 0x40, NDP_OVERRIDE = 0x20 };

struct ndp {
        enum ndp_type type;
        uint8_t flags; /* of an advertisement: enum ndp_flag */
        struct ip target;
        bool has_mac; /* the link-layer address option that belongs to this type was there */
        struct mac mac;
        bool has_nonce; /* RFC 7527: tells one's own question, looped back, from a stranger's */
        uint8_t nonce[6];
};

/* 0, or -EBADMSG: too short, another type or code, a broken option, a multicast target. */
int ndp_decode(const void *message, size_t size, struct ndp *ret_ndp);

/* ff02::1:ffXX:XXXX, where whoever has `ip` listens; and the Ethernet address of an IPv6 group. */
struct ip ndp_solicited_node(const struct ip *ip);
struct mac ndp_group_mac(const struct ip *group);

/* RFC 4861 7.2.6: unsolicited, overriding, to all nodes. `router` when we forward packets on this interface:
 * without the flag, hosts would strike us from their routers (7.2.5). Returns the destination. */
struct ip ndp_announcement(const struct ip *ip, struct mac own, bool router,
                           uint8_t packet[static NDP_PACKET_SIZE]);
/* RFC 4862 5.4.2: from the unspecified address, so that no cache is touched; our MAC is the nonce. */
struct ip ndp_probe(const struct ip *ip, struct mac own, uint8_t packet[static NDP_PACKET_SIZE]);
/* Asks `neighbour` in the name of `ip`: it must note our MAC before it answers (RFC 4861 7.2.3). */
struct ip ndp_question(const struct ip *neighbour, const struct ip *ip, struct mac own,
                       uint8_t packet[static NDP_PACKET_SIZE]);
