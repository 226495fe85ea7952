/* What is watched, told as stories: things fail and return, time goes on, and this is who hears of it. */
#include "watch/watch.h"

#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD   "cluster c { key = /k }\nnode a { address = 10.0.0.1 }\n"
#define MONDAY 1

struct story {
        struct config *config;
        struct watches *w;
        struct watch_time time;
        instant next;
        char told[2000]; /* "mail down web:http@10.1.0.1; " */
        char ids[4000];
};

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        fail_msg("%s:%d: %s", file, line, text);
}

static void begin(struct story *s, const char *text)
{
        memset(s, 0, sizeof(*s));
        s->config = config_parse(text, "text", on_mistake, NULL);
        assert_non_null(s->config);
        s->w = watches_new(s->config);
        s->time = (struct watch_time){
                .now = {span_s(1000).us}, .wall_us = 1700000000000000, .weekday = MONDAY, .minute = 12 * 60};
        for (size_t i = 0; i < s->config->watch_count; i++)
                watches_run(s->w, (int)i, true, &s->time);
}

static void end(struct story *s)
{
        watches_free(s->w);
        config_free(s->config);
}

static void on_notice(void *user, const struct watch_notice *n)
{
        struct story *s = user;
        char name[WATCHED_NAME];
        size_t used = strlen(s->told);

        snprintf(s->told + used, sizeof(s->told) - used, "%s %s %s; ", s->config->alert[n->alert].name,
                 alert_on_name(n->on), watched_name(s->w, n->watched, name));
        if (strstr(s->ids, n->id))
                fail_msg("%s is told twice", n->id);
        used = strlen(s->ids);
        snprintf(s->ids + used, sizeof(s->ids) - used, "%s\n", n->id);
}

static void step(struct story *s)
{
        s->next = watches_step(s->w, &s->time, on_notice, s);
}

/* Time goes on, a second a step, while there is a reason to. */
static void wait_s(struct story *s, int seconds)
{
        for (int i = 0; i < seconds; i++) {
                s->time.now = instant_add(s->time.now, span_s(1));
                s->time.wall_us += 1000000;
                if (instant_reached(s->time.now, s->next))
                        step(s);
        }
}

/* As often in a row as it was seen to fail; -1: nobody looked. */
static void is_seen(struct story *s, const char *name, enum watched_state state, int failures)
{
        int i = watches_find(s->w, name);

        if (i < 0)
                fail_msg("%s is not watched", name);
        watches_result(s->w, (size_t)i, 0, state, failures, state == WATCHED_DOWN ? "refused" : "works",
                       &s->time);
        step(s);
}

static void is(struct story *s, const char *name, enum watched_state state)
{
        is_seen(s, name, state, state == WATCHED_DOWN ? 3 : state == WATCHED_UP ? 0 : -1);
}

#define is_up(s, name)   is(s, name, WATCHED_UP)
#define is_down(s, name) is(s, name, WATCHED_DOWN)

static void expect(struct story *s, const char *told)
{
        assert_string_equal(s->told, told);
        s->told[0] = '\0';
}

static void mark(struct story *s, enum watch_mark_kind kind, const char *about, int seconds)
{
        struct watch_mark m = {.kind = kind, .who = "me", .since_wall_us = s->time.wall_us};

        text_copy(m.about, sizeof(m.about), about);
        m.until_wall_us = seconds ? s->time.wall_us + seconds * 1000000LL : 0;
        assert_int_equal(watches_mark(s->w, &m), 0);
        step(s);
}

#define WEB(more, service)                                                                                   \
        "watch web { hosts = {10.1.0.1, 10.1.0.2} " more " service http { " service                          \
        " check tcp { port = 80  interval = 1s  fall = 3 } } }\n"
#define PAGE "alert exec { command = /page }\n"
#define ONE  "web:http@10.1.0.1"
#define TWO  "web:http@10.1.0.2"

static void a_failure_and_its_end_are_told_once_each(void **state)
{
        struct story s;

        begin(&s, HEAD WEB("", "") PAGE);
        is_up(&s, ONE);
        is_up(&s, TWO);
        assert_int_equal(s.next.us, INSTANT_NEVER.us);
        expect(&s, "");
        is_down(&s, ONE);
        is_down(&s, ONE);
        wait_s(&s, 100);
        expect(&s, "exec down " ONE "; ");
        is_up(&s, ONE);
        wait_s(&s, 1000);
        expect(&s, "exec up " ONE "; ");
        assert_int_equal(s.next.us, INSTANT_NEVER.us); /* quiet again */
        end(&s);
}

