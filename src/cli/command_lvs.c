#include "cli/connection.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Older than this, and it is asked for again, for a second at most. */
#define OLD_MS       2000
#define ASK_AGAIN_MS 100
#define ASK_MOST     10

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
static void print_rate(long long bytes_s)
{
        static const char *const units[] = {"B/s", "kB/s", "MB/s", "GB/s"};
        double rate = (double)bytes_s;
        size_t unit = 0;

        for (; rate >= 1000 && unit < 3; unit++)
                rate /= 1000;
        printf(rate < 10 && unit ? "%.1f %s" : "%.0f %s", rate, units[unit]);
}

static void print_traffic(const json_t *traffic)
{
        printf(", %lld/s new", number(traffic, "connections_s"));
        if (!json_object_get(traffic, "bytes_in_s"))
                return;
        printf(", ");
        print_rate(number(traffic, "bytes_in_s"));
        printf(" in, ");
        print_rate(number(traffic, "bytes_out_s"));
        printf(" out");
}

static void print_checks(const json_t *server)
{
        const json_t *check;
        size_t i;

        json_array_foreach(json_object_get(server, "checks"), i, check)
        {
                if (strcmp(text(check, "state"), "up") != 0)
                        printf("        check %s is %s%s%s\n", text(check, "name"), text(check, "state"),
                               text(check, "text")[0] ? ": " : "", text(check, "text"));
        }
}

static void print_server(const json_t *server, bool active, const char *before)
{
        const json_t *wanted = json_object_get(server, "weight_wanted"),
                     *weight = json_object_get(server, "weight");

        printf("    %s%-24s %-6s %-10s", before, text(server, "address"), text(server, "forward"),
               text(server, "state"));
        if (weight)
                printf(" weight %lld, %lld active, %lld inactive", number(server, "weight"),
                       number(server, "active"), number(server, "inactive"));
        else if (wanted && !active)
                printf(" weight %lld", number(server, "weight_wanted"));
        else
                printf(" not in the table");
        if (weight)
                print_traffic(json_object_get(server, "traffic"));
        if (weight && wanted && number(server, "weight") != number(server, "weight_wanted"))
                printf("; wanted: weight %lld", number(server, "weight_wanted"));
        putchar('\n');
        print_checks(server);
}

static void print_service(const json_t *service, bool active)
{
        const json_t *server, *fallback = json_object_get(service, "fallback");
        size_t i, count = json_array_size(json_object_get(service, "servers"));

        printf("  %s  %s, scheduler %s, %lld of %zu work", text(service, "service"), text(service, "state"),
               text(service, "scheduler"), number(service, "working"), count);
        if (number(service, "persistence_s"))
                printf(", persistent %llds", number(service, "persistence_s"));
        if (active && !json_is_true(json_object_get(service, "in_kernel")))
                printf("; not in the kernel's table");
        putchar('\n');
        json_array_foreach(json_object_get(service, "servers"), i, server)
        {
                print_server(server, active, "");
        }
        if (fallback && strcmp(text(fallback, "state"), "serving") == 0)
                print_server(fallback, active, "fallback ");
}

static void print_director(const json_t *director)
{
        bool active = strcmp(text(director, "state"), "active") == 0;
        const json_t *service;
        size_t i;

        printf("director %s of group %s: %s", text(director, "name"), text(director, "group"),
               text(director, "state"));
        if (active && strcmp(text(director, "backend"), "nft") == 0)
                printf(" by nftables");
        if (number(director, "foreign"))
                printf(", and %lld virtual services that are not haven's", number(director, "foreign"));
        putchar('\n');
        if (text(director, "trouble")[0])
                printf("  %s\n", text(director, "trouble"));
        json_array_foreach(json_object_get(director, "services"), i, service)
        {
                print_service(service, active);
        }
}

/* A large table is read in its own time: the answer says how old what it says is. */
static bool is_old(const json_t *lvs)
{
        const json_t *director;
        size_t i;

        json_array_foreach(json_object_get(lvs, "directors"), i, director)
        {
                if (strcmp(text(director, "state"), "active") == 0 &&
                    number(director, "read_ms_ago") > OLD_MS)
                        return true;
        }
        return false;
}

static enum cli_status ask_for_news(const char *socket, const char *command, json_t **ret_answer)
{
        const struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1000000L};

        for (int i = 0;; i++) {
                enum cli_status status =
                        ask(socket, json_pack("{s:s}", "command", command), PATIENCE_LOOK_S, ret_answer);
                if (status != CLI_DONE || i == ASK_MOST || !is_old(json_object_get(*ret_answer, "lvs")))
                        return status;
                json_decref(*ret_answer);
                nanosleep(&pause, NULL);
        }
}

enum cli_status command_lvs(const struct command *command, const struct arguments *a)
{
        const json_t *lvs, *director;
        json_t *answer;
        size_t i;

        enum cli_status status = ask_for_news(a->socket, command->name, &answer);
        if (status != CLI_DONE)
                return status;
        lvs = json_object_get(answer, "lvs");
        if (a->given[OPTION_JSON]) {
                json_dumpf(lvs, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
                putchar('\n');
        } else {
                json_array_foreach(json_object_get(lvs, "directors"), i, director)
                {
                        print_director(director);
                }
                if (i == 0)
                        puts("no director in the configuration");
        }
        json_decref(answer);
        return CLI_DONE;
}

enum cli_status command_drain(const struct command *command, const struct arguments *a)
{
        json_t *answer;
        enum cli_status status =
                ask(a->socket, json_pack("{s:s, s:s}", "command", command->name, "server", a->word[0]),
                    PATIENCE_LOOK_S, &answer);

        if (status != CLI_DONE)
                return status;
        puts(text(answer, "text"));
        json_decref(answer);
        return CLI_DONE;
}
