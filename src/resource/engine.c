#include "resource/engine.h"

#include "base/log.h"
#include "resource/bus.h"
#include "resource/group.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct engine {
        struct resource_world world;
        size_t group_count;
        struct group_run *group[GROUPS_MAX]; /* indices of the present configuration */
        bool making;                         /* groups are being made: nothing can be reported yet */
        struct loop_timer *made;             /* what was found out while making them is reported from here */
};

static int index_of(const struct engine *e, const struct group_run *g)
{
        for (size_t i = 0; i < e->group_count; i++)
                if (e->group[i] == g)
                        return (int)i;
        return -1;
}

static void on_report(void *user, struct group_run *g, enum engine_report_kind kind, const char *text)
{
        struct engine *e = user;
        struct engine_report report = {
                .kind = kind, .group = index_of(e, g), .epoch = group_run_epoch(g), .text = text};

        if (!e->making)
                e->world.setup.on_report(e->world.setup.user, &report);
}

static void on_made(void *user)
{
        struct engine *e = user;

        for (size_t i = 0; i < e->group_count; i++)
                for (size_t j = 0; j < group_run_count(e->group[i]); j++) {
                        const struct resource *r = group_run_resource(e->group[i], j);
                        struct address *a = resource_address(r);
                        if (r->unfit)
                                on_report(e, e->group[i], ENGINE_UNFIT, a ? address_text(a) : r->config.name);
                }
}

int engine_new(const struct engine_setup *setup, struct engine **ret_engine)
{
        struct engine *e = calloc(1, sizeof(*e));
        int error = 0;

        if (!e)
                return -ENOMEM;
        e->world.setup = *setup;
        e->world.lease_end = INSTANT_NEVER;
        e->making = true;
        e->made = loop_timer_new(setup->loop, on_made, e);
        if (!e->made)
                error = -ENOMEM;
        for (size_t i = 0; i < setup->config->group_count && !error; i++) {
                error = group_run_new(&e->world, &setup->config->group[i], on_report, e, &e->group[i]);
                if (!error)
                        e->group_count++;
        }
        if (error) {
                engine_free(e);
                return error;
        }
        e->making = false;
        loop_timer_set(e->made, SPAN_ZERO);
        *ret_engine = e;
        return 0;
}

void engine_free(struct engine *e)
{
        if (!e)
                return;
        for (size_t i = 0; i < e->group_count; i++)
                group_run_free(e->group[i]);

        bus_free(e->world.bus);
        loop_timer_free(e->made);
        free(e);
}

static struct group_run *group_at(const struct engine *e, int group)
{
        assert(group >= 0 && (size_t)group < e->group_count);
        return e->group[group];
}

void engine_start(struct engine *e, int group, struct engine_epoch epoch, enum engine_part part, bool probe)
{
        group_run_start(group_at(e, group), epoch, part, probe);
}

void engine_stop(struct engine *e, int group)
{
        group_run_stop(group_at(e, group));
}

void engine_adopt(struct engine *e, int group, struct engine_epoch epoch)
{
        group_run_adopt(group_at(e, group), epoch);
}

void engine_lease(struct engine *e, instant lease_end)
{
        e->world.lease_end = lease_end;
        for (size_t i = 0; i < e->group_count; i++)
                group_run_lease(e->group[i]);
}

void engine_check_failed(struct engine *e, int group, const char *text)
{
        if (!e->world.maintenance)
                group_run_check_failed(group_at(e, group), text);
}

void engine_maintenance(struct engine *e, bool on)
{
        if (e->world.maintenance == on)
                return;
        e->world.maintenance = on;
        for (size_t i = 0; !on && i < e->group_count; i++)
                group_run_resume(e->group[i]);
}

void engine_ask(struct engine *e, int group)
{
        group_run_ask(group_at(e, group));
}

void engine_ready(struct engine *e, int group, bool ready, bool held)
{
        group_run_ready(group_at(e, group), ready, held);
}

void engine_withdraw(struct engine *e)
{
        for (size_t i = 0; i < e->group_count; i++)
                group_run_withdraw(e->group[i]);
}

void engine_announce(struct engine *e, int group)
{
        group_run_announce(group_at(e, group));
}

static struct group_run *take_named(struct group_run **old, size_t count, const char *name)
{
        for (size_t i = 0; i < count; i++) {
                struct group_run *g = old[i];
                if (g && !strcmp(group_run_name(g), name)) {
                        old[i] = NULL;
                        return g;
                }
        }
        return NULL;
}

/* Makes the groups that are new; then nothing can fail as a whole any more. */
static int make_new_groups(struct engine *e, const struct config *config, struct group_run **old,
                           struct group_run **ret_list, bool *ret_fresh)
{
        int error = 0;

        for (size_t i = 0; i < config->group_count; i++) {
                ret_list[i] = take_named(old, e->group_count, config->group[i].name);
                ret_fresh[i] = !ret_list[i];
                if (ret_fresh[i])
                        error = group_run_new(&e->world, &config->group[i], on_report, e, &ret_list[i]);
                if (!error)
                        continue;
                for (size_t j = 0; j < i; j++)
                        if (ret_fresh[j])
                                group_run_free(ret_list[j]);
                return error;
        }
        return 0;
}

int engine_reload(struct engine *e, const struct config *config)
{
        struct group_run *old[GROUPS_MAX], *list[GROUPS_MAX];
        bool fresh[GROUPS_MAX];
        size_t old_count = e->group_count;
        int error, result = 0;

        memcpy(old, e->group, sizeof(old));
        e->making = true;
        error = make_new_groups(e, config, old, list, fresh);
        e->making = false;
        if (error)
                return error;
        for (size_t i = 0; i < old_count; i++) {
                if (old[i])
                        group_run_withdraw(old[i]);
                group_run_free(old[i]);
        }
        memcpy(e->group, list, sizeof(list));
        e->group_count = config->group_count;
        e->world.setup.config = config;
        for (size_t i = 0; i < config->group_count; i++) {
                if (fresh[i])
                        continue;
                error = group_run_reload(e->group[i], &config->group[i]);
                if (error) {
                        log_error("group %s: cannot take over its new configuration: %s, it goes on with the "
                                  "old",
                                  config->group[i].name, strerror(-error));
                        result = error;
                }
        }
        loop_timer_set(e->made, SPAN_ZERO);
        return result;
}

size_t engine_resource_count(const struct engine *e, int group)
{
        return group_run_count(group_at(e, group));
}

struct engine_resource_view engine_resource(const struct engine *e, int group, size_t i)
{
        const struct resource *r = group_run_resource(group_at(e, group), i);
        struct address *a = resource_address(r);
        const char *shown = r->kind->shown ? r->kind->shown(r) : NULL;

        return (struct engine_resource_view){
                .name = r->config.name,
                .kind = r->kind->name,
                .state = shown ? shown : resource_state_name(r->state),
                /* an address knows its story better than its last event: by whom it is verified, who else has
                   it */
                .text = a ? address_text(a) : r->text,
        };
}

struct director *engine_director(const struct engine *e, int group, size_t i)
{
        const struct group_run *g = group_at(e, group);

        for (size_t j = 0; j < group_run_count(g); j++) {
                struct director *d = resource_director(group_run_resource(g, j));
                if (d && i-- == 0)
                        return d;
        }
        return NULL;
}

struct address *engine_address(const struct engine *e, int group, size_t i)
{
        const struct group_run *g = group_at(e, group);

        for (size_t j = 0; j < group_run_count(g); j++) {
                struct address *a = resource_address(group_run_resource(g, j));
                if (a && i-- == 0)
                        return a;
        }
        return NULL;
}
