/* What is watched, for people: the status, the list of all checks, and what people say about them. */
#include "core/watch.h"

#include "api/view_json.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
        [WATCHED_UNKNOWN] = "unknown", [WATCHED_UP] = "up", [WATCHED_DOWN] = "down"};
static const char *const mark_names[] = {
        [MARK_ACKNOWLEDGED] = "acknowledged", [MARK_SILENCED] = "silenced", [MARK_DISABLED] = "disabled"};

/* Seconds alone: what is finer says nothing about minutes. */
static const char *age_format(instant since, instant now, char text[static SPAN_TEXT])
{
        span age = span_between(since, now);

        return span_format(age.us >= 1000000 ? span_us(age.us / 1000000 * 1000000) : age, text);
}

static void view_watch(const struct watching *w, int watch, struct view_watch *v)
{
        const struct config_watch *c = &w->core->config->watch[watch];
        const struct watched *oldest = NULL;
        struct watch_time time = watching_time();
        struct watch_summary summary;
        char age[SPAN_TEXT];
        int more = -1;

        text_copy(v->name, sizeof(v->name), c->name);
        if (watching_summary(w, watch, &summary)) {
                text_copy(v->node, sizeof(v->node), summary.node);
                v->up = summary.up;
                v->down = summary.down;
                v->unknown = summary.unknown;
        }
        for (size_t i = 0; i < watches_count(w->watches); i++) {
                const struct watched *t = watches_get(w->watches, i);
                if (t->watch != watch || t->state != WATCHED_DOWN)
                        continue;
                more++;
                if (!oldest || instant_before(t->since, oldest->since))
                        oldest = t;
        }
        if (!oldest)
                return;
        const struct watch_mark *m = watches_marked(w->watches, oldest, MARK_ACKNOWLEDGED, time.wall_us);
        int n = snprintf(v->text, sizeof(v->text), "%s@%s down for %s%s%s: %s",
                         c->service[oldest->service].name, c->host[oldest->host],
                         age_format(oldest->since, time.now, age), m ? ", acknowledged by " : "",
                         m ? m->who : "", oldest->text);
        if (more > 0 && n > 0 && (size_t)n < sizeof(v->text))
                snprintf(v->text + n, sizeof(v->text) - (size_t)n, "; %d more: haven checks", more);
}

void core_watch_view(const struct core *core, struct view *v)
{
        const struct watching *w = core->watching;
        struct desk_view desk;
        char age[SPAN_TEXT];

        if (!w)
                return;
        v->watch_count = (int)core->config->watch_count;
        for (int i = 0; i < v->watch_count; i++)
                view_watch(w, i, &v->watch[i]);
        desk_view(w->desk, &desk);
        v->alerts_waiting = (int)desk.waiting;
        int64_t old = desk.oldest_wall_us ? watching_time().wall_us - desk.oldest_wall_us : 0;
        if (old < 10000000 && desk.trouble[0] == '\0' && desk.dropped == 0)
                return; /* on its way */
        snprintf(v->alerts_text, sizeof(v->alerts_text), "%zu waiting, the oldest for %s%s%s%s", desk.waiting,
                 span_format(span_us(old / 1000000 * 1000000), age), desk.trouble[0] ? "; " : "",
                 desk.trouble, desk.dropped ? "; some were dropped, see the log" : "");
}

static void set_text(json_t *object, const char *key, const char *text)
{
        json_object_set_new(object, key, text_to_json(text));
}

/* Why it is told to nobody, or "". */
static const char *quiet_of(const struct watching *w, const struct watched *t, const struct watch_time *time)
{
        static const enum watch_mark_kind kinds[] = {MARK_DISABLED, MARK_SILENCED, MARK_ACKNOWLEDGED};

        for (size_t i = 0; i < COUNT(kinds); i++)
                if (watches_marked(w->watches, t, kinds[i], time->wall_us))
                        return mark_names[kinds[i]];
        return t->blocked ? "behind a failure" : t->flapping ? "flapping" : "";
}

/* Of what another node runs, failures are known one by one, the rest by number. */
static enum watched_state state_seen(const struct watching *w, const struct watched *t)
{
        struct watch_summary summary;

        if (watches_runs(w->watches, t->watch) || t->state == WATCHED_DOWN)
                return t->state;
        return watching_summary(w, t->watch, &summary) && summary.unknown == 0 ? WATCHED_UP : WATCHED_UNKNOWN;
}

static bool knows_age(const struct watching *w, const struct watched *t)
{
        return t->since.us != 0 && (watches_runs(w->watches, t->watch) || t->state == WATCHED_DOWN);
}

