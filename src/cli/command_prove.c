#include "cli/offline.h"
#include "cli/prove.h"

#include "config/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CELL_LEAST 6

struct report {
        const struct cluster_settings *settings;
        json_t *cases; /* NULL: a table for people */
        int first_width;
        unsigned lost_by_none, lost_by_one, lost_by_two; /* cases in which a group is lost */
};

static const char *case_name(const struct report *r, const struct prove_case *c, char *text, size_t size)
{
        const char *a = c->failed_count > 0 ? r->settings->node_name[c->failed[0]] : "";
        const char *b = c->failed_count > 1 ? r->settings->node_name[c->failed[1]] : "";

        if (c->failed_count == 0)
                snprintf(text, size, "-");
        else if (c->failed_count == 1)
                snprintf(text, size, "%s", a);
        else
                snprintf(text, size, "%s%s%s", a, c->either ? " and " : ", then ", b);
        return text;
}

static bool any_lost(const struct report *r, const struct prove_case *c)
{
        for (uint8_t g = 0; g < r->settings->group_count; g++)
                if (prove_lost(c, r->settings, g))
                        return true;
        return false;
}

static const char *why_lost(const struct prove_case *c, uint8_t g)
{
        return c->quorum ? placement_reason_text(c->group[g].why) : "no majority is left";
}

/* --- for people --- */

static int cell_width(const struct cluster_settings *s, uint8_t g)
{
        size_t width = strlen(s->group[g].name);

        for (uint8_t i = 0; i < s->group[g].node_count; i++) {
                size_t n = strlen(s->node_name[s->group[g].node[i]]);
                width = n > width ? n : width;
        }
        return width < CELL_LEAST ? CELL_LEAST : (int)width;
}

static void print_head(struct report *r)
{
        const struct cluster_settings *s = r->settings;

        for (uint8_t i = 0; i < s->node_count; i++) {
                int n = (int)strlen(s->node_name[i]);
                r->first_width = n > r->first_width ? n : r->first_width;
        }
        r->first_width = 2 * r->first_width + (int)strlen(", then ");
        printf("%-*s", r->first_width, "failed");
        for (uint8_t g = 0; g < s->group_count; g++)
                if (!s->group[g].everywhere)
                        printf("  %-*s", cell_width(s, g), s->group[g].name);
        printf("  load\n");
}

/* Of the nodes that have a limit. */
static void print_load(const struct report *r, const struct prove_case *c)
{
        bool any = false;

        for (uint8_t i = 0; i < r->settings->node_count; i++) {
                bool failed = memchr(c->failed, i, c->failed_count) != NULL;
                if (failed || r->settings->capacity[i] == 0)
                        continue;
                printf("  %s %u/%u", r->settings->node_name[i], c->quorum ? c->load[i] : 0,
                       r->settings->capacity[i]);
                any = true;
        }
        if (!any)
                printf("  -");
}

static void print_case(const struct report *r, const struct prove_case *c)
{
        const struct cluster_settings *s = r->settings;
        char name[3 * CLUSTER_NAME];

        printf("%-*s", r->first_width, case_name(r, c, name, sizeof(name)));
        for (uint8_t g = 0; g < s->group_count; g++)
                if (!s->group[g].everywhere)
                        printf("  %-*s", cell_width(s, g),
                               prove_lost(c, s, g) ? "-" : s->node_name[c->group[g].to]);
        print_load(r, c);
        putchar('\n');
        for (uint8_t g = 0; c->quorum && g < s->group_count; g++)
                if (prove_lost(c, s, g))
                        printf("%-*s  %s stops: %s\n", r->first_width, "", s->group[g].name, why_lost(c, g));
        if (!c->quorum && any_lost(r, c))
                printf("%-*s  everything stops: no majority is left\n", r->first_width, "");
}

static void print_end(const struct report *r)
{
        if (r->lost_by_none)
                printf("not every group has a node even when all are well\n");
        else if (r->lost_by_one)
                printf("%u of %u nodes may not fail: a group would have no node\n", r->lost_by_one,
                       r->settings->node_count);
        else if (r->lost_by_two)
                printf("any one node may fail; not every two\n");
        else
                printf("any two nodes may fail, one after the other\n");
}

/* --- for programs --- */

static void add_case(const struct report *r, const struct prove_case *c)
{
        const struct cluster_settings *s = r->settings;
        json_t *failed = json_array(), *groups = json_array(), *nodes = json_array();

        assert(failed && groups && nodes);
        for (uint8_t i = 0; i < c->failed_count; i++)
                json_array_append_new(failed, json_string(s->node_name[c->failed[i]]));
        for (uint8_t g = 0; g < s->group_count; g++) {
                bool lost = prove_lost(c, s, g), everywhere = s->group[g].everywhere;
                json_array_append_new(
                        groups,
                        json_pack("{s:s, s:s, s:b, s:s}", "name", s->group[g].name, "node",
                                  lost || everywhere ? "" : s->node_name[c->group[g].to], "lost", lost, "why",
                                  lost ? why_lost(c, g) : placement_reason_text(c->group[g].why)));
        }
        for (uint8_t i = 0; i < s->node_count; i++)
                if (!memchr(c->failed, i, c->failed_count))
                        json_array_append_new(nodes, json_pack("{s:s, s:i, s:i}", "name", s->node_name[i],
                                                               "load", c->quorum ? (int)c->load[i] : 0,
                                                               "capacity", (int)s->capacity[i]));
        json_array_append_new(r->cases, json_pack("{s:o, s:b, s:b, s:o, s:o}", "failed", failed, "any_order",
                                                  c->failed_count < 2 || c->either, "quorum", c->quorum,
                                                  "groups", groups, "nodes", nodes));
}

static void on_case(void *user, const struct prove_case *c)
{
        struct report *r = user;

        if (any_lost(r, c)) {
                r->lost_by_none += c->failed_count == 0;
                r->lost_by_one += c->failed_count == 1;
                r->lost_by_two += c->failed_count == 2;
        }
        if (r->cases)
                add_case(r, c);
        else
                print_case(r, c);
}

static void report(struct report *r, bool json)
{
        r->cases = json ? json_array() : NULL;
        if (!json)
                print_head(r);
        prove(r->settings, on_case, r);
        if (!json) {
                print_end(r);
                return;
        }
        json_t *all = json_pack("{s:o, s:b, s:b}", "cases", r->cases, "survives_one",
                                !r->lost_by_none && !r->lost_by_one, "survives_two",
                                !r->lost_by_none && !r->lost_by_one && !r->lost_by_two);
        assert(all);
        json_dumpf(all, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(all);
}

enum cli_status command_prove(const struct command *command, const struct arguments *a)
{
        struct config *c = offline_config(a);
        struct cluster_settings *s = calloc(1, sizeof(*s));
        struct report r = {.settings = s};

        assert(s);
        if (!c) {
                free(s);
                return CLI_NOT_DONE;
        }
        settings_groups(c, s);
        /* an odd number of nodes needs none, and has none */
        s->arbiter = c->node_count % 2 ? CLUSTER_ARBITER_ABSENT : CLUSTER_ARBITER_WEAK;
        report(&r, a->given[OPTION_JSON]);
        config_free(c);
        free(s);
        return r.lost_by_none || r.lost_by_one ? CLI_NOT_DONE : CLI_DONE;
}
