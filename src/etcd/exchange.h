/* exchange.h - what the core and haven-etcd say to each other, over a socket pair that keeps messages whole.
 */
#pragma once

#include "cluster/register.h"

#define ETCD_FD 3 /* the socket in haven-etcd */

enum etcd_op { ETCD_READ, ETCD_SWAP };
enum etcd_result { ETCD_VALUE, ETCD_SWAPPED, ETCD_FAILED };

struct etcd_request {
        uint32_t id;
        uint32_t timeout_ms;
        enum etcd_op op;
        int64_t revision; /* SWAP: that the key must still have; 0: must not be there */
        uint32_t n;
        uint8_t bytes[REGISTER_BYTES_MAX];
};

struct etcd_reply {
        uint32_t id;
        enum etcd_result result; /* a SWAP that found another revision is answered with the VALUE */
        int64_t revision;        /* of the key; 0: not there */
        char text[160];          /* FAILED: why; else the endpoint that answered */
        uint32_t n;
        uint8_t bytes[REGISTER_BYTES_MAX];
};
