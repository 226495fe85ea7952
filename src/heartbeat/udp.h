/* udp.h - the links: raw packets to and from the other nodes over UDP, unicast.
 *
 * The i-th addresses of all nodes together are link i; each link has one socket, bound to our own i-th
 * address and the cluster's port. An address that is not there yet is a state, not an error: the socket is
 * bound to it all the same (IP_FREEBIND) and works as soon as it comes; a socket that cannot be had at all
 * is asked for again every second. Nothing here understands what it carries. */
#pragma once

#include "base/instant.h"
#include "base/ip.h"
#include "config/config.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct udp_links;

#define UDP_NODE_SELF (-1) /* in on_change: our own end of the link */

/* Hooks may send, and may not free the links. Any of them may be NULL but on_packet. */
struct udp_hooks {
        /* A packet of up to `most` bytes (longer ones arrive as most + 1, cut), from an address of that node
         * on that link. `received` is read after the packet was (protocol.md rule 19). */
        void (*on_packet)(void *user, int node, int link, const struct ip *from, const uint8_t *bytes,
                          size_t n, instant received);
        /* A packet from an address that no node has on this link: not looked at. */
        void (*on_stranger)(void *user, int link, const struct ip *from);
        /* The node's kernel says that nobody listens there: its daemon is gone. A hint; anyone can forge it.
         */
        void (*on_unreachable)(void *user, int node, int link);
        /* Sending to `node`, or having the socket, now fails for another reason than before: once per change.
         * `error`: 0 it works again, or a negative errno. -EADDRNOTAVAIL: our own address is not there. */
        void (*on_change)(void *user, int node, int link, int error);
        void *user;
        size_t most;
};

/* Opens a socket per link of node `self`. `config` is needed during the call only. 0, or a negative errno
 * when there is no memory; a socket that cannot be opened is reported and tried again. */
int udp_links_new(uv_loop_t *loop, const struct config *config, int self, const struct udp_hooks *hooks,
                  struct udp_links **ret_links);
/* No hook is called any more; memory goes when the loop has run once. */
void udp_links_free(struct udp_links *u);

/* Links that both ends have. */
int udp_link_count(const struct udp_links *u, int node);
/* 0, or the negative errno that on_change was told. Does not block. */
int udp_send(struct udp_links *u, int node, int link, const uint8_t *bytes, size_t n);
/* How sending on it stands: 0, or the negative errno. */
int udp_error(const struct udp_links *u, int node, int link);
