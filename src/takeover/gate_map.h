/* gate_map.h - what the gate in the kernel (gate.bpf.c) and haven share: read by both compilers. */
#pragma once

#include <linux/types.h>

#define GATE_ADDRESSES_MAX 256

/* IPv4 as ::ffff:a.b.c.d, which no packet carries (RFC 4291 2.5.5.2 maps it inside a host only). */
struct gate_key {
        __u8 bytes[16];
};

struct gate_entry {
        __u8 leased; /* passes until the lease's end; 0: passes nothing */
        __u8 prefix; /* of the address as it is in the kernel, for whoever clears up after us */
};
