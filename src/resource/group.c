#include "resource/group_inside.h"

#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF span_s(1) /* before every restart in place but the first */

static const char *const state_name[] = {"idle",   "looking", "starting", "up",     "mending",
                                         "paused", "undoing", "stopping", "broken", "stop failed"};

void group_set_state(struct group_run *g, enum group_state state)
{
        if (g->state != state)
                log_debug("group %s: %s -> %s", g->name, state_name[g->state], state_name[state]);
        g->state = state;
        if (state != GROUP_PAUSED)
                loop_timer_clear(g->pause);
}

static void report(struct group_run *g, enum engine_report_kind kind, const char *text)
{
        g->on_report(g->user, g, kind, text);
}

/* ---- asking about the list ---- */

static bool wanted(const struct group_run *g, const struct resource *r)
{
        return g->part == ENGINE_ALL || r->config.warm;
}

/* Whether going down has to do with it. `unknown`: also if nobody has looked. */
bool group_must_stop(const struct resource *r, bool unknown)
{
        switch (r->state) {
        case RESOURCE_STOPPED: return false;
        case RESOURCE_UNKNOWN: return unknown;
        case RESOURCE_LOOKING:
        case RESOURCE_STARTING:
        case RESOURCE_STARTED:
        case RESOURCE_STOPPING:
        case RESOURCE_FAILED:
        case RESOURCE_STOP_FAILED: return true;
        }
        return true;
}

static size_t index_of(const struct group_run *g, const struct resource *r)
{
        size_t i = 0;

        while (i < g->count && g->resource[i] != r)
                i++;
        return i;
}

static bool is_unfit(const struct group_run *g)
{
        for (size_t i = 0; i < g->count; i++)
                if (g->resource[i]->unfit)
                        return true;
        return false;
}

/* ---- one step ---- */

/* Each returns true if it did something after which there may be more to do now. */

static bool stop_one(struct resource *r)
{
        if (r->state == RESOURCE_STOPPING)
                return false;
        resource_stop(r);
        return true;
}

/* Stops what a reload left over, the last first. True: there is one, `ret_more` as above. */
static bool leaving_step(struct group_run *g, bool *ret_more)
{
        if (g->leaving_count == 0)
                return false;
        struct resource *r = g->leaving[g->leaving_count - 1];
        if (group_must_stop(r, false)) {
                *ret_more = stop_one(r);
        } else {
                g->leaving_count--;
                resource_drop(r);
                *ret_more = true;
        }
        return true;
}

/* The last of those from `from` on that has to be stopped; with `exclusive`, not looking at warm ones. */
static struct resource *last_to_stop(const struct group_run *g, size_t from, bool unknown, bool exclusive)
{
        for (size_t i = g->count; i > from; i--) {
                struct resource *r = g->resource[i - 1];
                if (group_must_stop(r, unknown) && !(exclusive && r->config.warm))
                        return r;
        }
        return NULL;
}

static bool step_looking(struct group_run *g)
{
        bool all = true;

        for (size_t i = 0; i < g->count; i++) {
                if (g->resource[i]->state == RESOURCE_LOOKING)
                        return false;
                all = all && g->resource[i]->state == RESOURCE_STARTED;
        }
        if (!all)
                report(g, ENGINE_BROKEN, "not everything runs any more, starting what is missing");
        if (g->state == GROUP_LOOKING)
                group_set_state(g, GROUP_STARTING);
        return true;
}

static bool step_starting(struct group_run *g)
{
        bool more;

        if (leaving_step(g, &more))
                return more;
        for (size_t i = 0; i < g->count; i++) {
                struct resource *r = g->resource[i];
                if (!wanted(g, r) || r->state == RESOURCE_STARTED)
                        continue;
                if (r->state == RESOURCE_STARTING)
                        return false;
                resource_start(r, g->epoch, g->probe);
                return true;
        }
        enum engine_report_kind owed = g->owed;
        group_set_state(g, GROUP_UP);
        g->whole = g->part == ENGINE_ALL;
        g->owed = ENGINE_RESTARTED;
        g->probe = false; /* from here on it is ours, and a restart asks nobody */
        report(g, owed, owed == ENGINE_RESTARTED ? g->why : "");
        return true;
}