static void unknown_is_neither(void **state)
{
        struct story s;

        begin(&s, HEAD WEB("", "") PAGE);
        is(&s, ONE, WATCHED_UNKNOWN);
        is_up(&s, ONE);
        is(&s, ONE, WATCHED_UNKNOWN);
        expect(&s, "");
        assert_int_equal(watches_get(s.w, 0)->state, WATCHED_UP);
        is_down(&s, ONE);
        is(&s, ONE, WATCHED_UNKNOWN);
        expect(&s, "exec down " ONE "; ");
        assert_int_equal(watches_get(s.w, 0)->state, WATCHED_DOWN);
        end(&s);
}

static void one_of_several_checks_is_enough_to_be_down_and_all_to_be_up(void **state)
{
        struct story s;

        begin(&s, HEAD "watch web { hosts = h  service s { check http { name = a  url = http://%h/a }"
                       " check http { name = b  url = http://%h/b } } }\n" PAGE);
        watches_result(s.w, 0, 0, WATCHED_UP, 0, "works", &s.time);
        assert_int_equal(watches_get(s.w, 0)->state, WATCHED_UNKNOWN);
        watches_result(s.w, 0, 1, WATCHED_DOWN, 3, "status 503", &s.time);
        assert_int_equal(watches_get(s.w, 0)->state, WATCHED_DOWN);
        watches_result(s.w, 0, 0, WATCHED_UP, 0, "works", &s.time);
        assert_string_equal(watches_get(s.w, 0)->text, "status 503");
        watches_result(s.w, 0, 1, WATCHED_UP, 0, "works", &s.time);
        assert_int_equal(watches_get(s.w, 0)->state, WATCHED_UP);
        end(&s);
}

static void after_so_many_failures_or_so_long(void **state)
{
        struct story s;

        begin(&s, HEAD WEB("", "") "alert exec { name = five  command = /a  after = 5 }\n"
                                   "alert exec { name = long  command = /b  after = 60s }\n");
        assert_int_equal(watches_counted(s.w, 0), 5);
        is_up(&s, ONE);
        is_down(&s, ONE); /* after three */
        wait_s(&s, 30);   /* the look under way hangs: however long it takes, it is one */
        is_seen(&s, ONE, WATCHED_DOWN, 4);
        expect(&s, "");
        is_seen(&s, ONE, WATCHED_UNKNOWN, -1); /* the checker died; the next one counts from one */
        is_seen(&s, ONE, WATCHED_UNKNOWN, 1);
        expect(&s, "five down " ONE "; ");
        is_up(&s, ONE);
        expect(&s, "five up " ONE "; ");
        is_down(&s, ONE);
        is_seen(&s, ONE, WATCHED_DOWN, 0); /* one that works, but not often enough to be up */
        is_seen(&s, ONE, WATCHED_DOWN, 4);
        assert_false(watches_reached(s.w, 0));
        expect(&s, "");
        is_seen(&s, ONE, WATCHED_DOWN, 5);
        assert_true(watches_reached(s.w, 0));
        expect(&s, "five down " ONE "; ");
        wait_s(&s, 59);
        expect(&s, "");
        wait_s(&s, 1);
        expect(&s, "long down " ONE "; ");
        end(&s);
}

static void what_lasts_is_told_again_until_it_is_acknowledged(void **state)
{
        struct story s;

        begin(&s, HEAD WEB("", "") "alert exec { command = /a  every = 10m }\n");
        is_down(&s, ONE);
        expect(&s, "exec down " ONE "; ");
        wait_s(&s, 599);
        expect(&s, "");
        wait_s(&s, 1);
        expect(&s, "exec failing " ONE "; ");
        wait_s(&s, 600);
        expect(&s, "exec failing " ONE "; ");
        mark(&s, MARK_ACKNOWLEDGED, ONE, 0);
        expect(&s, "exec acknowledged " ONE "; ");
        wait_s(&s, 6000);
        expect(&s, "");
        is_up(&s, ONE);
        expect(&s, "exec up " ONE "; ");
        end(&s);
}

