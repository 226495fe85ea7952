/* icmp_socket.h - a socket that sends ICMP echo requests (RFC 792, RFC 4443) and hears the replies: raw where
 * that is allowed, which root's CAP_NET_RAW is needed for, else what net.ipv4.ping_group_range may allow. */
#pragma once

#include <stdbool.h>

/* A descriptor, or a negative errno. It may be used after the right to open it is gone. */
int icmp_socket_open(int family);
/* Whether IPv4 packets come with their IP header, and echo ids are ours to choose. */
bool icmp_socket_is_raw(int fd);
