/* environment.c - what a started program finds in its environment. */
#include "resource/kind.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OWN_MAX      8

static bool add(char **env, size_t *n, const char *name, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Appends, unless the resource's own environment says it already. */
static bool add(char **env, size_t *n, const char *name, const char *format, ...)
{
        size_t length = strlen(name);
        char value[512];
        va_list args;

        for (size_t i = 0; i < *n; i++)
                if (!strncmp(env[i], name, length) && env[i][length] == '=')
                        return true;
        va_start(args, format);
        vsnprintf(value, sizeof(value), format, args);
        va_end(args);
        return asprintf(&env[(*n)++], "%s=%s", name, value) != -1;
}

char **resource_environment(const struct resource *r, bool for_action)
{
        const struct config *c = r->world->setup.config;
        size_t n = 0;

        while (r->config.environment[n])
                n++;
        char **env = calloc(n + OWN_MAX + 1, sizeof(*env));
        if (!env)
                return NULL;
        bool ok = true;
        for (size_t i = 0; i < n && ok; i++)
                ok = (env[i] = strdup(r->config.environment[i])) != NULL;
        if (for_action)
                ok = ok && add(env, &n, "LC_ALL", "C");
        ok = ok && add(env, &n, "PATH", "%s", PATH_DEFAULT) && add(env, &n, "HAVEN_GROUP", "%s", r->group) &&
             add(env, &n, "HAVEN_RESOURCE", "%s", r->config.name) &&
             add(env, &n, "HAVEN_NODE", "%s", c->node[r->world->setup.self].name) &&
             add(env, &n, "HAVEN_CLUSTER", "%s", c->cluster) &&
             add(env, &n, "HAVEN_EPOCH", "%u.%u", r->epoch.term, r->epoch.n);
        if (ok)
                return env;
        strings_free(env);
        return NULL;
}
