/* What haven knows, as plain data for src/api. */
#include "core/core.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A link that has an interface here is called by it. */
static void name_link(struct core *core, int node, int link, struct view_link *v)
{
        const struct ip *own = config_link_ip(core->config, link, core->self);
        enum link_kind kind = core->config->link[link].kind;
        char device[TAKEOVER_NAME], name[LINK_NAME];
        bool carrier, here = own && takeover_interface_of(core->takeover, own, device, &carrier);

        config_link_name(core->config, link, core->self, node, name);
        if (here && kind == LINK_UDP)
                snprintf(v->name, sizeof(v->name), "%s %s", device, name);
        else if (here)
                snprintf(v->name, sizeof(v->name), "%.*s %s", (int)strcspn(name, " "), name, device);
        else
                text_copy(v->name, sizeof(v->name), name);
}

static void view_link(struct core *core, int node, int link, instant now, struct view_link *v)
{
        span silent;

        name_link(core, node, link, v);
        text_copy(v->state, sizeof(v->state),
                  link_state_name(cluster_link(core->brain, (uint8_t)node, (uint8_t)link, now, &silent)));
        v->silent_us = silent.us;
}

static void view_power(struct core *core, int node, struct view_node *v)
{
        static const char *const power[] = {
                [FENCE_NONE] = "", [FENCE_RUNNING] = "fencing", [FENCE_OFF] = "off"};
        span watchdog = cluster_watchdog(core->brain, (uint8_t)node);
        char time[SPAN_TEXT];

        text_copy(v->power, sizeof(v->power), power[cluster_fence(core->brain, (uint8_t)node)]);
        if (node == core->self)
                core_watchdog_text(core, v->watchdog);
        else if (watchdog.us)
                snprintf(v->watchdog, sizeof(v->watchdog), "armed, resets it within %s",
                         span_format(span_s((watchdog.us + 999999) / 1000000), time));
}

static void view_node(struct core *core, int node, instant now, struct view_node *v)
{
        struct incarnation inc = cluster_incarnation(core->brain, (uint8_t)node);

        text_copy(v->name, sizeof(v->name), core->config->node[node].name);
        text_copy(v->state, sizeof(v->state),
                  node_state_name(cluster_node(core->brain, (uint8_t)node, now, v->text, sizeof(v->text))));
        v->self = node == core->self;
        if (v->self && !v->text[0])
                core_health_text(core, v->text, sizeof(v->text));
        view_power(core, node, v);
        v->config_differs = cluster_config_differs(core->brain, (uint8_t)node);
        v->boot = inc.boot;
        v->core = inc.core;
        if (v->self)
                return;
        for (int l = 0; l < (int)core->config->link_count; l++)
                if (config_link_shared(core->config, l, core->self, node))
                        view_link(core, node, l, now, &v->link[v->link_count++]);
}

static void view_resources(struct core *core, int group, bool here, struct view_group *v)
{
        const struct config_group *g = &core->config->group[group];

        v->resource_count = (int)g->resource_count;
        for (int i = 0; i < v->resource_count; i++) {
                struct view_resource *r = &v->resource[i];
                text_copy(r->name, sizeof(r->name), g->resource[i].name);
                text_copy(r->kind, sizeof(r->kind), resource_kind_name(g->resource[i].kind));
                text_copy(r->state, sizeof(r->state), "unknown");
                if (!here || (size_t)i >= engine_resource_count(core->engine, group))
                        continue;
                struct engine_resource_view e = engine_resource(core->engine, group, (size_t)i);
                text_copy(r->state, sizeof(r->state), e.state);
                text_copy(r->text, sizeof(r->text), e.text ? e.text : "");
        }
}

static void view_checks(struct core *core, int group, struct view_group *v)
{
        static const char *const names[] = {"unknown", "up", "down"};
        const struct config_group *g = &core->config->group[group];
        char text[REASON_TEXT];
        struct check_result result;

        v->check_count = (int)g->check_count;
        for (int i = 0; i < v->check_count; i++) {
                struct view_check *c = &v->check[i];
                text_copy(c->name, sizeof(c->name), g->check[i].name);
                text_copy(c->state, sizeof(c->state), "unknown");
                c->age_us = -1;
                if (!core->checker ||
                    !checker_result(core->checker, core_check_id(g, &g->check[i]), &result, text))
                        continue;
                text_copy(c->state, sizeof(c->state), names[result.state]);
                text_copy(c->text, sizeof(c->text), text);
                c->age_us = span_between(result.since, instant_now()).us;
        }
}

static void name_failed(const struct core *core, uint64_t failed, char *text, size_t size)
{
        size_t n = 0;

        for (size_t i = 0; i < core->config->node_count && n < size; i++)
                if (failed & 1ULL << i)
                        n += (size_t)snprintf(text + n, size - n, "%s%s", n ? " " : "",
                                              core->config->node[i].name);
}

static void view_places(struct core *core, int group, instant now, struct view_group *v)
{
        const struct config_group *g = &core->config->group[group];

        v->place_count = (int)g->node_count;
        for (int i = 0; i < v->place_count; i++) {
                enum group_state s = cluster_group_on(core->brain, (uint8_t)group, g->node[i], now);
                text_copy(v->place[i].node, sizeof(v->place[i].node), core->config->node[g->node[i]].name);
                text_copy(v->place[i].state, sizeof(v->place[i].state), group_state_name(s));
        }
}

