/* relay.h - the medium of the arbiter's disk: packets that somebody else writes and reads (src/disk).
 *
 * The transport has the links, the core has the disk; the core binds the two. Until it has, and while the
 * disk does not work, sending fails with -EIO, as on any link that is down. */
#pragma once

#include "heartbeat/medium.h"

/* Leaves a packet for that node. 0 or a negative errno. */
typedef int relay_send_fn(void *user, int node, const uint8_t *bytes, size_t n);

void relay_bind(struct medium *m, relay_send_fn *send, void *user);
/* A packet has come. */
void relay_receive(struct medium *m, int node, const uint8_t *bytes, size_t n, instant received);
/* The disk works (0), or does not. */
void relay_changed(struct medium *m, int error);