static void what_is_acknowledged_before_it_is_told_is_not_told(void **state)
{
        struct story s;

        begin(&s, HEAD WEB("", "") "alert exec { name = first  command = /a }\n"
                                   "alert exec { name = boss  command = /b  unacknowledged = 30m }\n");
        is_down(&s, ONE);
        is_down(&s, TWO);
        expect(&s, "first down " ONE "; first down " TWO "; ");
        wait_s(&s, 1000);
        mark(&s, MARK_ACKNOWLEDGED, ONE, 0);
        expect(&s, "first acknowledged " ONE "; ");
        wait_s(&s, 1000);
        expect(&s, "boss down " TWO "; ");
        is_up(&s, ONE);
        is_up(&s, TWO);
        expect(&s, "first up " ONE "; boss up " TWO "; first up " TWO "; ");
        end(&s);
}

#define ROUTERS                                                                                              \
        "watch routers { hosts = {10.0.0.253, 10.0.0.254} service ping { check tcp { port = 7  interval = "  \
        "2s  timeout = 1s  fall = 2 } } }\n"

static void what_is_behind_a_dead_router_is_told_to_nobody(void **state)
{
        struct story s;

        begin(&s, HEAD ROUTERS WEB("depends = \"routers:ping@10.0.0.254\"", "") PAGE);
        is_down(&s, ONE); /* the quicker check finds it first */
        is_down(&s, TWO);
        wait_s(&s, 4);
        expect(&s, "");
        is_down(&s, "routers:ping@10.0.0.254");
        expect(&s, "exec down routers:ping@10.0.0.254; ");
        wait_s(&s, 1000);
        expect(&s, "");
        assert_true(watches_get(s.w, (size_t)watches_find(s.w, ONE))->blocked);
        is_up(&s, "routers:ping@10.0.0.254");
        expect(&s, "exec up routers:ping@10.0.0.254; ");
        wait_s(&s, 2); /* they need a moment to be found well */
        expect(&s, "");
        is_up(&s, ONE);
        wait_s(&s, 10);
        expect(&s, "exec down " TWO "; "); /* and this one has really died */
        end(&s);
}

static void without_a_dead_router_it_is_told_a_moment_later(void **state)
{
        struct story s;

        begin(&s, HEAD ROUTERS WEB("depends = routers:ping", "") PAGE);
        is_down(&s, ONE);
        is_down(&s, "routers:ping@10.0.0.254"); /* one of two routers */
        expect(&s, "exec down routers:ping@10.0.0.254; ");
        wait_s(&s, 7); /* two looks, two seconds each, one until it began, and a second for the last */
        expect(&s, "exec down " ONE "; ");
        is_down(&s, "routers:ping@10.0.0.253");
        is_down(&s, TWO);
        wait_s(&s, 100);
        expect(&s, "exec down routers:ping@10.0.0.253; ");
        end(&s);
}

static void a_dependency_of_a_dependency_counts(void **state)
{
        struct story s;

        begin(&s, HEAD ROUTERS "watch switch { hosts = 10.9.9.9  depends = routers:ping  service up { check "
                               "http { url = http://%h } } "
                               "}\n" WEB("", "depends = switch:up") PAGE);
        is_down(&s, "routers:ping@10.0.0.253");
        is_down(&s, "routers:ping@10.0.0.254");
        s.told[0] = '\0';
        is_down(&s, ONE); /* the switch has not been found dead, but it is behind the routers */
        wait_s(&s, 100);
        expect(&s, "");
        end(&s);
}

static void outside_of_its_times_nothing_is_told_until_they_begin(void **state)
{
        struct story s;

        begin(&s, HEAD WEB("", "period = \"mon-fri 8:00-18:00\"") PAGE);
        s.time.minute = 19 * 60;
        is_down(&s, ONE);
        is_down(&s, TWO);
        wait_s(&s, 10);
        is_up(&s, TWO);
        expect(&s, "");
        s.time.weekday = MONDAY + 1;
        s.time.minute = 8 * 60;
        wait_s(&s, 2);
        expect(&s, "exec down " ONE "; ");
        s.time.minute = 19 * 60;
        is_up(&s, ONE); /* who was told of the failure is told of its end */
        expect(&s, "exec up " ONE "; ");
        end(&s);
}

