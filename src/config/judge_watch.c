/* What watches and alerts say together: names that there are not, and dependencies that go in a circle. */
#include "config/judge_watch.h"

#include "base/text.h"
#include "config/command.h"
#include "config/judge.h"
#include "config/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void judge_depends(struct tree *t, const struct config *c, char *const *depends,
                          struct config_place place, const char *who)
{
        int watch, service, host;

        for (; depends && *depends; depends++)
                if (config_find_watched(c, *depends, &watch, &service, &host) < 0)
                        tree_mistake(t, place, "%s: depends on '%s', which nothing watches", who, *depends);
}

/* --- circles --- */

struct walk {
        const struct config *config;
        uint8_t state[WATCHES_MAX][SERVICES_MAX]; /* 1: on the way, 2: done */
        size_t depth;
        struct {
                int watch, service;
        } way[WATCHES_MAX * SERVICES_MAX];
};

static bool walk_from(struct walk *w, struct tree *t, int watch, int service);

static void complain_of_circle(const struct walk *w, struct tree *t, int watch, int service)
{
        const struct config *c = w->config;
        char text[400] = "";
        size_t n = 0, first = 0;

        while (w->way[first].watch != watch || w->way[first].service != service)
                first++;
        for (size_t i = first; i < w->depth && n < sizeof(text) - 80; i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s:%s -> ", c->watch[w->way[i].watch].name,
                                      c->watch[w->way[i].watch].service[w->way[i].service].name);
        tree_mistake(t, c->watch[watch].service[service].place,
                     "depends goes in a circle, so that none of them would ever be told: %s%s:%s", text,
                     c->watch[watch].name, c->watch[watch].service[service].name);
}

static bool walk_list(struct walk *w, struct tree *t, char *const *depends)
{
        int watch, service, host;

        for (; depends && *depends; depends++)
                if (config_find_watched(w->config, *depends, &watch, &service, &host) == 0 &&
                    !walk_from(w, t, watch, service))
                        return false;
        return true;
}

static bool walk_from(struct walk *w, struct tree *t, int watch, int service)
{
        const struct config_watch *from = &w->config->watch[watch];

        if (w->state[watch][service] == 2)
                return true;
        if (w->state[watch][service] == 1) {
                complain_of_circle(w, t, watch, service);
                return false;
        }
        w->state[watch][service] = 1;
        w->way[w->depth].watch = watch;
        w->way[w->depth++].service = service;
        bool good = walk_list(w, t, from->depends) && walk_list(w, t, from->service[service].depends);
        w->depth--;
        w->state[watch][service] = 2;
        return good;
}

static void judge_circles(struct tree *t, const struct config *c)
{
        struct walk w = {.config = c};

        for (int i = 0; i < (int)c->watch_count; i++)
                for (int k = 0; k < (int)c->watch[i].service_count; k++)
                        if (!walk_from(&w, t, i, k))
                                return; /* one circle is found again from everywhere on it */
}

/* --- names --- */

static void judge_watch(struct tree *t, const struct config *c, const struct config_watch *w)
{
        char who[3 * NAME_SIZE];

        if (w->group[0] && config_find_group(c, w->group) < 0 && !t->cut_short)
                tree_mistake(t, w->place, "watch %s: there is no group '%s' to run where it runs", w->name,
                             w->group);
        else if (w->group[0] && !t->cut_short && c->group[config_find_group(c, w->group)].everywhere)
                tree_mistake(t, w->place,
                             "watch %s: group %s runs everywhere: the watch needs one place, such as on = "
                             "leader",
                             w->name, w->group);
        snprintf(who, sizeof(who), "watch %s", w->name);
        judge_depends(t, c, w->depends, w->place, who);
        for (size_t i = 0; i < w->service_count; i++) {
                snprintf(who, sizeof(who), "service %s", w->service[i].name);
                judge_depends(t, c, w->service[i].depends, w->service[i].place, who);
                for (size_t k = 0; k < w->service[i].check_count; k++) /* all hosts' are alike */
                        if (w->host_count > 0 && w->service[i].check[k].check[0])
                                judge_check(t, w->service[i].check[k].check[0]);
        }
}

static bool is_there(const struct config *c, const char *name)
{
        int watch, service, host;

        return config_find_watch(c, name) >= 0 || config_find_group(c, name) >= 0 ||
               config_find_node(c, name) >= 0 || config_find_watched(c, name, &watch, &service, &host) == 0;
}

/* Each event would call it twice. */
static void judge_same_command(struct tree *t, const struct config *c, size_t i)
{
        const struct config_alert *a = &c->alert[i];
        char place[PLACE_TEXT];

        for (size_t k = 0; k < c->alert_count; k++) {
                const struct config_alert *other = &c->alert[k];
                if (k == i || a->kind != other->kind || !a->argv || !other->argv || a->about ||
                    other->about || a->unacknowledged.us != other->unacknowledged.us ||
                    a->place.line < other->place.line || (a->place.line == other->place.line && k > i))
                        continue;
                char *command = command_join(a->argv), *same = command_join(other->argv);
                if (strcmp(command, same) == 0)
                        tree_mistake(t, a->place,
                                     "alert %s: the one on %s calls the same command: name all events in "
                                     "one of them",
                                     alert_kind_name(a->kind),
                                     tree_place(t, a->place.file, other->place, place));
                free(command);
                free(same);
        }
}

static void judge_alert(struct tree *t, const struct config *c, size_t i)
{
        const struct config_alert *a = &c->alert[i];

        for (char **name = a->about; name && *name && !t->cut_short; name++)
                if (!is_there(c, *name))
                        tree_mistake(t, a->place,
                                     "alert %s: for '%s': there is no such watch, service of a watch, group "
                                     "or node",
                                     a->name, *name);
        if (a->kind == ALERT_MAIL && (a->user[0] != '\0') != (a->secret_file[0] != '\0'))
                tree_mistake(t, a->place, "alert %s: a login needs both: user and password-file", a->name);
        if (a->kind == ALERT_MAIL && a->secret_file[0] && a->tls != MAIL_TLS_REQUIRE &&
            strncmp(a->server, "smtp://", 7) == 0)
                tree_mistake(t, a->place,
                             "alert %s: the password could be read by anyone on the way: write tls = require",
                             a->name);
        if (a->kind == ALERT_WEBHOOK && a->secret_file[0] && strncmp(a->url, "http://", 7) == 0)
                tree_mistake(t, a->place,
                             "alert %s: the token could be read by anyone on the way: write https://",
                             a->name);
        judge_same_command(t, c, i);
}

void judge_watches(struct tree *t, const struct config *c)
{
        size_t watched = 0;

        for (size_t i = 0; i < c->watch_count; i++) {
                judge_watch(t, c, &c->watch[i]);
                watched += c->watch[i].host_count * c->watch[i].service_count;
        }
        if (watched > WATCHED_MAX)
                tree_mistake(t, c->watch[c->watch_count - 1].place,
                             "all watches together have %zu services of hosts: there may be %d", watched,
                             WATCHED_MAX);
        judge_circles(t, c);
        for (size_t i = 0; i < c->alert_count; i++)
                judge_alert(t, c, i);
}
