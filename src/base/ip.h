/* ip.h - an IPv4 or IPv6 address as a value, with the port or prefix length it goes with. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct ip {
        sa_family_t family; /* AF_INET, AF_INET6; 0 is "none" */
        uint8_t bytes[16];  /* network order; IPv4 uses the first four */
};

#define IP_TEXT INET6_ADDRSTRLEN

/* 0, or -EINVAL when `text` is no numeric address. Names are not looked up. */
int ip_parse(const char *text, struct ip *ret_ip);

/* "ADDRESS/BITS"; without "/BITS", the length of a host (32 or 128). 0, or -EINVAL. */
int ip_parse_prefix(const char *text, struct ip *ret_ip, uint8_t *ret_bits);

/* "10.0.0.11:80", "[fd00::2]:80"; without a port, *ret_port is 0 and IPv6 needs no brackets. 0, or -EINVAL.
 */
int ip_parse_endpoint(const char *text, struct ip *ret_ip, uint16_t *ret_port);

const char *ip_format(const struct ip *ip, char text[static IP_TEXT]);
bool ip_equal(const struct ip *a, const struct ip *b);
/* Bytes of an address of this family: 4 or 16. */
size_t ip_size(const struct ip *ip);
/* Whether both lie in one network of `bits`. */
bool ip_same_network(const struct ip *a, const struct ip *b, uint8_t bits);
bool ip_is_link_local(const struct ip *ip);
/* 127.0.0.0/8, ::1: every machine has them. */
bool ip_is_loopback(const struct ip *ip);

/* Fills `ret_sockaddr` and returns its length. */
socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret_sockaddr);
/* Returns the port; 0 for a family that is neither IPv4 nor IPv6. */
uint16_t ip_from_sockaddr(const struct sockaddr *sa, struct ip *ret_ip);
