/* verify.c - proof that the neighbours send to us what they send to the address.
 *
 * A neighbour that is asked in the name of the address must note our MAC for it before it answers (RFC 826,
 * RFC 4861 7.2.3), and its answer comes to us because it did. */

#include "base/text.h"
#include "takeover/address.h"

#include <stdio.h>
#include <string.h>

/* Five rounds of questions. A neighbour on a LAN answers in less than 1 ms; one which has not by now sends to
 * the old place, or a switch blocks us (spanning tree takes up to 30 s), and somebody should know. */
#define VERIFY_ALARM_S 3

void verify_begin(struct address *a, instant now)
{
        a->asked_count = 0;
        address_due(a, DUE_ASK, now); /* in the next turn of the loop: the taking shall not wait for it */
        address_due(a, DUE_ALARM, instant_add(now, span_s(VERIFY_ALARM_S)));
}

static void add_neighbour(struct address *a, const struct ip *ip)
{
        struct takeover *t = a->takeover;
        bool multicast = ip->family == AF_INET6 ? ip->bytes[0] == 0xff : ip->bytes[0] >= 224;

        if (ip->family != a->ip.family || multicast || ip_equal(ip, &a->ip) ||
            interfaces_carrying(&t->interfaces, ip) || a->asked_count == ASK_MAX)
                return;
        for (size_t i = 0; i < a->asked_count; i++)
                if (ip_equal(&a->asked[i], ip))
                        return;
        a->asked[a->asked_count++] = *ip;
}

/* Anew in each round: a gateway may have been learnt in between. */
static void choose_neighbours(struct address *a)
{
        struct takeover *t = a->takeover;
        struct ip known[ASK_MAX], gateway;

        a->asked_count = 0;
        if (netlink_gateway(&t->requests, a->ip.family, a->ifindex, &gateway) == 0)
                add_neighbour(a, &gateway);
        for (size_t i = 0; i < a->verify_count; i++)
                add_neighbour(a, &a->verify[i]);
        size_t n = netlink_neighbours(&t->requests, a->ip.family, a->ifindex, known, COUNT(known));
        for (size_t i = 0; i < n; i++)
                add_neighbour(a, &known[i]);
}

void verify_ask(struct address *a)
{
        if (lease_over(a, instant_now()))
                return; /* a question changes the neighbours' caches just as an announcement does */
        choose_neighbours(a);
        for (size_t i = 0; i < a->asked_count; i++)
                wire_ask(a->wire, &a->asked[i]);
        if (a->asked_count == 0)
                address_set_state(a, a->state, "held on %s, no neighbour to ask", a->device);
}

void verify_alarm(struct address *a)
{
        char text[ADDRESS_TEXT] = "", ip[IP_TEXT];
        size_t at = 0;

        address_due(a, DUE_ALARM, INSTANT_NEVER);
        if (a->asked_count == 0)
                return;
        a->silent = false; /* adopted in the belief that they know: they do not */
        for (size_t i = 0; i < a->asked_count && at < sizeof(text); i++)
                at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? ", " : "",
                                       ip_format(&a->asked[i], ip));
        address_set_state(a, ADDRESS_HELD, "held on %s, not proven: no answer from %s", a->device, text);
        address_emit(a, ADDRESS_EV_UNVERIFIED,
                     "no answer within %ds from %s: they may still send to the old place; announcing goes on",
                     VERIFY_ALARM_S, text);
}

void verify_proven(struct address *a, const struct ip *by, instant now)
{
        char ip[IP_TEXT], time[SPAN_TEXT];

        span taken = span_between(a->announce_start, now);
        address_due(a, DUE_ASK, INSTANT_NEVER);
        address_due(a, DUE_ALARM, INSTANT_NEVER);
        address_set_state(a, ADDRESS_VERIFIED, "verified by %s after %s", ip_format(by, ip),
                          span_format(taken, time));
        if (a->silent || a->due[DUE_ANNOUNCE].us == INSTANT_NEVER.us) {
                address_due(a, DUE_ANNOUNCE, INSTANT_NEVER);
                wire_listen(a->wire, WIRE_CLAIMS);
        }
        address_emit(a, ADDRESS_EV_VERIFIED, "%s", a->text);
}
