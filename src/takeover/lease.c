/* lease.c - the kernel's lifetime of a held address: the dead-man's switch behind the
 * gate (gate.h), and in its place where there is none. */

#include "takeover/address.h"

/* The kernel counts whole seconds and checks on a coarse timer: measured, a lifetime of 1 s ends after 1.01
 * to 1.24 s, and by its source (check_lifetime, ADDRCONF_TIMER_FUZZ_MINUS) never more than HZ/50 early. */
#define KERNEL_EARLY_MS 20

bool lease_over(const struct address *a, instant now)
{
        return instant_reached(now, a->lease_end);
}

/* Whole seconds, rounded up: it may live a little longer than the lease, never less. Behind a gate, which
 * ends it to the microsecond, the lifetime only clears up after us: twice the lease and more, so that a
 * process that was late by a whole lease finds the address where it left it. */
static uint32_t seconds_left(const struct address *a, instant now)
{
        int64_t us = span_between(now, a->lease_end).us;

        if (a->takeover->gated && us > 0)
                us = us > INT64_MAX / 4 ? us : 2 * us + 1000000;
        int64_t s = us <= 0 ? 1 : (us - 1) / 1000000 + 1;

        return s >= NETLINK_FOREVER ? NETLINK_FOREVER : (uint32_t)s;
}

int lease_write(struct address *a, instant now)
{
        struct takeover *t = a->takeover;
        struct netlink_address wanted = {
                .ip = a->ip, .prefix = a->prefix, .ifindex = a->ifindex, .valid_s = seconds_left(a, now)};

        wanted.no_route = interfaces_shares_network(&t->interfaces, a->ifindex, &a->ip, a->prefix);
        int r = netlink_address_set(&t->requests, &wanted);
        struct local_address there = {.ifindex = a->ifindex, .ip = a->ip, .prefix = a->prefix};
        if (r == 0)
                r = interfaces_note(&t->interfaces, &there, true);
        if (r < 0)
                return r;
        address_due(a, DUE_REFRESH, INSTANT_NEVER);
        if (wanted.valid_s == NETLINK_FOREVER) {
                a->half_at = a->kernel_end = INSTANT_NEVER;
                return 0;
        }
        span life = span_s(wanted.valid_s);
        a->half_at = instant_add(now, span_us(life.us / 2));
        a->kernel_end = instant_add(now, span_sub(life, span_ms(KERNEL_EARLY_MS)));
        return 0;
}

/* Half of the lifetime is left as room for a stalled process. Between two renewals a lease may reach beyond
 * the kernel's lifetime; then a timer sees to it, in case no further renewal comes. */
void lease_refresh(struct address *a, instant now)
{
        if (lease_over(a, now)) {
                address_due(a, DUE_REFRESH, INSTANT_NEVER);
                return;
        }
        if (!instant_reached(now, a->half_at)) {
                if (instant_before(a->kernel_end, a->lease_end))
                        address_due(a, DUE_REFRESH, a->half_at);
                return;
        }
        /* A failure leaves half_at behind, so that the next renewal tries again; that the address or its
         * interface is gone is told by the watch. */
        address_due(a, DUE_REFRESH, INSTANT_NEVER);
        lease_write(a, now);
}