static void silence_ends_by_itself_and_what_still_fails_is_told(void **state)
{
        struct story s;

        begin(&s, HEAD WEB("", "") PAGE);
        mark(&s, MARK_SILENCED, "web", 3600);
        is_down(&s, ONE);
        is_down(&s, TWO);
        wait_s(&s, 1800);
        is_up(&s, TWO);
        wait_s(&s, 1799);
        expect(&s, "");
        wait_s(&s, 2);
        expect(&s, "exec down " ONE "; ");
        end(&s);
}

static void what_is_disabled_is_not_told_until_it_is_enabled(void **state)
{
        static const char *const about[] = {"web", "web:http", ONE, "@10.1.0.1"};
        struct story s;

        for (size_t i = 0; i < COUNT(about); i++) {
                begin(&s, HEAD WEB("", "") PAGE);
                assert_true(watches_knows(s.w, about[i]));
                mark(&s, MARK_DISABLED, about[i], 0);
                is_down(&s, ONE);
                wait_s(&s, 100);
                expect(&s, "");
                watches_unmark(s.w, MARK_DISABLED, about[i]);
                wait_s(&s, 2);
                expect(&s, "exec down " ONE "; ");
                end(&s);
        }
        begin(&s, HEAD WEB("", "") PAGE);
        assert_false(watches_knows(s.w, "we"));
        assert_false(watches_knows(s.w, "web:htt"));
        assert_false(watches_knows(s.w, "web:http@10.1.0"));
        assert_false(watches_knows(s.w, "@10.1.0.11"));
        mark(&s, MARK_DISABLED, TWO, 0);
        is_down(&s, ONE);
        expect(&s, "exec down " ONE "; ");
        end(&s);
}

static void what_comes_and_goes_is_told_to_be_flapping_and_then_left_alone(void **state)
{
        struct story s;

        begin(&s, HEAD WEB("", "flapping = \"4 in 60s\"") PAGE);
        is_up(&s, ONE);
        for (int i = 0; i < 20; i++) {
                is_down(&s, ONE);
                wait_s(&s, 2);
                is_up(&s, ONE);
                wait_s(&s, 2);
        }
        is_down(&s, ONE);
        expect(&s, "exec down " ONE "; exec up " ONE "; exec down " ONE "; exec flapping " ONE "; ");
        wait_s(&s, 59);
        expect(&s, "");
        is_up(&s, ONE);
        wait_s(&s, 61);
        expect(&s, "exec up " ONE "; ");
        assert_int_equal(s.next.us, INSTANT_NEVER.us);
        end(&s);
}

static void an_alert_hears_only_of_what_it_is_for(void **state)
{
        struct story s;

        begin(&s,
              HEAD ROUTERS WEB("", "") "alert exec { name = net  command = /a  for = routers }\n"
                                       "alert exec { name = app  command = /b  for = web:http  on = up }\n");
        is_down(&s, "routers:ping@10.0.0.254");
        is_down(&s, ONE);
        expect(&s, "net down routers:ping@10.0.0.254; ");
        is_up(&s, ONE);
        expect(&s, "app up " ONE "; ");
        end(&s);
}

/* --- takeovers --- */

static void copy_records(struct story *from, struct story *to)
{
        uint8_t bytes[WATCH_RECORD_MAX];

        for (size_t i = 0; i < watches_count(from->w); i++) {
                size_t n = watch_record(from->w, i, bytes);

                if (n > 0)
                        assert_int_equal(watch_learn(to->w, bytes, n, &to->time), i);
                else
                        watch_forget(to->w, i, &to->time);
        }
}

static void after_a_takeover_nothing_is_told_twice_and_the_end_is_told(void **state)
{
        static const char text[] = HEAD WEB("", "") "alert exec { command = /a  every = 10m }\n";
        struct story a, b;
        int one;

        begin(&a, text);
        begin(&b, text);
        watches_run(b.w, 0, false, &b.time);
        b.time.now = (instant){span_s(50).us}; /* another machine's clock */
        b.time.wall_us = a.time.wall_us;
        is_up(&a, TWO);
        is_down(&a, ONE);
        expect(&a, "exec down " ONE "; ");
        wait_s(&a, 400);
        wait_s(&b, 400);
        copy_records(&a, &b);
        one = watches_find(b.w, ONE);
        assert_int_equal(watches_get(b.w, (size_t)one)->state, WATCHED_DOWN);
        assert_int_equal(span_between(watches_get(b.w, (size_t)one)->since, b.time.now).us, span_s(400).us);
        watches_run(b.w, 0, true, &b.time); /* a is dead */
        step(&b);
        assert_int_equal(watches_get(b.w, (size_t)watches_find(b.w, TWO))->state, WATCHED_UNKNOWN);
        is(&b, ONE, WATCHED_UNKNOWN);
        is_down(&b, ONE);
        is_up(&b, TWO);
        wait_s(&b, 199);
        expect(&b, "");
        wait_s(&b, 1);
        expect(&b, "exec failing " ONE "; "); /* ten minutes after it was told elsewhere */
        is_up(&b, ONE);
        expect(&b, "exec up " ONE "; ");
        end(&a);
        end(&b);
}

