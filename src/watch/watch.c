#include "watch/watch_inside.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t watched_at(const struct watches *w, int watch, int service, int host)
{
        return w->first[watch] + (size_t)service * w->config->watch[watch].host_count + (size_t)host;
}

struct watches *watches_new(const struct config *config)
{
        struct watches *w = calloc(1, sizeof(*w));

        if (w == NULL)
                return NULL;
        w->config = config;
        for (size_t i = 0; i < config->watch_count; i++) {
                w->first[i] = w->count;
                w->count += config->watch[i].host_count * config->watch[i].service_count;
        }
        w->watched = calloc(w->count + 1, sizeof(*w->watched));
        if (w->watched == NULL) {
                free(w);
                return NULL;
        }
        for (size_t i = 0; i < config->watch_count; i++)
                for (size_t s = 0; s < config->watch[i].service_count; s++)
                        for (size_t h = 0; h < config->watch[i].host_count; h++) {
                                struct watched *t = &w->watched[watched_at(w, (int)i, (int)s, (int)h)];

                                t->watch = (int)i;
                                t->service = (int)s;
                                t->host = (int)h;
                        }
        return w;
}

void watches_free(struct watches *w)
{
        if (w == NULL)
                return;
        free(w->watched);
        free(w);
}

size_t watches_count(const struct watches *w)
{
        return w->count;
}

const struct watched *watches_get(const struct watches *w, size_t i)
{
        assert(i < w->count);
        return &w->watched[i];
}

int watches_find(const struct watches *w, const char *name)
{
        int watch, service, host;

        if (config_find_watched(w->config, name, &watch, &service, &host) < 0 || host < 0)
                return -1;
        return (int)watched_at(w, watch, service, host);
}

const char *watched_name(const struct watches *w, const struct watched *t, char text[static WATCHED_NAME])
{
        const struct config_watch *c = &w->config->watch[t->watch];

        snprintf(text, WATCHED_NAME, "%s:%s@%s", c->name, c->service[t->service].name, c->host[t->host]);
        return text;
}

const char *watches_check_name(const struct watches *w, const struct watched *t, int check)
{
        const struct config_service *s = &w->config->watch[t->watch].service[t->service];

        assert(check >= 0 && (size_t)check < s->check_count);
        return s->check[check].name;
}

static int find_check(const struct config_service *s, const char *name)
{
        for (size_t i = 0; i < s->check_count; i++)
                if (strcmp(s->check[i].name, name) == 0)
                        return (int)i;
        return -1;
}

static int find_alert(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->alert_count; i++)
                if (strcmp(c->alert[i].name, name) == 0)
                        return (int)i;
        return -1;
}

/* Everything but what counts in the numbers of a generation. */
static void inherit(const struct watches *w, struct watched *t, const struct watches *from,
                    const struct watched *old)
{
        const struct config_service *now = &w->config->watch[t->watch].service[t->service];
        const struct config_service *before = &from->config->watch[old->watch].service[old->service];
        struct watched fresh = *old;

        fresh.watch = t->watch;
        fresh.service = t->service;
        fresh.host = t->host;
        memset(fresh.check, 0, sizeof(fresh.check));
        memset(fresh.row, 0, sizeof(fresh.row));
        memset(fresh.told, 0, sizeof(fresh.told));
        for (size_t i = 0; i < before->check_count; i++) {
                int k = find_check(now, before->check[i].name);

                if (k < 0)
                        continue;
                fresh.check[k] = old->check[i];
                fresh.row[k] = old->row[i];
        }
        for (size_t i = 0; i < from->config->alert_count; i++) {
                int k = find_alert(w->config, from->config->alert[i].name);

                if (k >= 0)
                        fresh.told[k] = old->told[i];
        }
        *t = fresh;
}

