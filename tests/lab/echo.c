/* echo.c - the service of the lab: answers over UDP and TCP, and names the machine it runs on.
 *
 *     echo NAME PORT
 *
 * NAME "-" stands for the host's name, so that one configuration serves all machines.
 *
 * UDP: the answer is the request followed by a blank and NAME. TCP: a connection is greeted with NAME and a
 * newline and closed, or, when it asked with GET, answered with a small HTTP page that holds NAME.
 *
 * It runs with real-time priority, as the prober does: on a busy machine it would else be the service that is
 * late, and pass for a loss of the address. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 512

static int bound(int type, uint16_t port)
{
        struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
        int on = 1, off = 0;

        if (fd == -1 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == -1 ||
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
            bind(fd, (struct sockaddr *)&any, sizeof any) == -1) {
                perror("echo");
                exit(1);
        }
        /* the answer must come from the address that was asked, also where a machine has several */
        if (type == SOCK_DGRAM && (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == -1)) {
                perror("echo");
                exit(1);
        }
        return fd;
}

static void answer_datagram(int fd, const char *name)
{
        char text[REQUEST_MAX + 64];
        char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
        struct sockaddr_in6 from;
        struct iovec iov = {text, REQUEST_MAX};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);

        if (n == -1)
                return;
        n += snprintf(text + n, sizeof text - (size_t)n, " %s", name);
        iov.iov_len = (size_t)n;
        /* the control data received (destination and interface) says the source to send from; the interface
         * is left to the routing table */
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
                if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
                        struct in6_pktinfo info;

                        memcpy(&info, CMSG_DATA(c), sizeof info);
                        info.ipi6_ifindex = 0;
                        memcpy(CMSG_DATA(c), &info, sizeof info);
                }
        }
        sendmsg(fd, &message, MSG_DONTWAIT);
}

static void answer_connection(int listener, const char *name)
{
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char request[REQUEST_MAX], text[256];
        ssize_t n;

        if (fd == -1)
                return;
        n = poll(&p, 1, 20) == 1 ? recv(fd, request, sizeof request, MSG_DONTWAIT) : 0;
        if (n >= 4 && memcmp(request, "GET ", 4) == 0)
                snprintf(text, sizeof text,
                         "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s\n",
                         strlen(name) + 1, name);
        else
                snprintf(text, sizeof text, "%s\n", name);
        send(fd, text, strlen(text), MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        close(fd);
}

int main(int argc, char **argv)
{
        const struct sched_param priority = {.sched_priority = 60};
        char host[HOST_NAME_MAX + 1] = "";
        const char *name = host;
        struct pollfd watch[2];

        if (argc != 3 || atoi(argv[2]) <= 0) {
                fputs("usage: echo NAME PORT\n", stderr);
                return 2;
        }
        gethostname(host, sizeof host - 1);
        if (strcmp(argv[1], "-") != 0)
                name = argv[1];
        signal(SIGPIPE, SIG_IGN);
        if (mlockall(MCL_CURRENT | MCL_FUTURE) == -1 || sched_setscheduler(0, SCHED_FIFO, &priority) == -1)
                perror("echo: it may be late where the machine is busy");
        watch[0] = (struct pollfd){.fd = bound(SOCK_DGRAM, (uint16_t)atoi(argv[2])), .events = POLLIN};
        watch[1] = (struct pollfd){.fd = bound(SOCK_STREAM, (uint16_t)atoi(argv[2])), .events = POLLIN};
        if (listen(watch[1].fd, 64) == -1) {
                perror("echo");
                return 1;
        }
        for (;;) {
                if (poll(watch, 2, -1) == -1 && errno != EINTR)
                        return 1;
                if (watch[0].revents != 0)
                        answer_datagram(watch[0].fd, name);
                if (watch[1].revents != 0)
                        answer_connection(watch[1].fd, name);
        }
}
