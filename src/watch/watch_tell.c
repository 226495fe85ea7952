/* Who is told what, and when. */
#include "watch/watch_inside.h"

#include <stdio.h>
#include <string.h>

#define TICK span_s(1) /* how exactly times are kept, once something is pending */

/* What is known of a service in this step. */
enum { NOT_ASKED, ASKING, CLEAR, BLOCKED };

struct step {
        struct watches *w;
        const struct watch_time *time;
        watch_notice_fn *on_notice;
        void *user;
};

/* --- dependencies --- */

static bool service_blocked(struct watches *w, int watch, int service);

/* Whether all hosts are down, or the one that is meant; or whether it is behind something that fails. */
static bool dependency_fails(struct watches *w, const char *name)
{
        int watch, service, host;

        if (config_find_watched(w->config, name, &watch, &service, &host) < 0)
                return false;
        size_t hosts = w->config->watch[watch].host_count;
        bool all = true;
        for (size_t h = 0; h < hosts; h++)
                if (host < 0 || (size_t)host == h)
                        all &= w->watched[watched_at(w, watch, service, (int)h)].state == WATCHED_DOWN;
        return all || service_blocked(w, watch, service);
}

static bool one_fails(struct watches *w, char *const *depends)
{
        for (; depends != NULL && *depends != NULL; depends++)
                if (dependency_fails(w, *depends))
                        return true;
        return false;
}

static bool service_blocked(struct watches *w, int watch, int service)
{
        const struct config_watch *c = &w->config->watch[watch];
        uint8_t *state = &w->blocked[watch][service];

        if (*state == NOT_ASKED) {
                *state = ASKING; /* there are no circles: `haven check` refuses them */
                bool fails = one_fails(w, c->depends) || one_fails(w, c->service[service].depends);
                *state = fails ? BLOCKED : CLEAR;
        }
        return *state == BLOCKED;
}

/* How long a check takes to find out that what it looks at has died, or lives. */
static span slowness(const struct config_service *s, bool rise)
{
        span most = SPAN_ZERO;

        for (size_t i = 0; i < s->check_count; i++) {
                const struct config_check *k = s->check[i].check[0];

                most = span_max(
                        most, span_add(span_times(k->interval, (rise ? k->rise : k->fall) + 1), k->timeout));
        }
        return most;
}

static span slowest(const struct watches *w, int watch, int service);

static span slowest_of(const struct watches *w, char *const *depends)
{
        int watch, service, host;
        span most = SPAN_ZERO;

        for (; depends != NULL && *depends != NULL; depends++)
                if (config_find_watched(w->config, *depends, &watch, &service, &host) == 0) {
                        const struct config_service *s = &w->config->watch[watch].service[service];

                        most = span_max(most, slowness(s, false));
                        most = span_max(most, slowest(w, watch, service));
                }
        return most;
}

/* After a failure, how long it can take until one of what it depends on is known to fail as well. */
static span slowest(const struct watches *w, int watch, int service)
{
        const struct config_watch *c = &w->config->watch[watch];

        return span_max(slowest_of(w, c->depends), slowest_of(w, c->service[service].depends));
}

/* When it is certain that nothing it depends on is the cause: they may be found to fail later than it is, and
 * once they are back it needs a moment itself. */
static instant certain_at(const struct watches *w, const struct watched *t)
{
        const struct config_service *s = &w->config->watch[t->watch].service[t->service];
        instant at = instant_add(t->since, slowest(w, t->watch, t->service));

        if (t->unblocked.us != 0)
                at = instant_max(at, instant_add(t->unblocked, slowness(s, true)));
        return at;
}

/* --- who is told --- */

bool alert_wants(const struct watches *w, const struct config_alert *a, const struct watched *t)
{
        const struct config_watch *c = &w->config->watch[t->watch];
        char service[2 * NAME_SIZE];

        snprintf(service, sizeof(service), "%s:%s", c->name, c->service[t->service].name);
        for (char **about = a->about; about != NULL && *about != NULL; about++)
                if (strcmp(*about, c->name) == 0 || strcmp(*about, service) == 0)
                        return true;
        return a->about == NULL;
}

static void tell(const struct step *s, struct watched *t, int alert, enum alert_on on, int64_t about_us)
{
        const struct config_alert *a = &s->w->config->alert[alert];
        struct watch_notice notice = {.alert = alert, .on = on, .watched = t};
        char name[WATCHED_NAME];

        if ((a->on & on) == 0)
                return;
        snprintf(notice.id, sizeof(notice.id), "%s %s %s %lld.%u", a->name, alert_on_name(on),
                 watched_name(s->w, t, name), (long long)about_us, t->told[alert].times);
        s->on_notice(s->user, &notice);
}

