#include "takeover/arp.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define HARDWARE_ETHERNET 1
#define PROTOCOL_IPV4     0x0800

void arp_encode(const struct arp *arp, uint8_t packet[static ARP_SIZE])
{
        struct writer w;

        writer_init(&w, packet, ARP_SIZE);
        put_u16(&w, HARDWARE_ETHERNET);
        put_u16(&w, PROTOCOL_IPV4);
        put_u8(&w, sizeof(arp->sender_mac.bytes));
        put_u8(&w, 4);
        put_u16(&w, (uint16_t)arp->operation);
        put_bytes(&w, arp->sender_mac.bytes, 6);
        put_bytes(&w, arp->sender_ip.bytes, 4);
        put_bytes(&w, arp->target_mac.bytes, 6);
        put_bytes(&w, arp->target_ip.bytes, 4);
        assert(!w.failed && w.at == w.end);
}

static void get_station(struct reader *r, struct mac *ret_mac, struct ip *ret_ip)
{
        const uint8_t *mac = get_bytes(r, 6);
        const uint8_t *ip = get_bytes(r, 4);

        if (!mac || !ip)
                return;
        memcpy(ret_mac->bytes, mac, 6);
        *ret_ip = (struct ip){.family = AF_INET};
        memcpy(ret_ip->bytes, ip, 4);
}

int arp_decode(const void *packet, size_t size, struct arp *ret_arp)
{
        struct reader r;
        struct arp arp = {0};

        reader_init(&r, packet, size);
        uint16_t hardware = get_u16(&r), protocol = get_u16(&r);
        uint8_t mac_size = get_u8(&r), ip_size_given = get_u8(&r);
        uint16_t operation = get_u16(&r);
        get_station(&r, &arp.sender_mac, &arp.sender_ip);
        get_station(&r, &arp.target_mac, &arp.target_ip);
        if (r.failed || hardware != HARDWARE_ETHERNET || protocol != PROTOCOL_IPV4 || mac_size != 6 ||
            ip_size_given != 4 || (operation != ARP_REQUEST && operation != ARP_REPLY))
                return -EBADMSG;
        arp.operation = (enum arp_operation)operation;
        *ret_arp = arp;
        return 0;
}

struct arp arp_announcement(enum arp_operation form, const struct ip *ip, struct mac own)
{
        struct arp arp = {.operation = form, .sender_mac = own, .sender_ip = *ip, .target_ip = *ip};

        if (form == ARP_REPLY)
                arp.target_mac = own;
        return arp;
}

struct arp arp_probe(const struct ip *ip, struct mac own)
{
        return (struct arp){.operation = ARP_REQUEST,
                            .sender_mac = own,
                            .sender_ip = {.family = AF_INET},
                            .target_ip = *ip};
}

struct arp arp_question(const struct ip *neighbour, const struct ip *ip, struct mac own)
{
        return (struct arp){
                .operation = ARP_REQUEST, .sender_mac = own, .sender_ip = *ip, .target_ip = *neighbour};
}
