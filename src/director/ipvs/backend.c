/* The table in IPVS: read, compared and changed in portions, in the turns of the core's loop. */
#include "director/director_inside.h"

#include "base/log.h"
#include "director/ipvs/sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_AT_ONCE   16  /* services whose servers are read in one turn of the loop */
#define MAKE_AT_ONCE   128 /* changes, likewise */
#define FOLLOW_AT_ONCE 16  /* services that become others, likewise */

/* --- changes --- */

static void on_refused(void *user, const struct change *c, int error)
{
        struct director *d = user;
        char what[CHANGE_TEXT], why[IPVS_WHY];

        /* gone is gone, whoever did it */
        if ((c->kind == CHANGE_SERVER_REMOVE || c->kind == CHANGE_SERVICE_REMOVE) &&
            (error == -ESRCH || error == -ENOENT))
                return;
        if (d->ipvs.refused++ == 0)
                snprintf(d->ipvs.refusal, sizeof(d->ipvs.refusal), "%s: %s", change_format(c, what),
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
                if (!table_service(&d->ipvs.mine, &s->key) && !table_add(&fresh, s))
                        error = -ENOMEM;
        }
        for (size_t i = 0; i < fresh.count && !error; i++)
                error = table_add(&d->ipvs.mine, &fresh.service[i]) ? 0 : -ENOMEM;
        table_sort(&d->ipvs.mine, &twin);
        if (!error && fresh.count)
                error = keep_services(director_file(d, "services", path), &d->ipvs.mine);
        table_free(&fresh);
        return error;
}

static void disclaim_all(struct director *d)
{
        char path[DIRECTOR_PATH];

        table_free(&d->ipvs.mine);
        keep_services(director_file(d, "services", path), &d->ipvs.mine);
}

/* The table is as it shall be: ours is what the plan has, and no more. */
static void disclaim(struct director *d)
{
        if (!d->active && !d->ready) {
                disclaim_all(d);
        } else if (d->ipvs.mine.count != d->plan->service_count) {
                table_free(&d->ipvs.mine);
                claim(d);
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
                 d->ipvs.changes.count, change_format(&d->ipvs.changes.change[0], change));
        d->setup.on_event(d->setup.user, DIRECTOR_EV_NOTE, text);
}

/* `seen` is what was there, counters included, if it was looked at; `actual` is what was wanted. */
static void settle(struct director *d)
{
        d->trouble[0] = '\0';
        d->renewed = false;
        d->ipvs.known = true;
        if (d->ipvs.brief) {
                table_free(&d->actual);
                if (d->task == TASK_START)
                        d->look_again = INSTANT_LONG_AGO;
        } else {
                d->look_again = instant_add(d->now, LOOK_AGAIN);
                table_free(&d->ipvs.seen);
                d->ipvs.seen = d->actual;
                d->counted = d->now;
        }
        d->actual = d->wanted;
        d->wanted = (struct table){0};
        disclaim(d);
        bool stands = !d->active && d->actual.count > 0;
        if (stands && !d->standing)
                log_info("director: ready to take over: %zu services are in the kernel's table",
                         d->actual.count);
        d->standing = stands;
}

/* All changes have been sent. */
static void made(struct director *d)
{
        char text[sizeof(d->trouble)];

        if (d->ipvs.refused && d->ipvs.brief) {
                director_begin(d, d->task); /* somebody has changed the table: it is read after all */
                return;
        }
        if (d->ipvs.refused) {
                snprintf(text, sizeof(text), "the kernel refused %zu of %zu changes, first %s",
                         d->ipvs.refused, d->ipvs.changes.count, d->ipvs.refusal);
                director_failed(d, text);
                return;
        }
        if (d->ipvs.changes.count && d->task == TASK_VERIFY && !d->renewed)
                tell_restored(d);
        for (size_t i = 0; i < d->ipvs.changes.count && d->setup.on_change; i++)
                d->setup.on_change(d->setup.user, &d->ipvs.changes.change[i]);
        d->active = d->active || d->task == TASK_START;
        if (d->task == TASK_START || d->renewed)
                director_take_up(d);
        settle(d);
        if (d->task != TASK_STOP)
                director_sync(d, d->active ? SYNC_MASTER : SYNC_BACKUP, true);
        switch (d->task) {
        case TASK_START:
                d->more = true;
                director_end(d, DIRECTOR_EV_STARTED, "");
                break;
        case TASK_STOP: director_end(d, DIRECTOR_EV_STOPPED, ""); break;
        case TASK_VERIFY: director_begin(d, TASK_NONE); break;
        case TASK_LOOK:
        case TASK_NONE: break;
        }
}