static void failures_are_counted_on_where_a_watch_runs_next(void **state)
{
        static const char text[] = HEAD WEB("", "") "alert exec { command = /a  after = 7 }\n";
        struct story a, b;

        begin(&a, text);
        begin(&b, text);
        watches_run(b.w, 0, false, &b.time);
        is_up(&a, ONE);
        is_down(&a, ONE);
        is_seen(&a, ONE, WATCHED_DOWN, 5);
        assert_true(watches_take_changed(a.w, 0));
        is_seen(&a, ONE, WATCHED_DOWN, 5);
        assert_false(watches_take_changed(a.w, 0));
        copy_records(&a, &b);
        watches_run(b.w, 0, true, &b.time);
        is_seen(&b, ONE, WATCHED_UNKNOWN, 1);
        expect(&b, "");
        is_seen(&b, ONE, WATCHED_UNKNOWN, 2);
        expect(&b, "exec down " ONE "; ");
        watches_take_changed(b.w, 0);
        is_seen(&b, ONE, WATCHED_DOWN, 3);
        assert_false(watches_take_changed(b.w, 0)); /* nobody wants to know how many more */
        watches_run(b.w, 0, false, &b.time);
        watch_forget(b.w, 0, &b.time);
        assert_int_equal(watched_failures(watches_get(b.w, 0)), 0);
        end(&a);
        end(&b);
}

static void flapping_is_judged_on_where_a_watch_runs_next(void **state)
{
        static const char text[] = HEAD WEB("", "flapping = \"4 in 60s\"") PAGE;
        struct story a, b;

        begin(&a, text);
        begin(&b, text);
        watches_run(b.w, 0, false, &b.time);
        is_up(&a, ONE);
        for (int i = 0; i < 3; i++) {
                is(&a, ONE, i % 2 == 0 ? WATCHED_DOWN : WATCHED_UP);
                wait_s(&a, 1);
        }
        expect(&a, "exec down " ONE "; exec up " ONE "; exec down " ONE "; ");
        b.time = a.time;
        copy_records(&a, &b);
        watches_run(b.w, 0, true, &b.time);
        is_up(&b, ONE); /* the fourth */
        expect(&b, "exec flapping " ONE "; ");
        watches_run(a.w, 0, false, &a.time);
        copy_records(&b, &a);
        a.time = b.time;
        watches_run(a.w, 0, true, &a.time);
        is_down(&a, ONE);
        wait_s(&a, 30);
        expect(&a, ""); /* it still is */
        is_up(&a, ONE);
        wait_s(&a, 61);
        expect(&a, "exec up " ONE "; ");
        assert_int_equal(watch_record(a.w, 0, (uint8_t[WATCH_RECORD_MAX]){0}), 0);
        end(&a);
        end(&b);
}

/* The record of what was told was lost with its writer: the notice is made again, under the same name. */
static void a_notice_has_the_same_name_whoever_makes_it(void **state)
{
        static const char text[] = HEAD WEB("", "") PAGE;
        uint8_t bytes[WATCH_RECORD_MAX];
        struct story a, b;

        begin(&a, text);
        begin(&b, text);
        watches_run(b.w, 0, false, &b.time);
        watches_result(a.w, 0, 0, WATCHED_DOWN, 3, "refused", &a.time);
        size_t n = watch_record(a.w, 0, bytes);
        assert_int_equal(watch_learn(b.w, bytes, n, &b.time), 0);
        step(&a);
        b.time.wall_us += 5000000;
        b.time.now = instant_add(b.time.now, span_s(7));
        watches_run(b.w, 0, true, &b.time);
        step(&b);
        assert_string_equal(a.told, b.told);
        assert_string_equal(a.ids, b.ids);
        end(&a);
        end(&b);
}

