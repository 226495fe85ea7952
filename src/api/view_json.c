#include "api/view_json.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *text_to_json(const char *text)
{
        json_t *json = json_string(text);

        if (json)
                return json;
        char *plain = strdup(text);
        assert(plain);
        for (char *p = plain; *p; p++)
                if ((unsigned char)*p >= 0x80)
                        *p = '?';
        json = json_string(plain);
        assert(json);
        free(plain);
        return json;
}

/* Takes over the reference to `value`. */
static void set(json_t *object, const char *key, json_t *value)
{
        int r = json_object_set_new(object, key, value);
        assert(r == 0);
}

static void set_text(json_t *object, const char *key, const char *text)
{
        set(object, key, text_to_json(text));
}

static json_t *add_array(json_t *object, const char *key)
{
        json_t *array = json_array();

        assert(array);
        set(object, key, array);
        return array;
}

static json_t *add_object(json_t *array)
{
        json_t *object = json_object();

        assert(object);
        int r = json_array_append_new(array, object);
        assert(r == 0);
        return object;
}

static void write_node(json_t *nodes, const struct view_node *n)
{
        json_t *node = add_object(nodes);
        char boot[20];

        set_text(node, "name", n->name);
        set_text(node, "state", n->state);
        set_text(node, "text", n->text);
        set_text(node, "watchdog", n->watchdog);
        set_text(node, "power", n->power);
        set(node, "self", json_boolean(n->self));
        set(node, "config_differs", json_boolean(n->config_differs));
        /* a string: JSON readers keep 53 bits of a number */
        snprintf(boot, sizeof(boot), "%016llx", (unsigned long long)n->boot);
        set_text(node, "boot", boot);
        set(node, "core", json_integer(n->core));
        json_t *links = add_array(node, "links");
        for (int i = 0; i < n->link_count; i++) {
                json_t *link = add_object(links);
                set_text(link, "name", n->link[i].name);
                set_text(link, "state", n->link[i].state);
                set(link, "silent_us", json_integer(n->link[i].silent_us));
        }
}

static void write_group(json_t *groups, const struct view_group *g)
{
        json_t *group = add_object(groups);

        set_text(group, "name", g->name);
        set_text(group, "state", g->state);
        set_text(group, "node", g->node);
        set_text(group, "epoch", g->epoch);
        set_text(group, "text", g->text);
        set_text(group, "failed_on", g->failed_on);
        json_t *places = g->everywhere ? add_array(group, "everywhere") : NULL;
        for (int i = 0; places && i < g->place_count; i++) {
                json_t *place = add_object(places);
                set_text(place, "node", g->place[i].node);
                set_text(place, "state", g->place[i].state);
        }
        json_t *resources = add_array(group, "resources");
        for (int i = 0; i < g->resource_count; i++) {
                json_t *resource = add_object(resources);
                set_text(resource, "name", g->resource[i].name);
                set_text(resource, "kind", g->resource[i].kind);
                set_text(resource, "state", g->resource[i].state);
                set_text(resource, "text", g->resource[i].text);
        }
        json_t *checks = add_array(group, "checks");
        for (int i = 0; i < g->check_count; i++) {
                json_t *check = add_object(checks);
                set_text(check, "name", g->check[i].name);
                set_text(check, "state", g->check[i].state);
                set_text(check, "text", g->check[i].text);
                set(check, "age_us", json_integer(g->check[i].age_us));
        }
}

