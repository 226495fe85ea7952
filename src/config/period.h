/* period.h - times of the week, as in "mon-fri 8:00-18:00": what they are written as, and whether it is now.
 *
 * One value is days, then times, each parted by blanks; several values are or-ed. Without days every day is
 * meant, without times the whole day. Times that end before they begin go over midnight and belong to the
 * day on which they begin. Pure; the caller knows the local time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERIODS_MAX      8 /* values of one setting */
#define PERIOD_TIMES_MAX 4 /* times in one value */
#define PERIOD_TEXT      128

struct config_period {
        uint8_t days; /* bit 0: Sunday, as tm_wday */
        uint8_t time_count;
        struct {
                uint16_t from, to; /* minutes of the day; `to` up to 1440, not part of it */
        } time[PERIOD_TIMES_MAX];
};

/* 0, or -EINVAL with what would be right in `why`. */
int period_parse(const char *text, struct config_period *ret_period, char *why, size_t size);
/* The one canonical form. Returns `text`. */
const char *period_format(const struct config_period *p, char text[static PERIOD_TEXT]);
/* Whether one of them holds at this minute of this day (tm_wday). None at all: always. */
bool period_holds(const struct config_period *p, size_t count, int weekday, int minute);
