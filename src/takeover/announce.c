/* announce.c - telling the neighbours, on a schedule that thins out; defending against another's claim. */

#include "takeover/address.h"
#include "takeover/schedule.h"

/* While the lease is over nothing is said; the release, or the kernel's expiry, is then about to come. */
#define MUTE_MS 100

void announce_begin(struct address *a, instant now, bool silent)
{
        a->announce_start = now;
        a->announce_step = 0;
        a->silent = silent;
        if (!a->wire || !a->carrier) {
                announce_stop(a); /* nobody to tell, or none that would hear; carrier begins it again */
                return;
        }
        if (!silent && !lease_over(a, now))
                wire_announce(a->wire); /* a failure is a lost packet: the schedule repeats it */
        a->announce_step = 1;
        wire_listen(a->wire, WIRE_ALL);
        address_due(a, DUE_ANNOUNCE, instant_add(now, schedule_offset(1)));
        verify_begin(a, now);
}

void announce_stop(struct address *a)
{
        address_due(a, DUE_ANNOUNCE, INSTANT_NEVER);
        address_due(a, DUE_ASK, INSTANT_NEVER);
        address_due(a, DUE_ALARM, INSTANT_NEVER);
}

void announce_step(struct address *a, instant now)
{
        if (lease_over(a, now)) {
                address_due(a, DUE_ANNOUNCE, instant_add(now, span_ms(MUTE_MS)));
                return;
        }
        if (!a->silent) {
                wire_refresh(a->wire);
                wire_announce(a->wire);
        }
        if (a->state != ADDRESS_VERIFIED)
                verify_ask(a);
        a->announce_step++;
        bool proven = a->state == ADDRESS_VERIFIED;
        if (proven && (a->silent || a->announce_step >= SCHEDULE_STEPS)) {
                address_due(a, DUE_ANNOUNCE, INSTANT_NEVER);
                wire_listen(a->wire, WIRE_CLAIMS);
                return;
        }
        /* After a stall, the steps it swallowed are not made up for one after the other. */
        instant next = instant_add(a->announce_start, schedule_offset(a->announce_step));
        address_due(a, DUE_ANNOUNCE, instant_max(next, instant_add(now, schedule_offset(1))));
}

void announce_defend(struct address *a, const struct heard *heard, instant now)
{
        char mac[MAC_TEXT], ip[IP_TEXT];

        if (lease_over(a, now) || instant_before(now, instant_add(a->defended_at, span_s(DEFEND_INTERVAL_S))))
                return;
        a->defended_at = now;
        wire_announce(a->wire);
        address_emit(a, ADDRESS_EV_CONFLICT, "%s is also claimed by %s on %s; announced again",
                     ip_format(&a->ip, ip),
                     heard->has_mac ? mac_format(heard->mac, mac) : "a station that hides its MAC",
                     a->device);
}