static void leave_what_stays(struct director *d)
{
        size_t kept = 0;

        for (size_t i = 0; i < d->ipvs.changes.count; i++) {
                const struct plan_service *s = plan_find(d->plan, &d->ipvs.changes.change[i].service->key);
                if (!s || !s->stays)
                        d->ipvs.changes.change[kept++] = d->ipvs.changes.change[i];
        }
        d->ipvs.changes.count = kept;
}

static void compare(struct director *d)
{
        bool sweep = d->setup.sweep && (d->active || d->task != TASK_VERIFY);
        int error = director_want(d);

        if (!error && d->ipvs.brief)
                error = claim(d);
        if (!error)
                error = changes_between(&d->wanted, &d->actual, &d->ipvs.mine, sweep, &d->ipvs.changes);
        if (d->task == TASK_STOP && d->setup.leaves)
                leave_what_stays(d);
        d->ipvs.phase = PHASE_MAKE;
        if (error)
                failed_by(d, "the table cannot be compared", error);
        else if (d->ipvs.changes.count == 0)
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
        d->standing = false;
        d->task = TASK_VERIFY;
        d->setup.on_event(d->setup.user, DIRECTOR_EV_PRESENT, "");
}

/* What a core before us has set up. */
static void remember(struct director *d)
{
        char path[DIRECTOR_PATH];

        if (!d->ipvs.mine.count)
                kept_services(director_file(d, "services", path), &d->ipvs.mine);
}

static int open_kernel(struct director *d)
{
        int error = d->ipvs.kernel.socket ? 0 : ipvs_open(&d->ipvs.kernel);

        if (error)
                return error;
        remember(d);
        return claim(d);
}

static void read_services(struct director *d)
{
        int error = open_kernel(d);

        d->ipvs.known = false;
        table_free(&d->actual);
        if (error == -ENOENT && !d->ipvs.kernel.socket) {
                if (d->task == TASK_STOP) /* nothing of ours is in a table that is not there */
                        director_end(d, DIRECTOR_EV_STOPPED, "");
                else
                        director_failed(d, "this kernel has no IPVS: its module ip_vs is missing");
                return;
        }
        if (!error)
                error = ipvs_read_services(&d->ipvs.kernel, &d->actual);
        d->ipvs.phase = PHASE_SERVERS;
        if (error)
                failed_by(d, "the kernel's table cannot be read", error);
        else if (d->task == TASK_LOOK)
                looked(d);
        else if (d->task == TASK_STOP && !d->ready)
                d->ipvs.phase = PHASE_COMPARE; /* services go with their servers */
}

static void read_servers(struct director *d)
{
        int error = 0;

        for (size_t n = 0; n < READ_AT_ONCE && d->ipvs.read < d->actual.count && !error; d->ipvs.read++) {
                struct virtual_service *s = &d->actual.service[d->ipvs.read];
                if (!table_service(&d->ipvs.mine, &s->key))
                        continue;
                error = ipvs_read_servers(&d->ipvs.kernel, s);
                n++;
        }
        if (error)
                failed_by(d, "the kernel's table cannot be read", error);
        else if (d->ipvs.read == d->actual.count)
                d->ipvs.phase = PHASE_COMPARE;
}

