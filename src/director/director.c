#include "director/director_inside.h"

#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_AT_ONCE 16        /* services whose servers are read in one turn of the loop */
#define MAKE_AT_ONCE 128       /* changes, likewise */
#define MEND_AGAIN   span_s(3) /* when the kernel refused something */

static void set_timer(struct director *d);

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

/* --- changes --- */

static void on_refused(void *user, const struct change *c, int error)
{
        struct director *d = user;
        char what[CHANGE_TEXT], why[IPVS_WHY];

        /* gone is gone, whoever did it */
        if ((c->kind == CHANGE_SERVER_REMOVE || c->kind == CHANGE_SERVICE_REMOVE) &&
            (error == -ESRCH || error == -ENOENT))
                return;
        if (d->refused++ == 0)
                snprintf(d->refusal, sizeof(d->refusal), "%s: %s", change_format(c, what),
                         ipvs_why(c, error, why));
}

/* The services of the plan become ours; what we had set up before stays ours until it is removed. */
static int claim(struct director *d)
{
        const struct virtual_service *twin;
        struct table fresh = {0};
        char path[DIRECTOR_PATH];
        int error = 0;

        for (size_t i = 0; i < d->plan->service_count && !error; i++) {
                const struct virtual_service *s = &d->plan->service[i].service;
                if (!table_service(&d->mine, &s->key) && !table_add(&fresh, s))
                        error = -ENOMEM;
        }
        for (size_t i = 0; i < fresh.count && !error; i++)
                error = table_add(&d->mine, &fresh.service[i]) ? 0 : -ENOMEM;
        table_sort(&d->mine, &twin);
        if (!error && fresh.count)
                error = keep_services(director_file(d, "services", path), &d->mine);
        table_free(&fresh);
        return error;
}

/* The table is as it shall be: ours is what is in it, and no more. */
static void disclaim(struct director *d)
{
        char path[DIRECTOR_PATH];
        bool less = d->mine.count != d->actual.count;

        if (!less)
                return;
        table_free(&d->mine);
        if (d->task != TASK_STOP)
                claim(d);
        else
                keep_services(director_file(d, "services", path), &d->mine);
}

/* --- turns --- */

void director_begin(struct director *d, enum task task)
{
        table_free(&d->wanted);
        changes_free(&d->changes);
        d->made = d->read = d->refused = 0;
        d->refusal[0] = '\0';
        d->task = task;
        d->phase = PHASE_SERVICES;
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
        text_copy(d->trouble, sizeof(d->trouble), text);
        d->look_again = instant_add(instant_now(), MEND_AGAIN);
        switch (d->task) {
        case TASK_START: director_end(d, DIRECTOR_EV_START_FAILED, d->trouble); break;
        case TASK_STOP: director_end(d, DIRECTOR_EV_STOP_FAILED, d->trouble); break;
        case TASK_LOOK: director_end(d, DIRECTOR_EV_ABSENT, d->trouble); break;
        case TASK_VERIFY:
                log_warning("director: %s, trying again in 3 s", text);
                director_begin(d, TASK_NONE);
                break;
        case TASK_NONE: break;
        }
}

static void failed_by(struct director *d, const char *what, int error)
{
        char text[160];

        snprintf(text, sizeof(text), "%s: %s", what, strerror(-error));
        director_failed(d, text);
}

static void tell_restored(struct director *d)
{
        char change[CHANGE_TEXT], text[CHANGE_TEXT + 120];

        snprintf(text, sizeof(text),
                 "the kernel's table was not as it was left: %zu changes restored it, first %s",
                 d->changes.count, change_format(&d->changes.change[0], change));
        d->setup.on_event(d->setup.user, DIRECTOR_EV_NOTE, text);
}

/* All changes have been sent. */
static void made(struct director *d)
{
        char text[sizeof(d->trouble)];

        if (d->refused) {
                snprintf(text, sizeof(text), "the kernel refused %zu of %zu changes, first %s", d->refused,
                         d->changes.count, d->refusal);
                director_failed(d, text);
                return;
        }
        if (d->changes.count && d->task == TASK_VERIFY && !d->renewed)
                tell_restored(d);
        for (size_t i = 0; i < d->changes.count && d->setup.on_change; i++)
                d->setup.on_change(d->setup.user, &d->changes.change[i]);
        d->trouble[0] = '\0';
        d->renewed = false;
        d->look_again = instant_add(instant_now(), LOOK_AGAIN);
        table_free(&d->seen);
        d->seen = d->actual;
        d->counted = instant_now();
        d->actual = d->wanted;
        d->wanted = (struct table){0};
        disclaim(d);
        switch (d->task) {
        case TASK_START:
                d->active = d->more = true;
                director_sync(d, SYNC_MASTER, true);
                director_end(d, DIRECTOR_EV_STARTED, "");
                break;
        case TASK_STOP: director_end(d, DIRECTOR_EV_STOPPED, ""); break;
        case TASK_VERIFY:
                director_sync(d, SYNC_MASTER, true);
                director_begin(d, TASK_NONE);
                break;
        case TASK_LOOK:
        case TASK_NONE: break;
        }
}