json_t *view_to_json(const struct view *v)
{
        json_t *json = json_object();
        json_t *quorum = json_object();
        json_t *gate = json_object();
        json_t *maintenance = json_object();

        assert(json && quorum && gate && maintenance);
        set_text(json, "cluster", v->cluster);
        set_text(json, "self", v->self);
        set_text(json, "leader", v->leader);
        set(json, "term", json_integer(v->term));
        set_text(json, "document", v->document);
        set(quorum, "held", json_boolean(v->quorum_held));
        set_text(quorum, "arbiter", v->arbiter);
        set_text(quorum, "strength", v->strength);
        set_text(quorum, "text", v->arbiter_text);
        set(quorum, "age_us", json_integer(v->arbiter_age_us));
        set(quorum, "votes", json_integer(v->votes));
        set(quorum, "needed", json_integer(v->votes_needed));
        set_text(quorum, "survives", v->survives);
        set(json, "quorum", quorum);
        set_text(json, "promise", v->promise);
        set_text(json, "timing", v->timing);
        set_text(gate, "state", v->gate);
        set_text(gate, "text", v->gate_text);
        set(json, "gate", gate);
        set(maintenance, "on", json_boolean(v->maintenance));
        set_text(maintenance, "text", v->maintenance_text);
        set(json, "maintenance", maintenance);
        json_t *nodes = add_array(json, "nodes");
        for (int i = 0; i < v->node_count; i++)
                write_node(nodes, &v->node[i]);
        json_t *groups = add_array(json, "groups");
        for (int i = 0; i < v->group_count; i++)
                write_group(groups, &v->group[i]);
        json_t *watches = add_array(json, "watches");
        for (int i = 0; i < v->watch_count; i++) {
                json_t *watch = add_object(watches);
                set_text(watch, "name", v->watch[i].name);
                set_text(watch, "node", v->watch[i].node);
                set(watch, "up", json_integer(v->watch[i].up));
                set(watch, "down", json_integer(v->watch[i].down));
                set(watch, "unknown", json_integer(v->watch[i].unknown));
                set_text(watch, "text", v->watch[i].text);
        }
        json_t *alerts = json_object();
        assert(alerts);
        set(alerts, "waiting", json_integer(v->alerts_waiting));
        set_text(alerts, "text", v->alerts_text);
        set(json, "alerts", alerts);
        json_t *refused = add_array(json, "refused");
        for (int i = 0; i < v->refusal_count; i++) {
                json_t *refusal = add_object(refused);
                set_text(refusal, "reason", v->refusal[i].reason);
                set(refusal, "count", json_integer((json_int_t)v->refusal[i].count));
                set_text(refusal, "last_from", v->refusal[i].last_from);
        }
        return json;
}

json_t *view_event_to_json(const struct view_event *e)
{
        json_t *json = json_object();

        assert(json);
        set(json, "number", json_integer((json_int_t)e->number));
        set(json, "wall_us", json_integer(e->wall_us));
        set_text(json, "kind", e->kind);
        set_text(json, "subject", e->subject);
        set_text(json, "text", e->text);
        return json;
}

static void get_string(const json_t *object, const char *key, char *text, size_t size)
{
        const char *value = json_string_value(json_object_get(object, key));

        text_copy(text, size, value ? value : "");
}

#define GET_STRING(object, key, field) get_string(object, key, field, sizeof(field))

static int64_t get_integer(const json_t *object, const char *key, int64_t missing)
{
        const json_t *value = json_object_get(object, key);

        return json_is_integer(value) ? json_integer_value(value) : missing;
}

static bool get_bool(const json_t *object, const char *key)
{
        return json_is_true(json_object_get(object, key));
}

/* Elements of the array, as many as there is room for. */
static int get_array(const json_t *object, const char *key, int room, json_t **ret_array)
{
        *ret_array = json_object_get(object, key);
        size_t n = json_array_size(*ret_array);

        return n < (size_t)room ? (int)n : room;
}

static void read_node(const json_t *node, struct view_node *n)
{
        json_t *links;
        char boot[20];

        GET_STRING(node, "name", n->name);
        GET_STRING(node, "state", n->state);
        GET_STRING(node, "text", n->text);
        GET_STRING(node, "watchdog", n->watchdog);
        GET_STRING(node, "power", n->power);
        n->self = get_bool(node, "self");
        n->config_differs = get_bool(node, "config_differs");
        GET_STRING(node, "boot", boot);
        n->boot = strtoull(boot, NULL, 16);
        n->core = (uint32_t)get_integer(node, "core", 0);
        n->link_count = get_array(node, "links", LINKS_MAX, &links);
        for (int i = 0; i < n->link_count; i++) {
                const json_t *link = json_array_get(links, (size_t)i);
                GET_STRING(link, "name", n->link[i].name);
                GET_STRING(link, "state", n->link[i].state);
                n->link[i].silent_us = get_integer(link, "silent_us", -1);
        }
}

