/* transport.h - messages between nodes: sealed once, sent on every link, judged as they arrive.
 *
 * What comes out of on_message has been made by the node it names, for us, in this cluster, and is newer than
 * everything heard from that node before. Two things are left to the receiver: whether the node hears *us*
 * now, which the echo in the message says, and whether its `members` are ours (rules.md rule 26).
 * Everything refused is counted by reason. */
#pragma once

#include "cluster/message.h"
#include "config/config.h"
#include "heartbeat/key.h"
#include "heartbeat/packet.h"

#include <stdint.h>
#include <uv.h>

struct transport;
struct medium;

#define POST_MAX 1200 /* with a heartbeat around it, it seldom needs a second Ethernet frame */

/* Any of them may be NULL but on_message. They may send, and may not free the transport. */
struct transport_hooks {
        /* The first copy of a message. `m` is valid until the hook returns. `received` is fresh: read after
         * the packet was. */
        void (*on_message)(void *user, const struct message *m, int link, instant received);
        /* A further copy on another link: nothing new, but the link carries. */
        void (*on_copy)(void *user, int node, int link, instant received);
        /* The kernel there says that nobody listens: its daemon is gone. A hint that anyone can forge. */
        void (*on_hint)(void *user, int node, int link);
        /* A packet was refused; once a minute for each reason and node (-1: strangers), for the log. `from`:
         * NULL where the link has no addresses. */
        void (*on_refused)(void *user, int node, int link, enum packet_refusal why, const struct ip *from);
        /* What rides along in a packet to `node`, up to POST_MAX bytes and `size` of them: bytes written, 0
         * nothing. Only over links that carry much (UDP). It may be lost, doubled and late. */
        size_t (*post)(void *user, int node, uint8_t *bytes, size_t size);
        /* What rode along: from that node, for us, in this cluster, and not a replay. */
        void (*on_post)(void *user, int node, const uint8_t *bytes, size_t n);
        /* Sending on a link fails, or works again (error 0); node -1: our own end of it. Once per change; may
         * be called from within transport_new() and transport_send(). */
        void (*on_link)(void *user, int node, int link, int error);
        void *user;
};

struct transport_refusal {
        uint64_t count;
        struct ip from; /* of the last one; family 0: its link has no addresses */
        int link;
        instant at;
};

struct transport_link {
        uint64_t sent;
        uint64_t received; /* accepted, copies among them */
        uint64_t copies;
        uint64_t errors;
        int error; /* now: 0, or a negative errno */
};

/* `config` and `keys` are needed during the call only. 0, or a negative errno. */
int transport_new(uv_loop_t *loop, const struct config *config, int self, const struct keyring *keys,
                  const struct transport_hooks *hooks, struct transport **ret_transport);
/* No hook is called any more; memory goes when the loop has run once. */
void transport_free(struct transport *t);

/* The medium of the arbiter's disk, for relay.h; NULL: no link is of that kind. */
struct medium *transport_relay(struct transport *t);

/* Changes the keys while running. False: they were the same. */
bool transport_set_keys(struct transport *t, const struct keyring *keys);

/* Seals once and sends on every link of that node. Fills in nothing: the message is complete. 0 when it left
 * on one link at least, else a negative errno. */
int transport_send(struct transport *t, int node, const struct message *m);

/* Indexed by enum packet_refusal; PACKET_ACCEPTED counts what was accepted. */
const struct transport_refusal *transport_refusals(const struct transport *t);
/* One that is shared with that node, by its index in config.link. */
void transport_link(const struct transport *t, int node, int link, struct transport_link *ret_link);
