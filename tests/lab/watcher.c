/* watcher.c - writes down every address that comes to a machine of the lab or leaves it.
 *
 *     watcher NAME=NETNS...
 *
 * One netlink socket (RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR) in each network namespace; per event one line
 *
 *     MICROSECONDS NAME add|del ADDRESS IFINDEX
 *
 * stamped with CLOCK_BOOTTIME when it is read; real-time priority and locked memory keep that true. The
 * addresses that are there at the start come first, as `add`, then the line `ready`. A refreshed address is
 * another `add`: the reader joins them. Ends when its standard input does. */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MACHINES_MAX 64

struct machine {
        const char *name;
        int fd;
};

static int listen_in(const char *netns)
{
        struct sockaddr_nl here = {.nl_family = AF_NETLINK,
                                   .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
        int size = 4 << 20;
        int ns = open(netns, O_RDONLY | O_CLOEXEC);
        int fd;

        if (ns == -1 || setns(ns, CLONE_NEWNET) == -1) {
                perror(netns);
                exit(1);
        }
        close(ns);
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
        if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == -1 ||
            bind(fd, (struct sockaddr *)&here, sizeof here) == -1) {
                perror(netns);
                exit(1);
        }
        return fd;
}

static void print_address(const char *name, const struct nlmsghdr *h, int64_t when)
{
        const struct ifaddrmsg *m = NLMSG_DATA(h);
        int left = (int)IFA_PAYLOAD(h);
        const void *address = NULL;
        char text[INET6_ADDRSTRLEN];

        for (const struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                if (a->rta_type == IFA_LOCAL || (a->rta_type == IFA_ADDRESS && address == NULL))
                        address = RTA_DATA(a);
        }
        if (address == NULL || inet_ntop(m->ifa_family, address, text, sizeof text) == NULL)
                return;
        printf("%lld %s %s %s %u\n", (long long)when, name, h->nlmsg_type == RTM_NEWADDR ? "add" : "del",
               text, m->ifa_index);
}

/* Reads what is there. Returns whether a dump has come to its end. All of one turn gets the turn's stamp. */
static bool drain(const struct machine *m, int64_t when)
{
        static char buffer[65536] __attribute__((aligned(8)));
        bool done = false;
        ssize_t n;

        while ((n = recv(m->fd, buffer, sizeof buffer, 0)) != -1) {
                unsigned left = (unsigned)n;

                for (const struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
                        if (h->nlmsg_type == NLMSG_DONE)
                                done = true;
                        if (h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR)
                                print_address(m->name, h, when);
                }
        }
        if (errno == ENOBUFS) {
                fprintf(stderr, "watcher: %s: events were lost\n", m->name);
                exit(1);
        }
        return done;
}

static void dump(const struct machine *m)
{
        struct {
                struct nlmsghdr h;
                struct ifaddrmsg m;
        } ask = {{sizeof ask, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {.ifa_family = AF_UNSPEC}};
        struct pollfd p = {.fd = m->fd, .events = POLLIN};

        if (send(m->fd, &ask, sizeof ask, 0) == -1) {
                perror(m->name);
                exit(1);
        }
        do {
                poll(&p, 1, -1);
        } while (!drain(m, now_us()));
}

int main(int argc, char **argv)
{
        static struct machine machine[MACHINES_MAX];
        struct pollfd watch[MACHINES_MAX + 1];
        struct sched_param priority = {.sched_priority = 80};
        int count = argc - 1;

        if (count < 1 || count > MACHINES_MAX) {
                fputs("usage: watcher NAME=NETNS...\n", stderr);
                return 2;
        }
        for (int i = 0; i < count; i++) {
                char *equals = strchr(argv[i + 1], '=');

                if (equals == NULL)
                        return 2;
                *equals = '\0';
                machine[i] = (struct machine){argv[i + 1], listen_in(equals + 1)};
                watch[i] = (struct pollfd){.fd = machine[i].fd, .events = POLLIN};
        }
        watch[count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        if (mlockall(MCL_CURRENT | MCL_FUTURE) == -1 || sched_setscheduler(0, SCHED_FIFO, &priority) == -1)
                perror("watcher: the stamps may be late");
        for (int i = 0; i < count; i++)
                dump(&machine[i]);
        puts("ready");
        fflush(stdout);
        for (;;) {
                int64_t when;

                if (poll(watch, (nfds_t)count + 1, -1) == -1 && errno != EINTR)
                        return 1;
                when = now_us();
                for (int i = 0; i < count; i++) {
                        if (watch[i].revents != 0)
                                drain(&machine[i], when);
                }
                fflush(stdout);
                if ((watch[count].revents & POLLHUP) != 0)
                        return 0;
        }
}
