/* register.c - a service that must never have two masters, and a client that can tell.
 *
 *     register serve PORT               for a `process` resource: takes its node and epoch from what haven
 * tells it register write ADDRESS PORT INTERVAL_US
 *
 * A write is a numbered datagram; the service accepts it by answering "NUMBER NODE EPOCH". The client writes
 * one each interval and prints each answer as it arrives, with CLOCK_BOOTTIME in microseconds of sending and
 * of arrival:
 *
 *     ack SENT ARRIVED NUMBER NODE EPOCH
 *
 * Arrival is the kernel's stamp, so that a client without CPU does not blur the order. */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SENT_MAX 65536 /* writes whose sending is remembered; a power of two */

static int fail(const char *what)
{
        perror(what);
        return 1;
}

/* --- the service --- */

/* The answer leaves from the address that was asked: the control data received says which. */
static void accept_write(int fd, const char *node, const char *epoch)
{
        char text[128], control[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct sockaddr_in from;
        struct iovec iov = {text, 32};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t n = recvmsg(fd, &message, 0);

        if (n == -1)
                return;
        n += snprintf(text + n, sizeof text - (size_t)n, " %s %s", node, epoch);
        iov.iov_len = (size_t)n;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
                struct in_pktinfo info;
                if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
                        continue;
                memcpy(&info, CMSG_DATA(c), sizeof info);
                info.ipi_ifindex = 0;
                info.ipi_spec_dst = info.ipi_addr;
                memcpy(CMSG_DATA(c), &info, sizeof info);
        }
        sendmsg(fd, &message, 0);
}

static int serve(uint16_t port)
{
        const char *node = getenv("HAVEN_NODE"), *epoch = getenv("HAVEN_EPOCH");
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

        if (node == NULL || epoch == NULL) {
                fputs("register: HAVEN_NODE and HAVEN_EPOCH are not set: who owns what is written?\n",
                      stderr);
                return 2;
        }
        if (fd == -1 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == -1 ||
            bind(fd, (struct sockaddr *)&any, sizeof any) == -1)
                return fail("register");
        while (!stopping)
                accept_write(fd, node, epoch);
        return 0;
}

/* --- the client --- */

static int64_t sent_us[SENT_MAX];

static void hear(int fd)
{
        char text[256];
        int64_t arrived;

        for (;;) {
                ssize_t n = receive_stamped(fd, text, sizeof text - 1, &arrived);
                if (n == -1 && (errno == EAGAIN || errno == EINTR))
                        break;
                if (n == -1)
                        continue; /* an ICMP error kept for us; each is reported once */
                text[n] = '\0';
                printf("ack %lld %lld %s\n", (long long)sent_us[strtoull(text, NULL, 10) % SENT_MAX],
                       (long long)arrived, text);
        }
        fflush(stdout);
}

static int write_for_ever(const char *address, uint16_t port, int64_t interval_us)
{
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
        int64_t due = now_us();

        if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || fd == -1 ||
            setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == -1)
                return fail("register");
        for (uint64_t number = 1; !stopping;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                int64_t now = now_us();
                if (now >= due) {
                        char text[24];
                        int n = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
                        sent_us[number++ % SENT_MAX] = now;
                        sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&to,
                               sizeof to); /* no route: no write */
                        due = now + interval_us;
                }
                struct timespec wait = {0, due > now ? (due - now) * 1000 : 0};
                if (ppoll(&p, 1, &wait, NULL) == 1)
                        hear(fd);
        }
        return 0;
}

int main(int argc, char **argv)
{

        stop_on_signals();
        if (argc == 3 && strcmp(argv[1], "serve") == 0)
                return serve((uint16_t)atoi(argv[2]));
        if (argc == 5 && strcmp(argv[1], "write") == 0 && atoll(argv[4]) >= 100 && atoll(argv[4]) < 1000000)
                return write_for_ever(argv[2], (uint16_t)atoi(argv[3]), atoll(argv[4]));
        fputs("usage: register serve PORT | register write ADDRESS PORT INTERVAL_US\n", stderr);
        return 2;
}
