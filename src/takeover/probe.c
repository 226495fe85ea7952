/* probe.c - asking the network, before taking an address, whether somebody else answers for it.
 *
 * RFC 5227 2.1.1 waits for seconds, because it must also find slow radio links. A floating address lives on a
 * LAN, where a station that holds it answers in less than 1 ms; so the same questions are put within 20 ms,
 * and all is decided after 40 ms: room for a busy owner, and three packets must be lost for a wrong verdict.
 */

#include "takeover/address.h"

#include <stdio.h>
#include <string.h>

#define PROBE_COUNT   3
#define PROBE_GAP_MS  10
#define PROBE_WAIT_MS 20 /* after the last one */

/* Where haven died with all its processes, or stands still with them, the kernel there answers until the
 * lifetime that it was told is over, about a second: no reason to give up, and none to be late. */
#define PROBE_PATIENCE span_ms(2500)
#define PROBE_AGAIN    span_ms(100)

void probe_begin(struct address *a, instant now)
{
        a->probes_sent = 0;
        a->probe_error = 0;
        a->probe_until = instant_add(now, PROBE_PATIENCE);
        address_set_state(a, ADDRESS_PROBING, "asking on %s whether somebody holds it", a->device);
        wire_listen(a->wire, WIRE_ALL);
        probe_step(a, now);
}

void probe_step(struct address *a, instant now)
{
        if (a->probes_sent < PROBE_COUNT) {
                int r = wire_probe(a->wire);
                if (r < 0)
                        a->probe_error = r;
                a->probes_sent++;
                bool last = a->probes_sent == PROBE_COUNT;
                address_due(a, DUE_PROBE, instant_add(now, span_ms(last ? PROBE_WAIT_MS : PROBE_GAP_MS)));
                return;
        }
        address_due(a, DUE_PROBE, INSTANT_NEVER);
        /* Where we did not run for a while, the answer waits behind the timer that would do without it. */
        wire_hear(a->wire);
        if (a->freed || a->state != ADDRESS_PROBING || a->probes_sent == 0)
                return;
        if (a->probe_early) {
                a->probe_early = false;
                a->probed_at = a->probe_error < 0 ? INSTANT_LONG_AGO : now;
                address_gone(a, ADDRESS_ABSENT, "not here; nobody else answers for it");
        } else if (a->probe_error < 0) /* a question not put is not a no */
                address_refuse(a, ADDRESS_ABSENT, "cannot ask on %s whether somebody holds it: %s", a->device,
                               strerror(-a->probe_error));
        else
                address_claim(a, now);
}

void probe_heard(struct address *a, const struct heard *heard)
{
        char mac[MAC_TEXT], ip[IP_TEXT], text[ADDRESS_TEXT - 16];
        instant now = instant_now();
        const char *who = heard->has_mac ? mac_format(heard->mac, mac) : "a station that hides its MAC";

        /* Two ask at once: the lower one may have it, else neither would. */
        if (heard->kind == HEARD_PROBE && heard->has_mac && mac_before(a->mac, heard->mac))
                return;
        snprintf(text, sizeof(text), "%s on %s is %s by %s", ip_format(&a->ip, ip), a->device,
                 heard->kind == HEARD_PROBE ? "being taken" : "held", who);
        if (!instant_reached(now, a->probe_until)) {
                address_set_state(a, ADDRESS_PROBING, "%s: asking again", text);
                a->probes_sent = 0;
                address_due(a, DUE_PROBE, instant_add(now, PROBE_AGAIN));
                return;
        }
        if (a->probe_early) {
                a->probe_early = false;
                a->probed_at = now;
                address_gone(a, ADDRESS_FOREIGN, text);
                return;
        }
        address_refuse(a, ADDRESS_FOREIGN, "%s: not taken", text);
}

/* The network may have changed since; a taking that was prepared is at hand within this. */
#define PROBE_FRESH span_s(2)

bool probe_is_answered(const struct address *a, instant now)
{
        return (a->state == ADDRESS_ABSENT || a->state == ADDRESS_FOREIGN) &&
               !instant_reached(now, instant_add(a->probed_at, PROBE_FRESH));
}
