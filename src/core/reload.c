/* A new generation of the configuration: read, compared, and only then put in place of the old one. */
#include "core/core.h"

#include "base/log.h"
#include "config/difference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct report {
        FILE *to;
        int mistakes;
};

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        struct report *r = user;

        config_print_mistake(r->to, file, line, text);
        r->mistakes++;
}

static bool keeps_what_runs(struct core *core, const struct config *fresh, FILE *to)
{
        bool keeps = true;

        for (size_t i = 0; i < core->config->group_count; i++) {
                const struct config_group *g = &core->config->group[i];
                int same = config_find_group(fresh, g->name);
                if (!cluster_holds(core->brain, g->id))
                        continue;
                if (same >= 0 && fresh->group[same].everywhere == g->everywhere)
                        continue;
                if (same >= 0)
                        fprintf(to,
                                "group %s runs here and changes its 'everywhere': 'haven stop %s' first\n",
                                g->name, g->name);
                else
                        fprintf(to,
                                "group %s runs here and is no longer in the file: 'haven stop %s' first\n",
                                g->name, g->name);
                keeps = false;
        }
        return keeps;
}

/* Takes ownership of `fresh`; returns the old generation, or NULL when nothing was changed. */
static struct config *put_in_place(struct core *core, struct config *fresh)
{
        struct cluster_settings *settings = malloc(sizeof(*settings));
        struct config *old = core->config;

        if (!settings)
                return NULL;
        core_settings_make(fresh, core->self, settings);
        if (cluster_reconfigure(core->brain, settings) < 0) {
                free(settings);
                return NULL;
        }
        free(core->settings);
        core->settings = settings;
        core->config = fresh;
        if (core_checks_open(core) < 0)
                log_error("reload: the checker cannot be started");
        int error = engine_reload(core->engine, fresh);
        if (error == -EBUSY) {
                log_error("reload: a group is still at work with the reload before: reload once more");
        } else if (error) {
                /* half of it follows the new file: the next core reads that from the start and adopts what
                 * runs */
                log_error("reload: the resources could not all be changed: %s -> starting anew",
                          strerror(-error));
                abort();
        }
        if (fresh->gate != old->gate)
                core_gate_open(core);
        core_addresses_reload(core);
        core_checks_reload(core, old);
        core_health_open(core, old);
        if (core_watch_reload(core) < 0)
                abort(); /* out of memory: the next core reads the new file from the start */
        core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_TIME});
        core_before_keep(core);
        return old;
}

static void go_back(uv_timer_t *timer)
{
        struct core *core = timer->data;
        struct config *before = core->before;

        core->before = NULL;
        struct config *unconfirmed = put_in_place(core, before);
        if (!unconfirmed) {
                core_tell(
                        core, "config", "", ALERT_BLOCKED,
                        "not confirmed, but what it started cannot be taken back while it runs -> it stays");
                config_free(before);
                return;
        }
        config_free(unconfirmed);
        core_tell(core, "config", "", 0, "not confirmed in time -> back to the configuration from before");
}

static void on_again(uv_timer_t *timer)
{
        struct core *core = timer->data;

        core->exiting = core->succeeded = true;
        uv_stop(core->loop);
}

void core_again(struct core *core, const char *why)
{
        if (core->ends)
                return;
        core->ends = true;
        log_info("core: %s -> the next core goes on", why);
        uv_timer_start(&core->confirm, on_again, 20, 0);
}

/* Numbers are kept: who comes gets the next ones. */
static size_t numbers_needed(const struct core *core, const struct config *fresh)
{
        size_t n = core->config->node_count;

        for (size_t i = 0; i < fresh->node_count; i++)
                n += config_find_node(core->config, fresh->node[i].name) < 0;
        return n;
}

static bool arbiter_has_room(struct core *core, const struct config *fresh, FILE *to)
{
        size_t needed = numbers_needed(core, fresh);

        if (fresh->arbiter.kind == ARBITER_FENCE) {
                fprintf(to, "arbiter fence is for just these two nodes: to change them, stop havend on all "
                            "nodes, give "
                            "all the new file, start it\n");
                return false;
        }
        if (fresh->arbiter.kind != ARBITER_DISK || (core->disk && disk_slots(core->disk) >= needed))
                return true;
        if (!core->disk || disk_slots(core->disk) == 0)
                fprintf(to, "the arbiter's disk could not be opened yet: whether it has room for them is not "
                            "known\n");
        else
                fprintf(to,
                        "the arbiter's disk has room for %u nodes and %zu numbers are needed (who went keeps "
                        "its own): "
                        "stop havend on all nodes, then haven disk init --nodes %zu --force, start it\n",
                        disk_slots(core->disk), needed, needed);
        return false;
}