static void on_pause(void *user)
{
        struct group_run *g = user;

        group_set_state(g, GROUP_STARTING);
        group_step(g);
}

/* An address that is up stays while what stands before it is mended: taken away it would help nobody, and the
 * neighbours would have to learn it anew. */
static struct resource *last_to_mend(const struct group_run *g)
{
        for (size_t i = g->count; i > g->mend_from; i--) {
                struct resource *r = g->resource[i - 1];
                bool stays = r->kind == &kind_address && r->state == RESOURCE_STARTED;
                if (group_must_stop(r, false) && !stays)
                        return r;
        }
        return NULL;
}

static bool step_mending(struct group_run *g)
{
        struct resource *r = last_to_mend(g);

        if (r)
                return stop_one(r);
        g->mend_from = g->count;
        if (g->restart_count <= 1) {
                group_set_state(g, GROUP_STARTING);
                return true;
        }
        group_set_state(g, GROUP_PAUSED);
        loop_timer_set(g->pause, BACKOFF);
        return false;
}

static void start_again(struct group_run *g)
{
        g->again = false;
        group_set_state(g, GROUP_STARTING);
}

static bool step_undoing(struct group_run *g)
{
        struct resource *r;
        bool more;

        if (leaving_step(g, &more))
                return more;
        r = last_to_stop(g, 0, false, false);
        if (r)
                return stop_one(r);
        group_set_state(g, GROUP_IDLE);
        report(g, g->foreign ? ENGINE_REFUSED : ENGINE_START_FAILED, g->why);
        if (g->state == GROUP_IDLE && g->again)
                start_again(g);
        return true;
}

static bool step_stopping(struct group_run *g)
{
        struct resource *r;
        bool more;

        if (leaving_step(g, &more))
                return more;
        r = last_to_stop(g, 0, true, true);
        if (r)
                return stop_one(r);
        if (!g->released) {
                g->released = true;
                report(g, ENGINE_RELEASED, "");
                return true;
        }
        r = last_to_stop(g, 0, true, false);
        if (r)
                return stop_one(r);
        group_set_state(g, GROUP_IDLE);
        report(g, ENGINE_STOPPED, "");
        if (g->state == GROUP_IDLE && g->again)
                start_again(g);
        return true;
}

static bool step_once(struct group_run *g)
{
        switch (g->state) {
        case GROUP_LOOKING: return step_looking(g);
        case GROUP_STARTING: return step_starting(g);
        case GROUP_MENDING: return step_mending(g);
        case GROUP_UNDOING: return step_undoing(g);
        case GROUP_STOPPING: return step_stopping(g);
        case GROUP_IDLE:
        case GROUP_UP:
        case GROUP_PAUSED:
        case GROUP_BROKEN:
        case GROUP_STOP_FAILED: return false; /* these wait for something from outside */
        }
        return false;
}

/* Goes on until it must wait. Resources answer and reports are acted upon from inside: these calls only leave
 * a mark, and the outermost goes round again. */
void group_step(struct group_run *g)
{
        g->step_again = true;
        if (g->stepping)
                return;
        g->stepping = true;
        while (g->step_again) {
                g->step_again = false;
                if (step_once(g))
                        g->step_again = true;
        }
        g->stepping = false;
}

/* ---- what breaks ---- */

