#include "monitor/kinds/command_words.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NORMAL_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void put(struct command_words *r, uint16_t *count, const char *text)
{
        size_t n = strlen(text) + 1;

        if (r->n + n <= sizeof(r->bytes))
                memcpy(r->bytes + r->n, text, n);
        r->n += n;
        (*count)++;
}

static const char *base_of(const char *path)
{
        assert(path);
        const char *slash = strrchr(path, '/');

        return slash == NULL ? path : slash + 1;
}

/* What mon sets for every monitor; the user's own settings come after and win. */
static void put_mon(struct command_words *r, const struct config_check *c, const struct command_past *past)
{
        const struct check_command *k = &c->command;
        const char *program = base_of(k->argv[0]);
        char text[320];

        put(r, &r->head.settings, "MON_STATEDIR=/var/lib/mon");
        put(r, &r->head.settings, "MON_LOGDIR=/var/log/mon");
        put(r, &r->head.settings, "MON_CFBASEDIR=/etc/mon");
        put(r, &r->head.settings, "MON_DESCRIPTION=");
        put(r, &r->head.settings, "MON_DEPEND_STATUS=");
        snprintf(text, sizeof(text), "MON_GROUP=%s", k->hosts == NULL ? "" : k->hosts[0]);
        put(r, &r->head.settings, text);
        snprintf(text, sizeof(text), "MON_SERVICE=%.*s", (int)strcspn(program, "."), program);
        put(r, &r->head.settings, text);
        for (size_t i = 0; command_past_setting(past, c, i) != NULL; i++)
                put(r, &r->head.settings, command_past_setting(past, c, i));
}

static bool is_set(const struct check_command *k, const char *setting)
{
        size_t n = strcspn(setting, "=") + 1;

        for (char **e = k->environment; e != NULL && *e != NULL; e++)
                if (strncmp(*e, setting, n) == 0)
                        return true;
        return false;
}

/* Takes out what the user sets otherwise: which of two wins is the program's own choice. */
static void drop_overridden(struct command_words *r, const struct check_command *k, size_t from)
{
        size_t to = from;

        for (size_t at = from; at < r->n;) {
                size_t n = strlen(r->bytes + at) + 1;
                if (is_set(k, r->bytes + at)) {
                        r->head.settings--;
                } else {
                        memmove(r->bytes + to, r->bytes + at, n);
                        to += n;
                }
                at += n;
        }
        r->n = to;
}

static void put_command(struct command_words *r, const struct config_check *c,
                        const struct command_past *past)
{
        const struct check_command *k = &c->command;
        size_t settings;

        for (char **a = k->argv; *a != NULL; a++)
                put(r, &r->head.arguments, *a);
        for (char **h = k->hosts; h != NULL && *h != NULL; h++)
                put(r, &r->head.arguments, *h);
        settings = r->n;
        put(r, &r->head.settings, NORMAL_PATH);
        put(r, &r->head.settings, "LANG=C");
        if (k->style == COMMAND_MON)
                put_mon(r, c, past);
        if (r->n > sizeof(r->bytes))
                return;
        drop_overridden(r, k, settings);
        for (char **e = k->environment; e != NULL && *e != NULL; e++)
                put(r, &r->head.settings, *e);
}

static void put_look(struct command_words *r, const char *directory, const struct config_check *c)
{
        char program[560], first[24], second[24];
        long long numbers[2] = {0};
        const char *of = "";

        switch (c->kind) {
        case CHECK_FILE:
                of = c->file.path;
                numbers[0] = c->file.age_max.us / 1000000;
                numbers[1] = c->file.size_min;
                break;
        case CHECK_DISK:
                of = c->disk.path;
                numbers[0] = c->disk.free_min;
                numbers[1] = c->disk.inodes_min;
                break;
        case CHECK_LOAD:
                numbers[0] = c->load.percent_max;
                numbers[1] = c->load.minutes;
                break;
        default:
                of = c->process.program;
                numbers[0] = c->process.least;
                break;
        }
        snprintf(program, sizeof(program), "%s/haven-look", directory);
        snprintf(first, sizeof(first), "%lld", numbers[0]);
        snprintf(second, sizeof(second), "%lld", numbers[1]);
        put(r, &r->head.arguments, program);
        put(r, &r->head.arguments, check_kind_name(c->kind));
        put(r, &r->head.arguments, of == NULL ? "/" : of);
        put(r, &r->head.arguments, first);
        put(r, &r->head.arguments, second);
        put(r, &r->head.settings, "LANG=C");
}

static void put_setting(struct command_words *r, const char *name, const char *value)
{
        char text[640]; /* a query has 511 characters at most */

        if (value == NULL)
                return;
        snprintf(text, sizeof(text), "%s=%s", name, value);
        put(r, &r->head.settings, text);
}

/* In the environment: arguments are shown to every user. */
static void put_sql(struct command_words *r, const char *directory, const struct config_check *c)
{
        char program[560], address[IP_TEXT], port[8];

        snprintf(program, sizeof(program), "%s/haven-look-%s", directory, check_kind_name(c->kind));
        snprintf(port, sizeof(port), "%u", c->port);
        put(r, &r->head.arguments, program);
        put(r, &r->head.settings, "LANG=C");
        put_setting(r, "address", ip_format(&c->ip, address));
        put_setting(r, "port", port);
        put_setting(r, "source", c->source.family == 0 ? NULL : ip_format(&c->source, address));
        put_setting(r, "user", c->sql.user);
        put_setting(r, "password", c->sql.password);
        put_setting(r, "password-file", c->sql.password_file);
        put_setting(r, "database", c->sql.database);
        put_setting(r, "tls", c->sql.tls == LOGIN_TLS_NONE ? NULL : "yes");
        put_setting(r, "verify",
                    !c->sql.verify    ? NULL
                    : c->host != NULL ? c->host
                                      : ip_format(&c->ip, address));
        put_setting(r, "ca", c->sql.ca);
        put_setting(r, "query", c->sql.query);
        put_setting(r, "expect", c->sql.expect);
}

void command_words_of(const struct config_check *check, const struct command_past *past,
                      const char *directory, struct command_words *ret_words)
{
        ret_words->head = (struct command_request){.key = (uintptr_t)check};
        ret_words->n = 0;
        switch (check->kind) {
        case CHECK_COMMAND: put_command(ret_words, check, past); break;
        case CHECK_POSTGRESQL:
        case CHECK_MYSQL: put_sql(ret_words, directory, check); break;
        default: put_look(ret_words, directory, check); break;
        }
}

size_t command_words_size(const struct command_words *w)
{
        return sizeof(w->head) + w->n;
}
