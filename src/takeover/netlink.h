/* netlink.h - requests to rtnetlink, each answered before the call returns.
 *
 * Nothing here remembers or decides. Errors are the kernel's, as negative errno. */
#pragma once

#include "base/ip.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink {
        struct mnl_socket *socket; /* NULL when closed */
        unsigned port;
        uint32_t sequence;
};

#define NETLINK_FOREVER UINT32_MAX /* as a lifetime: until it is removed (INFINITY_LIFE_TIME) */

struct netlink_address {
        struct ip ip;
        uint8_t prefix;
        unsigned ifindex;
        uint32_t valid_s; /* the kernel removes the address after that many seconds, at most 0.25 s later */
        /* IPv6: leave the network's route alone, where another address has brought it. Linux'
         * modify_prefix_route() may otherwise put this address's lifetime on the route that both share; 6.18
         * does not. */
        bool no_route;
        bool passive; /* used as a source by those only who name it */
};

int netlink_open(struct netlink *n);
void netlink_close(struct netlink *n);

/* For those who know a kind of request of their own: begins one in `buffer` of NETLINK_REQUEST_SIZE bytes;
 * sends it, and reads until the kernel's acknowledgement (NLM_F_ACK) or the end of its dump. */
#define NETLINK_REQUEST_SIZE 512
struct nlmsghdr *netlink_begin(struct netlink *n, void *buffer, uint16_t type, uint16_t flags);
int netlink_run(struct netlink *n, const struct nlmsghdr *request, mnl_cb_t on_message, void *user);

/* Adds it, or gives the one that is there a new lifetime. IPv6: usable at once (IFA_F_NODAD). */
int netlink_address_set(struct netlink *n, const struct netlink_address *a);
/* -EADDRNOTAVAIL when it is not there. */
int netlink_address_remove(struct netlink *n, const struct ip *ip, uint8_t prefix, unsigned ifindex);

/* All of RTM_GETLINK or RTM_GETADDR, message by message; `on_message` as in mnl_cb_run(3). Repeated when the
 * kernel says that it changed under the reader, so messages may come twice. */
int netlink_dump(struct netlink *n, uint16_t type, mnl_cb_t on_message, void *user);

/* The gateway through which this interface reaches the world. -ENOENT without one. */
int netlink_gateway(struct netlink *n, sa_family_t family, unsigned ifindex, struct ip *ret_gateway);
/* Stations which the kernel knows on this interface, those that answered lately first. Their number. */
size_t netlink_neighbours(struct netlink *n, sa_family_t family, unsigned ifindex, struct ip *ret_list,
                          size_t max);
