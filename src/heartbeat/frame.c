#include "heartbeat/frame.h"

#include <assert.h>

#define BORDER  0
#define RUN_MAX 254 /* bytes after a code of 0xff, which stands for no zero */

/* CRC-32 of IEEE 802.3, reflected, by half bytes. */
static uint32_t crc_add(uint32_t crc, uint8_t byte)
{
        static const uint32_t half[16] = {
                0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
        };

        crc ^= byte;
        crc = crc >> 4 ^ half[crc & 15];
        return crc >> 4 ^ half[crc & 15];
}

static uint32_t crc_of(const uint8_t *bytes, size_t n)
{
        uint32_t crc = 0xffffffff;

        for (size_t i = 0; i < n; i++)
                crc = crc_add(crc, bytes[i]);
        return ~crc;
}

/* A code is the distance to the next zero, or 0xff where RUN_MAX bytes follow before one need be. */
struct stuffing {
        uint8_t *frame;
        size_t n;
        size_t code; /* where the open run's code will stand */
};

static void stuff(struct stuffing *s, uint8_t byte)
{
        if (s->n - s->code == RUN_MAX + 1) {
                s->frame[s->code] = RUN_MAX + 1;
                s->code = s->n++;
        }
        if (byte != BORDER) {
                s->frame[s->n++] = byte;
                return;
        }
        s->frame[s->code] = (uint8_t)(s->n - s->code);
        s->code = s->n++;
}

size_t frame_write(const uint8_t *packet, size_t n, uint8_t *frame)
{
        uint32_t crc = crc_of(packet, n);

        assert(n > 0);
        frame[0] = BORDER;
        struct stuffing s = {.frame = frame, .code = 1, .n = 2};
        for (size_t i = 0; i < n; i++)
                stuff(&s, packet[i]);
        for (int shift = 24; shift >= 0; shift -= 8)
                stuff(&s, (uint8_t)(crc >> shift));
        s.frame[s.code] = (uint8_t)(s.n - s.code);
        s.frame[s.n++] = BORDER;
        assert(s.n <= FRAME_SIZE(n));
        return s.n;
}

void frame_reader_init(struct frame_reader *r, size_t packet_most)
{
        *r = (struct frame_reader){.most = FRAME_SIZE(packet_most)};
}

/* Undoes the stuffing in place; what is written never overtakes what is read. False: a code points beyond. */
static bool unstuff(uint8_t *bytes, size_t n, size_t *ret_n)
{
        size_t to = 0;

        for (size_t at = 0; at < n;) {
                size_t run = bytes[at++] - 1U;
                if (run > n - at)
                        return false;
                for (size_t i = 0; i < run; i++)
                        bytes[to++] = bytes[at++];
                if (run != RUN_MAX && at < n)
                        bytes[to++] = 0;
        }
        *ret_n = to;
        return true;
}

static bool is_whole(const uint8_t *bytes, size_t n)
{
        uint32_t crc = 0;

        if (n <= FRAME_CRC)
                return false;
        for (size_t i = n - FRAME_CRC; i < n; i++)
                crc = crc << 8 | bytes[i];
        return crc == crc_of(bytes, n - FRAME_CRC);
}

enum frame_found frame_read(struct frame_reader *r, uint8_t byte, size_t *ret_n)
{
        size_t n;

        if (byte != BORDER) {
                if (r->n == r->most)
                        r->overflowed = true;
                else
                        r->bytes[r->n++] = byte;
                return FRAME_NOTHING;
        }
        bool counts = r->joined && r->n > 0;
        bool good = counts && !r->overflowed && unstuff(r->bytes, r->n, &n) && is_whole(r->bytes, n);
        r->joined = true;
        r->overflowed = false;
        r->n = 0;
        if (good)
                *ret_n = n - FRAME_CRC;
        return good ? FRAME_PACKET : counts ? FRAME_NOISE : FRAME_NOTHING;
}
