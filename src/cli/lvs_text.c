#include "cli/lvs_text.h"

#include <string.h>

static const char *text(const json_t *object, const char *name)
{
        const char *value = json_string_value(json_object_get(object, name));

        return value ? value : "";
}

static long long number(const json_t *object, const char *name)
{
        return (long long)json_integer_value(json_object_get(object, name));
}

/* "1.2 MB/s" */
static void print_rate(long long bytes_s, FILE *to)
{
        static const char *const units[] = {"B/s", "kB/s", "MB/s", "GB/s"};
        double rate = (double)bytes_s;
        size_t unit = 0;

        for (; rate >= 1000 && unit < 3; unit++)
                rate /= 1000;
        fprintf(to, rate < 10 && unit ? "%.1f %s" : "%.0f %s", rate, units[unit]);
}

static void print_traffic(const json_t *traffic, FILE *to)
{
        fprintf(to, ", %lld/s new", number(traffic, "connections_s"));
        if (!json_object_get(traffic, "bytes_in_s"))
                return;
        fprintf(to, ", ");
        print_rate(number(traffic, "bytes_in_s"), to);
        fprintf(to, " in, ");
        print_rate(number(traffic, "bytes_out_s"), to);
        fprintf(to, " out");
}

static void print_checks(const json_t *server, FILE *to)
{
        const json_t *check;
        size_t i;

        json_array_foreach(json_object_get(server, "checks"), i, check)
        {
                if (strcmp(text(check, "state"), "up") != 0)
                        fprintf(to, "        check %s is %s%s%s\n", text(check, "name"), text(check, "state"),
                                text(check, "text")[0] ? ": " : "", text(check, "text"));
        }
}

static void print_server(const json_t *server, bool there, const char *before, FILE *to)
{
        const json_t *wanted = json_object_get(server, "weight_wanted"),
                     *weight = json_object_get(server, "weight");

        fprintf(to, "    %s%-24s %-6s %-10s", before, text(server, "address"), text(server, "forward"),
                text(server, "state"));
        if (weight)
                fprintf(to, " weight %lld, %lld active, %lld inactive", number(server, "weight"),
                        number(server, "active"), number(server, "inactive"));
        else if (wanted && !there)
                fprintf(to, " weight %lld", number(server, "weight_wanted"));
        else
                fprintf(to, " not in the table");
        if (weight)
                print_traffic(json_object_get(server, "traffic"), to);
        if (weight && wanted && number(server, "weight") != number(server, "weight_wanted"))
                fprintf(to, "; wanted: weight %lld", number(server, "weight_wanted"));
        putc('\n', to);
        print_checks(server, to);
}

/* What is in the kernel of a node that stands by, where that is not all. */
static void print_standing(const json_t *service, FILE *to)
{
        if (strcmp(text(service, "standing"), "self") == 0)
                fprintf(to,
                        "; this node serves it, and has nobody but itself in the table until it takes over");
        else if (strcmp(text(service, "standing"), "out") == 0)
                fprintf(to,
                        "; its address is this node's own, so it is in the table after the takeover only");
}

/* `there`: in the kernel, if all is well. */
static void print_service(const json_t *service, bool there, FILE *to)
{
        const json_t *server, *fallback = json_object_get(service, "fallback");
        size_t i, count = json_array_size(json_object_get(service, "servers"));

        fprintf(to, "  %s  %s, scheduler %s, %lld of %zu work", text(service, "service"),
                text(service, "state"), text(service, "scheduler"), number(service, "working"), count);
        if (number(service, "persistence_s"))
                fprintf(to, ", persistent %llds", number(service, "persistence_s"));
        if (strcmp(text(service, "standing"), "out") != 0 && there &&
            !json_is_true(json_object_get(service, "in_kernel")))
                fprintf(to, "; not in the kernel's table");
        print_standing(service, to);
        putc('\n', to);
        json_array_foreach(json_object_get(service, "servers"), i, server)
        {
                print_server(server, there, "", to);
        }
        if (fallback && strcmp(text(fallback, "state"), "serving") == 0)
                print_server(fallback, there, "fallback ", to);
}

