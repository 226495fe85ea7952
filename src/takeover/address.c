/* address.c - the life of one floating address: absent, asked for, held, proven, given back. */

#include "takeover/address.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool address_is_held(const struct address *a)
{
        return a->state == ADDRESS_HELD || a->state == ADDRESS_VERIFIED;
}

void address_set_state(struct address *a, enum address_state state, const char *format, ...)
{
        va_list args;

        a->state = state;
        va_start(args, format);
        vsnprintf(a->text, sizeof(a->text), format, args);
        va_end(args);
}

void address_emit(struct address *a, enum address_event event, const char *format, ...)
{
        char text[ADDRESS_TEXT]; /* of its own: the owner may act, and change the address's, while reading */
        va_list args;

        if (a->freed)
                return;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        a->on_event(a->user, a, event, text);
}

/* Nothing more is done or heard for it. */
static void become_quiet(struct address *a)
{
        for (enum due due = 0; due < DUE_COUNT; due++)
                address_due(a, due, INSTANT_NEVER);
        if (a->wire)
                wire_listen(a->wire, WIRE_DEAF);
}

void address_refuse(struct address *a, enum address_state state, const char *format, ...)
{
        va_list args;

        become_quiet(a);
        a->state = state;
        va_start(args, format);
        vsnprintf(a->text, sizeof(a->text), format, args);
        va_end(args);
        address_emit(a, ADDRESS_EV_REFUSED, "%s", a->text);
}

/* It is in the kernel no more. */
static void leave_gate(const struct address *a)
{
        const struct takeover *t = a->takeover;

        if (t->gate)
                gate_leave(t->gate, &a->ip, interfaces_serve(&t->interfaces, &a->ip));
}

void address_gone(struct address *a, enum address_state state, const char *why)
{
        become_quiet(a);
        leave_gate(a);
        address_set_state(a, state, "%s", why);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct address *a)
{
        instant next = INSTANT_NEVER;

        if (a->freed)
                return;
        for (size_t i = 0; i < DUE_COUNT; i++)
                next = instant_min(next, a->due[i]);
        if (next.us == INSTANT_NEVER.us)
                uv_timer_stop(&a->timer);
        else
                uv_timer_start(&a->timer, on_timer, (uint64_t)span_to_ms(span_between(instant_now(), next)),
                               0);
}

void address_due(struct address *a, enum due due, instant at)
{
        if (a->due[due].us == at.us)
                return;
        a->due[due] = at;
        arm(a);
}

static void on_due(struct address *a, enum due due, instant now)
{
        switch (due) {
        case DUE_PROBE: probe_step(a, now); break;
        case DUE_ANNOUNCE: announce_step(a, now); break;
        case DUE_ASK: verify_ask(a); break;
        case DUE_ALARM: verify_alarm(a); break;
        case DUE_REFRESH: lease_refresh(a, now); break;
        case DUE_COUNT: assert(false);
        }
}

static void on_timer(uv_timer_t *timer)
{
        struct address *a = timer->data;
        instant now = instant_now();

        for (enum due due = 0; due < DUE_COUNT && !a->freed; due++) {
                if (!instant_reached(now, a->due[due]))
                        continue;
                a->due[due] = INSTANT_NEVER;
                on_due(a, due, now);
        }
        arm(a);
}

void address_on_heard(void *user, const struct heard *heard)
{
        struct address *a = user;
        bool claim = heard->kind == HEARD_CLAIM || heard->kind == HEARD_PROBE;

        /* Another interface of ours on the same network may answer for all our addresses (arp_ignore = 0). */
        if (claim && heard->has_mac && interfaces_own_mac(&a->takeover->interfaces, heard->mac))
                return;
        switch (a->state) {
        case ADDRESS_PROBING:
                if (claim)
                        probe_heard(a, heard);
                break;
        case ADDRESS_HELD:
        case ADDRESS_VERIFIED:
                /* The kernel answers a probe, and so refuses it; only a claim needs us. */
                if (heard->kind == HEARD_CLAIM)
                        announce_defend(a, heard, instant_now());
                else if (heard->kind == HEARD_PROOF && a->state == ADDRESS_HELD)
                        verify_proven(a, &heard->neighbour, instant_now());
                break;
        case ADDRESS_WAITING:
        case ADDRESS_ABSENT:
        case ADDRESS_FOREIGN: break; /* what came in before we became deaf */
        }
}

