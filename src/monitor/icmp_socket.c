#include "monitor/icmp_socket.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_SIZE                                                                                          \
        (8 * 1024 * 1024) /* replies to a hundred milliseconds of 50 000 requests a second, and more */

/* A raw socket shall hear echo replies alone. */
static void hear_replies_only(int fd, int family)
{
        struct icmp_filter v4 = {.data = ~(1U << ICMP_ECHOREPLY)};
        struct icmp6_filter v6;

        if (family == AF_INET) {
                setsockopt(fd, SOL_RAW, ICMP_FILTER, &v4, sizeof(v4));
                return;
        }
        ICMP6_FILTER_SETBLOCKALL(&v6);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &v6);
        setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &v6, sizeof(v6));
}

int icmp_socket_open(int family)
{
        int protocol = family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, size = BUFFER_SIZE;
        int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

        if (fd != -1)
                hear_replies_only(fd, family);
        else
                fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
        if (fd == -1)
                return -errno;
        /* what the kernel gives is what there is */
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == -1)
                (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == -1)
                (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        return fd;
}

bool icmp_socket_is_raw(int fd)
{
        int type = 0;
        socklen_t size = sizeof(type);

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_RAW;
}

uint16_t icmp_checksum(const void *message, size_t n)
{
        uint32_t sum = 0;

        for (size_t i = 0; i < n; i += sizeof(uint16_t)) {
                uint16_t word;
                memcpy(&word, (const uint8_t *)message + i, sizeof(word));
                sum += word;
        }
        while (sum >> 16 != 0)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)~sum;
}
