/* What the runner is made of: what is due next. */
#include "monitor/runner/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A sequence of its own, the same in each run. */
static uint32_t next_random(void)
{
        static uint32_t x = 1;

        x = x * 1664525 + 1013904223;
        return x >> 8;
}

static void test_what_is_due_comes_by_its_latest_moment(void **state)
{
        static struct due things[1000];
        struct due_heap heap = {0};
        uint64_t last = 0;
        size_t left = COUNT(things);

        assert_null(due_first(&heap));
        for (size_t i = 0; i < COUNT(things); i++)
                assert_int_equal(due_add(&heap, &things[i], 0, next_random() % 500), 0);
        for (size_t i = 0; i < COUNT(things); i += 3)
                due_move(&heap, &things[i], 100, 100 + next_random() % 500);
        for (size_t i = 0; i < COUNT(things); i += 5, left--)
                due_remove(&heap, &things[i]);
        due_remove(&heap, &things[0]); /* is not in: ignored */
        for (struct due *d = due_first(&heap); d != NULL; d = due_first(&heap), left--) {
                assert_true(d->by_ms >= last);
                last = d->by_ms;
                due_remove(&heap, d);
        }
        assert_int_equal(left, 0);
        due_done(&heap);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_due_comes_by_its_latest_moment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
