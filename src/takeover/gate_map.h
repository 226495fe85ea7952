/* gate_map.h - what the gate in the kernel (gate.bpf.c) and haven share: read by both compilers. */
#pragma once

#include <linux/types.h>

#define GATE_ADDRESSES_MAX 256

/* IPv4 as ::ffff:a.b.c.d, which no packet carries (RFC 4291 2.5.5.2 maps it inside a host only). */
struct gate_key {
        __u8 bytes[16];
};

enum gate_mode {
        GATE_LEASED, /* passes until the lease's end, then nothing */
        GATE_SHUT,   /* passes nothing */
        GATE_LEFT,   /* not here any more: what this host still sends in its name is late, until `until_ns` */
        GATE_SERVED, /* the same, but it goes on here as a real server's: late is what still answers for it */
};

struct gate_entry {
        __u64 until_ns; /* CLOCK_BOOTTIME; of GATE_LEFT, GATE_SERVED */
        __u8 mode;      /* enum gate_mode */
        __u8 prefix;    /* of the address as it is in the kernel, for whoever clears up after us */
        __u8 unused[6];
};
