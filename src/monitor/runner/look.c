#include "monitor/runner/inside.h"

#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LOOK_MS 1000 /* first looks are spread over so much, or the interval if shorter */
#define SLACK_PARTS   20 /* of an interval: a verdict may be late by a tenth, half of that is the answer's */
#define SLACK_MAX_MS  100

/* Places that are spread evenly however many of them are taken: van der Corput's sequence, the bits of a
 * counter read backwards. */
uint32_t look_place(uint32_t n)
{
        uint32_t place = 0;

        for (int bit = 0; bit < 32; bit++)
                place |= (n >> bit & 1U) << (31 - bit);
        return place;
}

static uint64_t at_least_one_ms(span s)
{
        int64_t ms = span_to_ms(s);

        return ms < 1 ? 1 : (uint64_t)ms;
}

/* By when a turn of `turn_ms` must begin: those of some moments begin together, which costs much less than
 * one after the other. */
static uint64_t latest(const struct look *l)
{
        span interval = l->on_grid ? l->check.interval : span_min(l->check.quick, l->check.interval);
        uint64_t slack = at_least_one_ms(interval) / SLACK_PARTS;

        return l->turn_ms + (slack < SLACK_MAX_MS ? slack : SLACK_MAX_MS);
}

int look_add(struct look *l)
{
        struct runner *r = l->runner;
        uint64_t spread = (uint64_t)span_to_ms(span_min(l->check.interval, span_ms(FIRST_LOOK_MS)));

        l->turn_ms = uv_now(r->loop) + ((uint64_t)l->place * spread >> 32);
        return due_add(&r->due, &l->due, l->turn_ms, latest(l));
}

/* Whether the newest findings are about to make it another state. */
static bool may_change(const struct look *l)
{
        bool worked = (l->verdict.history & 1) != 0;

        switch (l->verdict.state) {
        case VERDICT_UNKNOWN: return true;
        case VERDICT_UP: return !worked;
        case VERDICT_DOWN: return worked;
        }
        return false;
}

/* The turn after this one. Turns lie on a grid of the check's own, so that thousands started together do not
 * march in step; the first, and quick ones, lie beside it, and the next one joins it within an interval. A
 * turn that is past is left out. */
static void choose_turn(struct look *l)
{
        uint64_t interval = at_least_one_ms(l->check.interval), quick = at_least_one_ms(l->check.quick);
        uint64_t place = (uint64_t)l->place * interval >> 32;
        uint64_t now = uv_now(l->runner->loop);
        uint64_t next = l->turn_ms + (l->on_grid ? interval - interval / 8 : 1);

        if (quick < interval && may_change(l)) {
                l->turn_ms += quick;
                if (l->turn_ms <= now)
                        l->turn_ms += (now - l->turn_ms) / quick * quick + quick;
                l->on_grid = false;
                return;
        }
        if (next <= now)
                next = now + 1;
        l->turn_ms = (next + interval - 1 - place) / interval * interval + place;
        l->on_grid = true;
}

static void look_say(struct look *l, const char *said)
{
        const char *before = l->outcome.said == NULL ? "" : l->outcome.said;

        if (strcmp(before, said) == 0)
                return;
        free((char *)l->outcome.said);
        l->outcome.said = said[0] == '\0' ? NULL : strdup(said);
        l->reworded = true;
}

static void count_failure(struct look *l, enum finding finding)
{
        switch (finding) {
        case FINDING_WORKS: l->outcome.failures = 0; break;
        case FINDING_BROKEN: l->outcome.failures += l->outcome.failures < FAILURES_MAX; break;
        case FINDING_NONE: break;
        }
}

static void look_ended(struct look *l, const struct ending *e)
{
        enum finding finding = reason_finding(e->reason);
        int detail = e->detail > 0 ? e->detail : 0; /* from outside: has no business below zero */
        bool changed;

        l->probe = NULL;
        l->at = runner_now(l->runner);
        changed = verdict_step(&l->verdict, l->check.rise, l->check.fall, finding, l->at);
        changed |= e->reason != l->outcome.reason || detail != l->outcome.detail ||
                   e->told.us != l->outcome.told.us;
        count_failure(l, finding);
        look_say(l, e->said);
        l->outcome.reason = e->reason;
        l->outcome.detail = detail;
        l->outcome.told = e->told;
        l->outcome.took = span_between(l->began, l->at);
        look_report(l, changed);
        choose_turn(l);
        due_move(&l->runner->due, &l->due, l->turn_ms, latest(l));
}

