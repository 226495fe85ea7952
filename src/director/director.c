#include "director/director_inside.h"

#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEND_AGAIN  span_s(3)  /* when the kernel refused something */
#define READY_AGAIN span_s(30) /* likewise on standby: nobody waits for it */
#define TOLD_MOST   20         /* changes that are told one by one */

static const struct backend *const backends[] = {&backend_ipvs, &backend_nft};

static void set_timer(struct director *d);
static void set_timer_at(struct director *d, instant now);

void director_turn_soon(struct director *d)
{
        set_timer(d);
}

void director_look_soon(struct director *d)
{
        d->more = true;
        set_timer(d);
}

const char *director_file(const struct director *d, const char *what, char path[static DIRECTOR_PATH])
{
        snprintf(path, DIRECTOR_PATH, "%s.%s", d->keep_path, what);
        return path;
}

/* --- turns --- */

void director_begin(struct director *d, enum task task)
{
        table_free(&d->wanted);
        d->task = task;
        d->order++;
}

/* The task is over; the answer to it comes last, for it may bring the next order. */
void director_end(struct director *d, enum director_event event, const char *text)
{
        director_begin(d, TASK_NONE);
        d->setup.on_event(d->setup.user, event, text);
}

void director_failed(struct director *d, const char *text)
{
        bool known = strcmp(d->trouble, text) == 0;

        text_copy(d->trouble, sizeof(d->trouble), text);
        d->look_again = instant_add(instant_now(), d->active ? MEND_AGAIN : READY_AGAIN);
        switch (d->task) {
        case TASK_START: director_end(d, DIRECTOR_EV_START_FAILED, d->trouble); break;
        case TASK_STOP: director_end(d, DIRECTOR_EV_STOP_FAILED, d->trouble); break;
        case TASK_LOOK: director_end(d, DIRECTOR_EV_ABSENT, d->trouble); break;
        case TASK_VERIFY:
                if (d->active)
                        log_warning("director: %s, trying again in 3 s", text);
                else if (!known)
                        log_warning("director: not ready to take over: %s", text);
                director_begin(d, TASK_NONE);
                break;
        case TASK_NONE: break;
        }
}

static bool is_own(const void *user, const struct ip *ip)
{
        const struct director *d = user;

        return own_has(&d->own, ip) || (d->setup.serves && d->setup.serves(d->setup.user, ip));
}

static int want_on_standby(struct director *d)
{
        int error = d->ready ? own_read(&d->own) : 0;

        if (error || !d->ready)
                return error;
        return standby_table(d->farm, d->now, is_own, d, &d->wanted);
}

int director_want(struct director *d)
{
        bool active = d->active || d->task == TASK_START;

        table_free(&d->wanted);
        if (d->task == TASK_START || d->renewed)
                farm_find(d->farm, &d->actual);
        int error = active ? farm_table(d->farm, d->now, &d->wanted) : want_on_standby(d);

        while (farm_next_changed(d->farm) != SIZE_MAX)
                ; /* all of that is in it */
        return error;
}

void director_tell(const struct director *d, const struct changes *c)
{
        char text[CHANGE_TEXT];

        for (size_t i = 0; i < c->count; i++) {
                if (i < TOLD_MOST)
                        log_info("director: %s", change_format(&c->change[i], text));
                if (d->setup.on_change)
                        d->setup.on_change(d->setup.user, &c->change[i]);
        }
        if (c->count > TOLD_MOST)
                log_info("director: and %zu changes more", c->count - TOLD_MOST);
}

bool director_tends(const struct director *d)
{
        return d->active || (d->backend->stands && d->released && (d->ready || d->standing));
}

static void tend(struct director *d)
{
        director_save_checks(d);
        director_close_servers(d);
        d->more = false;
        if (!director_tends(d))
                return;
        if (d->active)
                director_tell_fallbacks(d);
        farm_tick(d->farm, d->now);
        d->backend->tend(d);
}

static void turn(struct director *d)
{
        d->now = instant_now();
        if (d->task == TASK_NONE)
                tend(d);
        else
                d->backend->turn(d);
        if (!d->freed)
                set_timer_at(d, d->now);
}

static void on_soon(uv_idle_t *soon)
{
        turn(soon->data);
}

static void on_timer(uv_timer_t *timer)
{
        turn(timer->data);
}

/* A timer that is due at once would not do for the next of many turns: libuv goes on with such timers until
 * none is left, and only then looks whether a heartbeat has come. */
