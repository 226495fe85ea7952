#include "resource/group_inside.h"

#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static struct resource *take_equal(struct resource **old, size_t count, const struct config_resource *config)
{
        for (size_t i = 0; i < count; i++) {
                struct resource *r = old[i];
                if (r && resource_is(r, config)) {
                        old[i] = NULL;
                        return r;
                }
        }
        return NULL;
}

static void take_limits(struct resource *r, const struct config_resource *config)
{
        r->config.place = config->place;
        r->config.start_timeout = config->start_timeout;
        r->config.stop_timeout = config->stop_timeout;
        r->config.status_timeout = config->status_timeout;
        r->config.status_interval = config->status_interval;
        r->config.ready_after = config->ready_after;
        if (r->kind->renew) {
                int error = r->kind->renew(r, config);
                if (error)
                        log_error("%s %s: goes on as before: %s", r->kind->name, r->config.name,
                                  strerror(-error));
        }
}

static void free_fresh(struct resource **list, const bool *fresh, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (fresh[i])
                        resource_free(list[i]);
}

/* Makes or takes each resource of the new list; the old list is not touched. */
static int plan(struct group_run *g, const struct config_group *config, struct resource **old,
                struct resource **ret_list, bool *ret_fresh)
{
        for (size_t i = 0; i < config->resource_count; i++) {
                ret_list[i] = take_equal(old, g->count, &config->resource[i]);
                ret_fresh[i] = !ret_list[i];
                int error = ret_list[i] ? 0
                                        : resource_new(g->world, g->name, &config->resource[i],
                                                       group_on_resource, g, &ret_list[i]);
                if (!error)
                        continue;
                free_fresh(ret_list, ret_fresh, i);
                return error;
        }
        return 0;
}

static void adopt_list(struct group_run *g, struct resource **old, struct resource **list, size_t count)
{
        for (size_t i = 0; i < g->count; i++) {
                if (!old[i])
                        continue;
                if (group_must_stop(old[i], false))
                        g->leaving[g->leaving_count++] = old[i];
                else
                        resource_drop(old[i]);
        }
        for (size_t i = 0; i < count; i++)
                g->resource[i] = list[i];
        g->count = count;
        g->mend_from = 0;
        while (g->mend_from < count && list[g->mend_from]->state == RESOURCE_STARTED)
                g->mend_from++;
}

int group_run_reload(struct group_run *g, const struct config_group *config)
{
        struct resource *old[RESOURCES_MAX], *list[RESOURCES_MAX] = {NULL};
        bool fresh[RESOURCES_MAX] = {false}, changed = false;
        size_t count = config->resource_count;
        int error;

        if (g->leaving_count > 0)
                return -EBUSY; /* the reload before this one is still at work */
        memcpy(old, g->resource, sizeof(old));
        error = plan(g, config, old, list, fresh);
        if (error)
                return error;
        error = group_take_budget(g, config);
        if (error) {
                free_fresh(list, fresh, count);
                return error;
        }
        for (size_t i = 0; i < count; i++) {
                assert(list[i]); /* plan() made one for each */
                changed = changed || fresh[i];
                take_limits(list[i], &config->resource[i]);
        }
        adopt_list(g, old, list, count);
        if (g->state == GROUP_UP && (changed || g->leaving_count > 0)) {
                text_copy(g->why, sizeof(g->why), "changed by a reload");
                group_set_state(g, GROUP_STARTING);
        }
        group_step(g);
        return 0;
}
