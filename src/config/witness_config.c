#include "config/witness_config.h"

#include "base/text.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct report {
        const char *path;
        config_mistake_fn *on_mistake;
        void *user;
        bool any;
};

static struct report *report; /* libconfuse's callback carries no pointer of ours */

static void mistake(int line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void mistake(int line, const char *format, ...)
{
        char text[512];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        report->any = true;
        report->on_mistake(report->user, report->path, line, text);
}

static void on_error(cfg_t *cfg, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
        char text[400];

        vsnprintf(text, sizeof(text), format, args);
        mistake(cfg ? cfg->line : 0, "%s", text);
}

static void take_addresses(cfg_t *cfg, struct witness_config *c)
{
        unsigned n = cfg_size(cfg, "address");

        if (n > WITNESS_ADDRESSES_MAX) {
                mistake(0, "address: %u are too many, %d at most", n, WITNESS_ADDRESSES_MAX);
                return;
        }
        for (unsigned i = 0; i < n; i++)
                if (ip_parse(cfg_getnstr(cfg, "address", i), &c->address[c->address_count]) == 0)
                        c->address_count++;
                else
                        mistake(0, "address: '%s' is no numeric address, such as 10.0.0.9",
                                cfg_getnstr(cfg, "address", i));
}

static void take_cluster(cfg_t *section, struct witness_config *c)
{
        struct witness_cluster_config *to = &c->cluster[c->cluster_count];
        const char *name = cfg_title(section), *key = cfg_getstr(section, "key");

        if (c->cluster_count == WITNESS_CLUSTERS_MAX) {
                mistake(section->line, "cluster %s: a witness serves %d clusters at most", name,
                        WITNESS_CLUSTERS_MAX);
                return;
        }
        if (!text_is_name(name) || !text_copy(to->name, sizeof(to->name), name)) {
                mistake(section->line, "'%s' cannot be the name of a cluster: write it as its nodes do",
                        name);
                return;
        }
        for (size_t i = 0; i < c->cluster_count; i++)
                if (text_id(c->cluster[i].name) == text_id(name)) {
                        mistake(section->line, "cluster %s stands here a second time", name);
                        return;
                }
        if (!key || key[0] != '/' || !text_copy(to->key_path, sizeof(to->key_path), key)) {
                mistake(section->line,
                        "cluster %s needs key: the absolute path of a file with the cluster's key, mode 0600",
                        name);
                return;
        }
        c->cluster_count++;
}

static void take(cfg_t *cfg, struct witness_config *c)
{
        long port = cfg_getint(cfg, "port");

        if (port < 1 || port > 65535)
                mistake(0, "port: %ld is none, 1 to 65535 are", port);
        c->port = (uint16_t)port;
        take_addresses(cfg, c);
        for (unsigned i = 0; i < cfg_size(cfg, "cluster"); i++)
                take_cluster(cfg_getnsec(cfg, "cluster", i), c);
        if (c->cluster_count == 0 && !report->any)
                mistake(0, "there is no cluster to serve: cluster NAME { key = /etc/haven/NAME.key }");
}

int witness_config_load(const char *path, struct witness_config *ret_config, config_mistake_fn *on_mistake,
                        void *user)
{
        static cfg_opt_t in_cluster[] = {CFG_STR("key", NULL, CFGF_NONE), CFG_END()};
        cfg_opt_t options[] = {CFG_STR_LIST("address", "{}", CFGF_NONE), CFG_INT("port", 6941, CFGF_NONE),
                               CFG_SEC("cluster", in_cluster, CFGF_MULTI | CFGF_TITLE), CFG_END()};
        struct report r = {.path = path, .on_mistake = on_mistake, .user = user};

        memset(ret_config, 0, sizeof(*ret_config));
        report = &r;
        cfg_t *cfg = cfg_init(options, CFGF_NONE);
        if (!cfg) {
                report = NULL;
                return -ENOMEM;
        }
        cfg_set_error_function(cfg, on_error);
        int read = cfg_parse(cfg, path);
        if (read == CFG_FILE_ERROR)
                mistake(0, "cannot read it: %s", strerror(errno));
        else if (read == CFG_SUCCESS)
                take(cfg, ret_config);
        else if (!r.any)
                mistake(0, "cannot be read as a configuration");
        cfg_free(cfg);
        report = NULL;
        return r.any ? -EINVAL : 0;
}
