/* icmp_socket.h - a socket that sends ICMP echo requests (RFC 792, RFC 4443) and hears the replies: raw where
 * that is allowed, which root's CAP_NET_RAW is needed for, else what net.ipv4.ping_group_range may allow. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A descriptor, or a negative errno. It may be used after the right to open it is gone. */
int icmp_socket_open(int family);
/* Whether IPv4 packets come with their IP header, and echo ids are ours to choose. */
bool icmp_socket_is_raw(int fd);
/* Of an IPv4 message (RFC 1071) whose own checksum is still 0; in any byte order (its section 2 (B)), and
 * zeros that follow change nothing. `n` is even. */
uint16_t icmp_checksum(const void *message, size_t n);
