/* filter.h - which packets about a floating address the kernel hands to us (classic BPF, socket(7)). */
#pragma once

#include "base/ip.h"
#include "takeover/wire.h"

/* `fd` delivers ARP from its first byte, or ICMPv6 from its first byte, as the family of `ip` has it.
 * Replaces the filter before. 0, or a negative errno. */
int filter_set(int fd, const struct ip *ip, enum wire_attention attention);
