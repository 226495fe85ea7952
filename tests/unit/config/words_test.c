/* The table of words: slips are recognised, and haven.conf(5) says of every word what the table says. */
#include "config/words.h"

#include "base/text.h"
#include "files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_slip_is_recognised_and_another_word_is_not(void **state)
{
        static const char *const known[] = {"heartbeat", "dead", "warn", "start-wait", "port", "key"};
        static const struct {
                const char *text;
                const char *meant;
        } rows[] = {
                {"heartbeat", "heartbeat"},
                {"hearbeat", "heartbeat"},
                {"haertbeat", "heartbeat"},
                {"heartbeats", "heartbeat"},
                {"start_wait", "start-wait"},
                {"startwait", "start-wait"},
                {"prot", "port"},
                {"poort", "port"},
                {"ded", "dead"},
                {"kye", "key"},
                {"deadtime", NULL},
                {"colour", NULL},
                {"beat", NULL},
                {"", NULL},
                {"k", NULL},
                {"a-word-that-is-longer-than-any-other-word-is", NULL},
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                const char *meant = nearest(rows[i].text, known, COUNT(known));
                if (!rows[i].meant != !meant || (meant && strcmp(meant, rows[i].meant) != 0))
                        fail_msg("%s: %s", rows[i].text, meant ? meant : "nothing");
        }
        assert_null(nearest("heartbeat", known, 0));
}

/* The part of the page about a section: from "## check http" to the next heading. */
static char *chapter(const char *page, const char *section)
{
        char heading[64];

        snprintf(heading, sizeof(heading), "\n## %s\n", section);
        const char *begin = strstr(page, heading);
        if (!begin) {
                fail_msg("no chapter '%s'", section);
                return NULL;
        }
        const char *end = strstr(begin + 1, "\n#");
        return strndup(begin, end ? (size_t)(end - begin) : strlen(begin));
}

/* What is said of a word: from "*word* = " at the begin of a line to the next such. */
static char *paragraph(const char *text, const char *section, const char *word)
{
        char begins[64];

        snprintf(begins, sizeof(begins), "\n*%s* = ", word);
        const char *begin = strstr(text, begins);
        if (!begin) {
                fail_msg("%s: no word '%s'", section, word);
                return NULL;
        }
        const char *end = strstr(begin + 1, "\n*");
        return strndup(begin, end ? (size_t)(end - begin) : strlen(begin));
}

static void expect(const char *said, const struct word *w, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void expect(const char *said, const struct word *w, const char *format, ...)
{
        char text[128];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (!strstr(said, text))
                fail_msg("%s, %s: \"%s\" is not said", w->section, w->name, text);
}

/* "10ms to 1h", as the program itself says it when a value is beyond. */
static void range_text(const struct word *w, char *text, size_t size)
{
        char buffer[1024] = {0}, why[256];
        struct target to = {.object = buffer};
        struct word outside = *w;

        outside.offset = 0;
        assert_int_not_equal(w->type->set(&outside, &to, "9000d", why, sizeof(why)), 0);
        const char *range = strstr(why, "write ");
        assert_non_null(range);
        text_copy(text, size, range + strlen("write "));
}

static void the_manual_says_what_the_table_says(void **state)
{
        char *pages[] = {file_text(MANUAL), file_text(MANUAL_CHECKS), file_text(MANUAL_ALERTS)};
        const struct word *w;

        for (size_t i = 0; (w = word_at(i)); i++) {
                bool alerts = word_is_of(w, "alert", NULL) || strncmp(w->section, "alert ", 6) == 0 ||
                              strncmp(w->section, "watch", 5) == 0;
                bool dog = strcmp(w->section, "watchdog") == 0;
                const char *page =
                        pages[alerts && !dog ? 2 : w >= check_words && w < check_words + check_words_count];
                char *text = chapter(page, w->section), range[64];
                char *said = paragraph(text, w->section, w->name);
                if (w->required)
                        expect(said, w, "Required.");
                else if (w->fallback && w->fallback[0] && w->fallback[0] != '<')
                        expect(said, w, "Default: %s.", w->fallback);
                else
                        expect(said, w, "Default: ");
                if (w->type == &type_span) {
                        range_text(w, range, sizeof(range));
                        expect(said, w, "%s.", range);
                }
                if (w->type == &type_int)
                        expect(said, w, "%d to %d.", (int)w->least, (int)w->most);
                if (w->type == &type_port)
                        expect(said, w, "1 to 65535.");
                for (const char *const *c = w->choices; c && *c; c++)
                        expect(said, w, "*%s*", *c);
                free(said);
                free(text);
        }
        for (size_t i = 0; i < COUNT(pages); i++)
                free(pages[i]);
}

/* And no word that does not exist. */
static void knows_no_other_words(const char *manual)
{
        char *page = file_text(manual);
        const struct word *w;

        for (const char *at = page; (at = strstr(at, "\n*")); at++) {
                size_t n = strcspn(at + 2, "*\n");
                char name[64];
                if (strncmp(at + 2 + n, "* = ", 4) != 0 || n >= sizeof(name))
                        continue;
                memcpy(name, at + 2, n);
                name[n] = '\0';
                bool known = false;
                for (size_t i = 0; (w = word_at(i)); i++)
                        known |= strcmp(w->name, name) == 0;
                if (!known)
                        fail_msg("the manual explains '%s', which is no word", name);
        }
        free(page);
}

static void the_manual_knows_no_other_words(void **state)
{
        knows_no_other_words(MANUAL);
        knows_no_other_words(MANUAL_CHECKS);
        knows_no_other_words(MANUAL_ALERTS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_slip_is_recognised_and_another_word_is_not),
                cmocka_unit_test(the_manual_says_what_the_table_says),
                cmocka_unit_test(the_manual_knows_no_other_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
