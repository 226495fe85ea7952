/* The directors of this node, for `haven lvs`, and their servers' draining. */
#include "core/core.h"

#include "api/view_json.h"
#include "director/director.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void put_text(json_t *object, const char *name, const char *text)
{
        json_object_set_new(object, name, text_to_json(text));
}

static void put_number(json_t *object, const char *name, uint64_t number)
{
        json_object_set_new(object, name, json_integer((json_int_t)number));
}

static json_t *new_array(json_t *object, const char *name)
{
        json_t *array = json_array();

        json_object_set_new(object, name, array);
        return array;
}

/* nftables counts connections only. */
static json_t *traffic_json(const struct traffic *t, bool bytes)
{
        json_t *json = json_object();

        put_number(json, "connections", t->connections);
        put_number(json, "connections_s", t->connections_s);
        if (!bytes)
                return json;
        put_number(json, "packets_in", t->packets_in);
        put_number(json, "packets_out", t->packets_out);
        put_number(json, "bytes_in", t->bytes_in);
        put_number(json, "bytes_out", t->bytes_out);
        put_number(json, "bytes_in_s", t->bytes_in_s);
        put_number(json, "bytes_out_s", t->bytes_out_s);
        return json;
}

/* `actual` may be NULL: the kernel does not have it. */
static json_t *server_json(const struct real_server *wanted, const struct real_server *actual, bool bytes)
{
        char text[SERVER_TEXT];
        json_t *json = json_object();

        put_text(json, "address", endpoint_format(&wanted->ip, wanted->port, text));
        put_text(json, "forward", forward_name(wanted->forward));
        put_number(json, "weight_wanted", wanted->weight);
        if (!actual)
                return json;
        put_number(json, "weight", actual->weight);
        put_number(json, "active", actual->active);
        put_number(json, "inactive", actual->inactive);
        put_number(json, "persistent", actual->persistent);
        json_object_set_new(json, "traffic", traffic_json(&actual->traffic, bytes));
        return json;
}

static void put_checks(const struct director *d, const struct plan_server *s, json_t *to)
{
        json_t *array = new_array(to, "checks");
        char text[REASON_TEXT];
        struct check_result result;

        for (size_t i = 0; i < s->check_count; i++) {
                json_t *json = json_object();
                json_array_append_new(array, json);
                put_text(json, "name", director_plan(d)->check[s->check[i]].check.name);
                bool known = director_check(d, s->check[i], &result, text);
                put_text(json, "state", verdict_name(known ? result.state : VERDICT_UNKNOWN));
                put_text(json, "text", known ? text : "");
        }
}

/* One server of the plan: as it is wanted, as it is, and why. */
static json_t *planned_json(const struct director *d, size_t service, size_t server,
                            const struct virtual_service *wanted, const struct virtual_service *actual)
{
        const struct plan_server *s = &director_plan(d)->service[service].server[server];
        const struct real_server *is_wanted = service_server(wanted, &s->real.ip, s->real.port);
        const struct real_server *is = actual ? service_server(actual, &s->real.ip, s->real.port) : NULL;
        const struct real_server *to_be = is_wanted ? is_wanted : &s->real;
        json_t *json = server_json(to_be, is, director_counts_bytes(d));

        if (!is_wanted)
                json_object_del(json, "weight_wanted"); /* it is not to be there */
        put_text(json, "state", server_state_name(farm_server(director_farm(d), service, server)));
        put_checks(d, s, json);
        return json;
}

