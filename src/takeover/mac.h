/* mac.h - an Ethernet address as a value. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct mac {
        uint8_t bytes[6];
};

#define MAC_TEXT      18
#define MAC_BROADCAST ((struct mac){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})

static inline bool mac_equal(struct mac a, struct mac b)
{
        return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* An order every station agrees upon: of two that ask for one address at once, the lower one may have it. */
static inline bool mac_before(struct mac a, struct mac b)
{
        return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) < 0;
}

static inline const char *mac_format(struct mac m, char text[static MAC_TEXT])
{
        snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m.bytes[0], m.bytes[1], m.bytes[2],
                 m.bytes[3], m.bytes[4], m.bytes[5]);
        return text;
}
