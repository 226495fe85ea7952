/* udp_socket.h - the sockets of UDP links: to one node, to a multicast group, to all of a network.
 *
 * See ip(7), ipv6(7), udp(7). What is sent from any of them comes from our own address on that link, by which
 * the others know us. */
#pragma once

#include "base/ip.h"
#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

struct udp_place {
        enum link_kind kind;
        struct ip own;
        struct ip all; /* the group or broadcast address; of LINK_UDP unused */
        uint16_t port;
        int ttl; /* of multicast */
};

/* A bound socket that does not block, or a negative errno. Of LINK_UDP it is to be had before our address is
 * there (IP_FREEBIND); the others need it, for it says which interface: -EADDRNOTAVAIL or -ENODEV. */
int udp_socket_open(const struct udp_place *p);

/* To everybody there. 0, or a negative errno that belongs to this packet. */
int udp_socket_tell_all(int fd, const struct udp_place *p, const uint8_t *bytes, size_t n);

/* Whether this machine has the address. A socket bound freely learns it from no errno of its own: kernels say
 * EINVAL or ENETUNREACH for a missing source as for a missing route. */
bool udp_address_is_here(const struct ip *ip);
