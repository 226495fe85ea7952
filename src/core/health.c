/* This node's own health: while one of its checks is down it is unfit for every group, and what can be
 * elsewhere goes there. Machines that answer and do not serve are found so. */
#include "core/core.h"

#include "api/view_json.h"
#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static uint32_t check_id(const struct config_node *n, const struct config_check *check)
{
        char name[3 * NAME_SIZE];

        snprintf(name, sizeof(name), "node %s/%s", n->name, check->name); /* no group's name has a blank */
        return text_id(name) & INT32_MAX;
}

static const struct config_check *find(const struct config_node *n, uint32_t id)
{
        for (size_t i = 0; i < n->check_count; i++)
                if (check_id(n, &n->check[i]) == id)
                        return &n->check[i];
        return NULL;
}

static bool engine_unfit(const struct core *core, uint32_t group)
{
        for (size_t i = 0; i < core->unfit_count; i++)
                if (core->unfit[i] == group)
                        return true;
        return false;
}

static void tell_brain(struct core *core, int group, const char *text)
{
        bool fit = !core->unwell && !engine_unfit(core, core->config->group[group].id);

        core_event(core, &(struct cluster_event){
                                 .kind = CLUSTER_EV_FIT, .group = (uint8_t)group, .yes = fit, .text = text});
}

void core_health_fit(struct core *core, int group, bool fit, const char *text)
{
        uint32_t id = core->config->group[group].id;
        size_t count = 0;

        for (size_t i = 0; i < core->unfit_count; i++)
                if (core->unfit[i] != id && count < GROUPS_MAX)
                        core->unfit[count++] = core->unfit[i];
        if (!fit && count < GROUPS_MAX)
                core->unfit[count++] = id;
        core->unfit_count = count;
        tell_brain(core, group, text);
}

static void tell_all(struct core *core, const char *text)
{
        for (size_t g = 0; g < core->config->group_count; g++)
                if (memchr(core->config->group[g].node, core->self, core->config->group[g].node_count))
                        tell_brain(core, (int)g, text);
}

static void judge(struct core *core, const char *text)
{
        const struct config_node *n = &core->config->node[core->self];
        char unused[REASON_TEXT];
        struct check_result result;
        bool unwell = false;

        for (size_t i = 0; core->checker && i < n->check_count; i++)
                unwell |= checker_result(core->checker, check_id(n, &n->check[i]), &result, unused) &&
                          result.state == VERDICT_DOWN;
        if (unwell == core->unwell)
                return;
        core->unwell = unwell;
        tell_all(core, text);
}

bool core_health_result(struct core *core, uint32_t id, const struct check_result *result)
{
        const struct config_node *n = &core->config->node[core->self];
        const struct config_check *check = find(n, id);
        char text[NOTE_TEXT];

        if (!check)
                return false;
        snprintf(text, sizeof(text), "check %s: %s", check->name, result->text);
        if (result->changed && result->state != VERDICT_UNKNOWN)
                core_tell(core, result->state == VERDICT_DOWN ? "check-down" : "check-up", n->name,
                          result->state == VERDICT_DOWN ? ALERT_DOWN : ALERT_UP, text);
        judge(core, text);
        return true;
}

json_t *core_health_report(const struct core *core)
{
        const struct config_node *n = &core->config->node[core->self];
        json_t *checks = json_array();
        char text[REASON_TEXT];
        struct check_result result;

        for (size_t i = 0; i < n->check_count; i++) {
                bool known = core->checker &&
                             checker_result(core->checker, check_id(n, &n->check[i]), &result, text);
                json_array_append_new(
                        checks,
                        json_pack("{s:s, s:s, s:s, s:I, s:o}", "node", n->name, "name", n->check[i].name,
                                  "state", known ? verdict_name(result.state) : "unknown", "age_us",
                                  (json_int_t)(known ? span_between(result.since, instant_now()).us : -1),
                                  "text", text_to_json(known ? text : "")));
        }
        return checks;
}

void core_health_text(struct core *core, char *text, size_t size)
{
        const struct config_node *n = &core->config->node[core->self];
        char what[REASON_TEXT];
        struct check_result result;

        text[0] = '\0';
        for (size_t i = 0; core->checker && i < n->check_count; i++) {
                if (!checker_result(core->checker, check_id(n, &n->check[i]), &result, what) ||
                    result.state != VERDICT_DOWN)
                        continue;
                snprintf(text, size, "check %s is down: %s", n->check[i].name, what);
                return;
        }
}

void core_health_open(struct core *core, const struct config *old)
{
        const struct config_node *n = &core->config->node[core->self];
        int before = old ? config_find_node(old, n->name) : -1;

        for (size_t i = 0; before >= 0 && core->checker && i < old->node[before].check_count; i++) {
                uint32_t id = check_id(n, &old->node[before].check[i]);
                if (!find(n, id))
                        checker_stop(core->checker, id);
        }
        for (size_t i = 0; core->checker && i < n->check_count; i++) {
                int error = checker_start(core->checker, check_id(n, &n->check[i]), &n->check[i]);
                if (error)
                        log_error("node %s: check %s cannot be started: %s", n->name, n->check[i].name,
                                  strerror(-error));
        }
        judge(core, "its checks are others");
        if (core->unwell) /* the brain takes a group that has just come for fit */
                tell_all(core, "a check of this node is down");
}