static void read_group(const json_t *group, struct view_group *g)
{
        json_t *places, *resources, *checks;

        GET_STRING(group, "name", g->name);
        GET_STRING(group, "state", g->state);
        GET_STRING(group, "node", g->node);
        GET_STRING(group, "epoch", g->epoch);
        GET_STRING(group, "text", g->text);
        GET_STRING(group, "failed_on", g->failed_on);
        g->everywhere = json_is_array(json_object_get(group, "everywhere"));
        g->place_count = get_array(group, "everywhere", NODES_MAX, &places);
        for (int i = 0; i < g->place_count; i++) {
                const json_t *place = json_array_get(places, (size_t)i);
                GET_STRING(place, "node", g->place[i].node);
                GET_STRING(place, "state", g->place[i].state);
        }
        g->resource_count = get_array(group, "resources", RESOURCES_MAX, &resources);
        for (int i = 0; i < g->resource_count; i++) {
                const json_t *resource = json_array_get(resources, (size_t)i);
                GET_STRING(resource, "name", g->resource[i].name);
                GET_STRING(resource, "kind", g->resource[i].kind);
                GET_STRING(resource, "state", g->resource[i].state);
                GET_STRING(resource, "text", g->resource[i].text);
        }
        g->check_count = get_array(group, "checks", CHECKS_MAX, &checks);
        for (int i = 0; i < g->check_count; i++) {
                const json_t *check = json_array_get(checks, (size_t)i);
                GET_STRING(check, "name", g->check[i].name);
                GET_STRING(check, "state", g->check[i].state);
                GET_STRING(check, "text", g->check[i].text);
                g->check[i].age_us = get_integer(check, "age_us", -1);
        }
}

int view_from_json(const json_t *json, struct view *v)
{
        const json_t *quorum = json_object_get(json, "quorum");
        const json_t *gate = json_object_get(json, "gate");
        const json_t *maintenance = json_object_get(json, "maintenance");
        json_t *array;

        memset(v, 0, sizeof(*v));
        if (!json_is_object(quorum) || !json_is_array(json_object_get(json, "nodes")))
                return -EBADMSG;
        GET_STRING(json, "cluster", v->cluster);
        GET_STRING(json, "self", v->self);
        GET_STRING(json, "leader", v->leader);
        v->term = (uint32_t)get_integer(json, "term", 0);
        GET_STRING(json, "document", v->document);
        v->quorum_held = get_bool(quorum, "held");
        GET_STRING(quorum, "arbiter", v->arbiter);
        GET_STRING(quorum, "strength", v->strength);
        GET_STRING(quorum, "text", v->arbiter_text);
        v->arbiter_age_us = get_integer(quorum, "age_us", -1);
        v->votes = (int)get_integer(quorum, "votes", 0);
        v->votes_needed = (int)get_integer(quorum, "needed", 0);
        GET_STRING(quorum, "survives", v->survives);
        GET_STRING(json, "promise", v->promise);
        GET_STRING(json, "timing", v->timing);
        GET_STRING(gate, "state", v->gate);
        GET_STRING(gate, "text", v->gate_text);
        v->maintenance = get_bool(maintenance, "on");
        GET_STRING(maintenance, "text", v->maintenance_text);
        v->node_count = get_array(json, "nodes", NODES_MAX, &array);
        for (int i = 0; i < v->node_count; i++)
                read_node(json_array_get(array, (size_t)i), &v->node[i]);
        v->group_count = get_array(json, "groups", GROUPS_MAX, &array);
        for (int i = 0; i < v->group_count; i++)
                read_group(json_array_get(array, (size_t)i), &v->group[i]);
        v->watch_count = get_array(json, "watches", WATCHES_MAX, &array);
        for (int i = 0; i < v->watch_count; i++) {
                const json_t *watch = json_array_get(array, (size_t)i);
                GET_STRING(watch, "name", v->watch[i].name);
                GET_STRING(watch, "node", v->watch[i].node);
                v->watch[i].up = (int)get_integer(watch, "up", 0);
                v->watch[i].down = (int)get_integer(watch, "down", 0);
                v->watch[i].unknown = (int)get_integer(watch, "unknown", 0);
                GET_STRING(watch, "text", v->watch[i].text);
        }
        const json_t *alerts = json_object_get(json, "alerts");
        v->alerts_waiting = (int)get_integer(alerts, "waiting", 0);
        GET_STRING(alerts, "text", v->alerts_text);
        v->refusal_count = get_array(json, "refused", VIEW_REFUSALS_MAX, &array);
        for (int i = 0; i < v->refusal_count; i++) {
                const json_t *refusal = json_array_get(array, (size_t)i);
                GET_STRING(refusal, "reason", v->refusal[i].reason);
                v->refusal[i].count = (uint64_t)get_integer(refusal, "count", 0);
                GET_STRING(refusal, "last_from", v->refusal[i].last_from);
        }
        return 0;
}

int view_event_from_json(const json_t *json, struct view_event *e)
{
        memset(e, 0, sizeof(*e));
        if (!json_is_integer(json_object_get(json, "number")))
                return -EBADMSG;
        e->number = (uint64_t)get_integer(json, "number", 0);
        e->wall_us = get_integer(json, "wall_us", 0);
        GET_STRING(json, "kind", e->kind);
        GET_STRING(json, "subject", e->subject);
        GET_STRING(json, "text", e->text);
        return 0;
}
