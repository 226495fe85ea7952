/* Groups on this node: the brain's actions become orders to the engine, with the ledger written first; what
 * the engine and the checks report becomes events. */
#include "core/core.h"
#include "core/watch.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct ledger_group *entry(struct core *core, int group)
{
        return ledger_group(core->inherited.ledger, core->config->group[group].id);
}

static struct engine_epoch to_engine(struct epoch e)
{
        return (struct engine_epoch){.term = e.term, .n = e.n};
}

/* Before an address can be in the kernel it is in the ledger, for the supervisor to find. */
static bool hold_addresses(struct core *core, int group)
{
        const struct config_group *g = &core->config->group[group];
        struct address *a;
        size_t n = 0;

        for (size_t i = 0; i < g->resource_count; i++) {
                const struct config_resource *r = &g->resource[i];
                if (r->kind != RESOURCE_ADDRESS)
                        continue;
                a = engine_address(core->engine, group, n++);
                if (!ledger_address_hold(core->inherited.ledger, &r->ip, r->prefix,
                                         a ? address_ifindex(a) : 0))
                        return false;
        }
        return true;
}

static bool is_configured(const struct config *c, const struct ip *ip)
{
        for (size_t g = 0; g < c->group_count; g++)
                for (size_t i = 0; i < c->group[g].resource_count; i++)
                        if (c->group[g].resource[i].kind == RESOURCE_ADDRESS &&
                            ip_equal(&c->group[g].resource[i].ip, ip))
                                return true;
        return false;
}

bool core_address_forgotten(const struct core *core)
{
        struct ledger *l = core->inherited.ledger;

        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++)
                if (ledger_state(&l->address[i].state) != LEDGER_FREE &&
                    !is_configured(core->config, &l->address[i].ip))
                        return true;
        return false;
}

void core_addresses_reload(struct core *core)
{
        struct ledger *l = core->inherited.ledger;

        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++) {
                struct ledger_address *a = &l->address[i];
                if (ledger_state(&a->state) == LEDGER_HELD && !is_configured(core->config, &a->ip) &&
                    ledger_address_release_begin(a))
                        ledger_address_free(a);
        }
        for (size_t g = 0; g < core->config->group_count; g++)
                if (ledger_state(&entry(core, (int)g)->state) == LEDGER_HELD && !hold_addresses(core, (int)g))
                        log_error(
                                "group %s: an address is not in the ledger: the supervisor cannot release it",
                                core->config->group[g].name);
}

static void each_address(struct core *core, int group, bool (*change)(struct ledger_address *))
{
        const struct config_group *g = &core->config->group[group];
        struct ledger *l = core->inherited.ledger;

        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++)
                for (size_t r = 0; r < g->resource_count; r++)
                        if (g->resource[r].kind == RESOURCE_ADDRESS && l->address[i].ip.family != 0 &&
                            ip_equal(&l->address[i].ip, &g->resource[r].ip))
                                change(&l->address[i]);
}

static void free_group(struct core *core, int group)
{
        each_address(core, group, ledger_address_release_begin);
        each_address(core, group, ledger_address_free);
        ledger_group_release_begin(entry(core, group));
        ledger_group_free(entry(core, group));
}

/* What runs everywhere runs without a lease: the supervisor has nothing to release when that ends. The epoch
 * is for the core that goes on with it. */
static void start_everywhere(struct core *core, const struct cluster_action *a)
{
        struct ledger_group *g = entry(core, a->group);

        g->epoch_term = a->epoch.term;
        g->epoch_n = a->epoch.n;
        engine_start(core->engine, a->group, to_engine(a->epoch), ENGINE_ALL, false);
}

/* The watchdog is not fed while data is held without a lease; the supervisor does not read configurations. */
static void note_data(struct core *core, int group)
{
        const struct config_group *g = &core->config->group[group];
        struct ledger *l = core->inherited.ledger;

        l->group_data[entry(core, group) - l->group] = g->exclusive == EXCLUSIVE_DATA;
}