/* Takes one restart of the budget. */
static bool restart_allowed(struct group_run *g)
{
        instant now = instant_now();
        size_t old = 0;

        while (old < g->restart_count &&
               instant_reached(now, instant_add(g->restarts[old], g->restart_window)))
                old++;
        g->restart_count -= old;
        if (old > 0)
                memmove(g->restarts, g->restarts + old, g->restart_count * sizeof(*g->restarts));
        if (g->restart_count >= (size_t)g->restart_max)
                return false;
        g->restarts[g->restart_count++] = now;
        return true;
}

static void give_up(struct group_run *g)
{
        if (!g->whole) {
                group_set_state(g, GROUP_UNDOING);
                return;
        }
        group_set_state(g, GROUP_BROKEN);
        report(g, ENGINE_FAILED, g->why);
}

/* Going down from `from` on, and up again if the budget allows. `why` is in g->why. */
static void mend(struct group_run *g, size_t from, bool hopeless)
{
        char text[sizeof(g->why) + 96], window[SPAN_TEXT];

        if (hopeless || !restart_allowed(g)) {
                give_up(g);
                return;
        }
        g->mend_from = g->state == GROUP_UP || from < g->mend_from ? from : g->mend_from;
        group_set_state(g, GROUP_MENDING);
        snprintf(text, sizeof(text), "%s; restarting it in place, %zu of %d in %s", g->why, g->restart_count,
                 g->restart_max, span_format(g->restart_window, window));
        report(g, ENGINE_BROKEN, text);
}

static void on_broken(struct group_run *g, struct resource *r, bool hopeless)
{
        size_t i = index_of(g, r);

        if (i == g->count)
                return; /* a reload is about to stop it anyway */
        if (g->state == GROUP_UP && g->world->maintenance) {
                char said[sizeof(g->why) + 64];
                snprintf(said, sizeof(said), "%s; left alone, maintenance is on", g->why);
                report(g, ENGINE_BROKEN, said);
                return;
        }
        switch (g->state) {
        case GROUP_STARTING:
        case GROUP_UP: mend(g, i, hopeless); break;
        case GROUP_MENDING:
        case GROUP_PAUSED: /* one more on the way down: part of the same mending */
                if (i < g->mend_from)
                        g->mend_from = i;
                group_set_state(g, GROUP_MENDING);
                break;
        case GROUP_LOOKING: /* found and lost again: started with what is missing */
        case GROUP_UNDOING:
        case GROUP_STOPPING:
        case GROUP_BROKEN:
        case GROUP_STOP_FAILED: /* it is on its way down, or waits for that */
        case GROUP_IDLE: break; /* its resources are stopped or unknown: cannot break */
        }
}

static void on_stop_failed(struct group_run *g, const struct resource *r, const char *text)
{
        char said[sizeof(g->why) * 2 + 128];
        bool undoing = g->state == GROUP_UNDOING || g->state == GROUP_MENDING;

        snprintf(said, sizeof(said), "%s %s cannot be stopped: %s%s%s%s", r->kind->name, r->config.name, text,
                 undoing ? " (stopped because: " : "", undoing ? g->why : "", undoing ? ")" : "");
        group_set_state(g, GROUP_STOP_FAILED);
        report(g, ENGINE_STOP_FAILED, said);
}

void group_on_resource(void *user, struct resource *r, enum resource_event event, const char *text)
{
        struct group_run *g = user;
        char said[sizeof(g->why)];

        snprintf(said, sizeof(said), "%s %s%s%s", r->kind->name, r->config.name, text[0] ? " " : "", text);
        switch (event) {
        case RESOURCE_EV_STARTED:
        case RESOURCE_EV_STOPPED:
        case RESOURCE_EV_PRESENT:
        case RESOURCE_EV_ABSENT:
        case RESOURCE_EV_GONE: break;
        case RESOURCE_EV_START_FAILED:
        case RESOURCE_EV_START_FOREIGN:
        case RESOURCE_EV_START_REFUSED:
                g->foreign = event == RESOURCE_EV_START_FOREIGN;
                snprintf(g->why, sizeof(g->why), "%s %s did not start: %s", r->kind->name, r->config.name,
                         text);
                on_broken(g, r, event != RESOURCE_EV_START_FAILED);
                break;
        case RESOURCE_EV_FAILED:
                text_copy(g->why, sizeof(g->why), said);
                on_broken(g, r, false);
                break;
        case RESOURCE_EV_STOP_FAILED: on_stop_failed(g, r, text); break;
        case RESOURCE_EV_UNFIT: report(g, ENGINE_UNFIT, said); break;
        case RESOURCE_EV_FIT: report(g, is_unfit(g) ? ENGINE_NOTE : ENGINE_FIT, said); break;
        case RESOURCE_EV_NOTE: report(g, ENGINE_NOTE, said); break;
        }
        group_step(g);
}

