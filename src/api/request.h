/* request.h - what a client of the control socket may ask, read from one line of JSON.
 *
 *     {"command": "move", "group": "web", "node": "beta"}
 *     {"command": "standby", "node": "beta", "for": "2h"}
 *     {"command": "events", "follow": true, "count": 20, "after": 1234}
 *
 * Pure. A request is taken whole or refused whole: an unknown member is refused too, since it is a wish that
 * would silently not be met. */
#pragma once

#include "base/instant.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request_kind {
        REQUEST_STATUS,
        REQUEST_WATCH,
        REQUEST_EVENTS,
        REQUEST_EXPLAIN,
        REQUEST_LVS,
        /* those that change something: passed on as struct api_command */
        REQUEST_MOVE,
        REQUEST_STOP,
        REQUEST_START,
        REQUEST_CLEAR,
        REQUEST_STANDBY,
        REQUEST_ONLINE,
        REQUEST_MAINTENANCE,
        REQUEST_RELOAD,
        REQUEST_CONFIRM,
        REQUEST_FENCE,
        REQUEST_CONFIRM_OFF,
        REQUEST_RESTART,
        REQUEST_ACK,
        REQUEST_SILENCE,
        REQUEST_DISABLE,
        REQUEST_ENABLE,
        REQUEST_CHECKS, /* changes nothing, but came later */
        REQUEST_DRAIN,
        REQUEST_UNDRAIN,
};

struct request {
        enum request_kind kind;
        char group[NAME_SIZE]; /* "" where none was named (move: none needed for the node) */
        char node[NAME_SIZE];
        span lasts; /* "for": 0 until revoked; of reload, the time to confirm in */
        char text[64];
        char about[160]; /* "web", "web:http", "web:http@10.1.0.1", "@10.1.0.1" */
        char who[32];
        char server[64]; /* an address, with or without a port */
        bool on;         /* maintenance */
        bool follow;     /* events */
        int count;       /* events */
        uint64_t after;  /* events */
};

#define REQUEST_EVENTS_DEFAULT 20
#define REQUEST_ERROR_SIZE     256

/* 0, or -EINVAL with the reason in `error`. */
int request_parse(const char *line, size_t n, struct request *ret_request, char error[REQUEST_ERROR_SIZE]);
