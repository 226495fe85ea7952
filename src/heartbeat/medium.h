/* medium.h - one way of carrying sealed packets between nodes: UDP, a serial line, a shared disk.
 *
 * A medium serves all links of its kinds (config.h: enum link_kind). Links are named by their index in
 * config.link, which all nodes agree on. It carries bytes and knows from which node they come: by the
 * address, the line, the place on the disk. That it says so proves nothing; transport.c opens the seal and
 * compares. A medium understands nothing of what it carries, never blocks, and keeps at most one packet per
 * receiver that it could not send yet: a newer one says all that an older one said. What is not there yet (an
 * address, a device) is a state and not an error: it is reported by on_change and tried again. */
#pragma once

#include "base/instant.h"
#include "base/ip.h"
#include "config/config.h"
#include "heartbeat/packet.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct medium;

#define MEDIUM_NODE_SELF (-1) /* in on_change: our own end of the link */
#define MEDIUM_NODE_NONE (-1) /* in on_refused: of no node, a stranger's */

/* Hooks may send, and may not free the medium. */
struct medium_hooks {
        /* A packet of up to `most` bytes (longer ones arrive as most + 1, cut), from that node by what the
         * medium knows. `from`: its address, or NULL where there is none. `received` is read after the
         * packet was (rules.md rule 19). */
        void (*on_packet)(void *user, int node, int link, const struct ip *from, const uint8_t *bytes,
                          size_t n, instant received);
        /* Something came that is not worth opening: PACKET_STRANGER, PACKET_NOISE. */
        void (*on_refused)(void *user, int node, int link, enum packet_refusal why, const struct ip *from,
                           instant received);
        /* The other machine says that nobody listens there: its daemon is gone. A hint; anyone can forge it.
         */
        void (*on_unreachable)(void *user, int node, int link);
        /* Sending to `node`, or having our own end of the link, now fails for another reason than before:
         * once per change. `error`: 0 it works again, or a negative errno. May come from within create and
         * send. */
        void (*on_change)(void *user, int node, int link, int error);
        void *user;
        size_t most;
};

/* What a medium can do. */
struct medium_kind {
        unsigned carries; /* bit LINK_x for each kind of link it serves */
        /* Opens all its links of node `self`. `config` is needed during the call only. 0, or a negative errno
         * when there is no memory. */
        int (*create)(uv_loop_t *loop, const struct config *config, int self,
                      const struct medium_hooks *hooks, struct medium **ret_medium);
        /* No hook is called any more; memory goes when the loop has run once. */
        void (*free)(struct medium *m);
        /* To a node that shares the link with us. 0, or the negative errno that on_change was told. */
        int (*send)(struct medium *m, int node, int link, const uint8_t *bytes, size_t n);
        /* How sending on it stands: 0, or the negative errno. */
        int (*error)(const struct medium *m, int node, int link);
};

/* The first member of what create makes. */
struct medium {
        const struct medium_kind *kind;
};

extern const struct medium_kind medium_udp, medium_serial;
extern const struct medium_kind medium_relay; /* relay.h */
