/* script.c - the kind `script`: something that answers to start, stop and status.
 *
 * Two conventions. LSB (Linux Standard Base 5, "Init Script Actions"): SCRIPT ACTION, judged by the exit
 * status. heartbeat's resource.d: SCRIPT ARG... ACTION, and status is judged by what it prints, not by its
 * exit status.
 *
 * The script and what it starts live in the resource's cgroup. The end of an action leaves its daemons alone;
 * only a stop that does not work ends in killing them, and then status has the last word. */
#include "base/log.h"
#include "resource/action.h"
#include "resource/cgroup.h"
#include "resource/kind.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_TRIES      10        /* heartbeat's HA_STOPRETRYMAX */
#define STOP_PAUSE      span_s(1) /* between them */
#define DRAIN           span_s(2) /* daemons that end just after their stop action did */
#define LAST_LOOKS      10
#define LAST_LOOK_PAUSE span_ms(200)
#define KILL_GRACE      span_s(5)  /* for SIGKILL to do its work */
#define STATUS_TIMEOUT  span_s(10) /* where the configuration gives none */
#define UNCLEAR_MAX     2          /* looks in a row without a clear answer that count as a failure */

enum step {
        IDLE,
        STARTING_LOOK, /* heartbeat: is it there already? */
        STARTING,
        WATCHING, /* the regular status */
        LOOKING,
        STOP_WAITING, /* a stop waits for the end of another action */
        STOPPING,
        STOPPING_LOOK, /* the stop failed: does it run at all? */
        STOPPING_PAUSE,
        DRAINING,   /* the stop worked: its daemons are leaving */
        LAST_LOOK,  /* after the kill */
        LAST_PAUSE, /* until the next such look */
};

enum answer { RUNS, RUNS_NOT, UNCLEAR };

struct script {
        struct resource r;
        enum step step;
        struct action *action;
        struct loop_timer *pause; /* until the next status, stop or kill */
        struct resource_cgroup_await *drained;
        int tries;
        int unclear;
        bool late;   /* the start was not done in time */
        bool killed; /* this stop has come to SIGKILL */
        char cgroup[CGROUP_PATH];
};

static struct script *of(struct resource *r)
{
        return (struct script *)r;
}

static void on_pause(void *user);

static int init(struct resource *r)
{
        struct script *s = of(r);

        resource_cgroup_path(r->world->setup.cgroup_root, r->group, r->config.name, s->cgroup);
        s->pause = loop_timer_new(r->world->setup.loop, on_pause, s);
        return s->pause ? 0 : -ENOMEM;
}

static void done(struct resource *r)
{
        struct script *s = of(r);

        action_free(s->action);
        loop_timer_free(s->pause);
        resource_cgroup_await_free(s->drained);
}

/* ---- judging ---- */

/* In heartbeat's own order; the text decides. */
static enum answer judge_heartbeat(const char *output)
{
        if (!fnmatch("*[Nn][Oo][Tt] [Rr]unning*", output, 0))
                return RUNS_NOT;
        return strstr(output, "running") || strstr(output, "Running") || strstr(output, "OK") ? RUNS
                                                                                              : RUNS_NOT;
}

static enum answer judge_lsb(int status)
{
        if (!WIFEXITED(status))
                return UNCLEAR;
        switch (WEXITSTATUS(status)) {
        case 0: return RUNS;
        case 1: /* dead, and its pid file is left */
        case 2: /* dead, and its lock file is left */
        case 3: /* not running */
        case 5: /* the program is not installed */ return RUNS_NOT;
        default: return UNCLEAR;
        }
}

static enum answer judge(const struct script *s, const struct action_result *result)
{
        if (result->status == -1 || result->timed_out || result->cut_short)
                return UNCLEAR;
        return s->r.config.style == SCRIPT_HEARTBEAT ? judge_heartbeat(result->output)
                                                     : judge_lsb(result->status);
}

static bool succeeded(const struct action_result *result)
{
        return result->status == 0 && !result->timed_out && !result->cut_short;
}

/* LSB: wrong arguments, not implemented, no privilege, not installed, not configured. */
static bool is_hopeless(const struct script *s, int status)
{
        if (status == -1 || !WIFEXITED(status))
                return false;
        int code = WEXITSTATUS(status);
        return code == 127 || (s->r.config.style == SCRIPT_LSB && code >= 2 && code <= 6);
}

/* ---- running ---- */

static void on_action(void *user, const struct action_result *result);

