/* Boards that exchange posts over a network that loses, doubles and delays them. */
#include "watch/board.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES 3

static uint32_t dice_state = 20260101;

static uint32_t dice(uint32_t sides)
{
        dice_state = dice_state * 1664525 + 1013904223;
        return (dice_state >> 8) % sides;
}

static void put(struct board *b, const char *name, const char *value)
{
        int r = board_put(b, board_key(BOARD_TARGET, name), BOARD_TARGET, value, strlen(value), 1000);

        assert_true(r == 0 || r == -EALREADY);
}

static const char *get(const struct board *b, const char *name, char text[static BOARD_VALUE_MAX + 1])
{
        const struct board_record *r = board_get(b, board_key(BOARD_TARGET, name));

        if (r == NULL)
                return "";
        memcpy(text, r->bytes, r->n);
        text[r->n] = '\0';
        return text;
}

/* One post each way between two; `loss` of 100 are lost. */
static void talk(struct board *node[], int a, int b, uint32_t loss)
{
        uint8_t post[1200];
        size_t n = board_post(node[a], b, post, sizeof(post));

        if (n > 0 && dice(100) >= loss)
                assert_int_equal(board_take(node[b], a, post, n, NULL, NULL), 0);
        n = board_post(node[b], a, post, sizeof(post));
        if (n > 0 && dice(100) >= loss)
                assert_int_equal(board_take(node[a], b, post, n, NULL, NULL), 0);
}

static void talk_all(struct board *node[], int count, uint32_t loss, int rounds)
{
        while (rounds-- > 0)
                for (int a = 0; a < count; a++)
                        for (int b = a + 1; b < count; b++)
                                talk(node, a, b, loss);
}

static bool quiet(struct board *node[], int count)
{
        uint8_t post[1200];

        for (int a = 0; a < count; a++)
                for (int b = 0; b < count; b++)
                        if (a != b && board_post(node[a], b, post, sizeof(post)) > 0)
                                return false;
        return true;
}

static void make(struct board *node[], int count)
{
        for (int i = 0; i < count; i++)
                node[i] = board_new(100 + (uint32_t)i, 7000 + (uint64_t)i);
}

static void done(struct board *node[], int count)
{
        for (int i = 0; i < count; i++)
                board_free(node[i]);
}

static void what_one_writes_all_have_and_then_they_are_quiet(void **state)
{
        char text[BOARD_VALUE_MAX + 1];
        struct board *node[NODES];

        make(node, NODES);
        assert_true(quiet(node, NODES));
        put(node[0], "web:http@a", "down");
        talk_all(node, NODES, 0, 4);
        assert_string_equal(get(node[1], "web:http@a", text), "down");
        assert_string_equal(get(node[2], "web:http@a", text), "down");
        assert_true(quiet(node, NODES));
        assert_true(board_met(node[0], 1));
        board_erase(node[2], board_key(BOARD_TARGET, "web:http@a"), 1001);
        talk_all(node, NODES, 0, 4);
        assert_null(board_get(node[0], board_key(BOARD_TARGET, "web:http@a")));
        assert_true(board_is_erased(node[1], board_key(BOARD_TARGET, "web:http@a")));
        assert_true(quiet(node, NODES));
        done(node, NODES);
}

/* While a cluster is upgraded node by node. */
static void what_a_node_does_not_know_it_passes_on(void **state)
{
        uint64_t key = board_key((enum board_kind)77, "later");
        struct board *node[NODES];
        uint8_t *bytes;
        size_t n;

        make(node, NODES);
        assert_int_equal(board_put(node[0], key, (enum board_kind)77, "new", 3, 1000), 0);
        for (int i = 0; i < 4; i++)
                talk(node, 0, 1, 0);
        assert_int_equal(board_encode(node[1], &bytes, &n), 0); /* and it starts again */
        board_free(node[1]);
        node[1] = board_new(1, 99);
        assert_int_equal(board_decode(node[1], bytes, n), 0);
        free(bytes);
        for (int i = 0; i < 4; i++)
                talk(node, 1, 2, 0);
        const struct board_record *r = board_get(node[2], key);
        assert_non_null(r);
        assert_int_equal(r->kind, 77);
        assert_memory_equal(r->bytes, "new", 3);
        done(node, NODES);
}

static void the_later_writing_wins_everywhere(void **state)
{
        char text[BOARD_VALUE_MAX + 1];
        struct board *node[NODES];

        make(node, NODES);
        put(node[0], "x", "first");
        talk_all(node, NODES, 0, 4);
        put(node[1], "x", "second");
        put(node[1], "x", "third");
        put(node[0], "x", "other"); /* at the same time, apart, and one writing behind */
        talk_all(node, NODES, 0, 6);
        for (int i = 0; i < NODES; i++)
                assert_string_equal(get(node[i], "x", text), "third");
        done(node, NODES);
}

static void losses_and_a_thousand_records_end_in_the_same(void **state)
{
        char name[32], a[BOARD_VALUE_MAX + 1], b[BOARD_VALUE_MAX + 1];
        struct board *node[NODES];

        make(node, NODES);
        for (int i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "t%u", dice(300));
                snprintf(a, sizeof(a), "value %d", i);
                if (dice(5) == 0)
                        board_erase(node[dice(NODES)], board_key(BOARD_TARGET, name), 1000);
                else
                        put(node[dice(NODES)], name, a);
                talk_all(node, NODES, 60, 1);
        }
        talk_all(node, NODES, 0, 200);
        assert_true(quiet(node, NODES));
        for (int i = 0; i < 300; i++) {
                snprintf(name, sizeof(name), "t%d", i);
                assert_string_equal(get(node[0], name, a), get(node[1], name, b));
                assert_string_equal(get(node[0], name, a), get(node[2], name, b));
        }
        done(node, NODES);
}