static void print_director(const json_t *director, FILE *to)
{
        bool active = strcmp(text(director, "state"), "active") == 0,
             ready = json_is_true(json_object_get(director, "ready"));
        const json_t *service;
        size_t i;

        fprintf(to, "director %s of group %s: %s", text(director, "name"), text(director, "group"),
                text(director, "state"));
        if (active && strcmp(text(director, "backend"), "nft") == 0)
                fprintf(to, " by nftables");
        if (ready)
                fprintf(to, ", ready to take over: its table is in the kernel");
        if (number(director, "foreign"))
                fprintf(to, ", and %lld virtual services that are not haven's", number(director, "foreign"));
        putc('\n', to);
        if (text(director, "trouble")[0])
                fprintf(to, "  %s\n", text(director, "trouble"));
        json_array_foreach(json_object_get(director, "services"), i, service)
        {
                print_service(service, active || ready, to);
        }
}

bool lvs_has_directors(const json_t *lvs)
{
        return json_array_size(json_object_get(lvs, "directors")) > 0;
}

void lvs_print(const json_t *lvs, FILE *to)
{
        const json_t *director;
        size_t i;

        json_array_foreach(json_object_get(lvs, "directors"), i, director)
        {
                print_director(director, to);
        }
}

/* --- changes --- */

#define WHAT_SIZE 256

/* The element of a list whose members `key` and `other` (may be NULL) are as in `like`. */
static const json_t *find(const json_t *list, const json_t *like, const char *key, const char *other)
{
        const json_t *element;
        size_t i;

        json_array_foreach(list, i, element)
        {
                if (strcmp(text(element, key), text(like, key)) == 0 &&
                    (!other || strcmp(text(element, other), text(like, other)) == 0))
                        return element;
        }
        return NULL;
}

static void tell(const char *who, const char *old, const char *now, FILE *to)
{
        if (!old[0])
                fprintf(to, "%s: %s\n", who, now);
        else if (strcmp(old, now) != 0)
                fprintf(to, "%s: %s -> %s\n", who, old, now);
}

static const char *server_text(const json_t *server, bool active, char what[static WHAT_SIZE])
{
        what[0] = '\0';
        if (server && json_object_get(server, "weight"))
                snprintf(what, WHAT_SIZE, "%s, weight %lld", text(server, "state"), number(server, "weight"));
        else if (server)
                snprintf(what, WHAT_SIZE, "%s%s", text(server, "state"), active ? ", not in the table" : "");
        return what;
}

static bool is_active(const json_t *director)
{
        return strcmp(text(director, "state"), "active") == 0;
}

static void service_changes(const char *director, const json_t *old, bool was_active, const json_t *now,
                            bool active, FILE *to)
{
        char who[WHAT_SIZE], before[WHAT_SIZE], after[WHAT_SIZE];
        const json_t *server;
        size_t i;

        snprintf(who, sizeof(who), "director %.60s, %.80s", director, text(now, "service"));
        tell(who, text(old, "state"), text(now, "state"), to);
        json_array_foreach(json_object_get(now, "servers"), i, server)
        {
                const json_t *was = find(json_object_get(old, "servers"), server, "address", NULL);
                snprintf(who, sizeof(who), "director %.60s, %.80s, server %.60s", director,
                         text(now, "service"), text(server, "address"));
                tell(who, server_text(was, was_active, before), server_text(server, active, after), to);
        }
        server = json_object_get(now, "fallback");
        snprintf(who, sizeof(who), "director %.60s, %.80s, fallback", director, text(now, "service"));
        if (server)
                tell(who, text(json_object_get(old, "fallback"), "state"), text(server, "state"), to);
}

void lvs_print_changes(const json_t *old, const json_t *now, FILE *to)
{
        const json_t *director, *service;
        char who[WHAT_SIZE];
        size_t i, k;

        json_array_foreach(json_object_get(now, "directors"), i, director)
        {
                const json_t *was = find(json_object_get(old, "directors"), director, "name", "group");
                snprintf(who, sizeof(who), "director %.60s", text(director, "name"));
                tell(who, text(was, "state"), text(director, "state"), to);
                if (text(director, "trouble")[0])
                        tell(who, text(was, "trouble"), text(director, "trouble"), to);
                json_array_foreach(json_object_get(director, "services"), k, service)
                {
                        service_changes(text(director, "name"),
                                        find(json_object_get(was, "services"), service, "service", NULL),
                                        is_active(was), service, is_active(director), to);
                }
        }
}
