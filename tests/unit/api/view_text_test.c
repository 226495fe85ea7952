/* What people read, compared with the files in golden/. GOLDEN_WRITE=1 writes them anew, to be looked at. */
#include "api/view_json.h"
#include "api/view_text.h"
#include "situations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

typedef void situation_fn(struct view *v);
typedef void print_fn(const struct view *v, bool colour, FILE *to);

static const struct row {
        const char *golden;
        situation_fn *situation;
        print_fn *print;
} rows[] = {
        {"calm.status.txt", situation_calm, view_print_status},
        {"night.status.txt", situation_night, view_print_status},
        {"links.status.txt", situation_links, view_print_status},
        {"calm.links.txt", situation_calm, view_print_links},
        {"links.links.txt", situation_links, view_print_links},
        {"calm.checks.txt", situation_calm, view_print_checks},
        {"night.checks.txt", situation_night, view_print_checks},
};

static struct view view, copy; /* too large for the stack */

static char *printed(print_fn *print, const struct view *v, bool colour)
{
        char *text;
        size_t n;
        FILE *to = open_memstream(&text, &n);

        assert_non_null(to);
        print(v, colour, to);
        fclose(to);
        return text;
}

static void same_as_golden(const char *name, const char *text)
{
        char path[512], golden[16384];

        snprintf(path, sizeof(path), "%s/%s", GOLDEN_DIR, name);
        if (getenv("GOLDEN_WRITE")) {
                FILE *to = fopen(path, "w");
                assert_non_null(to);
                fputs(text, to);
                fclose(to);
        }
        FILE *from = fopen(path, "r");
        assert_non_null(from);
        size_t n = fread(golden, 1, sizeof(golden) - 1, from);
        golden[n] = '\0';
        fclose(from);
        if (strcmp(text, golden) != 0)
                print_message("%s differs; printed was:\n%s", name, text);
        assert_string_equal(text, golden);
}

static void every_situation_reads_as_it_should(void **state)
{
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                rows[i].situation(&view);
                char *text = printed(rows[i].print, &view, false);
                same_as_golden(rows[i].golden, text);
                free(text);
        }
}

static void no_line_ends_in_blanks_and_no_control_character_gets_through(void **state)
{
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                rows[i].situation(&view);
                char *text = printed(rows[i].print, &view, false);
                assert_null(strstr(text, " \n"));
                assert_null(strchr(text, '\033'));
                assert_null(strstr(text, "\xc2\x9b"));
                free(text);
        }
}

static void colours_change_no_word(void **state)
{
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                rows[i].situation(&view);
                char *plain = printed(rows[i].print, &view, false);
                char *colourful = printed(rows[i].print, &view, true);
                char *to = colourful;
                for (char *from = colourful; *from; from++) {
                        if (*from == '\033')
                                from = strchr(from, 'm');
                        else
                                *to++ = *from;
                }
                *to = '\0';
                assert_string_equal(colourful, plain);
                free(plain);
                free(colourful);
        }
}

static void a_view_survives_json(void **state)
{
        situation_fn *const situations[] = {situation_calm, situation_night, situation_links};

        for (size_t i = 0; i < 3; i++) {
                situations[i](&view);
                json_t *json = view_to_json(&view);
                char *text = json_dumps(json, 0);
                json_decref(json);
                json = json_loads(text, 0, NULL);
                assert_non_null(json);
                assert_int_equal(view_from_json(json, &copy), 0);
                json_t *again = view_to_json(&copy);
                assert_true(json_equal(json, again));
                json_decref(again);
                json_decref(json);
                free(text);
        }
}

static void the_promised_json_shape_is_there(void **state)
{
        const char *leader, *name, *state_name, *link, *node, *epoch, *kind;
        int held;

        situation_calm(&view);
        json_t *json = view_to_json(&view);
        assert_int_equal(json_unpack(json,
                                     "{s:s, s:{s:b, s:s, s:s}, s:[o,{s:s,s:s,s:[{s:s,s:s}]}], "
                                     "s:[{s:s,s:s,s:s,s:s,s:[{s:s,s:s,s:s}]}]}",
                                     "leader", &leader, "quorum", "held", &held, "arbiter", &name, "strength",
                                     &state_name, "nodes", &(json_t *){NULL}, "name", &node, "state",
                                     &state_name, "links", "name", &link, "state", &state_name, "groups",
                                     "name", &name, "state", &state_name, "node", &node, "epoch", &epoch,
                                     "resources", "name", &name, "kind", &kind, "state", &state_name),
                         0);
        assert_string_equal(leader, "alpha");
        assert_string_equal(link, "10.0.0.2");
        assert_string_equal(kind, "address");
        assert_string_equal(epoch, "7.3");
        json_decref(json);
}