static json_t *service_json(const struct director *d, size_t i, const struct table *actual)
{
        const struct plan_service *p = &director_plan(d)->service[i];
        const struct virtual_service *is = table_service(actual, &p->service.key);
        const struct farm *farm = director_farm(d);
        struct virtual_service wanted;
        char text[VIRTUAL_TEXT];
        json_t *json = json_object(), *servers = new_array(json, "servers");

        put_text(json, "service", virtual_key_format(&p->service.key, text));
        put_text(json, "scheduler", p->service.scheduler);
        put_number(json, "persistence_s", p->service.persistence_s);
        put_text(json, "state", farm_service_up(farm, i) ? "up" : "down");
        put_number(json, "working", farm_working(farm, i));
        put_number(json, "quorum", p->quorum);
        json_object_set_new(json, "in_kernel", json_boolean(is));
        if (director_stands_by(d))
                put_text(json, "standing", standing_name(director_standing(d, i)));
        if (is)
                json_object_set_new(json, "traffic", traffic_json(&is->traffic, director_counts_bytes(d)));
        if (director_service(d, i, instant_now(), &wanted) < 0)
                return json;
        for (size_t j = 0; j < p->server_count; j++)
                json_array_append_new(servers, planned_json(d, i, j, &wanted, is));
        if (p->has_fallback) {
                const struct real_server *f = &p->fallback;
                const struct real_server *on = is ? service_server(is, &f->ip, f->port) : NULL;
                json_t *fallback = server_json(f, on, director_counts_bytes(d));
                put_text(fallback, "state", farm_service_up(farm, i) ? "waiting" : "serving");
                json_object_set_new(json, "fallback", fallback);
        }
        service_done(&wanted);
        return json;
}

static json_t *director_json(const struct config_group *g, struct director *d)
{
        struct table actual = {0};
        size_t foreign = 0;
        span age;
        json_t *json = json_object(), *files = new_array(json, "files"),
               *services = new_array(json, "services");
        int error = director_read(d, &actual, &foreign, &age);

        put_text(json, "group", g->name);
        put_text(json, "name", director_name(d));
        put_text(json, "state", director_active(d) ? "active" : "standby");
        json_object_set_new(json, "ready", json_boolean(director_stands_by(d)));
        put_text(json, "trouble", error ? strerror(-error) : director_trouble(d));
        put_text(json, "backend", director_backend(d));
        put_number(json, "foreign", foreign);
        put_number(json, "read_ms_ago", (uint64_t)span_to_ms(age));
        for (size_t i = 0; i < director_plan(d)->file_count; i++)
                json_array_append_new(files, text_to_json(director_plan(d)->file[i].path));
        for (size_t i = 0; i < director_plan(d)->service_count; i++)
                json_array_append_new(services, service_json(d, i, &actual));
        table_free(&actual);
        return json;
}

json_t *core_lvs(void *user)
{
        struct core *core = user;
        json_t *json = json_object(), *directors = new_array(json, "directors");
        struct director *d;

        put_text(json, "node", core->config->node[core->self].name);
        for (size_t g = 0; g < core->config->group_count; g++)
                for (size_t i = 0; (d = engine_director(core->engine, (int)g, i)); i++)
                        json_array_append_new(directors, director_json(&core->config->group[g], d));
        return json;
}

void core_drain(struct core *core, const struct api_command *c, struct api_reply *reply)
{
        bool drain = c->kind == API_DRAIN;
        size_t places = 0;
        char text[256];
        struct director *d;
        struct ip ip;
        uint16_t port;

        if (ip_parse_endpoint(c->server, &ip, &port) < 0) {
                snprintf(text, sizeof(text),
                         "'%s' is no server: write its address, as in 10.0.0.11 or 10.0.0.11:80", c->server);
                api_reply_send(reply, -EINVAL, text);
                return;
        }
        for (size_t g = 0; g < core->config->group_count; g++)
                for (size_t i = 0; (d = engine_director(core->engine, (int)g, i)); i++)
                        places += director_drain(d, &ip, port, drain);
        if (places == 0) {
                snprintf(text, sizeof(text), "no director here has a server %s: 'haven lvs' lists them",
                         c->server);
                api_reply_send(reply, -ENOENT, text);
                return;
        }
        snprintf(text, sizeof(text), "server %s %s in %zu virtual service%s", c->server,
                 drain ? "drained" : "takes connections again", places, places == 1 ? "" : "s");
        core_tell(core, "director", "", 0, text);
        if (drain)
                strncat(text,
                        "; 'haven lvs' shows the connections left. This node only: drain it on the others "
                        "too",
                        sizeof(text) - strlen(text) - 1);
        api_reply_send(reply, 0, text);
}