static void set_timer_at(struct director *d, instant now)
{
        instant due = instant_min(d->save_due, d->close_due);

        if (d->backend->busy(d))
                due = INSTANT_NEVER; /* its end is the next turn */
        else if (d->task != TASK_NONE || d->more)
                due = now;
        else if (director_tends(d))
                due = instant_min(instant_min(due, d->backend->due(d)),
                                  instant_min(d->look_again, farm_due(d->farm, now)));
        uv_idle_stop(d->soon);
        uv_timer_stop(d->timer);
        if (instant_reached(now, due))
                uv_idle_start(d->soon, on_soon);
        else if (due.us != INSTANT_NEVER.us)
                uv_timer_start(d->timer, on_timer, (uint64_t)span_to_ms(span_between(now, due)) + 1, 0);
}

static void set_timer(struct director *d)
{
        set_timer_at(d, instant_now());
}

/* --- orders --- */

static const struct backend *choose_backend(struct director *d)
{
        if (d->setup.backend != DIRECTOR_AUTO)
                return d->setup.backend == DIRECTOR_NFT ? &backend_nft : &backend_ipvs;
        if (d->active)
                return d->backend;
        return backend_nft_was_used(d) || !backend_ipvs_is_there(d) ? &backend_nft : &backend_ipvs;
}

static void order(struct director *d, enum task task)
{
        d->backend = choose_backend(d);
        d->active = d->active && task != TASK_STOP;
        d->released = d->released || task != TASK_LOOK;
        director_begin(d, task);
        set_timer(d);
}

void director_start(struct director *d)
{
        order(d, TASK_START);
}

void director_stop(struct director *d)
{
        order(d, TASK_STOP);
}

void director_look(struct director *d)
{
        order(d, TASK_LOOK);
}

/* A stop under way leads to the one or the other, too. */
void director_ready(struct director *d, bool ready, bool held)
{
        bool released = d->released || !held;

        if (d->setup.idle || (d->ready == ready && d->released == released))
                return;
        d->ready = ready;
        d->released = released;
        if (d->active)
                return;
        d->renewed = true;
        d->look_again = INSTANT_LONG_AGO;
        if (d->task == TASK_STOP && d->backend->stands)
                director_begin(d, TASK_STOP);
        set_timer(d);
}

void director_withdraw(struct director *d)
{
        if (d->active || d->setup.idle)
                return;
        director_begin(d, TASK_NONE);
        d->ready = d->standing = false;
        d->backend->withdraw(d);
}

/* The new plan takes the old one's place once all is there. */
static int take_plan(struct director *d, struct plan *plan)
{
        struct plan *kept = malloc(sizeof(*kept));
        struct number *number = kept ? director_number_checks(plan) : NULL;
        uint32_t *id = number ? director_ids(number, plan->check_count) : NULL;
        unsigned char *told = id ? calloc(plan->service_count + 1, 1) : NULL;
        struct farm *farm = NULL;

        if (told) {
                *kept = *plan;
                farm = farm_new(kept);
        }
        if (!farm) {
                plan_free(plan);
                free(kept);
                free(number);
                free(id);
                free(told);
                return -ENOMEM;
        }
        *plan = (struct plan){0};
        farm_free(d->farm);
        if (d->plan)
                plan_free(d->plan);
        free(d->plan);
        free(d->number);
        free(d->id);
        d->plan = kept;
        d->farm = farm;
        d->number = number;
        d->id = id;
        director_take_manners(d, told);
        for (size_t i = 0; i < d->drains.count; i++)
                farm_drain(farm, &d->drains.server[i].ip, d->drains.server[i].port, true);
        director_start_checks(d);
        return 0;
}

static int init_turns(struct director *d)
{
        d->soon = malloc(sizeof(*d->soon));
        d->timer = malloc(sizeof(*d->timer));
        if (!d->soon || !d->timer) {
                free(d->soon);
                free(d->timer);
                d->soon = NULL;
                d->timer = NULL;
                return -ENOMEM;
        }
        uv_idle_init(d->setup.loop, d->soon);
        uv_timer_init(d->setup.loop, d->timer);
        d->soon->data = d->timer->data = d;
        return 0;
}

