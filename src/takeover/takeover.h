/* takeover.h - floating addresses: held in the kernel, announced to the neighbours, proven, given back.
 *
 * One `struct takeover` per process owns the rtnetlink and packet sockets and watches interfaces; one `struct
 * address` stands for one floating address of the configuration. Everything runs on the given libuv loop;
 * nothing here decides where an address belongs.
 *
 * Standards: ARP RFC 826, IPv4 conflict detection and announcement RFC 5227, neighbour discovery RFC 4861
 * (7.2.6 unsolicited advertisements), optimistic use without DAD: IFA_F_NODAD (linux/if_addr.h). */
#pragma once

#include "base/instant.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct takeover;
struct address;

enum address_state {
        ADDRESS_WAITING,  /* its interface is not there (or cannot be told yet) */
        ADDRESS_ABSENT,   /* interface known, address not ours */
        ADDRESS_PROBING,  /* asking the network whether somebody else answers for it */
        ADDRESS_HELD,     /* in the kernel; announced, not yet proven */
        ADDRESS_VERIFIED, /* in the kernel, and a neighbour has proven that it sends to us */
        ADDRESS_FOREIGN,  /* refused: a stranger answers for it */
};

enum address_event {
        ADDRESS_EV_TAKEN,      /* it is in the kernel and the first announcement is out */
        ADDRESS_EV_REFUSED,    /* not taken: `text` says why (no interface, stranger with its MAC, kernel's
                                  error) */
        ADDRESS_EV_RELEASED,   /* it is out of the kernel */
        ADDRESS_EV_VERIFIED,   /* first proof after a taking; `text` names the neighbour and the time to proof
                                */
        ADDRESS_EV_UNVERIFIED, /* no proof within VERIFY_ALARM; announcing goes on */
        ADDRESS_EV_REMOVED,    /* somebody else removed it; it has been restored (`text` says how often) */
        ADDRESS_EV_LOST,       /* removed by others more often than the limit, or its interface vanished */
        ADDRESS_EV_CONFLICT, /* while held: another station claims it; `text` has its MAC; we announced again
                              */
        ADDRESS_EV_CARRIER_LOST, /* its interface is down, has no carrier, or is gone (held or not) */
        ADDRESS_EV_CARRIER_BACK,
};

typedef void address_event_fn(void *user, struct address *a, enum address_event event, const char *text);

struct address_want {
        struct ip ip;
        uint8_t prefix;
        const char *device;      /* "" or NULL: the interface whose network covers the address */
        const struct ip *verify; /* neighbours to ask besides the gateway and the kernel's neighbour table */
        size_t verify_count;
};

/* 0 or a negative errno. `loop` must outlive it. */
int takeover_new(uv_loop_t *loop, struct takeover **ret_takeover);
/* Closes sockets and timers; addresses must have been freed. Addresses in the kernel stay there. */
void takeover_free(struct takeover *t);

/* Copies `want`. Reports carrier at once if the interface is without. */
int address_new(struct takeover *t, const struct address_want *want, address_event_fn *on_event, void *user,
                struct address **ret_address);
/* Stops all timers. An address held in the kernel stays there: release it first if it must go. */
void address_free(struct address *a);

/* Takes it, valid in the kernel until `lease_end` at the latest rounded up to the kernel's second
 * (valid_lft). With `probe`, asks first by ARP or neighbour solicitation and refuses if a stranger answers.
 * Answers with ADDRESS_EV_TAKEN or ADDRESS_EV_REFUSED; without `probe`, TAKEN may come before this returns.
 * Then announces: at once and on a schedule that thins out, both ARP forms or unsolicited NA, until verified
 * and at least the whole schedule through. */
void address_take(struct address *a, bool probe, instant lease_end);
/* Puts the question of `probe` already now, while what is to be started before the address starts.
 * address_take() with `probe` then goes by the answer if it is fresh. Says nothing by itself. */
void address_ask(struct address *a);
/* It is in the kernel already, from the core before this one: hold it as if taken, without an announcement.
 */
void address_adopt(struct address *a, instant lease_end);
/* Extends the kernel's lifetime (cheap: does nothing if the kernel still has more than half of it). */
void address_renew(struct address *a, instant lease_end);
/* Announces again, the whole schedule: after a healed split, a conflict, a carrier that came back. */
void address_announce(struct address *a);
/* Removes it from the kernel synchronously; then ADDRESS_EV_RELEASED. Safe in every state. Returns 0, or the
 * kernel's negative errno, when the address is still there. */
int address_release(struct address *a);

enum address_state address_state(const struct address *a);
bool address_carrier(const struct address *a);
/* The interface's name, "" while unknown; its index, 0 while unknown. */
const char *address_device(const struct address *a);
unsigned address_ifindex(const struct address *a);
/* One line for people: "verified by 10.0.0.254 after 0.8ms", "waiting for eth1". */
const char *address_text(const struct address *a);

/* The interface that carries this local address, and whether it has carrier. False if none does. */
#define TAKEOVER_NAME 16 /* IFNAMSIZ */
bool takeover_interface_of(struct takeover *t, const struct ip *local, char name[static TAKEOVER_NAME],
                           bool *ret_carrier);

/* The lease gate (gate.h): the kernel itself drops what concerns a held address once the lease is over. In
 * the order of a start: clear what an earlier run left, open, say what is held already, then hang it on every
 * interface, in the place of an earlier core's at once. Addresses taken and released later are its business
 * without further word. `instance` tells this havend from others in the network namespace. */
#define TAKEOVER_REASON 200 /* GATE_REASON */
/* Removes from the kernel the addresses that a gate which still hangs here guards. */
void takeover_gate_clear_left(struct takeover *t, uint32_t instance);
/* A new one in the place of any before. 0, or a negative errno with a reason for people, and nothing changed.
 */
int takeover_gate_open(struct takeover *t, uint32_t instance, char reason[static TAKEOVER_REASON]);
int takeover_gate_guard(struct takeover *t, const struct ip *ip, uint8_t prefix, bool leased);
void takeover_gate_hang(struct takeover *t);
/* Takes it off every interface, also that of an earlier run. */
void takeover_gate_close(struct takeover *t, uint32_t instance);
/* While it does not hang on every interface no address is taken. */
void takeover_gate_require(struct takeover *t, bool required);
/* The node's lease ends then. A store in memory. */
void takeover_lease(struct takeover *t, instant end);
/* Whether it is in force. With it: on how many interfaces. Without: where it does not hang; untouched when it
 * is not open at all. */
bool takeover_gate_text(const struct takeover *t, char text[static TAKEOVER_REASON]);

/* Without a loop, for the supervisor and for clearing up at start: removes the address from the interface (0:
 * from every interface that has it). 0 also if it was not there; else the kernel's negative errno. */
int address_remove_now(const struct ip *ip, uint8_t prefix, unsigned ifindex);