static void leave_what_stays(struct director *d)
{
        size_t kept = 0;

        for (size_t i = 0; i < d->changes.count; i++) {
                const struct virtual_key *key = &d->changes.change[i].service->key;
                bool stays = false;
                for (size_t k = 0; k < d->plan->service_count; k++)
                        stays |= d->plan->service[k].stays &&
                                 virtual_key_compare(&d->plan->service[k].service.key, key) == 0;
                if (!stays)
                        d->changes.change[kept++] = d->changes.change[i];
        }
        d->changes.count = kept;
}

static void compare(struct director *d)
{
        int error = d->task == TASK_STOP ? 0 : farm_table(d->farm, instant_now(), &d->wanted);

        while (d->task != TASK_STOP && farm_next_changed(d->farm) != SIZE_MAX)
                ; /* all of that is in it */
        if (!error)
                error = changes_between(&d->wanted, &d->actual, &d->mine, d->setup.sweep, &d->changes);
        if (d->task == TASK_STOP && d->setup.leaves)
                leave_what_stays(d);
        d->phase = PHASE_MAKE;
        if (error)
                failed_by(d, "the table cannot be compared", error);
        else if (d->changes.count == 0)
                made(d);
}

static bool plan_is_there(const struct director *d)
{
        for (size_t i = 0; i < d->plan->service_count; i++)
                if (!table_service(&d->actual, &d->plan->service[i].service.key))
                        return false;
        return d->plan->service_count > 0;
}

/* What an earlier director has set up is kept up from now on. */
static void looked(struct director *d)
{
        if (!plan_is_there(d)) {
                director_end(d, DIRECTOR_EV_ABSENT, "its services are not in the kernel's table");
                return;
        }
        d->active = d->renewed = true;
        d->task = TASK_VERIFY;
        d->setup.on_event(d->setup.user, DIRECTOR_EV_PRESENT, "");
}

static int open_kernel(struct director *d)
{
        char path[DIRECTOR_PATH];
        int error = d->kernel.socket ? 0 : ipvs_open(&d->kernel);

        if (!error && !d->mine.count)
                kept_services(director_file(d, "services", path), &d->mine); /* of a core before us */
        return error ? error : claim(d);
}

static void read_services(struct director *d)
{
        int error = open_kernel(d);

        table_free(&d->actual);
        if (error == -ENOENT && !d->kernel.socket) {
                if (d->task == TASK_STOP) /* nothing of ours is in a table that is not there */
                        director_end(d, DIRECTOR_EV_STOPPED, "");
                else
                        director_failed(d, "this kernel has no IPVS: its module ip_vs is missing");
                return;
        }
        if (!error)
                error = ipvs_read_services(&d->kernel, &d->actual);
        d->phase = PHASE_SERVERS;
        if (error)
                failed_by(d, "the kernel's table cannot be read", error);
        else if (d->task == TASK_LOOK)
                looked(d);
        else if (d->task == TASK_STOP)
                compare(d); /* services go with their servers */
}

static void read_servers(struct director *d)
{
        int error = 0;

        for (size_t n = 0; n < READ_AT_ONCE && d->read < d->actual.count && !error; d->read++) {
                struct virtual_service *s = &d->actual.service[d->read];
                if (!table_service(&d->mine, &s->key))
                        continue;
                error = ipvs_read_servers(&d->kernel, s);
                n++;
        }
        if (error)
                failed_by(d, "the kernel's table cannot be read", error);
        else if (d->read == d->actual.count)
                compare(d);
}

static void make_changes(struct director *d)
{
        size_t left = d->changes.count - d->made, n = left < MAKE_AT_ONCE ? left : MAKE_AT_ONCE;
        int error = ipvs_make(&d->kernel, d->changes.change + d->made, n, on_refused, d);

        d->made += n;
        if (error)
                failed_by(d, "the kernel's table cannot be changed", error);
        else if (d->made == d->changes.count)
                made(d);
}

