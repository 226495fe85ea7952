/* asker.c - which machine answers for an address, asked of each machine by itself.
 *
 *     asker INTERFACE INTERVAL_US PORT ADDRESS4 ADDRESS6 NAME=MAC...
 *
 * A prober hears whomever the network has learned to send to. This one sends every interval to every
 * machine's own MAC: ARP "who has ADDRESS4", neighbour solicitation for ADDRESS6, and a datagram to PORT of
 * each. Every frame in which a machine says that it has an address, asked or not, is a line, with the
 * CLOCK_BOOTTIME in microseconds at which it reached this machine:
 *
 *     T arp NAME          ARP with ADDRESS4 as its sender
 *     T ip NAME           IPv4 from ADDRESS4
 *     T nd NAME           neighbour advertisement of ADDRESS6
 *     T ip6 NAME          IPv6 from ADDRESS6
 *
 * Ends on SIGTERM. */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MACHINES_MAX 16
#define OUR_PORT     40404
#define FRAME        256

struct machine {
        const char *name;
        uint8_t mac[ETH_ALEN];
};

static struct machine machines[MACHINES_MAX];
static size_t machine_count;
static struct in_addr ours4, address4;
static struct in6_addr ours6, address6;
static uint8_t our_mac[ETH_ALEN];
static uint16_t port;
/* --- questions --- */

static size_t put_ethernet(uint8_t *frame, const struct machine *to, uint16_t type)
{
        struct ether_header *head = (struct ether_header *)frame;

        memcpy(head->ether_dhost, to->mac, ETH_ALEN);
        memcpy(head->ether_shost, our_mac, ETH_ALEN);
        head->ether_type = htons(type);
        return sizeof(*head);
}

static size_t ask_arp(uint8_t *frame, const struct machine *to)
{
        struct ether_arp arp = {.arp_hrd = htons(ARPHRD_ETHER),
                                .arp_pro = htons(ETHERTYPE_IP),
                                .arp_hln = ETH_ALEN,
                                .arp_pln = 4,
                                .arp_op = htons(ARPOP_REQUEST)};
        size_t n = put_ethernet(frame, to, ETHERTYPE_ARP);

        memcpy(arp.arp_sha, our_mac, ETH_ALEN);
        memcpy(arp.arp_spa, &ours4, 4);
        memcpy(arp.arp_tpa, &address4, 4);
        memcpy(frame + n, &arp, sizeof(arp));
        return n + sizeof(arp);
}

static uint32_t add_up(uint32_t sum, const void *bytes, size_t n)
{
        const uint8_t *b = bytes;

        for (size_t i = 0; i < n; i++)
                sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
        return sum;
}

static uint16_t folded(uint32_t sum)
{
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return htons((uint16_t)~sum);
}

static size_t ask_ip(uint8_t *frame, const struct machine *to)
{
        size_t n = put_ethernet(frame, to, ETHERTYPE_IP);
        struct iphdr ip = {.version = 4,
                           .ihl = 5,
                           .ttl = 64,
                           .protocol = IPPROTO_UDP,
                           .tot_len = htons(sizeof(ip) + sizeof(struct udphdr) + 1),
                           .saddr = ours4.s_addr,
                           .daddr = address4.s_addr};
        struct udphdr udp = {
                .uh_sport = htons(OUR_PORT), .uh_dport = htons(port), .uh_ulen = htons(sizeof(udp) + 1)};

        memcpy(frame + n, &ip, sizeof(ip));
        uint16_t check = folded(add_up(0, frame + n, sizeof(ip)));
        memcpy(frame + n + offsetof(struct iphdr, check), &check, sizeof(check));
        n += sizeof(ip);
        memcpy(frame + n, &udp, sizeof(udp));
        n += sizeof(udp);
        frame[n++] = '1';
        return n;
}

