/* packet.h - what the core and the checker say to each other: one record, one packet of a SOCK_SEQPACKET
 * socket, big-endian, type first.
 *
 * The core says START and STOP, the checker REPORT, STEADY and BEAT. A generation goes with every START and
 * comes back with the reports of it, so that a late report of an old definition is not taken for one of the
 * new. What is as it was goes together with others of the kind: STEADY.
 * Decoding refuses whatever is out of range: the checker reads what strangers send, the core does not trust
 * it with more than its verdicts. */
#pragma once

#include "config/check.h"
#include "monitor/reason.h"
#include "monitor/verdict.h"

#include <sys/types.h>

#define PACKET_MAX (CHECK_BYTES_MAX + SAID_TEXT + 96)

enum packet_type { PACKET_START = 1, PACKET_STOP, PACKET_REPORT, PACKET_BEAT, PACKET_STEADY };

/* A check was looked at again, and all but the time is as its last report says. */
struct steady {
        uint32_t id;
        uint32_t generation;
        span took;
        instant at;
};
#define STEADY_MAX 64 /* in a packet: the core's loop has other things to do */

struct packet {
        enum packet_type type;
        uint32_t id;            /* START, STOP, REPORT */
        uint32_t generation;    /* START, REPORT */
        struct verdict verdict; /* START: to go on from; REPORT: now */
        const uint8_t *check;   /* START: by check_encode(); decoded, it points into the packet */
        size_t check_size;
        struct outcome outcome; /* REPORT: of the newest probe, without `said`; START: what to go on from */
        char said[SAID_TEXT];   /* of the outcome, empty for nothing */
        int count;              /* START: so many failures in a row are reported one by one */
        instant at;             /* REPORT: when that ended */
        size_t steady_count;    /* STEADY */
        struct steady steady[STEADY_MAX];
};

/* Bytes written; every packet fits PACKET_MAX. */
size_t checker_packet_encode(const struct packet *p, uint8_t bytes[static PACKET_MAX]);
/* 0, or -EBADMSG when it is cut short, too long, or holds a value that cannot be. */
int checker_packet_decode(const uint8_t *bytes, size_t size, struct packet *ret_packet);

/* As they stand in a packet, and in what is saved. */
struct reader;
struct writer;
void put_verdict(struct writer *w, const struct verdict *v);
void get_verdict(struct reader *r, struct verdict *v);
