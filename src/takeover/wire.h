/* wire.h - what is said and heard on one interface about one floating address, ARP and IPv6 alike.
 *
 * Sends through one packet socket that all wires share and that receives nothing; listens on a socket of its
 * own, behind a filter in the kernel, so that the network's ordinary traffic never wakes the process. The
 * sockets are open before the address is taken: taking it only sends. */
#pragma once

#include "takeover/heard.h"

#include <uv.h>

struct wire;

enum wire_attention {
        WIRE_DEAF,   /* the address is not ours: whatever is said about it is no concern of ours */
        WIRE_CLAIMS, /* held and proven: only another station's claim */
        WIRE_ALL,    /* asking, or waiting for the proof */
};

typedef void wire_heard_fn(void *user, const struct heard *heard);

struct wire_place {
        unsigned ifindex;
        const char *device;
        struct mac own;
};

/* A socket to send from: close(2) it when no wire is left. A descriptor, or a negative errno. */
int wire_sender_open(void);

/* Opens deaf. `sender` must stay open as long as the wire. */
int wire_new(uv_loop_t *loop, int sender, const struct wire_place *place, const struct ip *ip,
             wire_heard_fn *on_heard, void *user, struct wire **ret_wire);
/* Nothing is called afterwards; the memory goes in a later turn of the loop. NULL is fine. */
void wire_free(struct wire *w);

void wire_set_own_mac(struct wire *w, struct mac own);
void wire_listen(struct wire *w, enum wire_attention attention);
/* Looks again whether this host routes on the interface: advertisements say so. Cheap, not free: reads /proc.
 */
void wire_refresh(struct wire *w);

/* These send at once. 0, or a negative errno (-ENETDOWN while the interface is down). */
int wire_announce(struct wire *w);
int wire_probe(struct wire *w);
/* Hears what has arrived already, without waiting for the loop to come round to it. */
void wire_hear(struct wire *w);
int wire_ask(struct wire *w, const struct ip *neighbour);