/* `payload` gets its checksum at `at`. */
static size_t put_ip6(uint8_t *frame, const struct machine *to, uint8_t protocol, void *payload,
                      uint16_t size, size_t at)
{
        size_t n = put_ethernet(frame, to, ETHERTYPE_IPV6);
        struct ip6_hdr ip = {.ip6_ctlun.ip6_un1 = {.ip6_un1_flow = htonl(6u << 28),
                                                   .ip6_un1_plen = htons(size),
                                                   .ip6_un1_nxt = protocol,
                                                   .ip6_un1_hlim = 255},
                             .ip6_src = ours6,
                             .ip6_dst = address6};
        uint32_t sum = add_up(add_up(add_up(size + protocol, &ours6, 16), &address6, 16), payload, size);
        uint16_t check = folded(sum);

        memcpy((uint8_t *)payload + at, &check, sizeof(check));
        memcpy(frame + n, &ip, sizeof(ip));
        memcpy(frame + n + sizeof(ip), payload, size);
        return n + sizeof(ip) + size;
}

static size_t ask_nd(uint8_t *frame, const struct machine *to)
{
        struct {
                struct nd_neighbor_solicit ask;
                struct nd_opt_hdr option;
                uint8_t mac[ETH_ALEN];
        } nd = {.ask.nd_ns_hdr.icmp6_type = ND_NEIGHBOR_SOLICIT,
                .ask.nd_ns_target = address6,
                .option = {ND_OPT_SOURCE_LINKADDR, 1}};

        memcpy(nd.mac, our_mac, ETH_ALEN);
        return put_ip6(frame, to, IPPROTO_ICMPV6, &nd, sizeof(nd), offsetof(struct icmp6_hdr, icmp6_cksum));
}

static size_t ask_ip6(uint8_t *frame, const struct machine *to)
{
        struct {
                struct udphdr udp;
                char text[2];
        } udp = {.udp = {.uh_sport = htons(OUR_PORT), .uh_dport = htons(port), .uh_ulen = htons(sizeof(udp))},
                 .text = "1 "};

        return put_ip6(frame, to, IPPROTO_UDP, &udp, sizeof(udp), offsetof(struct udphdr, uh_sum));
}

static void ask_all(int fd)
{
        static size_t (*const questions[])(uint8_t *, const struct machine *) = {ask_arp, ask_ip, ask_nd,
                                                                                 ask_ip6};
        uint8_t frame[FRAME] = {0};

        for (size_t m = 0; m < machine_count; m++)
                for (size_t q = 0; q < sizeof(questions) / sizeof(*questions); q++)
                        /* no carrier, a full queue: as good as no answer */
                        if (send(fd, frame, questions[q](frame, &machines[m]), 0) == -1)
                                continue;
}

/* --- answers --- */

static const char *claim_of(const uint8_t *frame, size_t size)
{
        const struct ether_header *head = (const struct ether_header *)frame;
        const uint8_t *body = frame + sizeof(*head);

        if (size < sizeof(*head) + sizeof(struct iphdr))
                return NULL;
        size -= sizeof(*head);
        switch (ntohs(head->ether_type)) {
        case ETHERTYPE_ARP:
                return size >= sizeof(struct ether_arp) &&
                                       memcmp(((const struct ether_arp *)body)->arp_spa, &address4, 4) == 0
                               ? "arp"
                               : NULL;
        case ETHERTYPE_IP: return ((const struct iphdr *)body)->saddr == address4.s_addr ? "ip" : NULL;
        case ETHERTYPE_IPV6: break;
        default: return NULL;
        }
        const struct ip6_hdr *ip = (const struct ip6_hdr *)body;
        const struct nd_neighbor_advert *nd = (const struct nd_neighbor_advert *)(ip + 1);
        if (size >= sizeof(*ip) + sizeof(*nd) && ip->ip6_nxt == IPPROTO_ICMPV6 &&
            nd->nd_na_type == ND_NEIGHBOR_ADVERT && memcmp(&nd->nd_na_target, &address6, 16) == 0)
                return "nd";
        return size >= sizeof(*ip) && memcmp(&ip->ip6_src, &address6, 16) == 0 ? "ip6" : NULL;
}

