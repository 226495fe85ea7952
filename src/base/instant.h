/* instant.h - instants and spans, told apart by type.
 *
 * An instant is a point of CLOCK_BOOTTIME, which goes on through suspend and never steps. A span is the
 * distance between two instants. Both count microseconds in a struct of their own, so that the compiler
 * refuses to add two instants or to take milliseconds for microseconds. Wall-clock time appears only in
 * what people read, never in a decision. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
        int64_t us;
} instant;

typedef struct {
        int64_t us;
} span;

#define INSTANT_NEVER    ((instant){INT64_MAX}) /* later than every other instant */
#define INSTANT_LONG_AGO ((instant){0})         /* the boot itself: nothing has happened yet */
#define SPAN_ZERO        ((span){0})
#define SPAN_FOREVER     ((span){INT64_MAX / 4}) /* longer than any machine runs; adding it does not overflow */

static inline span span_us(int64_t us)
{
        return (span){us};
}

static inline span span_ms(int64_t ms)
{
        return (span){ms * 1000};
}

static inline span span_s(int64_t s)
{
        return (span){s * 1000000};
}

/* Rounded up, so that a timer set to it never fires early. */
static inline int64_t span_to_ms(span s)
{
        return s.us <= 0 ? 0 : (s.us + 999) / 1000;
}

static inline span span_add(span a, span b)
{
        return (span){a.us + b.us};
}

static inline span span_sub(span a, span b)
{
        return (span){a.us - b.us};
}

static inline span span_times(span a, int64_t n)
{
        return (span){a.us * n};
}

static inline span span_min(span a, span b)
{
        return a.us < b.us ? a : b;
}

static inline span span_max(span a, span b)
{
        return a.us > b.us ? a : b;
}

static inline instant instant_add(instant t, span s)
{
        return t.us > INT64_MAX - s.us ? INSTANT_NEVER : (instant){t.us + s.us};
}

static inline instant instant_sub(instant t, span s)
{
        return (instant){t.us - s.us};
}

/* From a to b: negative if b is the earlier one. */
static inline span span_between(instant a, instant b)
{
        return (span){b.us - a.us};
}

static inline bool instant_before(instant a, instant b)
{
        return a.us < b.us;
}

/* "at or after": what has come due. */
static inline bool instant_reached(instant now, instant due)
{
        return now.us >= due.us;
}

static inline instant instant_min(instant a, instant b)
{
        return a.us < b.us ? a : b;
}

static inline instant instant_max(instant a, instant b)
{
        return a.us > b.us ? a : b;
}

/* Reads CLOCK_BOOTTIME now. Only the edge calls this: src/cluster gets its time with each event. */
instant instant_now(void);

/* Formats a span as a person writes it: "440ms", "1.5s", "10m", "2h". Returns `text`. */
#define SPAN_TEXT 24
const char *span_format(span s, char text[static SPAN_TEXT]);

/* Parses NUMBER[.FRACTION](us|ms|s|m|h|d); the unit is required but for 0. 0, or -EINVAL. */
int span_parse(const char *text, span *ret_span);