/* ---- orders ---- */

void group_run_start(struct group_run *g, struct engine_epoch epoch, enum engine_part part, bool probe)
{
        bool rising = g->state == GROUP_LOOKING || g->state == GROUP_STARTING || g->state == GROUP_MENDING ||
                      g->state == GROUP_PAUSED;

        g->epoch = epoch;
        if (part == ENGINE_WARM && g->part == ENGINE_ALL && (rising || g->state == GROUP_UP)) {
                if (g->state == GROUP_UP)
                        report(g, ENGINE_WARMED, "all of it runs already");
                return; /* it is on its way to more than that */
        }
        g->part = part;
        g->probe = probe;
        g->owed = part == ENGINE_ALL ? ENGINE_STARTED : ENGINE_WARMED;
        if (probe && part == ENGINE_ALL)
                group_run_ask(g);
        switch (g->state) {
        case GROUP_IDLE: g->restart_count = 0; __attribute__((fallthrough));
        case GROUP_UP:
                g->whole = false;
                group_set_state(g, GROUP_STARTING);
                break;
        case GROUP_BROKEN: /* a fresh try, with a fresh budget */
                g->whole = false;
                g->restart_count = 0;
                g->mend_from = 0;
                while (g->mend_from < g->count && g->resource[g->mend_from]->state == RESOURCE_STARTED)
                        g->mend_from++;
                group_set_state(g, GROUP_MENDING);
                break;
        case GROUP_LOOKING:
        case GROUP_STARTING:
        case GROUP_MENDING:
        case GROUP_PAUSED: break; /* on its way up; now to the new goal */
        case GROUP_STOP_FAILED:   /* what could not be stopped must be, before it may start */
                g->released = false;
                group_set_state(g, GROUP_STOPPING);
                g->again = true;
                break;
        case GROUP_UNDOING:
        case GROUP_STOPPING: g->again = true; break;
        }
        group_step(g);
}

void group_run_stop(struct group_run *g)
{
        g->again = false;
        if (g->state != GROUP_STOPPING) {
                g->released = false;
                g->whole = false;
                g->restart_count = 0;
                g->mend_from = g->count;
                group_set_state(g, GROUP_STOPPING);
        }
        group_step(g);
}

void group_run_adopt(struct group_run *g, struct engine_epoch epoch)
{
        g->epoch = epoch;
        g->part = ENGINE_ALL;
        g->probe = false;
        g->owed = ENGINE_STARTED;
        g->whole = true;
        group_set_state(g, GROUP_LOOKING);
        g->stepping = true; /* all are asked before the first answer counts */
        for (size_t i = 0; i < g->count; i++)
                resource_look(g->resource[i]);
        g->stepping = false;
        group_step(g);
}

/* The addresses are not the service: what is restarted begins with the first that is none. */
void group_run_check_failed(struct group_run *g, const char *text)
{
        size_t i = 0;

        if (g->state != GROUP_UP || !g->whole)
                return; /* it is being mended, moved or stopped already */
        while (i < g->count && g->resource[i]->config.kind == RESOURCE_ADDRESS)
                i++;
        text_copy(g->why, sizeof(g->why), text);
        mend(g, i, i == g->count);
        group_step(g);
}