/* --- while active --- */

static void tell_changes(const struct director *d, const struct changes *c)
{
        char text[CHANGE_TEXT];

        for (size_t i = 0; i < c->count; i++) {
                log_info("director: %s", change_format(&c->change[i], text));
                if (d->setup.on_change)
                        d->setup.on_change(d->setup.user, &c->change[i]);
        }
}

/* One service shall be another than it is: one change, mostly. */
static void follow(struct director *d, size_t i)
{
        struct virtual_service *actual = table_service(&d->actual, &d->plan->service[i].service.key), wanted;
        struct changes c = {0};
        int error = actual ? farm_service(d->farm, i, instant_now(), &wanted) : -ENOENT;

        if (error) {
                d->look_again = INSTANT_LONG_AGO;
                return;
        }
        d->refused = 0;
        error = changes_of_service(&wanted, actual, &c);
        if (!error)
                error = ipvs_make(&d->kernel, c.change, c.count, on_refused, d);
        if (error || d->refused) {
                log_warning("director: a change was not made: %s", error ? strerror(-error) : d->refusal);
                d->look_again = INSTANT_LONG_AGO; /* the whole table is looked at, and mended */
                free(wanted.server);
        } else {
                tell_changes(d, &c);
                free(actual->server);
                *actual = wanted;
        }
        d->refused = 0;
        changes_free(&c);
}

static void tend(struct director *d)
{
        instant now = instant_now();
        size_t n = 0, i = 0;

        director_save_checks(d);
        director_close_servers(d);
        d->more = false;
        if (!d->active)
                return;
        director_tell_fallbacks(d);
        farm_tick(d->farm, now);
        if (d->by_nft) {
                director_nft_tend(d);
                return;
        }
        for (; n < READ_AT_ONCE && (i = farm_next_changed(d->farm)) != SIZE_MAX; n++)
                follow(d, i);
        d->more = n == READ_AT_ONCE;
        if (!d->more && instant_reached(now, d->look_again))
                director_begin(d, TASK_VERIFY);
}

static void on_timer(uv_timer_t *timer)
{
        struct director *d = timer->data;

        if (d->task == TASK_NONE)
                tend(d);
        else if (d->by_nft)
                director_nft_turn(d);
        else if (d->phase == PHASE_SERVICES)
                read_services(d);
        else if (d->phase == PHASE_SERVERS)
                read_servers(d);
        else
                make_changes(d);
        set_timer(d);
}

static void set_timer(struct director *d)
{
        instant now = instant_now(), due = instant_min(d->save_due, d->close_due);

        if (d->nft.job)
                due = INSTANT_NEVER; /* its end is the next turn */
        else if (d->task != TASK_NONE || d->more)
                due = now;
        else if (d->active)
                due = instant_min(due, instant_min(d->look_again, farm_due(d->farm, now)));
        if (d->by_nft && !d->nft.job && d->task == TASK_NONE)
                due = instant_min(due, director_nft_due(d));
        if (due.us == INSTANT_NEVER.us)
                uv_timer_stop(d->timer);
        else
                uv_timer_start(d->timer, on_timer, (uint64_t)span_to_ms(span_between(now, due)), 0);
}

/* --- orders --- */

void director_start(struct director *d)
{
        d->by_nft = director_nft_chosen(d);
        director_begin(d, TASK_START);
        set_timer(d);
}

void director_stop(struct director *d)
{
        d->by_nft = director_nft_chosen(d);
        d->active = d->more = false;
        director_sync(d, SYNC_MASTER, false);
        director_begin(d, TASK_STOP);
        set_timer(d);
}

void director_look(struct director *d)
{
        d->by_nft = director_nft_chosen(d);
        director_begin(d, TASK_LOOK);
        set_timer(d);
}