static int run(struct script *s, enum step step, const char *verb, span timeout)
{
        char *const *own = s->r.config.argv;
        size_t n = 0;
        int error = -ENOMEM;

        /* a look starts nothing, and the last one comes after the kill of its cgroup */
        const char *cgroup = step == LAST_LOOK ? "" : s->cgroup;
        if (cgroup[0] && resource_cgroup_make(cgroup) != 0)
                s->cgroup[0] =
                        '\0'; /* the machine's cgroups are not ours: it works without, only kills less */
        while (own[n])
                n++;
        char **argv = calloc(n + 2, sizeof(*argv));
        char **env = resource_environment(&s->r, true);
        if (argv && env) {
                memcpy(argv, own, n * sizeof(*argv));
                argv[n] = (char *)verb;
                struct action_want want = {.argv = argv, .env = env, .cgroup = cgroup, .timeout = timeout};
                error = action_run(s->r.world->setup.loop, &want, on_action, s, &s->action);
        }
        free(argv);
        strings_free(env);
        s->step = error ? IDLE : step;
        return error;
}

static int run_status(struct script *s, enum step step)
{
        span limit = s->r.config.status_timeout;

        return run(s, step, "status", limit.us > 0 ? limit : STATUS_TIMEOUT);
}

static void watch_again(struct script *s)
{
        s->step = IDLE;
        if (s->r.config.status_interval.us > 0)
                loop_timer_set(s->pause, s->r.config.status_interval);
}

static void started(struct script *s, const char *text)
{
        s->unclear = 0;
        watch_again(s);
        resource_say(&s->r, RESOURCE_EV_STARTED, "%s", text);
}

static void run_start(struct script *s)
{
        int error = run(s, STARTING, "start", SPAN_ZERO);

        if (error)
                resource_say(&s->r, RESOURCE_EV_START_FAILED, "cannot run: %s", strerror(-error));
}

static void start(struct resource *r)
{
        struct script *s = of(r);
        int error;

        s->late = false;
        if (access(r->config.argv[0], X_OK) == -1) {
                resource_say(r, RESOURCE_EV_START_REFUSED, "cannot run %s: %s", r->config.argv[0],
                             strerror(errno));
                return;
        }
        if (r->config.style != SCRIPT_HEARTBEAT) {
                run_start(s);
                return;
        }
        error = run_status(s, STARTING_LOOK);
        if (error)
                resource_say(r, RESOURCE_EV_START_FAILED, "cannot run: %s", strerror(-error));
}

static void look(struct resource *r)
{
        int error = run_status(of(r), LOOKING);

        if (error)
                resource_say(r, RESOURCE_EV_ABSENT, "cannot run: %s", strerror(-error));
}

/* ---- stopping ---- */

static void stopped(struct script *s, const char *text)
{
        s->step = IDLE;
        loop_timer_clear(s->pause);
        resource_cgroup_await_free(s->drained);
        s->drained = NULL;
        resource_cgroup_remove(s->cgroup);
        resource_say(&s->r, RESOURCE_EV_STOPPED, "%s", text);
}

static void stop_failed(struct script *s, const char *text)
{
        s->step = IDLE;
        loop_timer_clear(s->pause);
        resource_say(&s->r, RESOURCE_EV_STOP_FAILED, "%s", text);
}

static void last_look(struct script *s)
{
        int error = run_status(s, LAST_LOOK);

        if (error)
                stop_failed(s, strerror(-error));
}

/* Kills what the script started, and asks it whether that was all. */
static void kill_and_look(struct script *s)
{
        s->killed = true;
        s->tries = 0;
        resource_cgroup_await_free(s->drained);
        s->drained = NULL;
        resource_cgroup_kill(s->cgroup);
        resource_timer(&s->r, SPAN_ZERO); /* the status has its own limit */
        last_look(s);
}

static void run_stop(struct script *s)
{
        s->tries++;
        int error = run(s, STOPPING, "stop", SPAN_ZERO);
        if (error)
                stop_failed(s, strerror(-error));
}

static void on_drained(void *user)
{
        struct script *s = user;

        stopped(s, s->killed ? "had to be killed" : "");
}

static void stop_worked(struct script *s)
{
        if (!resource_cgroup_populated(s->cgroup)) {
                on_drained(s);
                return;
        }
        s->step = DRAINING;
        s->drained = resource_cgroup_await_new(s->r.world->setup.loop, s->cgroup, on_drained, s);
        if (s->drained)
                loop_timer_set(s->pause, DRAIN);
        else
                kill_and_look(s);
}

static void stop(struct resource *r)
{
        struct script *s = of(r);

        s->tries = 0;
        s->killed = false;
        loop_timer_clear(s->pause);
        resource_cgroup_await_free(s->drained);
        s->drained = NULL;
        if (access(r->config.argv[0], X_OK) == -1 && errno == ENOENT && !s->action &&
            !resource_cgroup_populated(s->cgroup)) {
                stopped(s, "is not installed");
        } else if (s->action) {
                s->step = STOP_WAITING;
                action_end(s->action);
        } else {
                run_stop(s);
        }
}

static bool expired(struct resource *r)
{
        struct script *s = of(r);

        if (r->state == RESOURCE_STARTING && s->action) {
                s->late = true;
                action_end(s->action);
                return true;
        }
        if (r->state != RESOURCE_STOPPING || s->killed)
                return false;
        s->killed = true;
        if (s->action)
                action_end(s->action); /* goes on in on_action() */
        else
                kill_and_look(s);
        return true;
}