static json_t *report_watched(const struct watching *w, const struct watched *t,
                              const struct watch_time *time)
{
        const struct config_watch *c = &w->core->config->watch[t->watch];
        json_t *one = json_object();

        set_text(one, "watch", c->name);
        set_text(one, "service", c->service[t->service].name);
        set_text(one, "host", c->host[t->host]);
        set_text(one, "state", state_names[state_seen(w, t)]);
        json_object_set_new(one, "age_us",
                            json_integer(knows_age(w, t) ? span_between(t->since, time->now).us : -1));
        json_object_set_new(one, "failures", json_integer(watched_failures(t)));
        set_text(one, "text", t->text);
        set_text(one, "quiet", quiet_of(w, t, time));
        return one;
}

static json_t *report_marks(const struct watching *w, const struct watch_time *time)
{
        json_t *marks = json_array();

        for (size_t i = 0; i < watches_mark_count(w->watches); i++) {
                const struct watch_mark *m = watches_mark_get(w->watches, i);
                json_t *one = json_object();
                set_text(one, "kind", mark_names[m->kind]);
                set_text(one, "about", m->about);
                set_text(one, "who", m->who);
                set_text(one, "text", m->text);
                json_object_set_new(one, "left_us",
                                    json_integer(m->until_wall_us ? m->until_wall_us - time->wall_us : -1));
                json_array_append_new(marks, one);
        }
        return marks;
}

json_t *core_watch_report(void *user)
{
        struct core *core = user;
        const struct watching *w = core->watching;
        struct watch_time time = watching_time();
        json_t *report = json_object(), *watched = json_array(), *alerts = json_object();
        struct desk_view desk;

        json_object_set_new(report, "own", core_health_report(core));
        if (!w)
                return report;
        for (size_t i = 0; i < watches_count(w->watches); i++)
                json_array_append_new(watched, report_watched(w, watches_get(w->watches, i), &time));
        desk_view(w->desk, &desk);
        json_object_set_new(alerts, "waiting", json_integer((json_int_t)desk.waiting));
        json_object_set_new(alerts, "dropped", json_integer((json_int_t)desk.dropped));
        set_text(alerts, "text", desk.trouble);
        json_object_set_new(report, "watched", watched);
        json_object_set_new(report, "marks", report_marks(w, &time));
        json_object_set_new(report, "alerts", alerts);
        return report;
}

/* --- orders --- */

static void enable(struct watching *w, const char *about, struct api_reply *reply)
{
        int taken = 0;

        for (size_t i = watches_mark_count(w->watches); i-- > 0;) {
                struct watch_mark m = *watches_mark_get(w->watches, i);
                if (strcmp(m.about, about) != 0)
                        continue;
                watching_unmark(w, m.kind, m.about);
                taken++;
        }
        api_reply_send(reply, taken ? 0 : -ENOENT,
                       taken ? "watched and told again"
                             : "nothing is said about just this: 'haven checks' lists what is");
}

void core_watch_order(struct core *core, const struct api_command *c, struct api_reply *reply)
{
        struct watching *w = core->watching;
        struct watch_mark m = {.since_wall_us = watching_time().wall_us};
        char text[320];

        m.kind = c->kind == API_ACK       ? MARK_ACKNOWLEDGED
                 : c->kind == API_SILENCE ? MARK_SILENCED
                                          : MARK_DISABLED;
        text_copy(m.about, sizeof(m.about), c->about);
        text_copy(m.who, sizeof(m.who), c->who[0] ? c->who : "somebody");
        text_copy(m.text, sizeof(m.text), c->text);
        if (c->kind == API_SILENCE)
                m.until_wall_us = m.since_wall_us + c->lasts.us;
        if (c->kind == API_ENABLE) {
                enable(w, c->about, reply);
                return;
        }
        if (!watches_knows(w->watches, c->about)) {
                snprintf(text, sizeof(text), "nothing watched is called '%s': 'haven checks' lists all",
                         c->about);
                api_reply_send(reply, -ENOENT, text);
                return;
        }
        if (c->kind == API_ACK && !watches_mark_matters(w->watches, &m)) {
                snprintf(text, sizeof(text), "nothing of %s is down: nothing to acknowledge", c->about);
                api_reply_send(reply, -ENOENT, text);
                return;
        }
        int error = watching_mark(w, &m);
        snprintf(text, sizeof(text), "%s by %s%s%s", mark_names[m.kind], m.who, m.text[0] ? ": " : "",
                 m.text);
        if (!error)
                core_tell(core, "order", c->about, 0, text);
        api_reply_send(reply, error, error ? strerror(-error) : mark_names[m.kind]);
}