static void who_was_away_brings_nothing_erased_back(void **state)
{
        char text[BOARD_VALUE_MAX + 1];
        struct board *node[2];
        uint8_t *saved;
        size_t n;

        make(node, 2);
        put(node[0], "mail", "undelivered");
        put(node[0], "kept", "yes");
        talk_all(node, 2, 0, 4);
        assert_int_equal(board_encode(node[0], &saved, &n), 0);
        board_free(node[0]);                                         /* power cut */
        board_erase(node[1], board_key(BOARD_TARGET, "mail"), 1010); /* delivered by the other */
        node[0] = board_new(100, 7777);
        assert_int_equal(board_decode(node[0], saved, n), 0);
        assert_string_equal(get(node[0], "mail", text), "undelivered");
        assert_false(board_met(node[0], 1));
        talk_all(node, 2, 0, 4);
        assert_true(board_met(node[0], 1));
        assert_string_equal(get(node[0], "mail", text), "");
        assert_string_equal(get(node[1], "mail", text), "");
        assert_string_equal(get(node[1], "kept", text), "yes");
        put(node[0], "mail", "another"); /* its clock has gone on: a new writing is newer */
        talk_all(node, 2, 0, 4);
        assert_string_equal(get(node[1], "mail", text), "another");
        free(saved);
        done(node, 2);
}

static void a_mark_is_remembered_for_a_week_and_no_longer(void **state)
{
        struct board *b = board_new(1, 1);
        uint64_t key = board_key(BOARD_TARGET, "x");

        put(b, "x", "1");
        put(b, "y", "1");
        board_erase(b, key, 1000);
        assert_true(board_is_erased(b, key));
        board_erase(b, board_key(BOARD_TARGET, "y"), 1000 + BOARD_MARK_SECONDS);
        assert_true(board_is_erased(b, key));
        put(b, "z", "1");
        board_erase(b, board_key(BOARD_TARGET, "z"), 1001 + BOARD_MARK_SECONDS);
        assert_false(board_is_erased(b, key));
        assert_true(board_is_erased(b, board_key(BOARD_TARGET, "y")));
        board_free(b);
}

static void there_are_no_more_marks_than_are_kept(void **state)
{
        struct board *b = board_new(1, 1);
        char name[32];

        for (uint32_t i = 0; i < BOARD_MARKS_MAX + 10; i++) {
                snprintf(name, sizeof(name), "n%u", i);
                put(b, name, "1");
                board_erase(b, board_key(BOARD_TARGET, name), 1000 + i);
        }
        assert_false(board_is_erased(b, board_key(BOARD_TARGET, "n0")));
        assert_true(board_is_erased(b, board_key(BOARD_TARGET, name)));
        board_free(b);
}

static void what_is_no_post_changes_nothing(void **state)
{
        struct board *node[2];
        uint8_t post[1200];

        make(node, 2);
        put(node[0], "x", "value");
        talk_all(node, 2, 0, 1); /* they know each other, the record is on its way */
        put(node[0], "y", "value");
        size_t n = board_post(node[0], 1, post, sizeof(post));
        assert_true(n > 40);
        uint32_t seq = board_seq(node[1]);
        for (size_t cut = 0; cut < n; cut++) {
                if (cut == 32)
                        continue; /* a header alone is a post */
                uint8_t *exact = malloc(cut ? cut : 1);
                memcpy(exact, post, cut);
                int r = board_take(node[1], 0, exact, cut, NULL, NULL);
                assert_true(r == -EBADMSG || board_seq(node[1]) > seq);
                seq = board_seq(node[1]);
                free(exact);
        }
        for (int i = 0; i < 20000; i++) {
                memset(post, 0, sizeof(post));
                for (size_t k = 0; k < 80; k++)
                        post[k] = (uint8_t)dice(dice(2) ? 4 : 256);
                (void)board_take(node[1], 0, post, dice(100), NULL, NULL);
        }
        done(node, 2);
}

static void a_damaged_file_is_refused(void **state)
{
        struct board *b = board_new(1, 1), *again = board_new(1, 2);
        uint8_t *bytes;
        size_t n;

        put(b, "x", "value");
        assert_int_equal(board_encode(b, &bytes, &n), 0);
        for (size_t i = 0; i < n; i++) {
                bytes[i] ^= 1;
                assert_int_equal(board_decode(again, bytes, n), -EBADMSG);
                bytes[i] ^= 1;
        }
        assert_int_equal(board_decode(again, bytes, n - 1), -EBADMSG);
        assert_int_equal(board_decode(again, bytes, n), 0);
        free(bytes);
        board_free(b);
        board_free(again);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_one_writes_all_have_and_then_they_are_quiet),
                cmocka_unit_test(what_a_node_does_not_know_it_passes_on),
                cmocka_unit_test(the_later_writing_wins_everywhere),
                cmocka_unit_test(losses_and_a_thousand_records_end_in_the_same),
                cmocka_unit_test(who_was_away_brings_nothing_erased_back),
                cmocka_unit_test(a_mark_is_remembered_for_a_week_and_no_longer),
                cmocka_unit_test(there_are_no_more_marks_than_are_kept),
                cmocka_unit_test(what_is_no_post_changes_nothing),
                cmocka_unit_test(a_damaged_file_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
