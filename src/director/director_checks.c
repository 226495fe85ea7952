#include "director/director_inside.h"

#include "base/log.h"
#include "base/text.h"
#include "monitor/reason.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All verdicts are written at once, and those of a large farm come together. */
#define SAVE_AFTER span_ms(500)
/* Room above it, for those that give way. */
#define NUMBER_LIMIT (UINT32_MAX - 100000)

static int compare_numbers(const void *one, const void *two)
{
        const struct number *a = one, *b = two;

        return a->id < b->id ? -1 : a->id > b->id;
}

static const struct number *find_number(const struct number *sorted, size_t count, uint32_t id)
{
        struct number sought = {.id = id};

        return count ? bsearch(&sought, sorted, count, sizeof(*sorted), compare_numbers) : NULL;
}

static void tell_server(const struct director *d, size_t check, const struct check_result *result)
{
        char text[REASON_TEXT + 128];

        snprintf(text, sizeof(text), "%s is %s: %s", d->plan->check[check].name, verdict_name(result->state),
                 result->text);
        d->setup.on_event(d->setup.user, DIRECTOR_EV_NOTE, text);
}

/* "75%", as agents of load balancers say it, or "75"; what else stands on the line is for people. A server
 * that does not say how much it can take gets all of its weight. */
static uint8_t percent_of(const char *said)
{
        char *end;
        long percent = said ? strtol(said, &end, 10) : 100;

        if (!said || end == said || percent < 0 || percent > 100 || !strchr("% \t", *end))
                return 100;
        return (uint8_t)percent;
}

static bool weigh(struct director *d, size_t check, const struct check_result *result)
{
        const struct config_check *c = &d->plan->check[check].check;

        if (c->kind != CHECK_COMMAND || !c->command.weight || reason_finding(result->reason) != FINDING_WORKS)
                return false;
        return farm_weigh(d->farm, check, percent_of(result->said));
}

static void on_result(void *user, uint32_t id, const struct check_result *result)
{
        struct director *d = user;
        const struct number *number = find_number(d->number, d->plan->check_count, id);

        if (number && d->setup.on_look)
                d->setup.on_look(d->setup.user, number->check, result);
        if (number && weigh(d, number->check, result))
                director_look_soon(d);
        if (!number || !result->changed)
                return;
        d->save_due = instant_min(d->save_due, instant_add(instant_now(), SAVE_AFTER));
        tell_server(d, number->check, result);
        farm_hear(d->farm, number->check, result->state, instant_now());
        director_look_soon(d);
}

void director_start_checks(struct director *d)
{
        char text[REASON_TEXT], path[DIRECTOR_PATH];
        struct check_result result;
        int error = 0;

        if (d->setup.idle)
                return;
        if (d->plan->check_count && !d->checker) {
                error = checker_new(d->setup.loop, d->setup.checker, on_result, d, &d->checker);
                if (!error)
                        checker_load(d->checker, director_file(d, "checks", path)); /* without: all unknown */
        }
        for (size_t i = 0; i < d->plan->check_count && !error; i++) {
                const struct number *n = &d->number[i];
                error = checker_start(d->checker, n->id, &d->plan->check[n->check].check);
                if (!error && checker_result(d->checker, n->id, &result, text)) {
                        farm_hear(d->farm, n->check, result.state, instant_now());
                        weigh(d, n->check, &result);
                }
        }
        if (error)
                log_error("director: %s: checks cannot be started: %s", d->keep_path, strerror(-error));
}

/* A check keeps its number across plans and restarts by what it is called; of two, one gives way. */
struct number *director_number_checks(const struct plan *p)
{
        struct number *number = calloc(p->check_count + 1, sizeof(*number));

        if (!number)
                return NULL;
        for (size_t i = 0; i < p->check_count; i++)
                number[i] = (struct number){.id = text_id(p->check[i].name) % NUMBER_LIMIT, .check = i};
        if (p->check_count > 1)
                qsort(number, p->check_count, sizeof(*number), compare_numbers);
        for (size_t i = 1; i < p->check_count; i++)
                if (number[i].id <= number[i - 1].id)
                        number[i].id = number[i - 1].id + 1;
        return number;
}

uint32_t *director_ids(const struct number *sorted, size_t count)
{
        uint32_t *id = calloc(count + 1, sizeof(*id));

        for (size_t i = 0; id && i < count; i++)
                id[sorted[i].check] = sorted[i].id;
        return id;
}

void director_stop_checks(struct director *d, const struct number *old, size_t count)
{
        for (size_t i = 0; d->checker && i < count; i++)
                if (!find_number(d->number, d->plan->check_count, old[i].id))
                        checker_stop(d->checker, old[i].id);
}

void director_save_checks(struct director *d)
{
        char path[DIRECTOR_PATH];

        if (!instant_reached(d->now, d->save_due))
                return;
        d->save_due = INSTANT_NEVER;
        checker_save(d->checker, director_file(d, "checks", path));
}

bool director_check(const struct director *d, size_t check, struct check_result *ret_result,
                    char text[static REASON_TEXT])
{
        return d->checker && check < d->plan->check_count &&
               checker_result(d->checker, d->id[check], ret_result, text);
}