/* ---- answers ---- */

static void on_start_done(struct script *s, const struct action_result *result)
{
        s->step = IDLE;
        if (s->late)
                resource_say(&s->r, RESOURCE_EV_START_FAILED, "start did not end in time: %s", result->text);
        else if (succeeded(result))
                started(s, "");
        else
                resource_say(&s->r,
                             is_hopeless(s, result->status) ? RESOURCE_EV_START_REFUSED
                                                            : RESOURCE_EV_START_FAILED,
                             "start %s", result->text);
}

static void on_watched(struct script *s, const struct action_result *result)
{
        enum answer answer = judge(s, result);

        s->unclear = answer == UNCLEAR ? s->unclear + 1 : 0;
        if (answer == RUNS_NOT || s->unclear >= UNCLEAR_MAX) {
                s->step = IDLE;
                resource_say(&s->r, RESOURCE_EV_FAILED, "status %s", result->text);
                return;
        }
        watch_again(s);
        if (answer == UNCLEAR)
                resource_say(&s->r, RESOURCE_EV_NOTE, "status gives no clear answer, asking again: %s",
                             result->text);
}

static void on_looked(struct script *s, const struct action_result *result)
{
        if (judge(s, result) != RUNS) {
                s->step = IDLE;
                resource_say(&s->r, RESOURCE_EV_ABSENT, "status %s", result->text);
                return;
        }
        s->unclear = 0;
        watch_again(s);
        resource_say(&s->r, RESOURCE_EV_PRESENT, "%s", "");
}

static void on_stop_done(struct script *s, const struct action_result *result)
{
        int code = result->status != -1 && WIFEXITED(result->status) ? WEXITSTATUS(result->status) : -1;

        /* LSB 7: it was not running */
        if (succeeded(result) || (s->r.config.style == SCRIPT_LSB && code == 7)) {
                stop_worked(s);
                return;
        }
        resource_say(&s->r, RESOURCE_EV_NOTE, "stop %s", result->text);
        int error = run_status(s, STOPPING_LOOK);
        if (error)
                stop_failed(s, strerror(-error));
}

static void on_stop_looked(struct script *s, const struct action_result *result)
{
        if (judge(s, result) == RUNS_NOT) {
                stop_worked(s);
        } else if (s->tries < STOP_TRIES) {
                s->step = STOPPING_PAUSE;
                loop_timer_set(s->pause, STOP_PAUSE);
        } else {
                kill_and_look(s);
        }
}

static void on_last_look(struct script *s, const struct action_result *result)
{
        if (judge(s, result) == RUNS_NOT) {
                resource_timer(&s->r, KILL_GRACE);
                stop_worked(s);
        } else if (s->tries++ < LAST_LOOKS) {
                /* what was killed may not have been collected yet, and still answers to kill -0 */
                s->step = LAST_PAUSE;
                loop_timer_set(s->pause, LAST_LOOK_PAUSE);
        } else {
                stop_failed(s, result->text);
        }
}

static void on_action(void *user, const struct action_result *result)
{
        struct script *s = user;
        enum step step = s->step;

        s->action = NULL;
        if (s->killed && s->r.state == RESOURCE_STOPPING && step != LAST_LOOK) {
                kill_and_look(s); /* the time for this stop was up */
                return;
        }
        switch (step) {
        case STARTING_LOOK:
                if (!s->late && judge(s, result) != RUNS)
                        run_start(s);
                else if (!s->late)
                        started(s, "ran already");
                else
                        on_start_done(s, result);
                break;
        case STARTING: on_start_done(s, result); break;
        case WATCHING: on_watched(s, result); break;
        case LOOKING: on_looked(s, result); break;
        case STOP_WAITING: run_stop(s); break;
        case STOPPING: on_stop_done(s, result); break;
        case STOPPING_LOOK: on_stop_looked(s, result); break;
        case LAST_LOOK: on_last_look(s, result); break;
        case IDLE:
        case STOPPING_PAUSE:
        case LAST_PAUSE:
        case DRAINING: break; /* nothing runs in these */
        }
}

static void on_pause(void *user)
{
        struct script *s = user;

        if (s->step == STOPPING_PAUSE)
                run_stop(s);
        else if (s->step == LAST_PAUSE)
                last_look(s);
        else if (s->step == DRAINING)
                resource_cgroup_kill(s->cgroup); /* on_drained() follows */
        else if (s->step == IDLE && s->r.state == RESOURCE_STARTED && run_status(s, WATCHING) != 0)
                watch_again(s);
}

const struct kind kind_script = {
        .name = "script",
        .size = sizeof(struct script),
        .init = init,
        .done = done,
        .start = start,
        .stop = stop,
        .look = look,
        .expired = expired,
};
