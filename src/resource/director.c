/* director.c - the kind `director`: load balancing, done by src/director.
 *
 * Of ldirectord's files each is followed by itself. One that is wrong stops nobody: what was read before goes
 * on, and a director that never had anything else does not start, and says why. */
#include "director/director.h"

#include "base/log.h"
#include "base/text.h"
#include "resource/kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often the files are looked at. */
#define WATCH_EVERY span_s(2)

struct director_resource {
        struct resource r;
        struct director *director;
        char why[PLAN_WHY]; /* what is wrong with the only plan it was given; "": it has had a good one */
        size_t file_count;
        struct plan_file *file; /* as they were last read, good or wrong */
        struct loop_timer *watch;
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

/* --- files --- */

static void forget_files(struct director_resource *d)
{
        for (size_t i = 0; i < d->file_count; i++)
                free(d->file[i].path);
        free(d->file);
        d->file = NULL;
        d->file_count = 0;
}

static int keep_files(struct director_resource *d, const struct plan *p)
{
        struct plan_file *file = calloc(p->file_count + 1, sizeof(*file));

        if (!file)
                return -ENOMEM;
        forget_files(d);
        d->file = file;
        for (; d->file_count < p->file_count; d->file_count++) {
                file[d->file_count] = p->file[d->file_count];
                file[d->file_count].path = strdup(p->file[d->file_count].path);
                if (!file[d->file_count].path)
                        return -ENOMEM;
        }
        return 0;
}

/* Another plan. If it is wrong, that is said, and the old one stands. */
static int take_plan(struct resource *r, const struct config_director *config)
{
        struct director_resource *d = of(r);
        struct plan plan;
        char why[PLAN_WHY];
        int error = plan_from_config(config, &plan, why);

        if (keep_files(d, &plan) < 0)
                error = error ? error : -ENOMEM;
        if (!error) {
                d->why[0] = '\0';
                return director_set_plan(d->director, &plan);
        }
        plan_free(&plan);
        log_error("director %s: %s", r->config.name, why);
        if (d->why[0])
                text_copy(d->why, sizeof(d->why), why);
        resource_say(r, RESOURCE_EV_NOTE, "%s: %s", why,
                     d->why[0] ? "it cannot start" : "the table stays as it was");
        return error;
}

/* In the configuration that is in force. */
static const struct config_director *find_config(const struct resource *r)
{
        const struct config *c = r->world->setup.config;

        for (size_t i = 0; i < c->group_count; i++)
                for (size_t k = 0; k < c->group[i].resource_count; k++) {
                        const struct config_resource *its = &c->group[i].resource[k];
                        if (its->director && strcmp(c->group[i].name, r->group) == 0 &&
                            strcmp(its->name, r->config.name) == 0)
                                return its->director;
                }
        return NULL;
}

static void on_watch(void *user)
{
        struct resource *r = user;
        struct director_resource *d = of(r);
        const struct config_director *config = find_config(r);
        bool read = false;

        for (size_t i = 0; i < d->file_count && config; i++) {
                struct plan_file *file = &d->file[i];
                if (!plan_file_changed(file))
                        continue;
                file->digest = file->seen;
                read |= file->autoreload || d->why[0];
                if (!file->autoreload && !d->why[0])
                        resource_say(r, RESOURCE_EV_NOTE, "%s has changed, and counts with the next reload",
                                     file->path);
        }
        if (read && take_plan(r, config) == 0)
                resource_say(r, RESOURCE_EV_NOTE, "what has changed in ldirectord's files is in force");
        loop_timer_set(d->watch, WATCH_EVERY);
}

static bool is_of(const struct config_group *g, int node)
{
        for (size_t i = 0; i < g->node_count; i++)
                if (g->node[i] == node)
                        return true;
        return false;
}

/* A group of this node has it as a real server's. */
static bool serves(void *user, const struct ip *ip)
{
        const struct resource *r = user;
        const struct config *c = r->world->setup.config;

        for (size_t i = 0; i < c->group_count; i++) {
                const struct config_group *g = &c->group[i];
                for (size_t k = 0; k < g->resource_count; k++)
                        if (g->resource[k].kind == RESOURCE_REALSERVER && ip_equal(&g->resource[k].ip, ip) &&
                            is_of(g, r->world->setup.self))
                                return true;
        }
        return false;
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
                                       .backend = config->backend == BACKEND_NFT    ? DIRECTOR_NFT
                                                  : config->backend == BACKEND_AUTO ? DIRECTOR_AUTO
                                                                                    : DIRECTOR_IPVS,
                                       .masquerade = config->masquerade,
                                       .sweep = config->sweep,
                                       .sync = {.id = (uint8_t)config->sync_id},
                                       .on_event = on_event,
                                       .serves = serves,
                                       .user = r};
        struct director_resource *d = of(r);
        char keep[256];
        struct plan plan;
        int error = plan_from_config(config, &plan, d->why);

        if (error)
                log_error("director %s: %s", r->config.name, d->why);
        else
                d->why[0] = '\0';
        if (error == -EINVAL || error == -EEXIST || error == -ENOENT || error == -EACCES || error == -EFBIG)
                error = 0; /* somebody has to write another file: the rest of the group need not wait for that
                            */
        if (!error)
                error = keep_files(d, &plan);
        if (!error && keep_settings(r) < 0)
                error = -ENOMEM;
        if (error) {
                plan_free(&plan);
                r->config.director = NULL;
                return error;
        }
        d->watch = d->file_count ? loop_timer_new(r->world->setup.loop, on_watch, r) : NULL;
        if (d->watch)
                loop_timer_set(d->watch, WATCH_EVERY);
        snprintf(keep, sizeof(keep), "%s/director.%s.%s", r->world->setup.run_dir, r->group, r->config.name);
        setup.keep = keep;
        text_copy(setup.sync.interface, sizeof(setup.sync.interface), config->sync_interface);
        return director_new(&setup, &plan, &d->director);
}

static void done(struct resource *r)
{
        director_free(of(r)->director);
        loop_timer_free(of(r)->watch);
        forget_files(of(r));
        free(r->config.director);
}

static void start(struct resource *r)
{
        if (of(r)->why[0])
                resource_say(r, RESOURCE_EV_START_REFUSED, "%s", of(r)->why);
        else
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

static void ready(struct resource *r, bool is_ready, bool held)
{
        director_ready(of(r)->director, is_ready && !of(r)->why[0], held);
}

static void withdraw(struct resource *r)
{
        director_withdraw(of(r)->director);
}

static int renew(struct resource *r, const struct config_resource *config)
{
        struct director_resource *d = of(r);
        int error = take_plan(r, config->director);

        if (!d->watch && d->file_count) {
                d->watch = loop_timer_new(r->world->setup.loop, on_watch, r);
                if (d->watch)
                        loop_timer_set(d->watch, WATCH_EVERY);
        }
        return error;
}

bool director_resource_is(const struct config_director *a, const struct config_director *b)
{
        return !a == !b &&
               (!a || (!strcmp(a->sync_interface, b->sync_interface) && a->sync_id == b->sync_id &&
                       a->sweep == b->sweep && a->backend == b->backend && a->masquerade == b->masquerade));
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
        .ready = ready,
        .withdraw = withdraw,
};