int address_new(struct takeover *t, const struct address_want *want, address_event_fn *on_event, void *user,
                struct address **ret_address)
{
        struct address *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        *a = (struct address){.takeover = t,
                              .next = t->first,
                              .ip = want->ip,
                              .prefix = want->prefix,
                              .on_event = on_event,
                              .user = user,
                              .state = ADDRESS_WAITING,
                              .carrier = true,
                              .defended_at = INSTANT_LONG_AGO};
        if (want->device && !text_copy(a->wanted_device, sizeof(a->wanted_device), want->device)) {
                free(a);
                return -ENAMETOOLONG;
        }
        for (size_t i = 0; i < want->verify_count && a->verify_count < ASK_MAX; i++)
                a->verify[a->verify_count++] = want->verify[i];
        for (size_t i = 0; i < DUE_COUNT; i++)
                a->due[i] = INSTANT_NEVER;
        int r = uv_timer_init(t->loop, &a->timer);
        if (r < 0) {
                free(a);
                return r;
        }
        a->timer.data = a;
        t->first = a;
        *ret_address = a;
        address_sync(a);
        return 0;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

void address_free(struct address *a)
{
        struct address **at;

        if (!a)
                return;
        assert(!a->freed);
        for (at = &a->takeover->first; *at != a; at = &(*at)->next)
                assert(*at);
        *at = a->next; /* a->next stays: somebody may be walking the list right here */
        a->freed = true;
        wire_free(a->wire);
        a->wire = NULL;
        uv_timer_stop(&a->timer);
        uv_close((uv_handle_t *)&a->timer, on_closed);
}

/* What the kernel's errno means here, where that is not plain. */
static const char *error_text(const struct address *a, int error)
{
        if (a->ip.family == AF_INET6 && error == -EACCES)
                return "IPv6 is disabled there (sysctl net.ipv6.conf.*.disable_ipv6)";
        if (error == -EPERM)
                return "not permitted: needs CAP_NET_ADMIN";
        if (error == -ENOTRECOVERABLE)
                return "gate = require, and it is not in force here (haven status)";
        return strerror(-error);
}

/* Guarded first, then there: whatever stands still in between. */
static int put_in_kernel(struct address *a, instant now)
{
        struct takeover *t = a->takeover;
        int r = t->gate_required && !t->gated ? -ENOTRECOVERABLE : 0;

        if (r == 0)
                r = takeover_gate_guard(t, &a->ip, a->prefix, true);
        if (r == 0)
                r = lease_write(a, now);
        if (r < 0)
                leave_gate(a);
        return r;
}

void address_claim(struct address *a, instant now)
{
        char ip[IP_TEXT];

        if (lease_over(a, now)) {
                address_refuse(a, ADDRESS_ABSENT, "the lease was over before %s could be taken",
                               ip_format(&a->ip, ip));
                return;
        }
        int r = put_in_kernel(a, now);
        if (r < 0) {
                address_refuse(a, ADDRESS_ABSENT, "cannot add %s to %s: %s", ip_format(&a->ip, ip), a->device,
                               error_text(a, r));
                return;
        }
        a->removals = 0;
        address_set_state(a, ADDRESS_HELD, "held on %s, not yet proven", a->device);
        announce_begin(a, now, false);
        address_emit(a, ADDRESS_EV_TAKEN, "%s is on %s", ip_format(&a->ip, ip), a->device);
}

void address_take(struct address *a, bool probe, instant lease_end)
{
        instant now = instant_now();

        a->lease_end = lease_end;
        if (!a->ifindex) {
                address_refuse(a, ADDRESS_WAITING, "%s", a->carrier_text);
        } else if (!probe || !a->wire || address_is_held(a)) {
                address_due(a, DUE_PROBE, INSTANT_NEVER);
                address_claim(a, now);
        } else if (a->state == ADDRESS_PROBING) {
                a->probe_early = false; /* asked already: the answer now is for us */
        } else if (probe_is_answered(a, now)) {
                bool foreign = a->state == ADDRESS_FOREIGN;
                a->probed_at = INSTANT_LONG_AGO;
                if (foreign)
                        address_emit(a, ADDRESS_EV_REFUSED, "%s", a->text);
                else
                        address_claim(a, now);
        } else if (!a->carrier) {
                /* Whoever cannot hear an answer would take what somebody holds. */
                address_refuse(a, ADDRESS_ABSENT, "%s: cannot ask whether somebody holds it",
                               a->carrier_text);
        } else {
                probe_begin(a, now);
        }
}

void address_ask(struct address *a)
{
        instant now = instant_now();

        if (!a->ifindex || !a->wire || !a->carrier || address_is_held(a) || a->state == ADDRESS_PROBING ||
            probe_is_answered(a, now))
                return;
        a->probe_early = true;
        probe_begin(a, now);
}

void address_adopt(struct address *a, instant lease_end)
{
        char ip[IP_TEXT];
        instant now = instant_now();

        /* Removed since the last core died? Then it is a taking as any other. */
        if (!a->ifindex || !interfaces_has(&a->takeover->interfaces, a->ifindex, &a->ip)) {
                address_take(a, false, lease_end);
                return;
        }
        a->lease_end = lease_end;
        int r = lease_over(a, now) ? -ETIME : takeover_gate_guard(a->takeover, &a->ip, a->prefix, true);
        if (r == 0)
                r = lease_write(a, now);
        if (r < 0) {
                address_refuse(a, ADDRESS_ABSENT, "cannot keep %s on %s: %s", ip_format(&a->ip, ip),
                               a->device, r == -ETIME ? "its lease is over" : error_text(a, r));
                return;
        }
        address_set_state(a, ADDRESS_HELD, "held on %s, adopted, not yet proven", a->device);
        announce_begin(a, now, true);
        address_emit(a, ADDRESS_EV_TAKEN, "%s is on %s: adopted", ip_format(&a->ip, ip), a->device);
}

void address_renew(struct address *a, instant lease_end)
{
        a->lease_end = instant_max(a->lease_end, lease_end);
        if (address_is_held(a))
                lease_refresh(a, instant_now());
}

void address_announce(struct address *a)
{
        instant now = instant_now();

        if (!address_is_held(a) || lease_over(a, now))
                return;
        address_set_state(a, ADDRESS_HELD, "held on %s, announced again, not yet proven", a->device);
        announce_begin(a, now, false);
}

int address_release(struct address *a)
{
        struct local_address local = {.ifindex = a->ifindex, .ip = a->ip, .prefix = a->prefix};
        char ip[IP_TEXT];
        int r = 0;

        a->probe_early = false;
        a->lease_end = INSTANT_LONG_AGO; /* whatever comes late must neither speak nor restore */
        if (a->ifindex)
                r = netlink_address_remove(&a->takeover->requests, &a->ip, a->prefix, a->ifindex);
        become_quiet(a);
        if (r < 0 && r != -EADDRNOTAVAIL && r != -ENODEV) {
                takeover_gate_guard(a->takeover, &a->ip, a->prefix, false); /* there, and yet not reached */
                return r;
        }
        interfaces_note(&a->takeover->interfaces, &local, false);
        leave_gate(a);
        if (a->ifindex)
                address_set_state(a, ADDRESS_ABSENT, "not here, released");
        else
                address_set_state(a, ADDRESS_WAITING, "%s", a->carrier_text);
        address_emit(a, ADDRESS_EV_RELEASED, "%s is off %s", ip_format(&a->ip, ip),
                     a->ifindex ? a->device : "this host");
        return 0;
}

enum address_state address_state(const struct address *a)
{
        return a->state;
}

bool address_carrier(const struct address *a)
{
        return a->carrier;
}

const char *address_device(const struct address *a)
{
        return a->device;
}

unsigned address_ifindex(const struct address *a)
{
        return a->ifindex;
}

const char *address_text(const struct address *a)
{
        return a->carrier ? a->text : a->carrier_text;
}
