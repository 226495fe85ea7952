/* service.c - the kind `service`: a unit of systemd, started and stopped by jobs whose end is awaited,
 * watched by the manager's signals. A unit that systemd or a person restarts is not a failure as long as a
 * job for it is queued: it is judged when that has ended. */
#include "base/text.h"
#include "resource/bus.h"
#include "resource/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KILL_GRACE span_s(5)
#define JOB_PATH   96

enum phase {
        IDLE,
        STARTING,    /* the job is asked for, or runs */
        START_CHECK, /* it ended: is the unit active? */
        UP,
        UP_CHECK,   /* something changed: is it still active? */
        UP_JOB,     /* it is not: is a job queued for it? */
        UP_AWAIT,   /* yes: until that has ended */
        UP_CONFIRM, /* no: not active, really? */
        STOPPING,   /* the job is asked for, or runs */
        STOP_CHECK, /* it ended: is the unit inactive? */
        LOOKING,
};

struct service {
        struct resource r;
        struct bus_unit *unit;
        enum phase phase;
        bool changed; /* since the state was asked for */
        bool killed;
        char job[JOB_PATH]; /* "" while not known */
};

static struct service *of(struct resource *r)
{
        return (struct service *)r;
}

static bool is_up(const char *state)
{
        return !strcmp(state, "active") || !strcmp(state, "reloading") || !strcmp(state, "refreshing");
}

static bool is_down(const char *state)
{
        return !strcmp(state, "inactive") || !strcmp(state, "failed");
}

/* False: it cannot be asked now; on_again() will come. */
static bool ask(struct service *s, enum phase phase, enum bus_question question)
{
        s->phase = phase;
        s->changed = false;
        return bus_ask(s->unit, question) == 0;
}

static void start(struct resource *r)
{
        struct service *s = of(r);

        s->job[0] = '\0';
        if (!ask(s, STARTING, BUS_START))
                resource_say(r, RESOURCE_EV_START_FAILED, "%s", bus_trouble(r->world->bus));
}

static void stop(struct resource *r)
{
        struct service *s = of(r);

        s->job[0] = '\0';
        s->killed = false;
        ask(s, STOPPING, BUS_STOP); /* without a connection: as soon as there is one, until the time is up */
}

static void look(struct resource *r)
{
        ask(of(r), LOOKING, BUS_STATE);
}

static bool expired(struct resource *r)
{
        struct service *s = of(r);

        if (r->state != RESOURCE_STOPPING)
                return false;
        if (s->killed || bus_trouble(r->world->bus)[0]) {
                resource_say(r, RESOURCE_EV_STOP_FAILED, "%s",
                             bus_trouble(r->world->bus)[0] ? bus_trouble(r->world->bus)
                                                           : "its job does not end even after SIGKILL");
                return true;
        }
        s->killed = true;
        bus_ask(s->unit, BUS_KILL);
        resource_timer(r, KILL_GRACE);
        return true;
}

/* ---- what systemd says ---- */

static void on_state(struct service *s, const char *state)
{
        struct resource *r = &s->r;
        bool again = s->changed;

        switch (s->phase) {
        case START_CHECK:
                if (is_up(state)) {
                        s->phase = UP;
                        resource_say(r, RESOURCE_EV_STARTED, "%s", "");
                } else if (is_down(state)) {
                        s->phase = IDLE;
                        resource_say(r, RESOURCE_EV_START_FAILED,
                                     "%s is %s after its start (a oneshot needs RemainAfterExit=yes)",
                                     r->config.unit, state);
                } else if (again) {
                        ask(s, START_CHECK, BUS_STATE);
                }
                break;
        case UP_CHECK:
                if (is_down(state))
                        ask(s, UP_JOB, BUS_JOB);
                else if (again)
                        ask(s, UP_CHECK, BUS_STATE);
                else
                        s->phase = UP;
                break;
        case UP_CONFIRM:
                if (is_down(state)) {
                        s->phase = IDLE;
                        resource_say(r, RESOURCE_EV_FAILED, "%s is %s", r->config.unit, state);
                } else {
                        ask(s, UP_CHECK, BUS_STATE);
                }
                break;
        case STOP_CHECK:
                if (is_down(state)) {
                        s->phase = IDLE;
                        resource_say(r, RESOURCE_EV_STOPPED, "%s", s->killed ? "had to be killed" : "");
                } else if (is_up(state)) {
                        s->phase = IDLE;
                        resource_say(r, RESOURCE_EV_STOP_FAILED,
                                     "%s is %s after its stop: somebody else starts it", r->config.unit,
                                     state);
                } else if (again) {
                        ask(s, STOP_CHECK, BUS_STATE);
                }
                break;
        case LOOKING:
                s->phase = is_up(state) ? UP : IDLE;
                if (is_up(state))
                        resource_say(r, RESOURCE_EV_PRESENT, "%s", "");
                else
                        resource_say(r, RESOURCE_EV_ABSENT, "%s is %s", r->config.unit, state);
                break;
        case IDLE:
        case STARTING:
        case UP:
        case UP_JOB:
        case UP_AWAIT:
        case STOPPING: break; /* a state nobody waits for any more */
        }
}

