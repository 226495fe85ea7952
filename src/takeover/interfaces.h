/* interfaces.h - the machine's interfaces and addresses, as rtnetlink last told. No system call in here. */
#pragma once

#include "base/ip.h"
#include "takeover/mac.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

struct link {
        unsigned index;
        char name[IFNAMSIZ];
        struct mac mac;
        bool speaks_arp; /* an Ethernet with neighbours; not lo, dummy, a tunnel */
        bool carrier;    /* up, and the other end of the cable is there */
        bool hook_tried; /* the gate was hung on it, or it was tried; false again when a filter of it went */
        int hook_error;  /* 0, or why it could not */
};

struct local_address {
        unsigned ifindex;
        struct ip ip;
        uint8_t prefix;
};

struct interfaces {
        struct link *links;
        size_t link_count, link_room;
        struct local_address *addresses;
        size_t address_count, address_room;
};

void interfaces_free(struct interfaces *all);

/* Takes one RTM_{NEW,DEL}{LINK,ADDR}, RTM_DEL{QDISC,TFILTER} message; passes over all others. 0, or -ENOMEM.
 */
int interfaces_apply(struct interfaces *all, const struct nlmsghdr *message);
/* The same as libmnl wants its callbacks; `all` is a struct interfaces. MNL_CB_OK, or MNL_CB_ERROR and errno.
 */
int interfaces_collect(const struct nlmsghdr *message, void *all);

/* What we did ourselves, ahead of the kernel's message about it. 0, or -ENOMEM. */
int interfaces_note(struct interfaces *all, const struct local_address *a, bool there);

/* Pointers are good until the next interfaces_apply(). NULL if there is none. */
const struct link *interfaces_by_index(const struct interfaces *all, unsigned index);
const struct link *interfaces_by_name(const struct interfaces *all, const char *name);
const struct link *interfaces_carrying(const struct interfaces *all, const struct ip *ip);
/* It is on an interface without neighbours, such as lo, as a real server's behind a director is. */
bool interfaces_serve(const struct interfaces *all, const struct ip *ip);
bool interfaces_has(const struct interfaces *all, unsigned ifindex, const struct ip *ip);
/* Some interface of this machine has this MAC. */
bool interfaces_own_mac(const struct interfaces *all, struct mac mac);
/* Another address of the interface lies in the same network of the same length. */
bool interfaces_shares_network(const struct interfaces *all, unsigned ifindex, const struct ip *ip,
                               uint8_t prefix);

/* The interface of which some address's network covers `ip`: the narrowest network first, then one with
 * carrier, then the older interface. Addresses for which `ignore` says true do not count: floating ones prove
 * nothing. */
typedef bool interfaces_ignore_fn(void *user, const struct ip *ip);
const struct link *interfaces_covering(const struct interfaces *all, const struct ip *ip,
                                       interfaces_ignore_fn *ignore, void *user);