/* The new plan takes the old one's place once all is there. */
static int take_plan(struct director *d, struct plan *plan)
{
        struct plan *kept = malloc(sizeof(*kept));
        struct number *number = kept ? director_number_checks(plan) : NULL;
        unsigned char *told = number ? calloc(plan->service_count + 1, 1) : NULL;
        struct farm *farm = NULL;

        if (told) {
                *kept = *plan;
                farm = farm_new(kept);
        }
        if (!farm) {
                plan_free(plan);
                free(kept);
                free(number);
                free(told);
                return -ENOMEM;
        }
        *plan = (struct plan){0};
        farm_free(d->farm);
        if (d->plan)
                plan_free(d->plan);
        free(d->plan);
        free(d->number);
        d->plan = kept;
        d->farm = farm;
        d->number = number;
        director_take_manners(d, told);
        for (size_t i = 0; i < d->drains.count; i++)
                farm_drain(farm, &d->drains.server[i].ip, d->drains.server[i].port, true);
        director_start_checks(d);
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
        director_nft_name(d);
        d->look_again = d->save_due = d->close_due = INSTANT_NEVER;
        kept_drains(director_file(d, "drained", path), &d->drains);
        d->timer = malloc(sizeof(*d->timer));
        if (d->timer) {
                uv_timer_init(setup->loop, d->timer);
                d->timer->data = d;
        }
        int error = take_plan(d, plan);
        if (!error && !d->timer)
                error = -ENOMEM;
        if (error) {
                director_free(d);
                return error;
        }
        if (!setup->idle && setup->backend != DIRECTOR_NFT &&
            ipvs_open(&d->kernel) == 0) /* else it is tried, and said, at the start */
                director_sync(d, SYNC_BACKUP, true);
        *ret_director = d;
        return 0;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

void director_free(struct director *d)
{
        if (!d)
                return;
        checker_free(d->checker);
        director_end_manners(d);
        if (d->timer)
                uv_close((uv_handle_t *)d->timer, on_closed);
        nft_job_free(d->nft.job);
        ipvs_close(&d->kernel);
        director_begin(d, TASK_NONE);
        table_free(&d->mine);
        table_free(&d->seen);
        table_free(&d->actual);
        farm_free(d->farm);
        if (d->plan)
                plan_free(d->plan);
        free(d->plan);
        free(d->number);
        free(d);
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
        else if (d->active)
                director_begin(d, TASK_VERIFY);
        set_timer(d);
        return 0;
}

size_t director_drain(struct director *d, const struct ip *ip, uint16_t port, bool drain)
{
        size_t places = farm_drain(d->farm, ip, port, drain);
        char path[DIRECTOR_PATH];

        if (places && drains_set(&d->drains, ip, port, drain) == 0)
                keep_drains(director_file(d, "drained", path), &d->drains);
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

const char *director_trouble(const struct director *d)
{
        return d->trouble;
}

/* A copy of what is ours, with the servers read now, or as they were seen. */
static int copy_ours(struct director *d, const struct table *from, bool fresh, struct table *to,
                     size_t *ret_foreign)
{
        int error = 0;

        for (size_t i = 0; i < from->count && !error; i++) {
                const struct virtual_service *s = &from->service[i];
                if (!table_service(&d->mine, &s->key)) {
                        ++*ret_foreign;
                        continue;
                }
                struct virtual_service *copy = table_add(to, s);
                error = !copy ? -ENOMEM : fresh ? ipvs_read_servers(&d->kernel, copy) : 0;
                for (size_t k = 0; !fresh && k < s->count && !error; k++)
                        error = service_add(copy, &s->server[k]);
        }
        return error;
}

bool director_by_nft(const struct director *d)
{
        return d->by_nft;
}

/* Reading it is the loop's business; who asks in a while hears the news. */
static void read_soon(struct director *d, instant now)
{
        d->asked = now;
        if (!d->by_nft && d->task == TASK_NONE)
                d->look_again = instant_min(d->look_again, now);
        set_timer(d);
}

static int read_ipvs(struct director *d, bool fresh, struct table *ret_table, size_t *ret_foreign)
{
        struct table now = {0};
        int error = fresh ? ipvs_read_services(&d->kernel, &now) : 0;

        if (!error)
                error = copy_ours(d, fresh ? &now : &d->seen, fresh, ret_table, ret_foreign);
        table_free(&now);
        return error;
}

int director_read(struct director *d, struct table *ret_table, size_t *ret_foreign, span *ret_age)
{
        bool fresh = !d->by_nft && d->plan->service_count <= READ_AT_ONCE;
        instant now = instant_now();
        int error;

        *ret_table = (struct table){0};
        *ret_foreign = 0;
        *ret_age = fresh ? SPAN_ZERO : span_between(d->counted, now);
        if (!d->active)
                return 0;
        error = d->by_nft ? director_nft_read(d, ret_table) : read_ipvs(d, fresh, ret_table, ret_foreign);
        if (ret_age->us > span_s(1).us)
                read_soon(d, now);
        if (error)
                table_free(ret_table);
        return error;
}
