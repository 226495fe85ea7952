/* sent.h - when the messages of an alert went, for its limit (`most`). It lies on the board, so that whoever
 * tells next counts on. In UTC: of two machines nothing else is common; what a clock that was set back shows
 * to lie ahead does not count. Pure. */
#pragma once

#include "base/instant.h"

#include <stddef.h>
#include <stdint.h>

#define SENT_MOMENTS 90

struct sent {
        size_t count;
        struct {
                int64_t wall_us;
                uint16_t messages;
        } moment[SENT_MOMENTS]; /* the oldest first; neighbours share the later one's when there are more */
};

#define SENT_RECORD_MAX (2 + SENT_MOMENTS * 10)
size_t sent_encode(const struct sent *s, uint8_t bytes[static SENT_RECORD_MAX]);
/* 0 or -EBADMSG. */
int sent_decode(const uint8_t *bytes, size_t n, struct sent *ret_sent);

/* One has gone now; what is older than `window` is forgotten. */
void sent_add(struct sent *s, int64_t wall_us, span window);
/* How long until the next may go, with `most` in `window`: zero, at once. */
span sent_wait(const struct sent *s, int most, span window, int64_t wall_us);