static void hear(int fd)
{
        uint8_t frame[2048];
        int64_t arrived;

        for (;;) {
                ssize_t n = receive_stamped(fd, frame, sizeof(frame), &arrived);

                if (n == -1)
                        return;
                const char *claim = claim_of(frame, (size_t)n);
                for (size_t m = 0; claim && m < machine_count; m++)
                        if (memcmp(frame + ETH_ALEN, machines[m].mac, ETH_ALEN) == 0)
                                printf("%lld %s %s\n", (long long)arrived, claim, machines[m].name);
        }
}

/* --- the rest --- */

static void fail(const char *what)
{
        fprintf(stderr, "asker: %s: %s\n", what, strerror(errno));
        exit(1);
}

static void take_own(const char *interface)
{
        struct ifaddrs *all;

        if (getifaddrs(&all) == -1)
                fail("getifaddrs");
        for (struct ifaddrs *i = all; i; i = i->ifa_next) {
                if (strcmp(i->ifa_name, interface) != 0 || !i->ifa_addr)
                        continue;
                if (i->ifa_addr->sa_family == AF_INET)
                        ours4 = ((struct sockaddr_in *)i->ifa_addr)->sin_addr;
                else if (i->ifa_addr->sa_family == AF_INET6 &&
                         !IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr))
                        ours6 = ((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr;
                else if (i->ifa_addr->sa_family == AF_PACKET)
                        memcpy(our_mac, ((struct sockaddr_ll *)i->ifa_addr)->sll_addr, ETH_ALEN);
        }
        freeifaddrs(all);
}

static int open_wire(const char *interface)
{
        const int on = 1, room = 8 * 1024 * 1024;
        struct sockaddr_ll where = {.sll_family = AF_PACKET,
                                    .sll_protocol = htons(ETH_P_ALL),
                                    .sll_ifindex = (int)if_nametoindex(interface)};
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

        if (fd == -1 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == -1 ||
            setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == -1 ||
            setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) == -1 ||
            bind(fd, (struct sockaddr *)&where, sizeof(where)) == -1)
                fail(interface);
        return fd;
}

/* Answers to OUR_PORT must not be refused by this machine's kernel; nobody reads them here. */
static void take_port(void)
{
        struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(OUR_PORT)};
        int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

        if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1 ||
            bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1)
                fail("its port");
}

static void run(int fd, int64_t interval_us)
{
        int64_t due = now_us();

        while (!stopping) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                int64_t now = now_us();

                if (now >= due) {
                        ask_all(fd);
                        due = now - due > interval_us ? now + interval_us : due + interval_us;
                }
                now = now_us();
                struct timespec wait = {0, due > now ? (due - now) * 1000 : 0};
                if (ppoll(&p, 1, &wait, NULL) == 1)
                        hear(fd);
        }
        hear(fd);
}

int main(int argc, char **argv)
{
        struct sched_param priority = {.sched_priority = 70};

        if (argc < 7 || argc - 6 > MACHINES_MAX || inet_pton(AF_INET, argv[4], &address4) != 1 ||
            inet_pton(AF_INET6, argv[5], &address6) != 1) {
                fputs("usage: asker INTERFACE INTERVAL_US PORT ADDRESS4 ADDRESS6 NAME=MAC...\n", stderr);
                return 2;
        }
        port = (uint16_t)atoi(argv[3]);
        for (int i = 6; i < argc; i++) {
                struct machine *m = &machines[machine_count++];
                char *equals = strchr(argv[i], '=');
                if (!equals || sscanf(equals + 1, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m->mac[0], &m->mac[1],
                                      &m->mac[2], &m->mac[3], &m->mac[4], &m->mac[5]) != ETH_ALEN)
                        fail(argv[i]);
                *equals = '\0';
                m->name = argv[i];
        }
        take_own(argv[1]);
        int fd = open_wire(argv[1]);
        take_port();
        stop_on_signals();
        if (mlockall(MCL_CURRENT | MCL_FUTURE) == -1 || sched_setscheduler(0, SCHED_FIFO, &priority) == -1)
                perror("asker: the figures may be coarse");
        puts("0 ready");
        fflush(stdout);
        run(fd, atoll(argv[2]));
        return 0;
}
