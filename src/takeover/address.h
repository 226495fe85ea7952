/* address.h - one floating address from within: what its parts (address.c, announce.c, verify.c, probe.c)
 * share.
 *
 * There is one timer; each part keeps the instant at which it wants to be called in `due`, and the timer is
 * set to the earliest. While the address is held and proven, no instant is set and the address costs nothing.
 */
#pragma once

#include "takeover/gate.h"
#include "takeover/interfaces.h"
#include "takeover/netlink.h"
#include "takeover/takeover.h"
#include "takeover/watch.h"
#include "takeover/wire.h"

#include <uv.h>

/* The gateway, the user's list and some whom the kernel knows: one answer is proof, eight questions are still
 * less than one page load. */
#define ASK_MAX 8

/* More often than so many times in so long, and it is a fight with the interface manager that we would lose
 * slowly: another node without one is the better place. */
#define RESTORE_LIMIT    5
#define RESTORE_WINDOW_S 60

/* RFC 5227 2.4 (c): one defence in DEFEND_INTERVAL, so that two who both hold on do not flood the network. */
#define DEFEND_INTERVAL_S 10

#define ADDRESS_TEXT 240

enum due {
        DUE_PROBE,    /* the next question before taking, or the verdict */
        DUE_ANNOUNCE, /* the next announcement and question of the schedule */
        DUE_ASK,      /* the first question to the neighbours, right after the first announcement */
        DUE_ALARM,    /* no proof until now: say so */
        DUE_REFRESH,  /* the kernel's lifetime is half over and the lease goes on */
        DUE_COUNT,
};

struct address {
        struct takeover *takeover;
        struct address *next;
        bool freed; /* the memory waits for the timer's closing */
        struct ip ip;
        uint8_t prefix;
        char wanted_device[IFNAMSIZ]; /* "": found by the network that covers the address */
        struct ip verify[ASK_MAX];
        size_t verify_count;
        address_event_fn *on_event;
        void *user;

        enum address_state state;
        char text[ADDRESS_TEXT];
        unsigned ifindex;
        char device[IFNAMSIZ];
        struct mac mac;
        bool carrier;
        char carrier_text[ADDRESS_TEXT]; /* why there is none */
        struct wire *wire;               /* NULL where nobody can be spoken to: lo, a tunnel */

        uv_timer_t timer;
        instant due[DUE_COUNT];

        instant lease_end;
        instant half_at;    /* when half of the lifetime that the kernel was told is over, ... */
        instant kernel_end; /* ... and until when it surely keeps the address */

        unsigned probes_sent;
        bool probe_early;    /* asked before it is to be taken: the answer is kept, not told */
        instant probe_until; /* when a conflicting answer is taken for final */
        instant probed_at;   /* when an early question was answered; LONG_AGO: none */
        int probe_error;     /* of the last that could not be sent; 0 once one could */

        instant announce_start;
        unsigned announce_step;
        bool silent; /* adopted: the neighbours know, so ask only */
        struct ip asked[ASK_MAX];
        size_t asked_count;

        instant removed_at[RESTORE_LIMIT]; /* a ring; INSTANT_LONG_AGO in unused places */
        unsigned removals;
        instant defended_at;
};

struct takeover {
        uv_loop_t *loop;
        struct netlink requests;
        struct interfaces interfaces;
        struct watch *watch;
        int sender;
        struct address *first;
        struct gate *gate; /* NULL: off, or not possible */
        bool gated;        /* it hangs on every interface */
        bool gate_required;
};

/* address.c: what the parts may do to the whole. */
bool address_is_held(const struct address *a);
/* The only writer of the state; `format` is what people then read in address_text(). */
void address_set_state(struct address *a, enum address_state state, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Tells the owner, who may call anything on any address, even address_free(): the last thing a caller does,
 * or he looks at the state again. */
void address_emit(struct address *a, enum address_event event, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void address_refuse(struct address *a, enum address_state state, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* It is ours no longer: all timers stop, nothing is heard. */
void address_gone(struct address *a, enum address_state state, const char *why);
void address_on_heard(void *address, const struct heard *heard);
/* Puts it into the kernel and announces it; TAKEN or REFUSED. */
void address_claim(struct address *a, instant now);
void address_due(struct address *a, enum due due, instant at);
/* place.c: the address's interface, its carrier and the address itself, compared with the tables. */
void address_sync(struct address *a);
/* takeover.c: some floating address of this process: `interfaces_ignore_fn`. */
bool takeover_floats(void *takeover, const struct ip *ip);

/* gate_keep.c: hangs it where it does not hang yet. To be called when interfaces have changed. */
void gate_keep(struct takeover *t);

/* lease.c: how long the kernel keeps it. */
int lease_write(struct address *a, instant now);
void lease_refresh(struct address *a, instant now);
bool lease_over(const struct address *a, instant now);

/* announce.c */
void announce_begin(struct address *a, instant now, bool silent);
void announce_step(struct address *a, instant now);
void announce_stop(struct address *a);
/* Another station claims the held address. */
void announce_defend(struct address *a, const struct heard *heard, instant now);

/* verify.c */
void verify_begin(struct address *a, instant now);
void verify_ask(struct address *a);
void verify_alarm(struct address *a);
void verify_proven(struct address *a, const struct ip *by, instant now);

/* probe.c */
void probe_begin(struct address *a, instant now);
void probe_step(struct address *a, instant now);
/* Whether an early question has an answer that still counts: the state says which. */
bool probe_is_answered(const struct address *a, instant now);
void probe_heard(struct address *a, const struct heard *heard);
