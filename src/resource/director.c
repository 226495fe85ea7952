/* director.c - the kind `director`: load balancing, done by src/director. */
#include "director/director.h"

#include "base/log.h"
#include "base/text.h"
#include "resource/kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct director_resource {
        struct resource r;
        struct director *director;
};

static struct director_resource *of(struct resource *r)
{
        return (struct director_resource *)r;
}

static void on_event(void *user, enum director_event event, const char *text)
{
        struct resource *r = user;

        switch (event) {
        case DIRECTOR_EV_STARTED: resource_say(r, RESOURCE_EV_STARTED, "%s", text); break;
        case DIRECTOR_EV_START_FAILED: resource_say(r, RESOURCE_EV_START_FAILED, "%s", text); break;
        case DIRECTOR_EV_STOPPED: resource_say(r, RESOURCE_EV_STOPPED, "%s", text); break;
        case DIRECTOR_EV_STOP_FAILED: resource_say(r, RESOURCE_EV_STOP_FAILED, "%s", text); break;
        case DIRECTOR_EV_PRESENT: resource_say(r, RESOURCE_EV_PRESENT, "%s", text); break;
        case DIRECTOR_EV_ABSENT: resource_say(r, RESOURCE_EV_ABSENT, "%s", text); break;
        case DIRECTOR_EV_NOTE: resource_say(r, RESOURCE_EV_NOTE, "%s", text); break;
        }
}

/* Our own copy of what cannot change without a new director; the pools and services went into its plan. */
static int keep_settings(struct resource *r)
{
        struct config_director *own = malloc(sizeof(*own));

        if (own) {
                *own = *r->config.director;
                own->ldirectord = NULL;
                own->pool = NULL;
                own->virtual = NULL;
                own->pool_count = own->virtual_count = 0;
        }
        r->config.director = own;
        return own ? 0 : -ENOMEM;
}

static bool is_director(const struct resource_world *world, const struct config_director *config)
{
        for (size_t i = 0; i < config->node_count; i++)
                if (config->node_id[i] == world->setup.config->node[world->setup.self].id)
                        return true;
        return false;
}

static int init(struct resource *r)
{
        struct config_director *config = r->config.director;
        struct director_setup setup = {.loop = r->world->setup.loop,
                                       .name = r->config.name,
                                       .checker = r->world->setup.checker,
                                       .idle = !is_director(r->world, config),
                                       .sweep = config->sweep,
                                       .sync = {.id = (uint8_t)config->sync_id},
                                       .on_event = on_event,
                                       .user = r};
        char keep[256], why[PLAN_WHY];
        struct plan plan;
        int error = plan_from_config(config, &plan, why);

        if (error)
                log_error("director %s: %s", r->config.name, why);
        if (!error && keep_settings(r) < 0) {
                plan_free(&plan);
                error = -ENOMEM;
        }
        if (error) {
                r->config.director = NULL;
                return error;
        }
        snprintf(keep, sizeof(keep), "%s/director.%s.%s", r->world->setup.run_dir, r->group, r->config.name);
        setup.keep = keep;
        text_copy(setup.sync.interface, sizeof(setup.sync.interface), config->sync_interface);
        return director_new(&setup, &plan, &of(r)->director);
}

static void done(struct resource *r)
{
        director_free(of(r)->director);
        free(r->config.director);
}

static void start(struct resource *r)
{
        director_start(of(r)->director);
}

static void stop(struct resource *r)
{
        director_stop(of(r)->director);
}

static void look(struct resource *r)
{
        director_look(of(r)->director);
}

static int renew(struct resource *r, const struct config_resource *config)
{
        struct plan plan;
        char why[PLAN_WHY];
        int error = plan_from_config(config->director, &plan, why);

        if (error)
                log_error("director %s: %s", r->config.name, why);
        return error ? error : director_set_plan(of(r)->director, &plan);
}

bool director_resource_is(const struct config_director *a, const struct config_director *b)
{
        return !a == !b && (!a || (!strcmp(a->sync_interface, b->sync_interface) &&
                                   a->sync_id == b->sync_id && a->sweep == b->sweep));
}

struct director *resource_director(const struct resource *r)
{
        return r->kind == &kind_director ? ((const struct director_resource *)r)->director : NULL;
}

const struct kind kind_director = {
        .name = "director",
        .size = sizeof(struct director_resource),
        .init = init,
        .done = done,
        .start = start,
        .stop = stop,
        .look = look,
        .renew = renew,
};
