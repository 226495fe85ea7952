#include "base/instant.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
        const char *name;
        int64_t us;
} units[] = {
        {"d", 86400000000}, {"h", 3600000000}, {"m", 60000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1},
};
#define UNITS (sizeof(units) / sizeof(units[0]))

instant instant_now(void)
{
        struct timespec ts;

        int r = clock_gettime(CLOCK_BOOTTIME, &ts);
        assert(r == 0);
        return (instant){ts.tv_sec * 1000000LL + ts.tv_nsec / 1000};
}

const char *span_format(span s, char text[static SPAN_TEXT])
{
        size_t i = 0;

        /* the largest unit that divides exactly; else the largest that fits, with a fraction */
        while (i < UNITS - 1 && (s.us == 0 || s.us % units[i].us != 0))
                i++;
        if (s.us != 0 && llabs(s.us / units[i].us) < 10000) {
                snprintf(text, SPAN_TEXT, "%lld%s", (long long)(s.us / units[i].us), units[i].name);
                return text;
        }
        if (s.us == 0)
                return strcpy(text, "0s");
        for (i = 0; i < UNITS - 1 && llabs(s.us) < units[i].us; i++)
                ;
        snprintf(text, SPAN_TEXT, "%.4g%s", (double)s.us / (double)units[i].us, units[i].name);
        return text;
}

int span_parse(const char *text, span *ret_span)
{
        char *end;

        if (!isdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
                return -EINVAL;
        double number = strtod(text, &end);
        if (number == 0 && *end == '\0') {
                *ret_span = SPAN_ZERO;
                return 0;
        }
        for (size_t i = 0; i < UNITS; i++) {
                if (strcmp(end, units[i].name) != 0)
                        continue;
                double us = number * (double)units[i].us;
                if (us > 1e15)
                        return -EINVAL;                  /* thirty years: a typing mistake */
                *ret_span = (span){(int64_t)(us + 0.5)}; /* not negative: it began with a digit */
                return 0;
        }
        return -EINVAL;
}