/* Whether the failure has lasted as long, and was seen as often, as the alert wants. */
static bool is_due(const struct config_alert *a, const struct watched *t, instant now)
{
        return instant_reached(now, instant_add(t->since, span_max(a->after, a->unacknowledged))) &&
               watched_failures(t) >= a->after_count;
}

static void tell_failure(const struct step *s, struct watched *t, int alert, bool acknowledged)
{
        const struct config_alert *a = &s->w->config->alert[alert];
        struct watched_told *told = &t->told[alert];
        instant now = s->time->now;

        if (acknowledged) {
                if (told->told && !told->told_acknowledged) {
                        tell(s, t, alert, ALERT_ACKNOWLEDGED, t->since_wall_us);
                        told->told_acknowledged = t->changed = true;
                }
                return;
        }
        if (!period_holds(a->period, a->period_count, s->time->weekday, s->time->minute))
                return;
        if (!told->told && is_due(a, t, now)) {
                tell(s, t, alert, ALERT_DOWN, t->since_wall_us);
                *told = (struct watched_told){.told = true, .at = now};
                t->changed = true;
        } else if (told->told && a->every.us > 0 && instant_reached(now, instant_add(told->at, a->every))) {
                told->times++;
                tell(s, t, alert, ALERT_FAILING, t->since_wall_us);
                told->at = now;
                t->changed = true;
        }
}

static void tell_end(const struct step *s, struct watched *t, int alert)
{
        struct watched_told *told = &t->told[alert];

        if (!told->told)
                return;
        tell(s, t, alert, ALERT_UP, t->since_wall_us);
        *told = (struct watched_told){0};
        t->changed = true;
}

static void each_alert(const struct step *s, struct watched *t, bool acknowledged)
{
        for (int i = 0; i < (int)s->w->config->alert_count; i++) {
                if (!alert_wants(s->w, &s->w->config->alert[i], t))
                        continue;
                if (t->state == WATCHED_DOWN)
                        tell_failure(s, t, i, acknowledged);
                else if (t->state == WATCHED_UP)
                        tell_end(s, t, i);
        }
}

/* Whether it came and went too often; told once, when it begins. */
static void judge_flapping(const struct step *s, struct watched *t, bool quiet)
{
        const struct config_service *c = &s->w->config->watch[t->watch].service[t->service];
        int flips = 0, before = t->flip_count;

        while (flips < t->flip_count &&
               instant_before(s->time->now, instant_add(t->flip[flips], c->flap_window)))
                flips++;
        t->flip_count = flips;
        t->changed |= flips == 0 && before > 0; /* nothing that others must count on from */
        if (!t->flapping && flips >= c->flap_max) {
                t->flapping = t->changed = true;
                for (int i = 0; i < (int)s->w->config->alert_count && !quiet; i++)
                        if (alert_wants(s->w, &s->w->config->alert[i], t))
                                tell(s, t, i, ALERT_FLAPPING, s->time->wall_us);
        } else if (t->flapping && flips == 0) {
                t->flapping = false;
                t->changed = true;
        }
}

static bool is_told(const struct watched *t)
{
        for (int i = 0; i < ALERTS_MAX; i++)
                if (t->told[i].told)
                        return true;
        return false;
}

/* Returns whether it needs another look soon. */
static bool decide(const struct step *s, struct watched *t)
{
        struct watches *w = s->w;
        const struct config_service *c = &w->config->watch[t->watch].service[t->service];
        int64_t wall = s->time->wall_us;
        bool blocked = service_blocked(w, t->watch, t->service);

        if (t->blocked && !blocked)
                t->unblocked = s->time->now;
        t->blocked = blocked;
        if (t->state != WATCHED_DOWN && !t->flapping && t->flip_count == 0 && !is_told(t))
                return false;
        bool quiet = watches_marked(w, t, MARK_DISABLED, wall) != NULL ||
                     watches_marked(w, t, MARK_SILENCED, wall) != NULL;
        judge_flapping(s, t, quiet || blocked);
        if (t->flapping)
                return true;
        if (t->state == WATCHED_DOWN &&
            (quiet || blocked || !instant_reached(s->time->now, certain_at(w, t)) ||
             !period_holds(c->period, c->period_count, s->time->weekday, s->time->minute)))
                return true;
        each_alert(s, t, watches_marked(w, t, MARK_ACKNOWLEDGED, wall) != NULL);
        return true;
}

instant watches_step(struct watches *w, const struct watch_time *time, watch_notice_fn *on_notice, void *user)
{
        const struct step s = {.w = w, .time = time, .on_notice = on_notice, .user = user};
        bool pending = false;

        memset(w->blocked, NOT_ASKED, sizeof(w->blocked));
        for (size_t i = 0; i < w->count; i++)
                if (w->here[w->watched[i].watch])
                        pending |= decide(&s, &w->watched[i]);
        return pending ? instant_add(time->now, TICK) : INSTANT_NEVER;
}