static void on_error(struct service *s, enum bus_question question, const char *error, bool unknown)
{
        struct resource *r = &s->r;

        if (question == BUS_KILL)
                return; /* nothing left to kill: the job's end says so */
        if (r->state == RESOURCE_STARTING) {
                resource_say(r, unknown ? RESOURCE_EV_START_REFUSED : RESOURCE_EV_START_FAILED, "%s: %s",
                             r->config.unit, error);
        } else if (r->state == RESOURCE_STOPPING && unknown) {
                resource_say(r, RESOURCE_EV_STOPPED, "systemd knows no %s", r->config.unit);
        } else if (r->state == RESOURCE_STOPPING) {
                resource_say(r, RESOURCE_EV_STOP_FAILED, "%s: %s", r->config.unit, error);
        } else if (r->state == RESOURCE_LOOKING) {
                resource_say(r, RESOURCE_EV_ABSENT, "%s: %s", r->config.unit, error);
        } else if (r->state == RESOURCE_STARTED) {
                s->phase = UP; /* asked again when something changes */
                resource_say(r, RESOURCE_EV_NOTE, "cannot tell how %s is: %s", r->config.unit, error);
        }
}

static void on_answer(void *user, enum bus_question question, const char *text, const char *error,
                      bool unknown)
{
        struct service *s = user;

        if (error) {
                on_error(s, question, error, unknown);
                return;
        }
        switch (question) {
        case BUS_START:
        case BUS_STOP: text_copy(s->job, sizeof(s->job), text); break;
        case BUS_STATE: on_state(s, text); break;
        case BUS_JOB:
                if (text[0])
                        s->phase = UP_AWAIT;
                else
                        ask(s, UP_CONFIRM, BUS_STATE);
                break;
        case BUS_KILL: break; /* the end of its stop job follows */
        }
}

static void on_changed(void *user)
{
        struct service *s = user;

        s->changed = true;
        if (s->phase == UP)
                ask(s, UP_CHECK, BUS_STATE);
        else if (s->phase == START_CHECK || s->phase == STOP_CHECK)
                ask(s, s->phase, BUS_STATE);
}

static void on_job(void *user, const char *job, const char *result)
{
        struct service *s = user;
        bool ours = s->job[0] && !strcmp(job, s->job);

        if (s->phase == UP_AWAIT || s->phase == UP_JOB) {
                ask(s, UP_CHECK, BUS_STATE);
        } else if (s->phase == STOPPING && ours) {
                ask(s, STOP_CHECK, BUS_STATE); /* whatever the job's result: the state decides */
        } else if (s->phase == STARTING && ours && !strcmp(result, "done")) {
                ask(s, START_CHECK, BUS_STATE);
        } else if (s->phase == STARTING && ours) {
                s->phase = IDLE;
                resource_say(&s->r, RESOURCE_EV_START_FAILED, "the start of %s: %s (see journalctl -u %s)",
                             s->r.config.unit, result, s->r.config.unit);
        }
}

static void on_again(void *user)
{
        struct service *s = user;

        switch (s->phase) {
        case IDLE: break;
        case STARTING:
        case START_CHECK: ask(s, STARTING, BUS_START); break;
        case UP:
        case UP_CHECK:
        case UP_JOB:
        case UP_AWAIT:
        case UP_CONFIRM: ask(s, UP_CHECK, BUS_STATE); break;
        case STOPPING:
        case STOP_CHECK: ask(s, STOPPING, BUS_STOP); break;
        case LOOKING: ask(s, LOOKING, BUS_STATE); break;
        }
}

static const struct bus_unit_events events = {
        .on_answer = on_answer,
        .on_changed = on_changed,
        .on_job = on_job,
        .on_again = on_again,
};

static int init(struct resource *r)
{
        struct resource_world *world = r->world;

        if (!world->bus)
                world->bus = bus_new(world->setup.loop);
        if (world->bus)
                of(r)->unit = bus_unit_new(world->bus, r->config.unit, &events, r);
        return of(r)->unit ? 0 : -ENOMEM;
}

static void done(struct resource *r)
{
        bus_unit_free(of(r)->unit);
}

const struct kind kind_service = {
        .name = "service",
        .size = sizeof(struct service),
        .init = init,
        .done = done,
        .start = start,
        .stop = stop,
        .look = look,
        .expired = expired,
};