void watches_inherit(struct watches *w, const struct watches *from)
{
        char name[WATCHED_NAME];

        for (size_t i = 0; i < from->count; i++) {
                int at = watches_find(w, watched_name(from, &from->watched[i], name));

                if (at >= 0)
                        inherit(w, &w->watched[at], from, &from->watched[i]);
        }
        for (size_t i = 0; i < from->config->watch_count; i++) {
                int at = config_find_watch(w->config, from->config->watch[i].name);

                if (at >= 0)
                        w->here[at] = from->here[i];
        }
        memcpy(w->mark, from->mark, sizeof(w->mark));
        w->mark_count = from->mark_count;
}

/* --- states --- */

static void set_state(struct watched *t, enum watched_state state, const struct watch_time *time)
{
        bool flip = t->state != WATCHED_UNKNOWN && state != WATCHED_UNKNOWN;

        if (t->state == state)
                return;
        t->state = state;
        t->since = time->now;
        t->since_wall_us = time->wall_us;
        t->changed = true;
        if (!flip)
                return;
        memmove(&t->flip[1], &t->flip[0], sizeof(t->flip[0]) * (WATCHED_FLIPS - 1));
        t->flip[0] = time->now;
        if (t->flip_count < WATCHED_FLIPS)
                t->flip_count++;
}

/* --- failures in a row --- */

static int row_length(const struct watched_row *row)
{
        return row->before < WATCHED_ROW - row->now ? row->before + row->now : WATCHED_ROW;
}

int watched_failures(const struct watched *t)
{
        int most = 0;

        for (int i = 0; i < CHECKS_MAX; i++)
                if (row_length(&t->row[i]) > most)
                        most = row_length(&t->row[i]);
        return most;
}

void rows_continue(struct watched *t, int failures)
{
        for (int i = 0; i < CHECKS_MAX; i++)
                t->row[i] = (struct watched_row){.before = failures};
}

int watches_counted(const struct watches *w, size_t i)
{
        int most = 0;

        for (size_t a = 0; a < w->config->alert_count; a++)
                if (w->config->alert[a].after_count > most &&
                    alert_wants(w, &w->config->alert[a], &w->watched[i]))
                        most = w->config->alert[a].after_count;
        return most;
}

bool watches_reached(const struct watches *w, size_t i)
{
        int failures = watched_failures(&w->watched[i]);

        for (size_t a = 0; a < w->config->alert_count; a++)
                if (w->config->alert[a].after_count == failures &&
                    alert_wants(w, &w->config->alert[a], &w->watched[i]))
                        return true;
        return false;
}

/* A success, or a number that is less, ends the row; that nobody could look does not. */
static void count_failures(struct watched_row *row, int failures)
{
        if (failures < 0)
                *row = (struct watched_row){.before = row_length(row)};
        else if (failures == 0 || failures < row->now)
                *row = (struct watched_row){.now = failures};
        else
                row->now = failures;
}

void watches_run(struct watches *w, int watch, bool here, const struct watch_time *time)
{
        const struct config_watch *c = &w->config->watch[watch];

        if (w->here[watch] == here)
                return;
        w->here[watch] = here;
        for (size_t i = 0; i < c->host_count * c->service_count; i++) {
                struct watched *t = &w->watched[w->first[watch] + i];

                memset(t->check, 0, sizeof(t->check)); /* nobody has looked from here */
                rows_continue(t, watched_failures(t));
                t->changed |= here;
                if (here && t->state == WATCHED_UP)
                        set_state(t, WATCHED_UNKNOWN, time);
        }
}

bool watches_runs(const struct watches *w, int watch)
{
        return w->here[watch];
}

/* Down by one, up by all; who has not looked says nothing. */
static enum watched_state state_of(const struct watched *t, size_t check_count)
{
        enum watched_state state = WATCHED_UP;

        for (size_t i = 0; i < check_count; i++) {
                if (t->check[i] == WATCHED_DOWN)
                        return WATCHED_DOWN;
                if (t->check[i] == WATCHED_UNKNOWN)
                        state = t->state;
        }
        return state;
}

