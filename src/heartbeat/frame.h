/* frame.h - packets on a line that carries bytes: where each begins and ends, and whether noise has touched
 * it.
 *
 * A frame is 0, the packet and its CRC-32 (IEEE 802.3, big-endian) written without zeros (COBS: Cheshire and
 * Baker, "Consistent Overhead Byte Stuffing", SIGCOMM 1997), 0. So a zero is a border wherever a reader
 * joins, and what noise has broken ends at the next one. Two borders in a row enclose nothing. The CRC keeps
 * noise from being taken for forgery; what it lets pass, the seal does not. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_CRC 4
/* Bytes of the frame around a packet of n: both borders, a code for each 254 bytes begun, and the CRC. */
#define FRAME_SIZE(n) ((n) + FRAME_CRC + ((n) + FRAME_CRC) / 254 + 1 + 2)

/* Writes the frame of a packet of n > 0 bytes; `frame` has room for FRAME_SIZE(n). Bytes written. */
size_t frame_write(const uint8_t *packet, size_t n, uint8_t *frame);

enum frame_found {
        FRAME_NOTHING, /* goes on */
        FRAME_PACKET,  /* a whole one */
        FRAME_NOISE,   /* what stood between two borders is no frame */
};

struct frame_reader {
        bool joined;     /* has seen a border: what stands before the first is somebody's end, not noise */
        bool overflowed; /* longer than any frame */
        size_t most, n;
        uint8_t bytes[]; /* most */
};

/* Bytes of a reader for packets of up to `n`. */
#define FRAME_READER_SIZE(n) (sizeof(struct frame_reader) + FRAME_SIZE(n))
void frame_reader_init(struct frame_reader *r, size_t packet_most);
/* Takes in one byte. With FRAME_PACKET, the packet is in `bytes` until the next call and *ret_n is its
 * length. */
enum frame_found frame_read(struct frame_reader *r, uint8_t byte, size_t *ret_n);
