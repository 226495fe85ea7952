/* heard.h - what a packet from a neighbour means for one floating address. Pure.
 *
 * CLAIM: another station says that it has the address. PROBE: another station asks whether it may take it.
 * PROOF: a neighbour sends to us what it sends to the address. */
#pragma once

#include "takeover/arp.h"
#include "takeover/ndp.h"

#include <stdbool.h>

enum heard_kind { HEARD_NOTHING, HEARD_CLAIM, HEARD_PROBE, HEARD_PROOF };

struct heard {
        enum heard_kind kind;
        bool has_mac; /* always, but for an IPv6 station that leaves it out */
        struct mac mac;
        struct ip neighbour; /* of a PROOF: who it was */
};

/* `to_us`: the frame was addressed to our MAC, not broadcast. */
struct heard heard_arp(const struct arp *arp, bool to_us, const struct ip *ip, struct mac own);
/* `source` and `destination` as in the IPv6 header. */
struct heard heard_ndp(const struct ndp *ndp, const struct ip *source, const struct ip *destination,
                       const struct ip *ip, struct mac own);