static void make_changes(struct director *d)
{
        size_t left = d->ipvs.changes.count - d->ipvs.made, n = left < MAKE_AT_ONCE ? left : MAKE_AT_ONCE;
        int error = ipvs_make(&d->ipvs.kernel, d->ipvs.changes.change + d->ipvs.made, n, on_refused, d);

        d->ipvs.made += n;
        if (error)
                failed_by(d, "the kernel's table cannot be changed", error);
        else if (d->ipvs.made == d->ipvs.changes.count)
                made(d);
}

/* Another order than before: all begins anew. Who stood by with the table need not read it before it serves;
 * it is read right after. Nor need who has another plan: what others have done to the table, the look finds
 * that is due anyway, or the kernel refuses a change because of it. */
static void begin(struct director *d)
{
        bool stood = d->task == TASK_START && d->standing;
        bool renews = d->task == TASK_VERIFY && d->active && d->renewed;

        changes_free(&d->ipvs.changes);
        d->ipvs.made = d->ipvs.read = d->ipvs.refused = 0;
        d->ipvs.refusal[0] = '\0';
        d->ipvs.brief = d->ipvs.known && (stood || renews);
        d->ipvs.known = false;
        d->ipvs.phase = d->ipvs.brief ? PHASE_COMPARE : PHASE_SERVICES;
        d->ipvs.order = d->order;
        if (d->task == TASK_STOP)
                director_sync(d, SYNC_MASTER, false);
}

static void turn(struct director *d)
{
        if (d->ipvs.order != d->order)
                begin(d);
        switch (d->ipvs.phase) {
        case PHASE_SERVICES: read_services(d); break;
        case PHASE_SERVERS: read_servers(d); break;
        case PHASE_COMPARE: compare(d); break;
        case PHASE_MAKE: make_changes(d); break;
        }
}

static bool never_busy(const struct director *d)
{
        (void)d;
        return false;
}

/* --- while active --- */

/* What some services shall be, beside what they are. */
struct step {
        size_t count;
        struct {
                struct virtual_service *actual, wanted;
        } service[FOLLOW_AT_ONCE];
        struct changes changes;
};

/* One service shall be another than it is: one change, mostly. */
static int add_step(struct director *d, size_t i, struct step *to)
{
        struct virtual_service *actual = table_service(&d->actual, &d->plan->service[i].service.key);
        struct virtual_service *wanted = &to->service[to->count].wanted;

        if (!actual && !d->active && director_standing(d, i) == STANDING_OUT)
                return 0;
        int error = actual ? director_service(d, i, d->now, wanted) : -ENOENT;
        if (error)
                return error;
        to->service[to->count++].actual = actual;
        return changes_of_service(wanted, actual, &to->changes);
}

/* Now they are; or nobody knows, and the whole table is looked at, and mended. */
static void end_step(struct director *d, struct step *s, bool made)
{
        if (made)
                director_tell(d, &s->changes);
        for (size_t i = 0; i < s->count; i++) {
                service_done(made ? s->service[i].actual : &s->service[i].wanted);
                if (made)
                        *s->service[i].actual = s->service[i].wanted;
        }
        if (!made) {
                d->ipvs.known = false;
                d->look_again = INSTANT_LONG_AGO;
        }
        changes_free(&s->changes);
}

/* The changes of several services go to the kernel together. */
static void tend(struct director *d)
{
        struct step s = {0};
        size_t i = 0;
        int error = 0;

        while (s.count < FOLLOW_AT_ONCE && !error && (i = farm_next_changed(d->farm)) != SIZE_MAX)
                error = add_step(d, i, &s);
        d->more = s.count == FOLLOW_AT_ONCE;
        d->ipvs.refused = 0;
        if (!error)
                error = ipvs_make(&d->ipvs.kernel, s.changes.change, s.changes.count, on_refused, d);
        if (error != -ENOENT && (error || d->ipvs.refused))
                log_warning("director: a change was not made: %s",
                            error ? strerror(-error) : d->ipvs.refusal);
        end_step(d, &s, !error && !d->ipvs.refused);
        d->ipvs.refused = 0;
        if (!d->more && instant_reached(d->now, d->look_again))
                director_begin(d, TASK_VERIFY);
}

