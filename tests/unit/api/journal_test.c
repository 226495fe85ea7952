/* The node's history on disk: what a restart, a full file and a power cut leave of it. */
#include "api/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], path[128], old_path[128];

static struct {
        int count;
        uint64_t first, last;
        bool ordered;
        struct view_event event; /* the last */
} seen;

static void on_event(void *user, const struct view_event *e)
{
        seen.ordered = seen.ordered && (seen.count == 0 || e->number > seen.last);
        if (seen.count == 0)
                seen.first = e->number;
        seen.last = e->number;
        seen.event = *e;
        seen.count++;
}

static void read_events(struct journal *j, uint64_t after, int count)
{
        memset(&seen, 0, sizeof(seen));
        seen.ordered = true;
        assert_int_equal(journal_read(j, after, count, on_event, NULL), 0);
        assert_true(seen.ordered);
}

static struct journal *opened(void)
{
        struct journal *j;

        assert_int_equal(journal_open(path, &j), 0);
        return j;
}

static uint64_t append(struct journal *j, const char *text)
{
        struct view_event e;

        assert_int_equal(journal_append(j, 1700000000000000, "node-down", "beta", text, &e), 0);
        return e.number;
}

static void damage(const char *bytes)
{
        FILE *f = fopen(path, "a");

        fputs(bytes, f);
        fclose(f);
}

static off_t size_of(const char *file)
{
        struct stat st;

        return stat(file, &st) == 0 ? st.st_size : -1;
}

static int fresh(void **state)
{
        strcpy(directory, "/tmp/haven-journal-XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        snprintf(path, sizeof(path), "%s/events.log", directory);
        snprintf(old_path, sizeof(old_path), "%s/events.log.old", directory);
        return 0;
}

static int swept(void **state)
{
        unlink(path);
        unlink(old_path);
        rmdir(directory);
        return 0;
}

static void what_is_written_is_read_back(void **state)
{
        struct journal *j = opened();

        read_events(j, 0, 10);
        assert_int_equal(seen.count, 0);
        assert_int_equal(append(j, "silent on 2 links\nand \"gone\" caf\xc3\xa9"), 1);
        read_events(j, 0, 10);
        assert_int_equal(seen.count, 1);
        assert_string_equal(seen.event.kind, "node-down");
        assert_string_equal(seen.event.subject, "beta");
        assert_string_equal(seen.event.text, "silent on 2 links\nand \"gone\" caf\xc3\xa9");
        assert_int_equal(seen.event.wall_us, 1700000000000000);
        journal_close(j);
}

static void numbers_go_on_after_a_restart(void **state)
{
        struct journal *j = opened();

        append(j, "one");
        append(j, "two");
        journal_close(j);
        j = opened();
        assert_int_equal(append(j, "three"), 3);
        read_events(j, 0, 10);
        assert_int_equal(seen.count, 3);
        journal_close(j);
}

static void the_last_n_and_those_after_a_number_can_be_asked_for(void **state)
{
        struct journal *j = opened();

        for (int i = 0; i < 50; i++)
                append(j, "x");
        read_events(j, 0, 7);
        assert_int_equal(seen.first, 44);
        assert_int_equal(seen.last, 50);
        read_events(j, 47, 20);
        assert_int_equal(seen.first, 48);
        assert_int_equal(seen.count, 3);
        read_events(j, 50, 20);
        assert_int_equal(seen.count, 0);
        read_events(j, 0, 0);
        assert_int_equal(seen.count, 0);
        read_events(j, 0, -1);
        assert_int_equal(seen.count, 0);
        journal_close(j);
}

static void a_line_cut_by_a_power_cut_loses_that_line_alone(void **state)
{
        struct journal *j = opened();

        append(j, "one");
        journal_close(j);
        damage("{\"number\":2,\"wall_us\":17000");
        j = opened();
        assert_int_equal(append(j, "after"), 2);
        append(j, "more");
        read_events(j, 0, 10);
        assert_int_equal(seen.count, 3);
        assert_string_equal(seen.event.text, "more");
        journal_close(j);
}

static void blocks_of_zeros_and_nonsense_are_passed_over(void **state)
{
        struct journal *j = opened();

        append(j, "one");
        journal_close(j);
        FILE *f = fopen(path, "a");
        for (int i = 0; i < 4096; i++)
                fputc(0, f);
        fputs("\n\n[1,2]\n{\"number\":\"x\"}\nnonsense\n", f);
        fclose(f);
        j = opened();
        assert_int_equal(append(j, "two"), 2);
        read_events(j, 0, 10);
        assert_int_equal(seen.count, 2);
        journal_close(j);
}

static void a_full_file_makes_room_and_is_read_across(void **state)
{
        struct journal *j = opened();
        char text[320];
        uint64_t last = 0;

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        while (size_of(old_path) == -1)
                last = append(j, text);
        assert_true(size_of(old_path) <= JOURNAL_SIZE_MAX);
        assert_true(size_of(path) < 1024);
        read_events(j, 0, 10);
        assert_int_equal(seen.count, 10);
        assert_int_equal(seen.first, last - 9);
        assert_int_equal(seen.last, last);
        read_events(j, 0, 100000);
        assert_int_equal(seen.count, JOURNAL_READ_MAX);

        /* a second time: the old file is replaced, the whole stays bounded */
        for (int i = 0; i < 6000; i++)
                last = append(j, text);
        assert_true(size_of(old_path) + size_of(path) <= 2 * JOURNAL_SIZE_MAX);
        journal_close(j);

        /* numbers go on even if the current file is lost */
        unlink(path);
        j = opened();
        assert_true(append(j, "x") > last / 2);
        journal_close(j);
}

static void a_file_that_is_none_of_ours_does_not_stop_the_node(void **state)
{
        FILE *f = fopen(path, "w");

        for (int i = 0; i < 3 * 1024 * 1024; i++)
                fputc('x', f);
        fclose(f);
        struct journal *j = opened();
        assert_int_equal(append(j, "one"), 1);
        assert_int_equal(size_of(old_path), 3 * 1024 * 1024);
        journal_read(j, 0, 5, on_event, NULL);
        journal_close(j);
}

static void odd_bytes_are_numbered_and_kept_readable(void **state)
{
        struct journal *j = opened();
        char text[400];

        memset(text, '\x01', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        append(j, text);
        append(j, "\xff\xfe");
        read_events(j, 0, 10);
        assert_int_equal(seen.count, 2);
        assert_string_equal(seen.event.text, "??");
        journal_close(j);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, swept)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_is_written_is_read_back),
                TEST(numbers_go_on_after_a_restart),
                TEST(the_last_n_and_those_after_a_number_can_be_asked_for),
                TEST(a_line_cut_by_a_power_cut_loses_that_line_alone),
                TEST(blocks_of_zeros_and_nonsense_are_passed_over),
                TEST(a_full_file_makes_room_and_is_read_across),
                TEST(a_file_that_is_none_of_ours_does_not_stop_the_node),
                TEST(odd_bytes_are_numbered_and_kept_readable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
