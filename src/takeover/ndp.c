#include "takeover/ndp.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define HEADER_SIZE  40
#define MESSAGE_SIZE (NDP_PACKET_SIZE - HEADER_SIZE)
#define NEXT_ICMPV6  58
#define CHECKSUM_AT  (HEADER_SIZE + 2)

enum option { OPTION_SOURCE_MAC = 1, OPTION_TARGET_MAC = 2, OPTION_NONCE = 14 };

struct ip ndp_solicited_node(const struct ip *ip)
{
        struct ip group = {.family = AF_INET6, .bytes = {0xff, 0x02, [11] = 0x01, [12] = 0xff}};

        memcpy(group.bytes + 13, ip->bytes + 13, 3);
        return group;
}

struct mac ndp_group_mac(const struct ip *group)
{
        struct mac mac = {{0x33, 0x33}};

        memcpy(mac.bytes + 2, group->bytes + 12, 4);
        return mac;
}

static uint32_t sum_words(uint32_t sum, const uint8_t *bytes, size_t n)
{
        for (size_t i = 0; i + 1 < n; i += 2)
                sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
        return sum;
}

/* RFC 4443 2.3: over both addresses, the length, the protocol and the message. */
static void put_checksum(uint8_t packet[static NDP_PACKET_SIZE])
{
        uint32_t sum = MESSAGE_SIZE + NEXT_ICMPV6;

        sum = sum_words(sum, packet + 8, 32);
        sum = sum_words(sum, packet + HEADER_SIZE, MESSAGE_SIZE);
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        packet[CHECKSUM_AT] = (uint8_t)(~sum >> 8);
        packet[CHECKSUM_AT + 1] = (uint8_t)~sum;
}

struct form {
        struct ip source, destination;
        enum ndp_type type;
        uint8_t flags;
        struct ip target;
        enum option option;
        struct mac own;
};

static void encode(const struct form *f, uint8_t packet[static NDP_PACKET_SIZE])
{
        struct writer w;

        writer_init(&w, packet, NDP_PACKET_SIZE);
        put_u32(&w, 6u << 28); /* version 6; no class, no flow */
        put_u16(&w, MESSAGE_SIZE);
        put_u8(&w, NEXT_ICMPV6);
        put_u8(&w, NDP_HOP_LIMIT);
        put_bytes(&w, f->source.bytes, 16);
        put_bytes(&w, f->destination.bytes, 16);
        put_u8(&w, (uint8_t)f->type);
        put_u8(&w, 0);  /* code */
        put_u16(&w, 0); /* checksum, below */
        put_u8(&w, f->flags);
        put_bytes(&w, (const uint8_t[3]){0}, 3);
        put_bytes(&w, f->target.bytes, 16);
        put_u8(&w, (uint8_t)f->option);
        put_u8(&w, 1); /* in units of eight bytes */
        put_bytes(&w, f->own.bytes, 6);
        assert(!w.failed && w.at == w.end);
        put_checksum(packet);
}

struct ip ndp_announcement(const struct ip *ip, struct mac own, bool router,
                           uint8_t packet[static NDP_PACKET_SIZE])
{
        struct form f = {.source = *ip,
                         .destination = {.family = AF_INET6, .bytes = {0xff, 0x02, [15] = 0x01}},
                         .type = NDP_ADVERTISEMENT,
                         .flags = (uint8_t)(NDP_OVERRIDE | (router ? NDP_ROUTER : 0)),
                         .target = *ip,
                         .option = OPTION_TARGET_MAC,
                         .own = own};

        encode(&f, packet);
        return f.destination;
}

struct ip ndp_probe(const struct ip *ip, struct mac own, uint8_t packet[static NDP_PACKET_SIZE])
{
        struct form f = {.source = {.family = AF_INET6},
                         .destination = ndp_solicited_node(ip),
                         .type = NDP_SOLICITATION,
                         .target = *ip,
                         .option = OPTION_NONCE,
                         .own = own};

        encode(&f, packet);
        return f.destination;
}

struct ip ndp_question(const struct ip *neighbour, const struct ip *ip, struct mac own,
                       uint8_t packet[static NDP_PACKET_SIZE])
{
        struct form f = {.source = *ip,
                         .destination = ndp_solicited_node(neighbour),
                         .type = NDP_SOLICITATION,
                         .target = *neighbour,
                         .option = OPTION_SOURCE_MAC,
                         .own = own};

        encode(&f, packet);
        return f.destination;
}

/* RFC 4861 4.6: options of a length of zero make the whole message void; unknown ones are passed over. */
static int decode_options(struct reader *r, struct ndp *ndp)
{
        enum option mac_option = ndp->type == NDP_ADVERTISEMENT ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC;

        while (reader_left(r) > 0) {
                uint8_t option = get_u8(r);
                size_t size = (size_t)get_u8(r) * 8;
                const uint8_t *value = size > 0 ? get_bytes(r, size - 2) : NULL;
                if (!value)
                        return -EBADMSG;
                if (option == (uint8_t)mac_option && size == 8) {
                        memcpy(ndp->mac.bytes, value, 6);
                        ndp->has_mac = true;
                } else if (option == OPTION_NONCE && size == 8) {
                        memcpy(ndp->nonce, value, 6);
                        ndp->has_nonce = true;
                }
        }
        return 0;
}

int ndp_decode(const void *message, size_t size, struct ndp *ret_ndp)
{
        struct reader r;
        struct ndp ndp = {.target = {.family = AF_INET6}};

        reader_init(&r, message, size);
        uint8_t type = get_u8(&r), code = get_u8(&r);
        get_u16(&r); /* checksum: verified by the kernel */
        ndp.flags = get_u8(&r);
        get_bytes(&r, 3);
        const uint8_t *target = get_bytes(&r, 16);
        if (!target || (type != NDP_SOLICITATION && type != NDP_ADVERTISEMENT) || code != 0 ||
            target[0] == 0xff)
                return -EBADMSG;
        ndp.type = (enum ndp_type)type;
        memcpy(ndp.target.bytes, target, 16);
        if (decode_options(&r, &ndp) < 0)
                return -EBADMSG;
        *ret_ndp = ndp;
        return 0;
}
