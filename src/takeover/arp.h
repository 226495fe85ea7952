/* arp.h - ARP for IPv4 over Ethernet (RFC 826), the part after the Ethernet header. Pure: bytes in and out.
 */
#pragma once

#include "base/ip.h"
#include "takeover/mac.h"

#include <stddef.h>
#include <stdint.h>

#define ARP_SIZE 28

enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp {
        enum arp_operation operation;
        struct mac sender_mac;
        struct ip sender_ip;
        struct mac target_mac;
        struct ip target_ip;
};

void arp_encode(const struct arp *arp, uint8_t packet[static ARP_SIZE]);
/* 0, or -EBADMSG: too short, not IPv4 over Ethernet, neither request nor reply. What follows is padding. */
int arp_decode(const void *packet, size_t size, struct arp *ret_arp);

/* RFC 5227 3: both forms are sent, because some stations update their cache from one only. A request carries
 * no target MAC; the reply, as every reply, names it: our own. */
struct arp arp_announcement(enum arp_operation form, const struct ip *ip, struct mac own);
/* RFC 5227 2.1.1: asks who has `ip`, with no sender address, so that no cache is touched. */
struct arp arp_probe(const struct ip *ip, struct mac own);
/* Asks `neighbour` in the name of `ip`. RFC 826 makes it note our MAC for `ip` before it answers. */
struct arp arp_question(const struct ip *neighbour, const struct ip *ip, struct mac own);