static void look_failed(struct look *l, int error)
{
        struct ending ending = {.reason = reason_from_errno(-error, false), .detail = -error};

        look_ended(l, &ending);
}

/* Opens the door for the first that comes. */
static int enter_room(struct look *l, const struct probe_kind *door)
{
        struct runner *r = l->runner;
        struct room room = {.door = door};
        int e = 0;

        for (size_t i = 0; i < r->room_count; i++)
                if (r->room[i].door == door) {
                        l->room = &r->room[i];
                        return 0;
                }
        if (door->open != NULL)
                e = door->open(&r->house, &room.shared);
        if (e != 0)
                return e;
        assert(r->room_count < sizeof(r->room) / sizeof(r->room[0]));
        r->room[r->room_count] = room;
        l->room = &r->room[r->room_count++];
        return 0;
}

static int find_room(struct look *l)
{
        const struct probe_kind *door;
        int e;

        if (l->room != NULL)
                return 0;
        e = probe_kind_find(&l->check, l->runner->object_dir, &door);
        return e != 0 ? e : enter_room(l, door);
}

static int find_other_room(struct look *l)
{
        const struct probe_kind *door;
        int e = probe_kind_find_other(&l->check, l->runner->object_dir, &door);

        return e != 0 ? e : enter_room(l, door);
}

static void on_probe_done(void *user, const struct ending *ending);

static int ask(struct look *l)
{
        return l->room->door->begin(l->room->shared, &l->runner->house, &l->check, on_probe_done, l,
                                    &l->probe);
}

static void on_probe_done(void *user, const struct ending *ending)
{
        struct look *l = user;
        int e;

        if (!ending->elsewhere) {
                look_ended(l, ending);
                return;
        }
        l->probe = NULL;
        e = find_other_room(l);
        if (e == 0)
                e = ask(l); /* in what is left of its time */
        if (e != 0)
                look_failed(l, e);
}

static void look_cut(struct look *l)
{
        struct ending ending = {.reason = REASON_NO_LOOKUP};

        if (l->lookup != NULL) {
                l->runner->names->cut(l->lookup);
                l->lookup = NULL;
        } else {
                ending.reason = REASON_NO_ANSWER;
                l->room->door->cut(l->probe, &ending);
        }
        look_ended(l, &ending);
}

/* The look goes on, in what is left of its time. */
static void on_address(void *user, const struct ip *ip, const struct ending *failure)
{
        struct look *l = user;
        int e;

        l->lookup = NULL;
        if (failure != NULL) {
                look_ended(l, failure);
                return;
        }
        l->check.ip = *ip;
        e = ask(l);
        if (e != 0)
                look_failed(l, e);
}

static int find_address(struct look *l)
{
        struct runner *r = l->runner;

        if (r->names == NULL) {
                int e = lookup_kind_find(r->object_dir, &r->names);
                if (e != 0)
                        return e;
        }
        assert(r->names != NULL);
        return r->names->begin(r->loop, l->check.host, l->check.source.family, l->check.timeout, on_address,
                               l, &l->lookup);
}

static void look_begin(struct look *l)
{
        struct runner *r = l->runner;
        uint64_t end = uv_now(r->loop) + (uint64_t)span_to_ms(l->check.timeout);
        int e = find_room(l);

        l->began = runner_now(r);
        due_move(&r->due, &l->due, end, end);
        if (e == 0)
                e = l->check.host != NULL ? find_address(l) : ask(l);
        if (e != 0)
                look_failed(l, e);
}

void look_remember(struct look *l, const struct packet *p)
{
        struct ending past = {.told = p->outcome.told, .detail = p->outcome.detail};

        if (past.told.us == 0 || find_room(l) != 0 || l->room->door->remember == NULL)
                return;
        text_copy(past.said, sizeof(past.said), p->said);
        l->room->door->remember(l->room->shared, &l->check, &past);
}

void look_turn(struct look *l)
{
        if (l->probe != NULL || l->lookup != NULL)
                look_cut(l);
        else
                look_begin(l);
}

void look_free(struct look *l)
{
        struct ending unwanted = {0};

        if (l == NULL)
                return;
        if (l->lookup != NULL)
                l->runner->names->cut(l->lookup);
        if (l->probe != NULL)
                l->room->door->cut(l->probe, &unwanted);
        if (l->room != NULL && l->room->door->forget != NULL)
                l->room->door->forget(l->room->shared, &l->check);
        due_remove(&l->runner->due, &l->due);
        check_done(&l->check);
        free((char *)l->outcome.said);
        free(l);
}
