/* watch_past.h - what a check of something watched was told last, by a trap: on the board, so that whoever
 * runs the watch next, or the same node's next checker, does not wait for another trap to know how it is.
 * Pure. */
#pragma once

#include "watch/watch.h"

#define WATCH_PAST_NAME (WATCHED_NAME + NAME_SIZE)
#define WATCH_PAST_SAID 256

struct watch_past {
        char name[WATCH_PAST_NAME]; /* "WATCH:SERVICE@HOST/CHECK" */
        int64_t wall_us;            /* when it was told, UTC */
        int status;                 /* 0 is good */
        char said[WATCH_PAST_SAID];
};

#define WATCH_PAST_MAX 480
size_t watch_past_encode(const struct watch_past *p, uint8_t bytes[static WATCH_PAST_MAX]);
/* 0 or -EBADMSG. */
int watch_past_decode(const uint8_t *bytes, size_t n, struct watch_past *ret_past);

/* The name of a check of something watched. Returns `text`. */
const char *watch_past_name(const struct watches *w, const struct watched *t, int check,
                            char text[static WATCH_PAST_NAME]);
/* Whether a check of that name is still there. */
bool watch_past_is_ours(const struct config *config, const char *name);
