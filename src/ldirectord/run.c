/* run.c - the daemon: a director beside the file that it follows. */
#include "ldirectord/standin.h"

#include "base/log.h"
#include "child/child.h"
#include "main/paths.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_DIRECTORY "/run/haven-ldirectord"
#define START_AGAIN   3000 /* ms after the kernel refused a part of the table */

#define HALF_WRITTEN 500 /* ms for which a file must have been the same before it is read */

static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

struct run {
        struct standin *s;
        uv_loop_t loop;
        uv_signal_t signal[SIGNALS];
        uv_timer_t watch, again;
        uv_prepare_t before; /* the loop waits */
        struct director *director;
        enum standin_state state;
        int ready;         /* of who waits for the table; -1: nobody */
        uint32_t said;     /* the digest of the file that has been told of */
        uint32_t half;     /* one that was seen, and may be of a file that is still written */
        uint64_t every_ms; /* the file is looked at */
        int status;
};

static void tell_ready(struct run *r)
{
        if (r->ready == -1)
                return;
        if (write(r->ready, "", 1) != 1)
                log_warning("haven-ldirectord: who started this did not wait for it");
        close(r->ready);
        r->ready = -1;
}

static void end(struct run *r)
{
        for (size_t i = 0; i < SIGNALS; i++)
                uv_close((uv_handle_t *)&r->signal[i], NULL);
        uv_close((uv_handle_t *)&r->watch, NULL);
        uv_close((uv_handle_t *)&r->again, NULL);
        uv_close((uv_handle_t *)&r->before, NULL);
        director_free(r->director);
}

static void on_again(uv_timer_t *timer)
{
        struct run *r = timer->data;

        director_start(r->director);
}

static void on_event(void *user, enum director_event event, const char *text)
{
        struct run *r = user;

        switch (event) {
        case DIRECTOR_EV_STARTED:
                if (r->state == STANDIN_STARTING)
                        standin_execute_all(&r->s->file, "start");
                r->state = STANDIN_RUNNING;
                tell_ready(r);
                break;
        case DIRECTOR_EV_START_FAILED:
                say("%s, trying again", text);
                tell_ready(r);
                uv_timer_start(&r->again, on_again, START_AGAIN, 0);
                break;
        case DIRECTOR_EV_STOP_FAILED:
                say("%s", text);
                r->status = 1;
                end(r);
                break;
        case DIRECTOR_EV_STOPPED: end(r); break;
        case DIRECTOR_EV_NOTE: say("%s", text); break;
        case DIRECTOR_EV_PRESENT:
        case DIRECTOR_EV_ABSENT: break;
        }
}

/* What the file says of it; NULL: nothing. The file may be newer than the plan, when that did not fit into
 * memory. */
static const struct ldirectord_service *service_of(const struct run *r, const struct plan_service *planned)
{
        return planned && planned->place < r->s->file.service_count ? &r->s->file.service[planned->place]
                                                                    : NULL;
}

static void on_change(void *user, const struct change *c)
{
        static const char *const tags[] = {[STANDIN_STARTING] = "start",
                                           [STANDIN_RUNNING] = "start",
                                           [STANDIN_STOPPING] = "stop",
                                           [STANDIN_RELOADING] = "start"};
        struct run *r = user;
        char text[SAY_CHANGE];
        const struct plan *p = director_plan(r->director);
        const struct ldirectord_service *v = service_of(r, plan_find(p, &c->service->key));

        say("%s", say_change(c, p, tags[r->state], text));
        if (c->server && v)
                mail_change(&r->loop, &r->s->file, v, r->state, c->server, text,
                            c->kind != CHANGE_SERVER_REMOVE && c->server->weight > 0);
}

/* A check has something to say: a line for those services that keep a file of it. */
static void on_look(void *user, size_t check, const struct check_result *result)
{
        struct run *r = user;
        const struct plan *p = director_plan(r->director);

        for (size_t i = 0; i < p->service_count; i++) {
                const struct ldirectord_service *v = service_of(r, &p->service[i]);
                if (!v || !v->monitorfile)
                        continue;
                for (size_t j = 0; j < p->service[i].server_count; j++) {
                        const struct plan_server *s = &p->service[i].server[j];
                        if (s->check_count && s->check[0] == check)
                                watched_look(v, s, result);
                }
        }
}

static bool names(char *const *list, size_t count, const char *name)
{
        for (size_t i = 0; i < count; i++)
                if (strcmp(list[i], name) == 0)
                        return true;
        return false;
}

/* Those who go with us: who is no longer named stops, who was named before reads its file anew. */
static void follow_others(const struct ldirectord_file *f, char *const *old, size_t old_count)
{
        for (size_t i = 0; i < old_count; i++)
                if (!names(f->execute, f->execute_count, old[i]))
                        standin_execute(old[i], "stop");
        for (size_t i = 0; i < f->execute_count; i++)
                if (!names(old, old_count, f->execute[i]) || standin_execute(f->execute[i], "reload") != 0)
                        standin_execute(f->execute[i], "start");
}

