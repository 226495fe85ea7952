#include "takeover/heard.h"

#include <string.h>

static bool is_unspecified(const struct ip *ip)
{
        static const uint8_t zero[16];

        return memcmp(ip->bytes, zero, ip_size(ip)) == 0;
}

struct heard heard_arp(const struct arp *arp, bool to_us, const struct ip *ip, struct mac own)
{
        struct heard heard = {.has_mac = true, .mac = arp->sender_mac, .neighbour = arp->sender_ip};

        if (mac_equal(arp->sender_mac, own))
                return (struct heard){0}; /* our own words, brought back by a bridge or a bond */
        if (ip_equal(&arp->sender_ip, ip))
                heard.kind = HEARD_CLAIM;
        else if (!ip_equal(&arp->target_ip, ip))
                heard.kind = HEARD_NOTHING;
        else if (is_unspecified(&arp->sender_ip))
                heard.kind = HEARD_PROBE;
        else if (to_us)
                heard.kind = HEARD_PROOF; /* an answer, or a question to the MAC it has in its cache: ours */
        return heard;
}

struct heard heard_ndp(const struct ndp *ndp, const struct ip *source, const struct ip *destination,
                       const struct ip *ip, struct mac own)
{
        struct heard heard = {.has_mac = ndp->has_mac, .mac = ndp->mac};
        bool about_it = ip_equal(&ndp->target, ip);

        if (ndp->has_mac && mac_equal(ndp->mac, own))
                return (struct heard){0};
        if (ndp->type == NDP_ADVERTISEMENT && about_it) {
                heard.kind = HEARD_CLAIM;
        } else if (ndp->type == NDP_SOLICITATION && about_it && is_unspecified(source)) {
                if (ndp->has_nonce && memcmp(ndp->nonce, own.bytes, sizeof(ndp->nonce)) == 0)
                        return (struct heard){0};
                heard.kind = HEARD_PROBE;
                /* another haven's nonce is its MAC; a random one serves the tie-break as well */
                heard.has_mac = ndp->has_nonce;
                memcpy(heard.mac.bytes, ndp->nonce, sizeof(ndp->nonce));
        } else if (ip_equal(destination, ip) && !is_unspecified(source)) {
                heard.kind = HEARD_PROOF;
                heard.neighbour = ndp->type == NDP_ADVERTISEMENT ? ndp->target : *source;
        }
        return heard;
}