void group_run_lease(struct group_run *g)
{
        for (size_t i = 0; i < g->count; i++)
                if (g->resource[i]->kind->lease && g->resource[i]->state == RESOURCE_STARTED)
                        g->resource[i]->kind->lease(g->resource[i]);
}

void group_run_ask(struct group_run *g)
{
        for (size_t i = 0; i < g->count; i++)
                if (g->resource[i]->kind->prepare)
                        g->resource[i]->kind->prepare(g->resource[i]);
}

void group_run_resume(struct group_run *g)
{
        for (size_t i = 0; g->state == GROUP_UP && i < g->count; i++)
                if (g->resource[i]->state == RESOURCE_FAILED)
                        mend(g, i, false);
        group_step(g);
}

void group_run_announce(struct group_run *g)
{
        for (size_t i = 0; i < g->count; i++)
                if (g->resource[i]->kind->announce && g->resource[i]->state == RESOURCE_STARTED)
                        g->resource[i]->kind->announce(g->resource[i]);
}

/* ---- life ---- */

int group_take_budget(struct group_run *g, const struct config_group *config)
{
        int max = config->restart_max < 0 ? 0 : config->restart_max;
        instant *restarts = calloc((size_t)max + 1, sizeof(*restarts));

        if (!restarts)
                return -ENOMEM;
        size_t kept = g->restart_count < (size_t)max ? g->restart_count : (size_t)max;
        if (kept > 0)
                memcpy(restarts, g->restarts + g->restart_count - kept, kept * sizeof(*restarts));
        free(g->restarts);
        g->restarts = restarts;
        g->restart_count = kept;
        g->restart_max = max;
        g->restart_window = config->restart_window;
        return 0;
}

int group_run_new(struct resource_world *world, const struct config_group *config, group_report_fn *on_report,
                  void *user, struct group_run **ret_group)
{
        struct group_run *g = calloc(1, sizeof(*g));
        int error;

        if (!g)
                return -ENOMEM;
        g->world = world;
        g->on_report = on_report;
        g->user = user;
        text_copy(g->name, sizeof(g->name), config->name);
        g->pause = loop_timer_new(world->setup.loop, on_pause, g);
        error = g->pause ? group_take_budget(g, config) : -ENOMEM;
        for (size_t i = 0; i < config->resource_count && !error; i++) {
                error = resource_new(world, g->name, &config->resource[i], group_on_resource, g,
                                     &g->resource[i]);
                if (!error)
                        g->count++;
        }
        if (error) {
                group_run_free(g);
                return error;
        }
        g->mend_from = g->count;
        *ret_group = g;
        return 0;
}

void group_run_free(struct group_run *g)
{
        if (!g)
                return;
        assert(!g->stepping);
        for (size_t i = 0; i < g->count; i++)
                resource_free(g->resource[i]);
        for (size_t i = 0; i < g->leaving_count; i++)
                resource_free(g->leaving[i]);
        loop_timer_free(g->pause);
        free(g->restarts);
        free(g);
}

void group_run_ready(struct group_run *g, bool ready, bool held)
{
        for (size_t i = 0; i < g->count; i++)
                if (g->resource[i]->kind->ready)
                        g->resource[i]->kind->ready(g->resource[i], ready, held);
}

void group_run_withdraw(struct group_run *g)
{
        for (size_t i = 0; i < g->count; i++)
                if (g->resource[i]->kind->withdraw)
                        g->resource[i]->kind->withdraw(g->resource[i]);
}

const char *group_run_name(const struct group_run *g)
{
        return g->name;
}

struct engine_epoch group_run_epoch(const struct group_run *g)
{
        return g->epoch;
}

size_t group_run_count(const struct group_run *g)
{
        return g->count;
}

const struct resource *group_run_resource(const struct group_run *g, size_t i)
{
        return g->resource[i];
}
