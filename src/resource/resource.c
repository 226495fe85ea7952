#include "resource/kind.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_TIMEOUT span_s(10) /* where the configuration gives none */

static const char *const state_name[] = {
        [RESOURCE_UNKNOWN] = "unknown",   [RESOURCE_LOOKING] = "unknown",    [RESOURCE_STOPPED] = "stopped",
        [RESOURCE_STARTING] = "starting", [RESOURCE_STARTED] = "started",    [RESOURCE_STOPPING] = "stopping",
        [RESOURCE_FAILED] = "failed",     [RESOURCE_STOP_FAILED] = "failed",
};

/* By event: in which state it means something, and which state it leads to. */
static const struct {
        enum resource_state from, to;
} transition[] = {
        [RESOURCE_EV_STARTED] = {RESOURCE_STARTING, RESOURCE_STARTED},
        [RESOURCE_EV_START_FAILED] = {RESOURCE_STARTING, RESOURCE_FAILED},
        [RESOURCE_EV_START_FOREIGN] = {RESOURCE_STARTING, RESOURCE_FAILED},
        [RESOURCE_EV_START_REFUSED] = {RESOURCE_STARTING, RESOURCE_FAILED},
        [RESOURCE_EV_STOPPED] = {RESOURCE_STOPPING, RESOURCE_STOPPED},
        [RESOURCE_EV_STOP_FAILED] = {RESOURCE_STOPPING, RESOURCE_STOP_FAILED},
        [RESOURCE_EV_FAILED] = {RESOURCE_STARTED, RESOURCE_FAILED},
        [RESOURCE_EV_GONE] = {RESOURCE_STARTED, RESOURCE_STOPPED},
        [RESOURCE_EV_PRESENT] = {RESOURCE_LOOKING, RESOURCE_STARTED},
        [RESOURCE_EV_ABSENT] = {RESOURCE_LOOKING, RESOURCE_STOPPED},
};

static const struct kind *const kinds[] = {
        [RESOURCE_ADDRESS] = &kind_address,   [RESOURCE_SERVICE] = &kind_service,
        [RESOURCE_PROCESS] = &kind_process,   [RESOURCE_SCRIPT] = &kind_script,
        [RESOURCE_DIRECTOR] = &kind_director, [RESOURCE_REALSERVER] = &kind_realserver,
};

const char *resource_state_name(enum resource_state state)
{
        return state_name[state];
}

void strings_free(char **strings)
{
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);
}

static char **strings_copy(char *const *strings)
{
        size_t n = 0;

        while (strings && strings[n])
                n++;
        char **copy = calloc(n + 1, sizeof(*copy));
        for (size_t i = 0; copy && i < n; i++) {
                copy[i] = strdup(strings[i]);
                if (!copy[i]) {
                        strings_free(copy);
                        return NULL;
                }
        }
        return copy;
}

static bool strings_equal(char *const *a, char *const *b)
{
        size_t i = 0;

        for (; a && b && a[i] && b[i]; i++)
                if (strcmp(a[i], b[i]) != 0)
                        return false;
        return !(a && a[i]) && !(b && b[i]);
}

bool resource_is(const struct resource *r, const struct config_resource *config)
{
        const struct config_resource *a = &r->config, *b = config;
        bool verify = a->verify_count == b->verify_count;

        for (size_t i = 0; verify && i < a->verify_count; i++)
                verify = ip_equal(&a->verify[i], &b->verify[i]);
        /* neither the line nor the time limits: they are taken over without touching what runs */
        return a->kind == b->kind && !strcmp(a->name, b->name) && a->warm == b->warm &&
               ip_equal(&a->ip, &b->ip) && a->prefix == b->prefix && !strcmp(a->device, b->device) &&
               verify && !strcmp(a->unit, b->unit) && strings_equal(a->argv, b->argv) &&
               !strcmp(a->user, b->user) && !strcmp(a->directory, b->directory) &&
               strings_equal(a->environment, b->environment) && !strcmp(a->stop_signal, b->stop_signal) &&
               a->style == b->style && director_resource_is(a->director, b->director);
}

