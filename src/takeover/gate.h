/* gate.h - the lease gate: the kernel itself drops what concerns a held address once the lease is over.
 *
 * Two small programs (gate.bpf.c) hang at ingress and egress of every interface and ask two things of a
 * packet: does it concern an address that is guarded here, and is the lease over? The deadline is one word of
 * shared memory: renewing the lease is a store, no system call. It is absolute time of the kernel's own clock
 * (CLOCK_BOOTTIME), so it needs no process to come true: it does with all of haven frozen.
 *
 * What hangs stays when its process is gone. gate_new() makes programs and maps of its own; hanging them puts
 * them in the place of an earlier process's at once: fill first, then hang. Nothing here decides. */
#pragma once

#include "base/instant.h"
#include "base/ip.h"
#include "takeover/gate_hook.h"
#include "takeover/netlink.h"

#include <stdbool.h>
#include <stddef.h>

struct gate;

#define GATE_REASON 200

/* Loads it, shut, and tries it on packets of its own: a gate that has not shown that it shuts is none.
 * `instance` tells this havend's from others'. 0, or a negative errno with a reason for people. */
int gate_new(uint32_t instance, struct gate **ret_gate, char reason[static GATE_REASON]);
/* What hangs in the kernel stays there. NULL is fine. */
void gate_free(struct gate *g);

/* Until when everything admitted passes. */
void gate_lease(struct gate *g, instant end);
/* Guards the address: it passes while the lease lasts; with `leased` false it passes nothing. */
int gate_guard(struct gate *g, const struct ip *ip, uint8_t prefix, bool leased);
/* The address is out of this kernel. What the host still sends in its name is dropped for GATE_LEFT_S;
 * nothing else of it is the gate's concern any more. `served`: it is out of its interface, but goes on being
 * a real server's (director/loopback.h); of what the host sends, only what answers for it is dropped. */
#define GATE_LEFT_S 5
void gate_leave(struct gate *g, const struct ip *ip, bool served);
/* If it has left: from now on it is served. */
void gate_serve(struct gate *g, const struct ip *ip);

/* Whether a frame from an Ethernet would be dropped now. 0 or a negative errno. */
int gate_try(struct gate *g, enum gate_way way, const void *frame, size_t size, bool *ret_dropped);

/* On one interface, in the place of what an earlier process hung there. 0 or a negative errno. */
int gate_hang(struct gate *g, struct netlink *n, unsigned ifindex);
/* Why it could not be hung there. */
const char *gate_hang_error(int error);

/* The addresses of the gate that now hangs on the interface, an earlier process's: those it guards, and those
 * that have just left. 0 also if none hangs there; -EPERM: this process may not look. */
typedef void gate_found_fn(void *user, const struct ip *ip, uint8_t prefix);
int gate_each_left(uint32_t instance, struct netlink *n, unsigned ifindex, gate_found_fn *on_found,
                   void *user);

/* gate_sweep.c: takes everything of this instance off every interface. Needs neither libbpf nor the gate. */
int gate_sweep(uint32_t instance);
