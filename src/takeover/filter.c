#include "takeover/filter.h"

#include "base/text.h"
#include "takeover/ndp.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>

#define ACCEPT BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, 0)

/* Where things are in an ARP packet and in an ICMPv6 neighbour message. */
#define ARP_SENDER_IP 14
#define ARP_TARGET_IP 24
#define NDP_TYPE      0
#define NDP_TARGET    8
/* In the IPv6 header, which a raw socket does not deliver but its filter can see. */
#define IPV6_DESTINATION (SKF_NET_OFF + 24)

static uint32_t word(const struct ip *ip, unsigned i)
{
        const uint8_t *b = ip->bytes + 4 * i;

        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int attach(int fd, struct sock_filter *code, size_t n)
{
        struct sock_fprog program = {.len = (unsigned short)n, .filter = code};

        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == -1 ? -errno : 0;
}

static int set_deaf(int fd)
{
        struct sock_filter code[] = {REFUSE};

        return attach(fd, code, COUNT(code));
}

static int set_arp(int fd, const struct ip *ip, bool all)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARP_SENDER_IP),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word(ip, 0), 3, 0),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARP_TARGET_IP),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word(ip, 0), (unsigned char)(all ? 1 : 0), 0),
                REFUSE,
                ACCEPT,
        };

        return attach(fd, code, COUNT(code));
}

/* "if the sixteen bytes at `at` are not the address, go `missed` instructions further; else to the end of
 * this" */
#define MATCH(at, ip, missed)                                                                                \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at)),                                                            \
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word((ip), 0), 0, 6 + (missed)),                         \
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at) + 4),                                                \
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word((ip), 1), 0, 4 + (missed)),                         \
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at) + 8),                                                \
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word((ip), 2), 0, 2 + (missed)),                         \
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at) + 12),                                               \
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word((ip), 3), 0, (missed))

static int set_claims_ipv6(int fd, const struct ip *ip)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NDP_TYPE),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NDP_ADVERTISEMENT, 0, 9),
                MATCH(NDP_TARGET, ip, 1),
                ACCEPT,
                REFUSE,
        };

        return attach(fd, code, COUNT(code));
}

static int set_all_ipv6(int fd, const struct ip *ip)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NDP_TYPE),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NDP_ADVERTISEMENT, 1, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NDP_SOLICITATION, 0, 18),
                MATCH(NDP_TARGET, ip, 1),
                ACCEPT,
                MATCH((uint32_t)IPV6_DESTINATION, ip, 1),
                ACCEPT,
                REFUSE,
        };

        return attach(fd, code, COUNT(code));
}

int filter_set(int fd, const struct ip *ip, enum wire_attention attention)
{
        if (attention == WIRE_DEAF)
                return set_deaf(fd);
        if (ip->family == AF_INET)
                return set_arp(fd, ip, attention == WIRE_ALL);
        return attention == WIRE_ALL ? set_all_ipv6(fd, ip) : set_claims_ipv6(fd, ip);
}