/* Nodes come or go: what may be, once links and numbers are made anew. */
static bool nodes_may_change(struct core *core, const struct config *fresh, span confirm, FILE *to)
{
        bool may = true;

        if (config_find_node(fresh, core->options.node) < 0) {
                fprintf(to, "this node is not in it: stop havend here instead\n");
                may = false;
        }
        may &= arbiter_has_room(core, fresh, to);
        if (confirm.us || core->before) {
                fprintf(to, "nodes come and go for good: reload without --confirm\n");
                may = false;
        }
        for (size_t i = 0; i < core->config->node_count; i++) {
                const struct config_node *n = &core->config->node[i];
                char text[NOTE_TEXT];
                if (n->name[0] == '\0' || config_find_node(fresh, n->name) >= 0 || (int)i == core->self ||
                    cluster_node(core->brain, (uint8_t)i, instant_now(), text, sizeof(text)) == NODE_OFFLINE)
                        continue;
                fprintf(to, "node %s is not in it and is online: stop havend there first\n", n->name);
                may = false;
        }
        return may;
}

static int change_nodes(struct core *core, struct config *fresh, span confirm, struct report *r)
{
        bool may = nodes_may_change(core, fresh, confirm, r->to);

        config_free(fresh);
        if (!may) {
                fprintf(r->to, "nothing was changed");
                return -EBUSY;
        }
        fprintf(r->to, "reloaded; the votes change once all who vote have this file");
        core_tell(core, "config", "", 0, "reloaded: nodes come or go");
        core_again(core, "the nodes of the file are others");
        return 0;
}

/* Numbered as those of the running brain. */
static int number_alike(const struct core *core, struct config *fresh)
{
        uint32_t ids[NODES_MAX];

        for (size_t i = 0; i < core->config->node_count; i++)
                ids[i] = core->config->node[i].id;
        return config_arrange(fresh, ids, core->config->node_count);
}

/* Whatever is sealed is sealed with the file's first key from now on; all of the file are accepted. False: it
 * was so before. */
static bool change_keys(struct core *core, const struct keyring *keys, FILE *to)
{
        char text[128];

        if (!transport_set_keys(core->transport, keys))
                return false;
        core_arbiter_disk_keys(core, keys);
        core_pill_keys(core, keys);
        core_arbiter_witness_keys(core, keys);
        if (keys->count > 1)
                snprintf(text, sizeof(text), "key %u seals now, key %u is accepted too", keys->key[0].number,
                         keys->key[1].number);
        else
                snprintf(text, sizeof(text), "key %u seals now, and no other is accepted",
                         keys->key[0].number);
        fprintf(to, "%s\n", text);
        core_tell(core, "config", "", 0, text);
        return true;
}

/* Takes ownership of `fresh`. */
static int replace(struct core *core, struct config *fresh, const struct keyring *keys, span confirm,
                   struct report *r)
{
        if (!config_reload_possible(core->config, fresh, on_mistake, r) ||
            !keeps_what_runs(core, fresh, r->to)) {
                config_free(fresh);
                fprintf(r->to, "nothing was changed");
                return -EBUSY;
        }
        if (config_nodes_difference(core->config, fresh, r->to))
                return change_nodes(core, fresh, confirm, r);
        if (number_alike(core, fresh) < 0) {
                config_free(fresh);
                fprintf(r->to, "nothing was changed");
                return -E2BIG;
        }
        bool differs = config_difference(core->config, fresh, r->to) != 0;
        struct config *old = differs ? put_in_place(core, fresh) : NULL;
        if (differs && !old) {
                config_free(fresh);
                return -EBUSY;
        }
        bool others = change_keys(core, keys, r->to);
        if (!differs) {
                config_free(fresh);
                fprintf(r->to, others ? "no other difference" : "no difference");
                return 0;
        }
        if (confirm.us && !core->before) {
                core->before = old;
                uv_timer_start(&core->confirm, go_back, (uint64_t)span_to_ms(confirm), 0);
                fprintf(r->to, "taken back unless 'haven confirm' comes in time");
        } else {
                config_free(old);
                fprintf(r->to, "reloaded");
        }
        core_tell(core, "config", "", 0, "reloaded");
        return 0;
}

/* The key file is read again each time, whatever else has changed. */
static int read_and_replace(struct core *core, span confirm, struct report *r)
{
        struct config *fresh = config_load(core->config->path, on_mistake, r);
        char reason[KEY_REASON];
        struct keyring keys;

        if (fresh && key_load(fresh->key_path, &keys, reason) < 0) {
                fprintf(r->to, "%s\n", reason);
                config_free(fresh);
                fresh = NULL;
        }
        if (!fresh) {
                fprintf(r->to, "nothing was changed");
                return -EINVAL;
        }
        int error = replace(core, fresh, &keys, confirm, r);
        key_wipe(&keys);
        return error;
}

int core_reload(struct core *core, span confirm, char *text, size_t size)
{
        struct report r = {.to = fmemopen(text, size, "w")};

        text[0] = '\0';
        if (!r.to)
                return -ENOMEM;
        int error = read_and_replace(core, confirm, &r);
        fclose(r.to);
        return error;
}

int core_confirm(struct core *core)
{
        if (!core->before)
                return -ENOENT;
        uv_timer_stop(&core->confirm);
        config_free(core->before);
        core->before = NULL;
        core_tell(core, "config", "", 0, "the reload is confirmed");
        return 0;
}