static void on_time(void *user)
{
        struct resource *r = user;

        if (r->kind->expired && r->kind->expired(r))
                return;
        switch (r->state) {
        case RESOURCE_STARTING: resource_say(r, RESOURCE_EV_START_FAILED, "did not start in time"); break;
        case RESOURCE_STOPPING: resource_say(r, RESOURCE_EV_STOP_FAILED, "did not stop in time"); break;
        case RESOURCE_LOOKING: resource_say(r, RESOURCE_EV_ABSENT, "cannot be looked at in time"); break;
        case RESOURCE_UNKNOWN:
        case RESOURCE_STOPPED:
        case RESOURCE_STARTED:
        case RESOURCE_FAILED:
        case RESOURCE_STOP_FAILED: break; /* nothing is under way that could be late */
        }
}

int resource_new(struct resource_world *world, const char *group, const struct config_resource *config,
                 resource_event_fn *on_event, void *user, struct resource **ret_resource)
{
        const struct kind *kind = kinds[config->kind];
        struct resource *r = calloc(1, kind->size);
        int error;

        if (!r)
                return -ENOMEM;
        r->kind = kind;
        r->world = world;
        r->config = *config;
        r->on_event = on_event;
        r->user = user;
        text_copy(r->group, sizeof(r->group), group);
        r->config.argv = strings_copy(config->argv);
        r->config.environment = strings_copy(config->environment);
        r->timer = loop_timer_new(world->setup.loop, on_time, r);
        error = r->config.argv && r->config.environment && r->timer ? kind->init(r) : -ENOMEM;
        if (error) {
                resource_free(r);
                return error;
        }
        *ret_resource = r;
        return 0;
}

void resource_free(struct resource *r)
{
        if (!r)
                return;
        r->kind->done(r);
        loop_timer_free(r->timer);
        strings_free(r->config.argv);
        strings_free(r->config.environment);
        free(r);
}

void resource_drop(struct resource *r)
{
        if (r->kind->withdraw)
                r->kind->withdraw(r);
        resource_free(r);
}

void resource_timer(struct resource *r, span in)
{
        if (in.us > 0)
                loop_timer_set(r->timer, in);
        else
                loop_timer_clear(r->timer);
}

static void enter(struct resource *r, enum resource_state state, span limit)
{
        r->state = state;
        r->text[0] = '\0';
        resource_timer(r, limit);
}

void resource_start(struct resource *r, struct engine_epoch epoch, bool probe)
{
        r->epoch = epoch;
        r->probe = probe;
        enter(r, RESOURCE_STARTING, r->config.start_timeout);
        r->kind->start(r);
}

void resource_stop(struct resource *r)
{
        enter(r, RESOURCE_STOPPING, r->config.stop_timeout);
        r->kind->stop(r);
}

void resource_look(struct resource *r)
{
        span limit = r->config.status_timeout;

        enter(r, RESOURCE_LOOKING, limit.us > 0 ? limit : LOOK_TIMEOUT);
        r->kind->look(r);
}

void resource_say(struct resource *r, enum resource_event event, const char *format, ...)
{
        char text[RESOURCE_TEXT];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (event < RESOURCE_EV_UNFIT) {
                /* the answer to something given up meanwhile: what came instead decides */
                if (r->state != transition[event].from) {
                        log_debug("%s %s: ignoring a late answer while %s: %s", r->kind->name, r->config.name,
                                  state_name[r->state], text);
                        return;
                }
                enter(r, transition[event].to, SPAN_ZERO);
                text_copy(r->text, sizeof(r->text), text);
        } else if (event != RESOURCE_EV_NOTE) {
                if (r->unfit == (event == RESOURCE_EV_UNFIT))
                        return;
                r->unfit = event == RESOURCE_EV_UNFIT;
        }
        r->on_event(r->user, r, event, text);
}