static instant nothing_due(const struct director *d)
{
        (void)d;
        return INSTANT_NEVER;
}

/* --- for people --- */

/* A copy of what is ours, with the servers read now, or as they were seen. */
static int copy_ours(struct director *d, const struct table *from, bool fresh, struct table *to,
                     size_t *ret_foreign)
{
        int error = 0;

        for (size_t i = 0; i < from->count && !error; i++) {
                const struct virtual_service *s = &from->service[i];
                if (!table_service(&d->ipvs.mine, &s->key)) {
                        ++*ret_foreign;
                        continue;
                }
                struct virtual_service *copy = table_add(to, s);
                error = !copy ? -ENOMEM : fresh ? ipvs_read_servers(&d->ipvs.kernel, copy) : 0;
                for (size_t k = 0; !fresh && k < s->count && !error; k++)
                        error = service_add(copy, &s->server[k]);
        }
        return error;
}

/* A large table takes long to read: that is the loop's business, and who asks in a while hears the news. */
static int read_table(struct director *d, struct table *ret_table, size_t *ret_foreign, span *ret_age)
{
        bool fresh = d->plan->service_count <= READ_AT_ONCE;
        struct table now = {0};

        if (!d->ipvs.kernel.socket)
                return -ENOENT;
        int error = fresh ? ipvs_read_services(&d->ipvs.kernel, &now) : 0;

        *ret_age = fresh ? SPAN_ZERO : span_between(d->counted, instant_now());
        if (!error)
                error = copy_ours(d, fresh ? &now : &d->ipvs.seen, fresh, ret_table, ret_foreign);
        table_free(&now);
        if (ret_age->us > span_s(1).us && d->task == TASK_NONE)
                d->look_again = instant_min(d->look_again, instant_now());
        return error;
}

/* --- the back end --- */

static void init(struct director *d)
{
        (void)d;
}

static void done(struct director *d)
{
        ipvs_close(&d->ipvs.kernel);
        changes_free(&d->ipvs.changes);
        table_free(&d->ipvs.mine);
        table_free(&d->ipvs.seen);
}

bool backend_ipvs_is_there(struct director *d)
{
        return d->ipvs.kernel.socket || ipvs_open(&d->ipvs.kernel) != -ENOENT;
}

/* Without IPVS that is tried again, and said, when the table is made. */
static void stand_by(struct director *d)
{
        struct table kept;
        char path[DIRECTOR_PATH];

        kept_services(director_file(d, "services", path), &kept);
        d->standing = kept.count > 0;
        table_free(&kept);
        if (backend_ipvs_is_there(d))
                director_sync(d, SYNC_BACKUP, true);
}

static void withdraw(struct director *d)
{
        struct changes c = {0};
        struct table none = {0};

        d->ipvs.known = false;
        if (!d->ipvs.kernel.socket)
                return; /* nothing of ours is in a table that is not there */
        remember(d);
        int error = changes_between(&none, &d->ipvs.mine, &d->ipvs.mine, false, &c);
        if (!error)
                error = ipvs_make(&d->ipvs.kernel, c.change, c.count, on_refused, d);
        if (error)
                log_warning("director: its services are still in the kernel's table: %s", strerror(-error));
        else
                disclaim_all(d);
        changes_free(&c);
        director_sync(d, SYNC_BACKUP, false);
}

const struct backend backend_ipvs = {
        .name = "ipvs",
        .counts_bytes = true,
        .stands = true,
        .init = init,
        .free = done,
        .stand_by = stand_by,
        .withdraw = withdraw,
        .turn = turn,
        .tend = tend,
        .busy = never_busy,
        .due = nothing_due,
        .read = read_table,
};
