/* Times of the week: how they are written, and when they hold. */
#include "config/period.h"

#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void is_read_and_written(void **state)
{
        static const struct {
                const char *text;
                const char *canonical; /* NULL: refused */
        } rows[] = {
                {"mon-fri 8:00-18:00", "mon-fri 8:00-18:00"},
                {"Mon-Fri 08:00-18:00", "mon-fri 8:00-18:00"},
                {" fri   mon tue wed thu  8:00-18:00 ", "mon-fri 8:00-18:00"},
                {"8:00-12:00 13:00-17:00", "8:00-12:00 13:00-17:00"},
                {"mon-sun 0:00-24:00", "0:00-24:00"},
                {"mon-sun", "mon-sun"},
                {"sat-mon", "mon sat-sun"},
                {"sun", "sun"},
                {"22:30-6:00", "22:30-6:00"},
                {"mon 24:00-6:00", NULL},
                {"mon 8:00-8:00", NULL},
                {"mon 8-18", NULL},
                {"mon 8:00", NULL},
                {"8:00-18:00 mon", NULL},
                {"mon-fry", NULL},
                {"monday", NULL},
                {"25:00-26:00", NULL},
                {"8:60-9:00", NULL},
                {"8:00-24:01", NULL},
                {"", NULL},
                {"  ", NULL},
                {"8:00-18:00x", NULL},
                {"1:00-2:00 3:00-4:00 5:00-6:00 7:00-8:00 9:00-10:00", NULL},
        };
        char why[256], text[PERIOD_TEXT];
        struct config_period p;

        for (size_t i = 0; i < COUNT(rows); i++) {
                int r = period_parse(rows[i].text, &p, why, sizeof(why));
                if (r != (rows[i].canonical ? 0 : -EINVAL))
                        fail_msg("'%s': %d", rows[i].text, r);
                if (r == 0)
                        assert_string_equal(period_format(&p, text), rows[i].canonical);
        }
}

static void holds_when_it_says(void **state)
{
        enum { SUN, MON, TUE, WED, THU, FRI, SAT };
        static const struct {
                const char *text;
                int day, hour, minute;
                bool holds;
        } rows[] = {
                {"mon-fri 8:00-18:00", MON, 8, 0, true},
                {"mon-fri 8:00-18:00", MON, 7, 59, false},
                {"mon-fri 8:00-18:00", FRI, 17, 59, true},
                {"mon-fri 8:00-18:00", FRI, 18, 0, false},
                {"mon-fri 8:00-18:00", SAT, 12, 0, false},
                {"sat-mon", SUN, 0, 0, true},
                {"sat-mon", TUE, 0, 0, false},
                {"fri 22:00-6:00", FRI, 23, 0, true},
                {"fri 22:00-6:00", SAT, 5, 59, true},
                {"fri 22:00-6:00", SAT, 6, 0, false},
                {"fri 22:00-6:00", FRI, 5, 0, false},
                {"sat 22:00-6:00", SUN, 1, 0, true},
                {"0:00-24:00", WED, 23, 59, true},
                {"8:00-9:00 10:00-11:00", THU, 9, 30, false},
                {"8:00-9:00 10:00-11:00", THU, 10, 30, true},
        };
        struct config_period p[2];
        char why[256];

        for (size_t i = 0; i < COUNT(rows); i++) {
                assert_int_equal(period_parse(rows[i].text, p, why, sizeof(why)), 0);
                if (period_holds(p, 1, rows[i].day, rows[i].hour * 60 + rows[i].minute) != rows[i].holds)
                        fail_msg("%s at %d %d:%02d", rows[i].text, rows[i].day, rows[i].hour, rows[i].minute);
        }
        assert_true(period_holds(NULL, 0, MON, 0));
        period_parse("mon", &p[0], why, sizeof(why));
        period_parse("wed", &p[1], why, sizeof(why));
        assert_true(period_holds(p, 2, WED, 0));
        assert_false(period_holds(p, 2, TUE, 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(is_read_and_written),
                cmocka_unit_test(holds_when_it_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