static void start(struct core *core, const struct cluster_action *a)
{
        if (core->config->group[a->group].everywhere) {
                start_everywhere(core, a);
                return;
        }
        note_data(core, a->group);
        bool held = ledger_group_hold(core->inherited.ledger, entry(core, a->group), a->epoch);

        if (!held || !hold_addresses(core, a->group)) {
                if (held)
                        free_group(core, a->group);
                core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_START_FAILED,
                                                         .group = a->group,
                                                         .epoch = a->epoch,
                                                         .text = "the supervisor is still releasing it"});
                return;
        }
        engine_start(core->engine, a->group, to_engine(a->epoch), ENGINE_ALL, a->probe);
}

void core_act(struct core *core, const struct cluster_action *a)
{
        switch (a->kind) {
        case ACTION_WARM:
                engine_start(core->engine, a->group, to_engine(a->epoch), ENGINE_WARM, false);
                break;
        case ACTION_START: start(core, a); break;
        case ACTION_ADOPT:
                hold_addresses(core, a->group);
                engine_adopt(core->engine, a->group, to_engine(a->epoch));
                break;
        case ACTION_STOP:
                ledger_group_release_begin(entry(core, a->group));
                each_address(core, a->group, ledger_address_release_begin);
                engine_stop(core->engine, a->group);
                break;
        case ACTION_ANNOUNCE: engine_announce(core->engine, a->group); break;
        case ACTION_ASK: engine_ask(core->engine, a->group); break;
        case ACTION_FENCE: core_fence(core, a->node); break;
        }
}

/* --- checks --- */

/* The same after a reload and in the next core, whatever else the configuration gained. */
uint32_t core_check_id(const struct config_group *g, const struct config_check *check)
{
        char name[2 * NAME_SIZE];

        snprintf(name, sizeof(name), "%s/%s", g->name, check->name);
        return text_id(name) & INT32_MAX;
}

static const struct config_check *find_check(const struct config *c, uint32_t id, int *ret_group)
{
        for (size_t g = 0; g < c->group_count; g++)
                for (size_t i = 0; i < c->group[g].check_count; i++)
                        if (core_check_id(&c->group[g], &c->group[g].check[i]) == id) {
                                *ret_group = (int)g;
                                return &c->group[g].check[i];
                        }
        return NULL;
}

static const char *checks_path(const struct core *core, char path[static PATH_SIZE])
{
        path_join(core->options.run_dir, "checks", path);
        return path;
}

int core_checks_open(struct core *core)
{
        char program[PATH_SIZE], path[PATH_SIZE];
        bool any = false;
        int error;

        for (size_t i = 0; i < core->config->group_count; i++)
                any |= core->config->group[i].check_count > 0;
        any |= core->config->watch_count > 0 || core->config->node[core->self].check_count > 0;
        if (!any || core->checker)
                return 0;
        error = path_program("haven-checker", program);
        if (!error)
                error = checker_new(core->loop, program, core_check_result, core, &core->checker);
        if (!error)
                checker_load(core->checker,
                             checks_path(core, path)); /* without it every check is unknown: fine */
        if (!error)
                checker_keep(core->checker, checks_path(core, path));
        return error;
}

static void checks_start(struct core *core, int group)
{
        const struct config_group *g = &core->config->group[group];

        for (size_t i = 0; core->checker && i < g->check_count; i++) {
                int error = checker_start(core->checker, core_check_id(g, &g->check[i]), &g->check[i]);
                if (error)
                        log_error("group %s: check %s cannot be started: %s", g->name, g->check[i].name,
                                  strerror(-error));
        }
}

static void checks_stop(struct core *core, int group)
{
        const struct config_group *g = &core->config->group[group];

        for (size_t i = 0; core->checker && i < g->check_count; i++)
                checker_stop(core->checker, core_check_id(g, &g->check[i]));
}

void core_checks_reload(struct core *core, const struct config *old)
{
        int group;

        for (size_t g = 0; core->checker && g < old->group_count; g++)
                for (size_t i = 0; i < old->group[g].check_count; i++) {
                        uint32_t id = core_check_id(&old->group[g], &old->group[g].check[i]);
                        if (!find_check(core->config, id, &group))
                                checker_stop(core->checker, id);
                }
        for (size_t g = 0; g < core->config->group_count; g++)
                if (ledger_state(&entry(core, (int)g)->state) == LEDGER_HELD ||
                    (core->config->group[g].everywhere &&
                     cluster_holds(core->brain, core->config->group[g].id)))
                        checks_start(core, (int)g);
}

