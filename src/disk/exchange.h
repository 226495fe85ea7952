/* exchange.h - what the core and haven-disk share: a piece of memory with one operation in it.
 *
 * The core fills in the upper half and sends its number over the socket; haven-disk does it, fills in the
 * lower half and sends the number back. Whoever has the turn owns all of it. Blocks are aligned as O_DIRECT
 * wants them. */
#pragma once

#include "disk/area.h"

#include <stdint.h>

#define EXCHANGE_SOCKET 3 /* descriptors of haven-disk: */
#define EXCHANGE_MEMORY 0

enum exchange_state {
        EXCHANGE_WAITING, /* for the haven-disk before this one: its last write may be under way */
        EXCHANGE_REFUSED, /* the device is not what it should be: `why` */
        EXCHANGE_OPEN,
        EXCHANGE_DONE, /* the operation `number` */
};

/* From haven-disk. To it: the number alone. */
struct exchange_word {
        uint32_t state;
        uint32_t number;
};

struct exchange {
        /* by the core */
        uint32_t write_n; /* bytes of our record to be written; 0: none */
        uint32_t write_which;
        uint32_t mail_n[DISK_NODES_MAX]; /* bytes of the mail to that node; 0: none */
        /* by haven-disk */
        struct disk_header header;
        uint8_t block_device, direct;
        char why[AREA_TEXT];
        int32_t write_error, mail_error, read_error; /* 0 or a negative errno */
        int64_t read_began_us, read_ended_us;        /* CLOCK_BOOTTIME */
        uint64_t read_n[DISK_NODES_MAX][2];
        uint64_t got_n[DISK_NODES_MAX];

        _Alignas(DISK_BLOCK) uint8_t write[DISK_RECORD];
        _Alignas(DISK_BLOCK) uint8_t mail[DISK_NODES_MAX][DISK_MAIL];
        _Alignas(DISK_BLOCK) uint8_t read[DISK_NODES_MAX][2 * DISK_RECORD];
        _Alignas(DISK_BLOCK) uint8_t got[DISK_NODES_MAX][DISK_MAIL];
};