int director_new(const struct director_setup *setup, struct plan *plan, struct director **ret_director)
{
        struct director *d = calloc(1, sizeof(*d));
        char path[DIRECTOR_PATH];

        if (!d) {
                plan_free(plan);
                return -ENOMEM;
        }
        d->setup = *setup;
        text_copy(d->name, sizeof(d->name), setup->name);
        text_copy(d->checker_path, sizeof(d->checker_path), setup->checker);
        d->setup.checker = d->checker_path;
        text_copy(d->keep_path, sizeof(d->keep_path), setup->keep);
        for (size_t i = 0; i < COUNT(backends); i++)
                backends[i]->init(d);
        d->look_again = d->save_due = d->close_due = INSTANT_NEVER;
        kept_drains(director_file(d, "drained", path), &d->drains);
        int error = take_plan(d, plan);
        if (!error)
                error = init_turns(d);
        if (error) {
                director_free(d);
                return error;
        }
        d->backend = choose_backend(d);
        if (!setup->idle)
                d->backend->stand_by(d);
        *ret_director = d;
        return 0;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

/* Who hears the answer to an order may free the director in its own turn. */
static void on_timer_closed(uv_handle_t *timer)
{
        free(timer->data);
        free(timer);
}

void director_free(struct director *d)
{
        if (!d)
                return;
        checker_free(d->checker);
        director_end_manners(d);
        for (size_t i = 0; i < COUNT(backends); i++)
                backends[i]->free(d);
        table_free(&d->wanted);
        table_free(&d->actual);
        own_free(&d->own);
        drains_free(&d->drains);
        farm_free(d->farm);
        if (d->plan)
                plan_free(d->plan);
        free(d->plan);
        free(d->number);
        free(d->id);
        d->freed = true;
        if (!d->timer) {
                free(d);
                return;
        }
        uv_close((uv_handle_t *)d->soon, on_closed);
        uv_close((uv_handle_t *)d->timer, on_timer_closed);
}

/* What was begun is begun again, with the new plan. */
int director_set_plan(struct director *d, struct plan *plan)
{
        struct number *old = d->number;
        size_t count = d->plan->check_count;
        int error;

        d->number = NULL;
        error = take_plan(d, plan);
        if (error) {
                d->number = old;
                return error;
        }
        director_stop_checks(d, old, count);
        free(old);
        d->renewed = true;
        if (d->task != TASK_NONE)
                director_begin(d, d->task);
        else if (director_tends(d))
                director_begin(d, TASK_VERIFY);
        set_timer(d);
        return 0;
}

size_t director_drain(struct director *d, const struct ip *ip, uint16_t port, bool drain)
{
        size_t places = farm_drain(d->farm, ip, port, drain);
        char path[DIRECTOR_PATH];

        int error = places ? drains_set(&d->drains, ip, port, drain) : 0;

        if (places && !error)
                error = keep_drain(director_file(d, "drained", path), &d->drains,
                                   &(struct drained){*ip, port}, drain);
        if (error)
                log_warning(
                        "director: drained servers cannot be kept: %s: the next daemon does not know of them",
                        strerror(-error));
        director_look_soon(d);
        return places;
}

/* --- for people --- */

const char *director_name(const struct director *d)
{
        return d->name;
}

const struct plan *director_plan(const struct director *d)
{
        return d->plan;
}

const struct farm *director_farm(const struct director *d)
{
        return d->farm;
}

bool director_active(const struct director *d)
{
        return d->active;
}

bool director_stands_by(const struct director *d)
{
        return !d->active && d->standing && d->ready;
}

enum standing director_standing(const struct director *d, size_t service)
{
        return standby_standing(&d->plan->service[service], is_own, d);
}

int director_service(const struct director *d, size_t i, instant now, struct virtual_service *ret_service)
{
        int error = -ENOENT;

        if (director_stands_by(d))
                error = standby_service(d->farm, i, now, is_own, d, ret_service);
        return error == -ENOENT ? farm_service(d->farm, i, now, ret_service) : error;
}

const char *director_trouble(const struct director *d)
{
        return d->trouble;
}

const char *director_backend(const struct director *d)
{
        return d->backend->name;
}

bool director_counts_bytes(const struct director *d)
{
        return d->backend->counts_bytes;
}

int director_read(struct director *d, struct table *ret_table, size_t *ret_foreign, span *ret_age)
{
        int error;

        *ret_table = (struct table){0};
        *ret_foreign = 0;
        *ret_age = SPAN_ZERO;
        if (!d->active && !director_stands_by(d))
                return 0;
        error = d->backend->read(d, ret_table, ret_foreign, ret_age);
        if (error)
                table_free(ret_table);
        set_timer(d);
        return error;
}
