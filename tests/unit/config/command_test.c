/* A command as one text: what words it makes, what is refused, and that words are put together again. */
#include "config/command.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_words(char **argv, const char *const *expected)
{
        size_t i = 0;

        assert_non_null(argv);
        for (; expected[i]; i++) {
                assert_non_null(argv[i]);
                assert_string_equal(argv[i], expected[i]);
        }
        assert_null(argv[i]);
}

static void words_are_parted_as_a_shell_parts_them(void **state)
{
        static const struct {
                const char *text;
                const char *words[6]; /* NULL-terminated */
        } rows[] = {
                {"/bin/a", {"/bin/a"}},
                {"  /bin/a\t b  ", {"/bin/a", "b"}},
                {"/bin/a 'b c' \"d e\"", {"/bin/a", "b c", "d e"}},
                {"/bin/a '' \"\"", {"/bin/a", "", ""}},
                {"/bin/a b'c'\"d\"e", {"/bin/a", "bcde"}},
                {"/bin/a 'it'\\''s'", {"/bin/a", "it's"}},
                {"/bin/a \\\"b\\ c\\\\", {"/bin/a", "\"b c\\"}},
                {"/bin/a \"b\\\"c\\\\d\\e\"", {"/bin/a", "b\"c\\d\\e"}},
                {"/bin/a '$HOME | > & ; `x`'", {"/bin/a", "$HOME | > & ; `x`"}},
                {"/bin/a \\$HOME \"\\$5\"", {"/bin/a", "$HOME", "$5"}},
                {"/bin/a *.c ~ #x {}", {"/bin/a", "*.c", "~", "#x", "{}"}},
        };
        char why[128];

        for (size_t i = 0; i < COUNT(rows); i++) {
                char **argv = command_split(rows[i].text, why, sizeof(why));
                check_words(argv, rows[i].words);
                command_free(argv);
        }
}

static void what_only_a_shell_could_do_is_refused(void **state)
{
        static const struct {
                const char *text;
                const char *why; /* part of it */
        } rows[] = {
                {"", "is no command"},
                {" \t ", "is no command"},
                {"nginx", "absolute path"},
                {"./nginx", "absolute path"},
                {"'' /bin/a", "absolute path"},
                {"/bin/a 'b", "has a ' that is never closed"},
                {"/bin/a \"b", "has a \" that is never closed"},
                {"/bin/a \"b\\", "has a \" that is never closed"},
                {"/bin/a b\\", "ends in a backslash"},
                {"/bin/a $HOME", "holds '$'"},
                {"/bin/a \"$HOME\"", "holds '$'"},
                {"/bin/a \"`b`\"", "holds '`'"},
                {"/bin/a | /bin/b", "holds '|'"},
                {"/bin/a && /bin/b", "holds '&'"},
                {"/bin/a; /bin/b", "holds ';'"},
                {"/bin/a <b", "holds '<'"},
                {"/bin/a 2>b", "holds '>'"},
        };
        char why[128];

        for (size_t i = 0; i < COUNT(rows); i++) {
                assert_null(command_split(rows[i].text, why, sizeof(why)));
                if (!strstr(why, rows[i].why))
                        fail_msg("%s: %s", rows[i].text, why);
        }
}

static void words_put_together_part_again(void **state)
{
        static const char *const rows[][6] = {
                {"/bin/a"},
                {"/bin/a b", "c"},
                {"/bin/a", "", " ", "'", "''"},
                {"/bin/a", "\"", "\\", "it's \"so\"", "\\'"},
                {"/bin/a", "$HOME", "`b`", "a|b;c&d<e>f", "*?[]{}~#!"},
                {"/bin/a", "line\nline", "tab\ttab", "gr\xc3\xbc\xc3\x9f", "--x=y,z+1"},
        };
        char why[128];

        for (size_t i = 0; i < COUNT(rows); i++) {
                char *text = command_join((char *const *)rows[i]);
                char **argv = command_split(text, why, sizeof(why));
                check_words(argv, rows[i]);
                command_free(argv);
                free(text);
        }
}

static void plain_words_are_not_quoted(void **state)
{
        static const char *const words[] = {"/bin/a", "--port=80", "10.0.0.1:80", "a b", NULL};
        char *text = command_join((char *const *)words);

        assert_string_equal(text, "/bin/a --port=80 10.0.0.1:80 'a b'");
        free(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_are_parted_as_a_shell_parts_them),
                cmocka_unit_test(what_only_a_shell_could_do_is_refused),
                cmocka_unit_test(words_put_together_part_again),
                cmocka_unit_test(plain_words_are_not_quoted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