void watches_result(struct watches *w, size_t i, int check, enum watched_state state, int failures,
                    const char *text, const struct watch_time *time)
{
        struct watched *t = &w->watched[i];
        const struct config_service *s = &w->config->watch[t->watch].service[t->service];
        enum watched_state next;
        int before = watched_failures(t);

        assert(i < w->count && check >= 0 && (size_t)check < s->check_count);
        t->check[check] = state;
        count_failures(&t->row[check], failures);
        next = state_of(t, s->check_count);
        /* the text is that of what makes the state: a check that works does not hide one that fails */
        if (next != WATCHED_DOWN || state == WATCHED_DOWN)
                text_copy(t->text, sizeof(t->text), text);
        set_state(t, next, time);
        if (t->state == WATCHED_DOWN && watched_failures(t) != before && before < watches_counted(w, i))
                t->changed = true; /* whoever runs it next counts on */
}

/* --- marks --- */

static struct watch_mark *find_mark(struct watches *w, enum watch_mark_kind kind, const char *about)
{
        for (size_t i = 0; i < w->mark_count; i++)
                if (w->mark[i].kind == kind && strcmp(w->mark[i].about, about) == 0)
                        return &w->mark[i];
        return NULL;
}

int watches_mark(struct watches *w, const struct watch_mark *mark)
{
        struct watch_mark *at = find_mark(w, mark->kind, mark->about);

        if (at == NULL && w->mark_count == MARKS_MAX)
                return -ENOSPC;
        if (at == NULL)
                at = &w->mark[w->mark_count++];
        *at = *mark;
        return 0;
}

void watches_unmark(struct watches *w, enum watch_mark_kind kind, const char *about)
{
        struct watch_mark *at = find_mark(w, kind, about);

        if (at != NULL)
                *at = w->mark[--w->mark_count];
}

size_t watches_mark_count(const struct watches *w)
{
        return w->mark_count;
}

const struct watch_mark *watches_mark_get(const struct watches *w, size_t i)
{
        assert(i < w->mark_count);
        return &w->mark[i];
}

/* WATCH, WATCH:SERVICE, WATCH:SERVICE@HOST, @HOST */
static bool is_about(const char *about, const char *name)
{
        size_t n = strlen(about);

        if (about[0] == '@')
                return strcmp(strchr(name, '@'), about) == 0;
        return strncmp(name, about, n) == 0 &&
               (name[n] == '\0' || (name[n] == ':' && !strchr(about, ':')) ||
                (name[n] == '@' && strchr(about, ':') && !strchr(about, '@')));
}

const struct watch_mark *watches_marked(const struct watches *w, const struct watched *t,
                                        enum watch_mark_kind kind, int64_t wall_us)
{
        char name[WATCHED_NAME];

        for (size_t i = 0; i < w->mark_count; i++) {
                const struct watch_mark *m = &w->mark[i];

                if (m->kind == kind && (m->until_wall_us == 0 || wall_us < m->until_wall_us) &&
                    is_about(m->about, watched_name(w, t, name)))
                        return m;
        }
        return NULL;
}

bool watches_knows(const struct watches *w, const char *about)
{
        char name[WATCHED_NAME];

        for (size_t i = 0; i < w->count; i++)
                if (is_about(about, watched_name(w, &w->watched[i], name)))
                        return true;
        return false;
}

bool watches_mark_matters(const struct watches *w, const struct watch_mark *mark)
{
        char name[WATCHED_NAME];

        for (size_t i = 0; i < w->count; i++)
                if (w->watched[i].state == WATCHED_DOWN &&
                    is_about(mark->about, watched_name(w, &w->watched[i], name)))
                        return true;
        return false;
}

bool watches_take_changed(struct watches *w, size_t i)
{
        bool changed = w->watched[i].changed;

        w->watched[i].changed = false;
        return changed;
}

void watches_insist(struct watches *w, size_t i)
{
        w->watched[i].changed = true;
}