/* The file as it is now; if it is wrong, the old table stands. */
static void reload(struct run *r)
{
        struct plan plan;
        enum standin_state before = r->state;
        struct ldirectord_file *f = &r->s->file;
        char **old = f->execute;
        size_t old_count = f->execute_count;

        f->execute = NULL; /* is needed once more */
        f->execute_count = 0;
        if (standin_read(r->s, false) < 0) {
                f->execute = old;
                f->execute_count = old_count;
                return;
        }
        r->state = before == STANDIN_RUNNING ? STANDIN_RELOADING : before;
        say_open(r->s);
        plan = r->s->plan;
        r->s->plan = (struct plan){0};
        if (director_set_plan(r->director, &plan) < 0)
                say("the new configuration does not fit into memory: the old one stands");
        follow_others(f, old, old_count);
        for (size_t i = 0; i < old_count; i++)
                free(old[i]);
        free(old);
        r->every_ms = (uint64_t)f->common.checkinterval * 1000;
        uv_timer_set_repeat(&r->watch, r->every_ms);
        r->state = before;
}

static void on_callback_end(void *user, int status)
{
        char text[CHILD_STATUS_TEXT];

        if (status != 0)
                say("the callback ended with %s", child_status_format(status, text));
}

static void run_callback(struct run *r)
{
        static char *environment[] = {
                (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
        char *argv[] = {r->s->file.callback, r->s->config, NULL};
        struct child *child;
        const struct child_setup setup = {.loop = &r->loop,
                                          .argv = argv,
                                          .environment = environment,
                                          .stdin_fd = -1,
                                          .extra_fd = -1,
                                          .on_exit = on_callback_end};
        int error;

        if (!r->s->file.callback || access(r->s->file.callback, X_OK) == -1)
                return;
        error = child_start(&setup, &child);
        if (error)
                say("the callback %s cannot be run: %s", r->s->file.callback, strerror(-error));
}

static void on_watch(uv_timer_t *timer)
{
        struct run *r = timer->data;
        uint32_t digest = standin_digest(r->s);

        mail_again(&r->loop, &r->s->file, r->state);
        if (digest == 0 || digest == r->said)
                return;
        if (digest != r->half) {
                r->half = digest;
                uv_timer_start(&r->watch, on_watch, HALF_WRITTEN, r->every_ms);
                return;
        }
        r->said = digest;
        say("Configuration file '%s' has changed on disk", r->s->config);
        say(r->s->file.autoreload ? " - reread new configuration" : " - ignore new configuration");
        if (r->s->file.autoreload)
                reload(r);
        run_callback(r);
}

static void on_wait(uv_prepare_t *handle)
{
        (void)handle;
        say_all();
}

static void on_signal(uv_signal_t *handle, int number)
{
        struct run *r = handle->data;

        if (number == SIGHUP) {
                say("Reloading configuration");
                reload(r);
                return;
        }
        if (r->state == STANDIN_STOPPING)
                return;
        r->state = STANDIN_STOPPING;
        uv_timer_stop(&r->again);
        uv_timer_stop(&r->watch);
        standin_execute_all(&r->s->file, "stop");
        director_stop(r->director);
}

static int begin(struct run *r)
{
        char checker[PATH_SIZE], keep[STANDIN_PATH];
        struct director_setup setup = {.loop = &r->loop,
                                       .name = r->s->name,
                                       .checker = checker,
                                       .keep = keep,
                                       .leaves = true,
                                       .on_event = on_event,
                                       .on_change = on_change,
                                       .on_look = on_look,
                                       .user = r};
        struct plan plan = r->s->plan;
        int error = path_program("haven-checker", checker);

        if (error)
                checker[0] = '\0';
        if (mkdir(RUN_DIRECTORY, 0755) == -1 && errno != EEXIST)
                log_warning("haven-ldirectord: %s: %s", RUN_DIRECTORY, strerror(errno));
        snprintf(keep, sizeof(keep), "%s/%s", RUN_DIRECTORY, r->s->name);
        r->s->plan = (struct plan){0};
        return director_new(&setup, &plan, &r->director);
}

int standin_run(struct standin *s, int ready)
{
        struct run r = {.s = s, .state = STANDIN_STARTING, .ready = ready};
        int error = uv_loop_init(&r.loop);

        signal(SIGPIPE, SIG_IGN);
        say_open(s);
        say("Starting haven's stand-in for ldirectord %s with pid: %d", HAVEN_VERSION, (int)getpid());
        if (!error)
                error = begin(&r);
        if (error) {
                say("cannot begin: %s", strerror(-error));
                say_all();
                return 1;
        }
        for (size_t i = 0; i < SIGNALS; i++) {
                uv_signal_init(&r.loop, &r.signal[i]);
                r.signal[i].data = &r;
                uv_signal_start(&r.signal[i], on_signal, signals[i]);
        }
        uv_timer_init(&r.loop, &r.watch);
        uv_timer_init(&r.loop, &r.again);
        r.watch.data = r.again.data = &r;
        uv_prepare_init(&r.loop, &r.before);
        uv_prepare_start(&r.before, on_wait);
        r.said = s->digest;
        r.every_ms = (uint64_t)s->file.common.checkinterval * 1000;
        uv_timer_start(&r.watch, on_watch, r.every_ms, r.every_ms);
        director_start(r.director);
        uv_run(&r.loop, UV_RUN_DEFAULT);
        uv_loop_close(&r.loop);
        tell_ready(&r);
        say("Exiting with exit_status %d", r.status);
        say_all();
        return r.status;
}