void core_check_result(void *user, uint32_t id, const struct check_result *result)
{
        struct core *core = user;
        char text[NOTE_TEXT];
        int group;
        const struct config_check *check;

        if (id & WATCH_CHECKS) {
                core_watch_result(core, id, result);
                return;
        }
        if (core_health_result(core, id, result))
                return;
        check = find_check(core->config, id, &group);
        if (!check || !result->changed)
                return;
        const struct config_group *g = &core->config->group[group];
        snprintf(text, sizeof(text), "check %s: %s", check->name, result->text);
        switch (result->state) {
        case VERDICT_UNKNOWN: core_tell(core, "check-unknown", g->name, 0, text); break;
        case VERDICT_UP: core_tell(core, "check-up", g->name, 0, text); break;
        case VERDICT_DOWN:
                core_tell(core, "check-down", g->name, ALERT_DOWN, text);
                engine_check_failed(core->engine, group, text);
                break;
        }
}

/* --- what the engine reports --- */

static void tell_brain(struct core *core, const struct engine_report *r, enum cluster_event_kind kind,
                       bool yes)
{
        core_event(core, &(struct cluster_event){.kind = kind,
                                                 .group = (uint8_t)r->group,
                                                 .epoch = {.term = r->epoch.term, .n = r->epoch.n},
                                                 .yes = yes,
                                                 .text = r->text});
}

void core_report(void *user, const struct engine_report *r)
{
        struct core *core = user;
        const char *name = core->config->group[r->group].name;

        switch (r->kind) {
        case ENGINE_WARMED: tell_brain(core, r, CLUSTER_EV_WARMED, false); break;
        case ENGINE_STARTED:
                checks_start(core, r->group);
                tell_brain(core, r, CLUSTER_EV_STARTED, false);
                break;
        case ENGINE_START_FAILED:
        case ENGINE_REFUSED:
                free_group(core, r->group);
                tell_brain(core, r, r->kind == ENGINE_REFUSED ? CLUSTER_EV_REFUSED : CLUSTER_EV_START_FAILED,
                           false);
                break;
        case ENGINE_RELEASED:
                checks_stop(core, r->group);
                each_address(core, r->group, ledger_address_free);
                tell_brain(core, r, CLUSTER_EV_RELEASED, false);
                break;
        case ENGINE_STOPPED:
                checks_stop(core, r->group);
                free_group(core, r->group);
                tell_brain(core, r, CLUSTER_EV_STOPPED, false);
                break;
        case ENGINE_STOP_FAILED:
                tell_brain(core, r, CLUSTER_EV_STOP_FAILED, false);
                core_stop_failed(core, r->group);
                break;
        case ENGINE_FAILED: tell_brain(core, r, CLUSTER_EV_FAILED, false); break;
        case ENGINE_BROKEN: core_tell(core, "group-broken", name, 0, r->text); break;
        case ENGINE_RESTARTED:
                /* what the checks saw was the broken one: they look anew */
                checks_stop(core, r->group);
                checks_start(core, r->group);
                core_tell(core, "group-restarted", name, ALERT_DOWN, r->text);
                break;
        case ENGINE_UNFIT: core_health_fit(core, r->group, false, r->text); break;
        case ENGINE_FIT: core_health_fit(core, r->group, true, r->text); break;
        case ENGINE_NOTE:
                /* "KIND NAME: TEXT" */
                core_tell(core, strncmp(r->text, "director ", 9) == 0 ? "director" : "address", name, 0,
                          r->text);
                break;
        }
}

void core_clear_leftovers(struct core *core)
{
        const struct config *config = core->config;

        takeover_gate_clear_left(core->takeover, core_gate_instance(core));
        for (size_t g = 0; g < config->group_count; g++)
                for (size_t i = 0; i < config->group[g].resource_count; i++) {
                        const struct config_resource *r = &config->group[g].resource[i];
                        if (r->kind != RESOURCE_ADDRESS)
                                continue;
                        int error = address_remove_now(&r->ip, r->prefix, 0);
                        if (error)
                                log_warning(
                                        "address %s: left behind by an earlier run and cannot be removed: %s",
                                        r->name, strerror(-error));
                }
}
