#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ip_parse(const char *text, struct ip *ret_ip)
{
        struct ip ip = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

        if (inet_pton(ip.family, text, ip.bytes) != 1)
                return -EINVAL;
        *ret_ip = ip;
        return 0;
}

int ip_parse_prefix(const char *text, struct ip *ret_ip, uint8_t *ret_bits)
{
        char address[IP_TEXT];
        const char *slash = strchr(text, '/');
        size_t n = slash ? (size_t)(slash - text) : strlen(text);
        struct ip ip;

        if (n >= sizeof(address))
                return -EINVAL;
        memcpy(address, text, n);
        address[n] = '\0';
        if (ip_parse(address, &ip) < 0)
                return -EINVAL;
        unsigned long bits = ip_size(&ip) * 8;
        if (slash) {
                char *end;
                if (slash[1] < '0' || slash[1] > '9')
                        return -EINVAL;
                unsigned long given = strtoul(slash + 1, &end, 10);
                if (*end != '\0' || given > bits)
                        return -EINVAL;
                bits = given;
        }
        *ret_ip = ip;
        *ret_bits = (uint8_t)bits;
        return 0;
}

static int parse_port(const char *text, uint16_t *ret_port)
{
        char *rest;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        unsigned long port = strtoul(text, &rest, 10);
        if (*rest != '\0' || port > UINT16_MAX)
                return -EINVAL;
        *ret_port = (uint16_t)port;
        return 0;
}

int ip_parse_endpoint(const char *text, struct ip *ret_ip, uint16_t *ret_port)
{
        char address[IP_TEXT + 2];
        const char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
        uint16_t port = 0;

        /* one colon, or one after the bracket, parts the port */
        if (colon && ((bracket && colon < bracket) || (!bracket && strchr(text, ':') != colon)))
                colon = NULL;
        size_t n = colon ? (size_t)(colon - text) : strlen(text);
        if (n >= sizeof(address) || (colon && parse_port(colon + 1, &port) < 0))
                return -EINVAL;
        memcpy(address, text, n);
        address[n] = '\0';
        if (address[0] == '[') {
                if (n < 2 || address[n - 1] != ']')
                        return -EINVAL;
                address[n - 1] = '\0';
        }
        *ret_port = port;
        return ip_parse(address[0] == '[' ? address + 1 : address, ret_ip);
}

const char *ip_format(const struct ip *ip, char text[static IP_TEXT])
{
        if (!inet_ntop(ip->family, ip->bytes, text, IP_TEXT))
                return strcpy(text, "none");
        return text;
}

size_t ip_size(const struct ip *ip)
{
        return ip->family == AF_INET6 ? 16 : 4;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
        return a->family == b->family && memcmp(a->bytes, b->bytes, ip_size(a)) == 0;
}

bool ip_same_network(const struct ip *a, const struct ip *b, uint8_t bits)
{
        size_t whole = bits / 8;
        uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));

        if (a->family != b->family || bits > ip_size(a) * 8 || memcmp(a->bytes, b->bytes, whole) != 0)
                return false;
        return bits % 8 == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & mask) == 0;
}

bool ip_is_link_local(const struct ip *ip)
{
        if (ip->family == AF_INET6)
                return ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
        return ip->bytes[0] == 169 && ip->bytes[1] == 254;
}

bool ip_is_loopback(const struct ip *ip)
{
        static const uint8_t v6[16] = {[15] = 1};

        return ip->family == AF_INET ? ip->bytes[0] == 127 : memcmp(ip->bytes, v6, 16) == 0;
}

socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret_sockaddr)
{
        memset(ret_sockaddr, 0, sizeof(*ret_sockaddr));
        if (ip->family == AF_INET6) {
                struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret_sockaddr;
                sin6->sin6_family = AF_INET6;
                sin6->sin6_port = htons(port);
                memcpy(&sin6->sin6_addr, ip->bytes, 16);
                return sizeof(*sin6);
        }
        struct sockaddr_in *sin = (struct sockaddr_in *)ret_sockaddr;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(port);
        memcpy(&sin->sin_addr, ip->bytes, 4);
        return sizeof(*sin);
}

uint16_t ip_from_sockaddr(const struct sockaddr *sa, struct ip *ret_ip)
{
        *ret_ip = (struct ip){.family = sa->sa_family};
        if (sa->sa_family == AF_INET6) {
                const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;
                memcpy(ret_ip->bytes, &sin6->sin6_addr, 16);
                return ntohs(sin6->sin6_port);
        }
        if (sa->sa_family == AF_INET) {
                const struct sockaddr_in *sin = (const struct sockaddr_in *)sa;
                memcpy(ret_ip->bytes, &sin->sin_addr, 4);
                return ntohs(sin->sin_port);
        }
        return 0;
}
