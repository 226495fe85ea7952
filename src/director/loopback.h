/* loopback.h - a real server's own side of direct routing and tunnels: it has the virtual address on its
 * loopback interface, and tells the network nothing of it.
 *
 * IPv6 needs no more: a neighbour solicitation is answered for addresses of that interface only (RFC 4861
 * 7.2.3). IPv4 takes an address as the machine's, and answers on every interface, unless arp_ignore is 1 or
 * more and arp_announce is 2 (Documentation/networking/ip-sysctl.rst); of `all` and the interface's own the
 * higher one counts.
 *
 * Several users share these settings. A file keeps who they are and what was found before the first of them
 * came; the last one restores it, also after a crash. All calls end at once. */
#pragma once

#include "base/ip.h"

#include <stdbool.h>

struct loopback {
        struct ip ip;
        const char *device; /* the interface that is kept quiet; "": all of them */
        const char *keep;   /* the file; one for all users of this machine */
        const char *user;   /* tells this one from others: one word */
};

#define LOOPBACK_WHY 200

/* Quiet first, then the address; what is so already stays. 1 when anything had to be done, 0 when not, or a
 * negative errno with `why`, for people. */
int loopback_set(const struct loopback *l, char why[static LOOPBACK_WHY]);
/* The address goes first, then what was found comes back. Right in any state. 0, or a negative errno. */
int loopback_clear(const struct loopback *l, char why[static LOOPBACK_WHY]);
/* Whether this user has set it up, and it is there. */
bool loopback_there(const struct loopback *l);
