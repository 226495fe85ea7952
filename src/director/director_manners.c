#include "director/director_inside.h"

#include "base/log.h"
#include "base/text.h"
#include "child/child.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_EVERY span_s(2)
#define CLOSED_MAX  256 /* files in one directory that are looked at */

/* What a service's fallback command was last run with. */
enum told { TOLD_NOTHING, TOLD_START, TOLD_STOP };

void director_take_manners(struct director *d, unsigned char *told)
{
        free(d->told);
        d->told = told;
        d->close_due = INSTANT_NEVER;
        d->commands = false;
        for (size_t i = 0; i < d->plan->service_count; i++) {
                if (d->plan->service[i].maintenance)
                        d->close_due = INSTANT_LONG_AGO;
                d->commands |= d->plan->service[i].fallback_command != NULL;
        }
}

/* A command that runs runs on. */
void director_end_manners(struct director *d)
{
        free(d->told);
        if (d->command)
                child_release(d->command);
}

/* --- closed servers --- */

struct closed {
        size_t count;
        struct {
                struct ip ip;
                uint16_t port; /* 0: all of them */
        } server[CLOSED_MAX];
};

/* "ADDRESS", "ADDRESS:PORT", "[ADDRESS]:PORT", or a name of /etc/hosts instead of the address. */
static void add_closed(const char *file, struct closed *to)
{
        struct ldirectord_lookup lookup = plan_lookup(file);
        const char *colon = strrchr(file, ':');
        unsigned long port = 0;
        char host[256], *rest = NULL;
        struct ip ip;

        text_copy(host, sizeof(host), file);
        if (colon && (file[0] != '[' || colon[-1] == ']')) {
                port = strtoul(colon + 1, &rest, 10);
                host[colon - file] = '\0';
        }
        size_t n = strlen(host);
        bool brackets = n > 2 && host[0] == '[' && host[n - 1] == ']';
        if (brackets)
                host[n - 1] = '\0';
        if ((rest && (*rest || port == 0)) || port > UINT16_MAX || to->count == CLOSED_MAX)
                return;
        if (ip_parse(host + brackets, &ip) < 0 && lookup.host(NULL, host, AF_INET, &ip) < 0 &&
            lookup.host(NULL, host, AF_INET6, &ip) < 0)
                return;
        to->server[to->count].ip = ip;
        to->server[to->count++].port = (uint16_t)port;
}

static void read_closed(const char *directory, struct closed *to)
{
        DIR *dir = opendir(directory);
        const struct dirent *entry;

        to->count = 0;
        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        add_closed(entry->d_name, to);
        if (dir)
                closedir(dir);
}

static bool is_closed(const struct closed *c, const struct plan_server *s)
{
        uint16_t port = s->own_port ? s->own_port : s->real.port;

        for (size_t i = 0; i < c->count; i++)
                if (ip_equal(&c->server[i].ip, &s->real.ip) &&
                    (c->server[i].port == 0 || c->server[i].port == port))
                        return true;
        return false;
}

static void tell_closed(const struct director *d, const struct plan_server *s, bool closed)
{
        char endpoint[SERVER_TEXT], text[SERVER_TEXT + 64];

        snprintf(text, sizeof(text), "%s is %s",
                 endpoint_format(&s->real.ip, s->own_port ? s->own_port : s->real.port, endpoint),
                 closed ? "in maintenance" : "no longer in maintenance");
        d->setup.on_event(d->setup.user, DIRECTOR_EV_NOTE, text);
}

void director_close_servers(struct director *d)
{
        struct closed closed = {0};
        const char *directory = NULL; /* what `closed` is of */

        if (!instant_reached(d->now, d->close_due))
                return;
        d->close_due = instant_add(d->now, CLOSE_EVERY);
        for (size_t i = 0; i < d->plan->service_count; i++) {
                const struct plan_service *p = &d->plan->service[i];
                if (!p->maintenance)
                        continue;
                if (!directory || strcmp(directory, p->maintenance) != 0)
                        read_closed(p->maintenance, &closed);
                directory = p->maintenance;
                for (size_t j = 0; j < p->server_count; j++) {
                        bool is = is_closed(&closed, &p->server[j]);
                        if (farm_close(d->farm, i, j, is))
                                tell_closed(d, &p->server[j], is);
                }
        }
}

/* --- fallback commands --- */

static void on_command_end(void *user, int status)
{
        struct director *d = user;
        char text[CHILD_STATUS_TEXT];

        d->command = NULL;
        if (status != 0)
                log_warning("director: a fallback command ended with %s", child_status_format(status, text));
        director_look_soon(d);
}

static void run_command(struct director *d, const struct plan_service *p, enum told told)
{
        static char *environment[] = {
                (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LANG=C",
                NULL};
        char *line, *argv[] = {(char *)"/bin/sh", (char *)"-c", NULL, NULL};

        if (asprintf(&line, "%s %s %s", p->fallback_command, told == TOLD_START ? "start" : "stop",
                     p->fallback_words) == -1)
                return;
        argv[2] = line;
        const struct child_setup setup = {.loop = d->setup.loop,
                                          .argv = argv,
                                          .environment = environment,
                                          .stdin_fd = -1,
                                          .extra_fd = -1,
                                          .on_exit = on_command_end,
                                          .user = d};
        int error = child_start(&setup, &d->command);
        if (error)
                log_warning("director: the fallback command cannot be run: %s", strerror(-error));
        free(line);
}

void director_tell_fallbacks(struct director *d)
{
        for (size_t i = 0; d->commands && i < d->plan->service_count && !d->command; i++) {
                const struct plan_service *p = &d->plan->service[i];
                enum told told = farm_service_up(d->farm, i) ? TOLD_STOP : TOLD_START;
                if (!p->fallback_command || d->told[i] == told)
                        continue;
                d->told[i] = (unsigned char)told;
                run_command(d, p, told);
        }
}