static void view_group(struct core *core, int group, instant now, struct view_group *v)
{
        const struct config_group *g = &core->config->group[group];
        const struct assignment *a = document_group_const(cluster_document(core->brain), g->id);

        text_copy(v->name, sizeof(v->name), g->name);
        text_copy(
                v->state, sizeof(v->state),
                group_state_name(cluster_group(core->brain, (uint8_t)group, now, v->text, sizeof(v->text))));
        if (a && a->owner != NODE_NONE) {
                text_copy(v->node, sizeof(v->node), core->config->node[a->owner].name);
                snprintf(v->epoch, sizeof(v->epoch), "%u.%u", a->epoch.term, a->epoch.n);
        }
        v->everywhere = g->everywhere;
        if (g->everywhere)
                view_places(core, group, now, v);
        if (a)
                name_failed(core, a->failed, v->failed_on, sizeof(v->failed_on));
        view_resources(core, group, cluster_holds(core->brain, g->id), v);
        view_checks(core, group, v);
}

static void view_refusals(const struct core *core, struct view *v)
{
        const struct transport_refusal *r = transport_refusals(core->transport);

        for (int why = PACKET_ACCEPTED + 1; why < PACKET_REFUSALS && v->refusal_count < VIEW_REFUSALS_MAX;
             why++) {
                if (r[why].count == 0)
                        continue;
                struct view_refusal *to = &v->refusal[v->refusal_count++];
                text_copy(to->reason, sizeof(to->reason), packet_refusal_name((enum packet_refusal)why));
                to->count = r[why].count;
                ip_format(&r[why].from, to->last_from);
        }
}

static void view_quorum(struct core *core, instant now, struct view *v)
{
        bool odd = cluster_arbiter(core->brain) == CLUSTER_ARBITER_ABSENT,
             strong = arbiter_kind_is_strong(core->config->arbiter.kind);
        struct survival s = cluster_survival(core->brain, now);

        v->quorum_held = cluster_has_lease(core->brain, now);
        v->votes = s.votes;
        v->votes_needed = s.needed;
        survival_text(&s, v->survives, sizeof(v->survives));
        text_copy(v->arbiter, sizeof(v->arbiter), arbiter_kind_name(core->config->arbiter.kind));
        text_copy(v->strength, sizeof(v->strength), odd || strong ? "strong" : "weak");
        text_copy(v->arbiter_text, sizeof(v->arbiter_text),
                  core->arbiter_text[0] ? core->arbiter_text : "not asked");
        if (strong)
                core->arbiter_answered = s.arbiter_answered;
        v->arbiter_age_us = core->arbiter_answered.us ? span_between(core->arbiter_answered, now).us : -1;
        if (core->disk)
                core_arbiter_disk_view(core, v->arbiter_text, sizeof(v->arbiter_text));
        if (odd)
                text_copy(v->promise, sizeof(v->promise),
                          "a majority of the nodes decides: never two owners");
        else if (strong)
                snprintf(v->promise, sizeof(v->promise),
                         "a majority of nodes and %s decides: never two owners",
                         arbiter_kind_name(core->config->arbiter.kind));
        else
                text_copy(v->promise, sizeof(v->promise), "a network split can run both");
}

static void view_timing(struct core *core, struct view *v)
{
        struct timing t = cluster_timing(core->brain);
        span heartbeat = core->config->heartbeat, dead = core->config->dead;
        char h[SPAN_TEXT], d[SPAN_TEXT], file_h[SPAN_TEXT], file_d[SPAN_TEXT];
        int n = snprintf(v->timing, sizeof(v->timing), "heartbeat %s, dead %s", span_format(t.heartbeat, h),
                         span_format(t.dead, d));

        if (t.heartbeat.us != heartbeat.us || t.dead.us != dead.us)
                snprintf(v->timing + n, sizeof(v->timing) - (size_t)n,
                         "; the file says %s, %s: in force once all nodes are online and have reloaded it",
                         span_format(heartbeat, file_h), span_format(dead, file_d));
}

void core_view(void *user, struct view *v)
{
        struct core *core = user;
        const struct document *d = cluster_document(core->brain);
        uint8_t leader = cluster_leader(core->brain);
        instant now = instant_now();

        text_copy(v->cluster, sizeof(v->cluster), core->config->cluster);
        text_copy(v->self, sizeof(v->self), core->config->node[core->self].name);
        if (leader != NODE_NONE)
                text_copy(v->leader, sizeof(v->leader), core->config->node[leader].name);
        v->term = cluster_term(core->brain);
        snprintf(v->document, sizeof(v->document), "%u.%u.%u", d->version.term, d->version.author,
                 d->version.n);
        view_quorum(core, now, v);
        view_timing(core, v);
        core_gate_view(core, v);
        v->maintenance = d->maintenance;
        if (d->maintenance && d->maintenance_left.us)
                span_format(d->maintenance_left, v->maintenance_text);
        v->node_count = 0;
        for (int i = 0; i < (int)core->config->node_count; i++)
                if (core->config->node[i].name[0])
                        view_node(core, i, now, &v->node[v->node_count++]);
        v->group_count = (int)core->config->group_count;
        for (int i = 0; i < v->group_count; i++)
                view_group(core, i, now, &v->group[i]);
        core_watch_view(core, v);
        view_refusals(core, v);
}

int core_explain(void *user, const char *group, char *text, size_t size)
{
        struct core *core = user;
        int g = config_find_group(core->config, group);

        if (g < 0) {
                snprintf(text, size, "there is no group '%s' in %s", group, core->config->path);
                return -ENOENT;
        }
        cluster_explain(core->brain, (uint8_t)g, instant_now(), text, size);
        char why[NOTE_TEXT];
        core_health_text(core, why, sizeof(why));
        size_t n = strlen(text);
        if (why[0])
                snprintf(text + n, size - n, "%s: %s\n", core->config->node[core->self].name, why);
        return 0;
}
