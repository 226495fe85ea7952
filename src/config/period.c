#include "config/period.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAYS     7
#define ALL_DAYS 0x7f
#define MINUTES  1440

static const char *const days[DAYS] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static int day_parse(const char *text, size_t n)
{
        for (int i = 0; i < DAYS; i++)
                if (n == 3 && strncasecmp(text, days[i], 3) == 0)
                        return i;
        return -EINVAL;
}

/* "mon" or "sat-mon". */
static int days_parse(const char *word, size_t n, uint8_t *bits)
{
        const char *dash = memchr(word, '-', n);
        int from = day_parse(word, dash ? (size_t)(dash - word) : n);
        int to = dash ? day_parse(dash + 1, n - (size_t)(dash + 1 - word)) : from;

        if (from < 0 || to < 0)
                return -EINVAL;
        for (int day = from;; day = (day + 1) % DAYS) {
                *bits |= (uint8_t)(1U << day);
                if (day == to)
                        return 0;
        }
}

/* "8:00" or "24:00". The end of it in *ret_end. */
static int minute_parse(const char *text, const char **ret_end)
{
        int hour = 0, minute = 0;
        size_t digits = strspn(text, "0123456789");

        if (digits < 1 || digits > 2 || text[digits] != ':' || strspn(text + digits + 1, "0123456789") != 2)
                return -EINVAL;
        for (size_t i = 0; i < digits; i++)
                hour = hour * 10 + (text[i] - '0');
        minute = (text[digits + 1] - '0') * 10 + (text[digits + 2] - '0');
        *ret_end = text + digits + 3;
        return hour <= 24 && minute < 60 && hour * 60 + minute <= MINUTES ? hour * 60 + minute : -EINVAL;
}

static int time_parse(const char *word, size_t n, struct config_period *p)
{
        const char *end;
        int from = minute_parse(word, &end), to;

        if (from < 0 || *end != '-')
                return -EINVAL;
        to = minute_parse(end + 1, &end);
        if (to < 0 || end != word + n || from == to || from == MINUTES || p->time_count == PERIOD_TIMES_MAX)
                return -EINVAL;
        p->time[p->time_count].from = (uint16_t)from;
        p->time[p->time_count++].to = (uint16_t)to;
        return 0;
}

int period_parse(const char *text, struct config_period *ret_period, char *why, size_t size)
{
        struct config_period p = {0};
        bool good = text[strspn(text, " \t")] != '\0';

        for (const char *at = text; good; at += strcspn(at, " \t")) {
                at += strspn(at, " \t");
                size_t n = strcspn(at, " \t");
                if (n == 0)
                        break;
                if (isdigit((unsigned char)*at))
                        good = time_parse(at, n, &p) == 0;
                else /* days stand first */
                        good = p.time_count == 0 && days_parse(at, n, &p.days) == 0;
        }
        if (!good) {
                snprintf(why, size,
                         "is no period: write days, then up to %d times, such as \"mon-fri 8:00-18:00\", "
                         "\"sat sun\" or \"22:00-6:00\"",
                         PERIOD_TIMES_MAX);
                return -EINVAL;
        }
        if (p.days == 0)
                p.days = ALL_DAYS;
        *ret_period = p;
        return 0;
}

const char *period_format(const struct config_period *p, char text[static PERIOD_TEXT])
{
        size_t n = 0;

        text[0] = '\0';
        /* from Monday on, runs of days as one; all of them are not said, unless nothing else is */
        for (int i = 1; i <= DAYS && (p->days != ALL_DAYS || p->time_count == 0); i++) {
                int last = i;

                if (!(p->days & 1U << i % DAYS))
                        continue;
                while (last < DAYS && p->days & 1U << (last + 1) % DAYS)
                        last++;
                n += (size_t)snprintf(text + n, PERIOD_TEXT - n, "%s%s%s%s", n ? " " : "", days[i % DAYS],
                                      last > i ? "-" : "", last > i ? days[last % DAYS] : "");
                i = last;
        }
        for (int i = 0; i < p->time_count; i++)
                n += (size_t)snprintf(text + n, PERIOD_TEXT - n, "%s%d:%02d-%d:%02d", n ? " " : "",
                                      p->time[i].from / 60, p->time[i].from % 60, p->time[i].to / 60,
                                      p->time[i].to % 60);
        return text;
}

static bool one_holds(const struct config_period *p, int weekday, int minute)
{
        bool today = p->days & 1U << weekday, yesterday = p->days & 1U << (weekday + DAYS - 1) % DAYS;

        if (p->time_count == 0)
                return today;
        for (int i = 0; i < p->time_count; i++) {
                int from = p->time[i].from, to = p->time[i].to;

                if (from < to && today && minute >= from && minute < to)
                        return true;
                if (from > to && ((today && minute >= from) || (yesterday && minute < to)))
                        return true;
        }
        return false;
}

bool period_holds(const struct config_period *p, size_t count, int weekday, int minute)
{
        for (size_t i = 0; i < count; i++)
                if (one_holds(&p[i], weekday, minute))
                        return true;
        return count == 0;
}
