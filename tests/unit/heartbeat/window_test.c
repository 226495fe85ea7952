#include "heartbeat/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct step {
        unsigned link;
        uint64_t boot;
        uint32_t core;
        uint32_t seq;
        enum window_verdict verdict;
};

/* One story per row: what is heard, in order, and what becomes of it. Boot 0 ends it. */
static const struct {
        const char *what;
        struct step step[12];
} story[] = {
        {"the first packet counts, whatever its number", {{0, 5, 1, 0, WINDOW_NEW}}},
        {"each newer one counts, with gaps",
         {{0, 5, 1, 1, WINDOW_NEW}, {0, 5, 1, 2, WINDOW_NEW}, {0, 5, 1, 900, WINDOW_NEW}}},
        {"the same again on the same link is a replay",
         {{0, 5, 1, 7, WINDOW_NEW}, {0, 5, 1, 7, WINDOW_REPLAYED}, {0, 5, 1, 6, WINDOW_REPLAYED}}},
        {"the same on another link is a copy, once",
         {{0, 5, 1, 7, WINDOW_NEW}, {1, 5, 1, 7, WINDOW_COPY}, {1, 5, 1, 7, WINDOW_REPLAYED}}},
        {"a slower link proves itself with what the faster has overtaken",
         {{0, 5, 1, 7, WINDOW_NEW},
          {0, 5, 1, 8, WINDOW_NEW},
          {1, 5, 1, 7, WINDOW_COPY},
          {1, 5, 1, 8, WINDOW_COPY}}},
        {"but not with what was kept for long",
         {{0, 5, 1, 7, WINDOW_NEW},
          {0, 5, 1, 8 + WINDOW_LAG, WINDOW_NEW},
          {1, 5, 1, 7, WINDOW_REPLAYED},
          {1, 5, 1, 8, WINDOW_COPY}}},
        {"the slower link may bring the next one first",
         {{0, 5, 1, 7, WINDOW_NEW}, {1, 5, 1, 8, WINDOW_NEW}, {0, 5, 1, 8, WINDOW_COPY}}},
        {"a new core begins again, and the old one is over",
         {{0, 5, 1, 700, WINDOW_NEW},
          {0, 5, 2, 1, WINDOW_NEW},
          {0, 5, 1, 701, WINDOW_OLD_INCARNATION},
          {1, 5, 2, 1, WINDOW_COPY}}},
        {"a new boot is newer than any core of the last",
         {{0, 5, 9, 700, WINDOW_NEW}, {0, 6, 1, 1, WINDOW_NEW}, {1, 5, 9, 700, WINDOW_OLD_INCARNATION}}},
        {"a recording of yesterday is old on every link",
         {{0, 6, 1, 1, WINDOW_NEW},
          {0, 5, 1, 100, WINDOW_OLD_INCARNATION},
          {1, 5, 1, 101, WINDOW_OLD_INCARNATION},
          {0, 6, 1, 2, WINDOW_NEW}}},
        {"the highest number is not followed by the lowest",
         {{0, 5, 1, UINT32_MAX, WINDOW_NEW}, {0, 5, 1, 0, WINDOW_REPLAYED}}},
};

static void each_story_ends_as_told(void **state)
{
        for (size_t i = 0; i < sizeof(story) / sizeof(story[0]); i++) {
                struct window w = {0};
                for (const struct step *s = story[i].step; s->boot != 0; s++) {
                        enum window_verdict v =
                                window_hear(&w, s->link, (struct incarnation){s->boot, s->core}, s->seq);
                        if (v != s->verdict)
                                fail_msg("%s: step %td gave %d, not %d", story[i].what, s - story[i].step, v,
                                         s->verdict);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(each_story_ends_as_told)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