static void text_that_is_not_utf8_can_still_be_said(void **state)
{
        situation_calm(&view);
        strcpy(view.group[0].text, "caf\xe9 down");
        json_t *json = view_to_json(&view);
        assert_int_equal(view_from_json(json, &copy), 0);
        assert_string_equal(copy.group[0].text, "caf? down");
        json_decref(json);
}

static void what_is_no_view_is_refused(void **state)
{
        const char *const bad[] = {"{}", "[]", "{\"quorum\": 1, \"nodes\": []}", "{\"quorum\": {}}"};

        for (size_t i = 0; i < 4; i++) {
                json_t *json = json_loads(bad[i], 0, NULL);
                assert_int_not_equal(view_from_json(json, &copy), 0);
                json_decref(json);
        }
        assert_int_not_equal(view_from_json(NULL, &copy), 0);
}

static void an_older_or_newer_havend_can_be_read(void **state)
{
        json_t *json =
                json_loads("{\"quorum\": {\"held\": true}, \"nodes\": [{\"name\": 5, \"news\": 1}, 7], "
                           "\"groups\": \"none\", \"refused\": [{}]}",
                           0, NULL);
        assert_int_equal(view_from_json(json, &copy), 0);
        assert_int_equal(copy.node_count, 2);
        assert_string_equal(copy.node[0].name, "");
        assert_int_equal(copy.group_count, 0);
        json_decref(json);
}

static void changes_are_told_one_a_line(void **state)
{
        char *text;
        size_t n;
        FILE *to = open_memstream(&text, &n);

        situation_calm(&copy);
        situation_calm(&view);
        assert_int_equal(view_print_changes(&copy, &view, to), 0);
        strcpy(view.leader, "beta");
        view.term = 8;
        strcpy(view.node[1].link[0].state, "down");
        strcpy(view.group[0].state, "stopped");
        strcpy(view.group[0].node, "");
        strcpy(view.group[0].text, "stopped by 'haven stop'");
        assert_int_equal(view_print_changes(&copy, &view, to), 3);
        fclose(to);
        assert_string_equal(text, "leader: beta, term 8\nlink to beta, 10.0.0.2: down\n"
                                  "group web: stopped; stopped by 'haven stop'\n");
        free(text);
}

static void ages_are_short(void **state)
{
        const struct {
                int64_t us;
                const char *text;
        } ages[] = {{0, "0ms"},
                    {440123, "440ms"},
                    {3249999, "3.2s"},
                    {59999999, "59.9s"},
                    {725000000, "12m 5s"},
                    {11520000000, "3h 12m"},
                    {356400000000, "4d 3h"}};
        char text[AGE_TEXT];

        for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
                assert_string_equal(age_format(ages[i].us, text), ages[i].text);
}

static void an_event_is_one_line(void **state)
{
        const struct view_event e = {1, 1700000000123456, "group-moved", "web",
                                     "alpha -> beta: alpha silent\nfor 0.5s"};
        char *text;
        size_t n;
        FILE *to = open_memstream(&text, &n);

        view_event_print(&e, false, to);
        fclose(to);
        assert_string_equal(text,
                            "2023-11-14 22:13:20.123  group-moved     web: alpha -> beta: alpha silent?for "
                            "0.5s\n");
        free(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_situation_reads_as_it_should),
                cmocka_unit_test(no_line_ends_in_blanks_and_no_control_character_gets_through),
                cmocka_unit_test(colours_change_no_word),
                cmocka_unit_test(a_view_survives_json),
                cmocka_unit_test(the_promised_json_shape_is_there),
                cmocka_unit_test(text_that_is_not_utf8_can_still_be_said),
                cmocka_unit_test(what_is_no_view_is_refused),
                cmocka_unit_test(an_older_or_newer_havend_can_be_read),
                cmocka_unit_test(changes_are_told_one_a_line),
                cmocka_unit_test(ages_are_short),
                cmocka_unit_test(an_event_is_one_line),
        };

        setenv("TZ", "UTC", 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