static void a_reload_keeps_what_is_known(void **state)
{
        struct story s;
        struct config *fresh;
        struct watches *w;

        begin(&s, HEAD WEB("", "") PAGE);
        is_down(&s, ONE);
        mark(&s, MARK_SILENCED, TWO, 60);
        expect(&s, "exec down " ONE "; ");
        fresh = config_parse(HEAD ROUTERS
                             "watch web { hosts = {10.1.0.1} service dns { check tcp { port = 53 } } "
                             "service http { check tcp { port = 80 } } }\n"
                             "alert exec { name = another  command = /x }\n" PAGE,
                             "fresh", on_mistake, NULL);
        w = watches_new(fresh);
        watches_inherit(w, s.w);
        watches_free(s.w);
        config_free(s.config);
        s.w = w;
        s.config = fresh;
        step(&s);
        expect(&s, "another down " ONE "; ");
        assert_int_equal(watches_mark_count(s.w), 1);
        is_up(&s, ONE);
        expect(&s, "another up " ONE "; exec up " ONE "; ");
        end(&s);
}

static void what_is_no_record_is_refused(void **state)
{
        uint8_t bytes[WATCH_RECORD_MAX];
        struct watch_mark m = {.kind = MARK_SILENCED, .about = "web", .who = "me", .text = "new disk"}, read;
        struct story s;
        size_t n;

        begin(&s, HEAD WEB("", "") PAGE);
        is_down(&s, ONE);
        n = watch_record(s.w, 0, bytes);
        assert_true(n > 0);
        assert_int_equal(watch_learn(s.w, bytes, n, &s.time), -EBUSY);
        watches_run(s.w, 0, false, &s.time);
        for (size_t cut = 0; cut < n; cut++) {
                uint8_t *exact = malloc(cut ? cut : 1);

                memcpy(exact, bytes, cut);
                int r = watch_learn(s.w, exact, cut, &s.time);
                assert_true(r == -EBADMSG || (n - cut) % 17 == 0); /* without an entry it is one, too */
                free(exact);
        }
        assert_int_equal(watch_learn(s.w, bytes, n, &s.time), 0);
        memset(bytes + n, 7, 17); /* an entry that a later release adds */
        assert_int_equal(watch_learn(s.w, bytes, n + 17, &s.time), 0);
        assert_true(watches_get(s.w, 0)->told[0].told);
        n = watch_mark_record(&m, bytes);
        assert_int_equal(watch_mark_read(bytes, n, &read), 0);
        assert_string_equal(read.text, "new disk");
        for (size_t cut = 0; cut < n; cut++)
                assert_int_equal(watch_mark_read(bytes, cut, &read), -EBADMSG);
        end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_failure_and_its_end_are_told_once_each),
                cmocka_unit_test(unknown_is_neither),
                cmocka_unit_test(one_of_several_checks_is_enough_to_be_down_and_all_to_be_up),
                cmocka_unit_test(after_so_many_failures_or_so_long),
                cmocka_unit_test(what_lasts_is_told_again_until_it_is_acknowledged),
                cmocka_unit_test(what_is_acknowledged_before_it_is_told_is_not_told),
                cmocka_unit_test(what_is_behind_a_dead_router_is_told_to_nobody),
                cmocka_unit_test(without_a_dead_router_it_is_told_a_moment_later),
                cmocka_unit_test(a_dependency_of_a_dependency_counts),
                cmocka_unit_test(outside_of_its_times_nothing_is_told_until_they_begin),
                cmocka_unit_test(silence_ends_by_itself_and_what_still_fails_is_told),
                cmocka_unit_test(what_is_disabled_is_not_told_until_it_is_enabled),
                cmocka_unit_test(what_comes_and_goes_is_told_to_be_flapping_and_then_left_alone),
                cmocka_unit_test(an_alert_hears_only_of_what_it_is_for),
                cmocka_unit_test(after_a_takeover_nothing_is_told_twice_and_the_end_is_told),
                cmocka_unit_test(failures_are_counted_on_where_a_watch_runs_next),
                cmocka_unit_test(flapping_is_judged_on_where_a_watch_runs_next),
                cmocka_unit_test(a_notice_has_the_same_name_whoever_makes_it),
                cmocka_unit_test(a_reload_keeps_what_is_known),
                cmocka_unit_test(what_is_no_record_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
