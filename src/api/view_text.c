#include "api/view_text.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#define WIDTH_MIN 6 /* of a column of names */

enum tint { TINT_NONE, TINT_GOOD, TINT_WARN, TINT_BAD, TINT_HEAD };

static const char *const tint_start[] = {"", "\033[32m", "\033[33m", "\033[1;31m", "\033[1m"};

/* Every state that a view can show; an unknown one (of a newer havend) stays untinted. */
static const struct {
        const char *state;
        enum tint tint;
} state_tints[] = {
        {"online", TINT_GOOD},    {"standby", TINT_WARN},  {"offline", TINT_BAD},     {"leaving", TINT_WARN},
        {"started", TINT_GOOD},   {"starting", TINT_WARN}, {"stopping", TINT_WARN},   {"stopped", TINT_NONE},
        {"failed", TINT_BAD},     {"blocked", TINT_BAD},   {"up", TINT_GOOD},         {"late", TINT_WARN},
        {"one-way-in", TINT_BAD}, {"down", TINT_BAD},      {"one-way-out", TINT_BAD}, {"waiting", TINT_WARN},
        {"unknown", TINT_WARN},
};

/* The output and how it wants to look. */
struct page {
        FILE *to;
        bool colour;
};

static enum tint tint_of(const char *state)
{
        for (size_t i = 0; i < COUNT(state_tints); i++)
                if (strcmp(state, state_tints[i].state) == 0)
                        return state_tints[i].tint;
        return TINT_NONE;
}

/* Prints `text` without what could drive a terminal: C0, DEL and the UTF-8 form of C1. */
static void print_safe(FILE *to, const char *text)
{
        for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
                if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
                        fputc('?', to);
                        p++;
                } else {
                        fputc(*p < 0x20 || *p == 0x7f ? '?' : *p, to);
                }
        }
}

static void print_tinted(const struct page *p, enum tint tint, const char *text)
{
        if (p->colour && tint != TINT_NONE)
                fputs(tint_start[tint], p->to);
        print_safe(p->to, text);
        if (p->colour && tint != TINT_NONE)
                fputs("\033[0m", p->to);
}

static void print_blanks(const struct page *p, int n)
{
        fprintf(p->to, "%*s", n > 0 ? n : 0, "");
}

/* `text` in a column `width` wide, followed by two blanks. */
static void print_cell(const struct page *p, enum tint tint, const char *text, int width)
{
        print_tinted(p, tint, text);
        print_blanks(p, width - (int)strlen(text) + 2);
}

static void print_head(const struct page *p, const char *text)
{
        print_tinted(p, TINT_HEAD, text);
        fputc('\n', p->to);
}

static void print_count(const struct page *p, int64_t n, const char *one, const char *many)
{
        fprintf(p->to, "%lld %s", (long long)n, n == 1 ? one : many);
}

static int wider(int width, const char *text)
{
        int n = (int)strlen(text);

        return n > width ? n : width;
}

const char *age_format(int64_t us, char text[static AGE_TEXT])
{
        long long s = us / 1000000;

        if (us < 1000000)
                snprintf(text, AGE_TEXT, "%lldms", (long long)us / 1000);
        else if (s < 60)
                snprintf(text, AGE_TEXT, "%lld.%llds", s, (long long)us / 100000 % 10);
        else if (s < 3600)
                snprintf(text, AGE_TEXT, "%lldm %llds", s / 60, s % 60);
        else if (s < 86400)
                snprintf(text, AGE_TEXT, "%lldh %lldm", s / 3600, s / 60 % 60);
        else
                snprintf(text, AGE_TEXT, "%lldd %lldh", s / 86400, s / 3600 % 24);
        return text;
}

static const char *heard_text(int64_t silent_us, char *text, size_t size)
{
        char age[AGE_TEXT];

        if (silent_us < 0)
                text_copy(text, size, "never heard");
        else
                snprintf(text, size, "last heard %s ago", age_format(silent_us, age));
        return text;
}

/* A line of the cluster's own part: the label, then whatever the caller prints. */
static void print_label(const struct page *p, const char *label)
{
        fputs("  ", p->to);
        print_cell(p, TINT_NONE, label, 11);
}

/* The kernel's own end of the lease. Where there is none, a node that stands still whole, kernel apart,
 * answers for its addresses until their lifetime there is over. */
static void print_gate(const struct page *p, const struct view *v)
{
        bool in_force = strcmp(v->gate, "in-force") == 0;

        print_label(p, "gate");
        print_tinted(p, in_force ? TINT_GOOD : TINT_WARN, in_force ? "in force" : v->gate);
        if (v->gate_text[0])
                fputs(in_force ? " on " : ": ", p->to);
        print_safe(p->to, v->gate_text);
        if (!in_force)
                fputs("; if all of haven stands still here, this node may answer up to 2 s too long", p->to);
        fputc('\n', p->to);
}

static void print_cluster(const struct page *p, const struct view *v)
{
        bool weak = strcmp(v->strength, "strong") != 0;
        char age[AGE_TEXT];

        print_tinted(p, TINT_HEAD, v->cluster);
        fputs(", as seen by ", p->to);
        print_safe(p->to, v->self);
        fputs("\n", p->to);

        print_label(p, "leader");
        if (v->leader[0])
                print_safe(p->to, v->leader);
        else
                print_tinted(p, TINT_BAD, "none");
        fprintf(p->to, ", term %u\n", v->term);

        print_label(p, "quorum");
        print_tinted(p, v->quorum_held ? TINT_GOOD : TINT_BAD, v->quorum_held ? "held" : "lost");
        fputs("; arbiter ", p->to);
        print_safe(p->to, v->arbiter);
        fprintf(p->to, " (%s)", weak ? "weak" : "strong");
        if (v->arbiter_text[0]) {
                fputs(": ", p->to);
                print_safe(p->to, v->arbiter_text);
                if (v->arbiter_age_us > 0)
                        fprintf(p->to, ", %s ago", age_format(v->arbiter_age_us, age));
        }
        fputc('\n', p->to);

        if (v->survives[0]) {
                print_label(p, "survives");
                print_tinted(p, v->votes > v->votes_needed ? TINT_NONE : TINT_WARN, v->survives);
                fputc('\n', p->to);
        }

        /* never silent about what is not promised, even when the core had no words for it */
        if (v->promise[0] || weak) {
                print_label(p, weak ? "warning" : "promise");
                print_tinted(p, weak ? TINT_WARN : TINT_NONE,
                             v->promise[0] ? v->promise : "a network split can run both");
                fputc('\n', p->to);
        }
        if (strchr(v->timing, ';')) {
                print_label(p, "timing");
                print_tinted(p, TINT_WARN, v->timing);
                fputc('\n', p->to);
        }
        if (v->gate[0]) /* a havend of an earlier release says nothing of it */
                print_gate(p, v);
        if (v->maintenance) {
                print_label(p, "maintenance");
                print_tinted(p, TINT_WARN, "on");
                fputs(v->maintenance_text[0] ? ": " : "", p->to);
                print_safe(p->to, v->maintenance_text);
                fputs("; nothing is started, stopped or moved. To end it: haven maintenance off\n", p->to);
        }
}

static bool links_all_up(const struct view_node *n)
{
        for (int i = 0; i < n->link_count; i++)
                if (strcmp(n->link[i].state, "up") != 0)
                        return false;
        return true;
}

static void print_node_links(const struct page *p, const struct view_node *n, int indent)
{
        char heard[48];
        int width = 0;

        for (int i = 0; i < n->link_count; i++)
                width = wider(width, n->link[i].name);
        for (int i = 0; i < n->link_count; i++) {
                print_blanks(p, indent);
                print_cell(p, TINT_NONE, n->link[i].name, width);
                print_tinted(p, tint_of(n->link[i].state), n->link[i].state);
                fprintf(p->to, ", %s\n", heard_text(n->link[i].silent_us, heard, sizeof(heard)));
        }
}

static void print_node(const struct page *p, const struct view_node *n, int width)
{
        const char *before = "";

        fputs("  ", p->to);
        print_cell(p, TINT_NONE, n->name, width);
        if (!n->self && !n->text[0] && !n->watchdog[0] && !n->config_differs && n->link_count == 0) {
                print_tinted(p, tint_of(n->state), n->state);
                fputc('\n', p->to);
                return;
        }
        print_cell(p, tint_of(n->state), n->state, 8);
        if (n->self) {
                fputs("this node", p->to);
                before = "; ";
        } else if (n->link_count > 0 && links_all_up(n)) {
                print_count(p, n->link_count, "link up", "links up");
                before = "; ";
        } else if (n->link_count > 0) {
                int up = 0;
                for (int i = 0; i < n->link_count; i++)
                        up += strcmp(n->link[i].state, "up") == 0;
                fprintf(p->to, "%d of ", up);
                print_count(p, n->link_count, "link up", "links up");
                before = "; ";
        }
        if (n->text[0]) {
                fputs(before, p->to);
                print_safe(p->to, n->text);
                before = "; ";
        }
        if (n->watchdog[0]) {
                fprintf(p->to, "%swatchdog ", before);
                print_safe(p->to, n->watchdog);
                before = "; ";
        }
        if (n->config_differs) {
                fputs(before, p->to);
                print_tinted(p, TINT_WARN, "its configuration differs from ours");
        }
        fputc('\n', p->to);
        if (!n->self && !links_all_up(n))
                print_node_links(p, n, 2 + width + 2 + 8 + 2);
}

static bool is_state(const char *state, const char *name)
{
        return strcmp(state, name) == 0;
}

/* Only the owner knows its resources; the others have nothing to say about them. */
static bool resources_known(const struct view_group *g)
{
        for (int i = 0; i < g->resource_count; i++)
                if (!is_state(g->resource[i].state, "unknown"))
                        return true;
        return false;
}

static void print_resources(const struct page *p, const struct view_group *g, int indent)
{
        bool quiet = true; /* all started, nothing to remark: one line will do */
        int width = 0;

        for (int i = 0; i < g->resource_count; i++) {
                quiet = quiet && is_state(g->resource[i].state, g->state) && !g->resource[i].text[0];
                width = wider(width, g->resource[i].name);
        }
        for (int i = 0; i < g->resource_count; i++) {
                const struct view_resource *r = &g->resource[i];
                if (quiet) {
                        print_blanks(p, i == 0 ? indent : 0);
                        fputs(i == 0 ? "" : ", ", p->to);
                        print_safe(p->to, r->name);
                        continue;
                }
                print_blanks(p, indent);
                print_cell(p, TINT_NONE, r->name, width);
                print_tinted(p, tint_of(r->state), r->state);
                fputs(r->text[0] ? ": " : "", p->to);
                print_safe(p->to, r->text);
                fputc('\n', p->to);
        }
        if (quiet && g->resource_count > 0)
                fputc('\n', p->to);
}

static void print_group_checks(const struct page *p, const struct view_group *g, int indent)
{
        char age[AGE_TEXT];

        for (int i = 0; i < g->check_count; i++) {
                const struct view_check *c = &g->check[i];
                print_blanks(p, indent);
                fputs("check ", p->to);
                print_safe(p->to, c->name);
                fputc(' ', p->to);
                print_tinted(p, tint_of(c->state), c->state);
                if (c->age_us >= 0)
                        fprintf(p->to, " for %s", age_format(c->age_us, age));
                fputs(c->text[0] ? ": " : "", p->to);
                print_safe(p->to, c->text);
                fputc('\n', p->to);
        }
}

static void print_group(const struct page *p, const struct view_group *g, int width)
{
        int indent = 2 + width + 2 + 8 + 2;
        bool rest = g->node[0] || g->text[0];

        fputs("  ", p->to);
        print_cell(p, TINT_NONE, g->name, width);
        print_tinted(p, tint_of(g->state), g->state);
        if (rest)
                print_blanks(p, 8 - (int)strlen(g->state) + 2);
        if (g->node[0]) {
                fputs("on ", p->to);
                print_safe(p->to, g->node);
                if (g->epoch[0]) {
                        fputs(", epoch ", p->to);
                        print_safe(p->to, g->epoch);
                }
        }
        if (g->text[0]) {
                fputs(g->node[0] ? "; " : "", p->to);
                print_safe(p->to, g->text);
        }
        fputc('\n', p->to);
        if (g->failed_on[0]) {
                print_blanks(p, indent);
                fputs("failed on ", p->to);
                print_tinted(p, TINT_BAD, g->failed_on);
                fputs("; when mended: haven clear ", p->to);
                print_safe(p->to, g->name);
                fputc('\n', p->to);
        }
        if (resources_known(g)) {
                print_resources(p, g, indent);
                print_group_checks(p, g, indent);
        }
}

static void print_refusals(const struct page *p, const struct view *v)
{
        int width = 0;

        for (int i = 0; i < v->refusal_count; i++)
                width = wider(width, v->refusal[i].reason);
        fputc('\n', p->to);
        print_head(p, "refused packets");
        for (int i = 0; i < v->refusal_count; i++) {
                fputs("  ", p->to);
                print_cell(p, TINT_WARN, v->refusal[i].reason, width);
                fprintf(p->to, "%8llu", (unsigned long long)v->refusal[i].count);
                if (v->refusal[i].last_from[0]) {
                        fputs("  last from ", p->to);
                        print_safe(p->to, v->refusal[i].last_from);
                }
                fputc('\n', p->to);
        }
}

static void print_watch(const struct page *p, const struct view_watch *w, int width)
{
        fputs("  ", p->to);
        print_cell(p, TINT_NONE, w->name, width);
        if (w->node[0] == '\0') {
                print_tinted(p, TINT_WARN, "nobody looks");
                fputc('\n', p->to);
                return;
        }
        fprintf(p->to, "%d up", w->up);
        if (w->down > 0) {
                char down[24];
                snprintf(down, sizeof(down), "%d down", w->down);
                fputs(", ", p->to);
                print_tinted(p, TINT_BAD, down);
        }
        if (w->unknown > 0)
                fprintf(p->to, ", %d unknown", w->unknown);
        fputs(", seen by ", p->to);
        print_safe(p->to, w->node);
        if (w->text[0]) {
                fputc('\n', p->to);
                print_blanks(p, 2 + width + 2);
                print_safe(p->to, w->text);
        }
        fputc('\n', p->to);
}

static void print_watches(const struct page *p, const struct view *v, int width)
{
        if (v->watch_count > 0) {
                fputc('\n', p->to);
                print_head(p, "watches");
        }
        for (int i = 0; i < v->watch_count; i++)
                print_watch(p, &v->watch[i], width);
        if (v->alerts_text[0]) {
                fputc('\n', p->to);
                print_tinted(p, TINT_BAD, "not told");
                fputs(": ", p->to);
                print_safe(p->to, v->alerts_text);
                fputc('\n', p->to);
        }
}

void view_print_status(const struct view *v, bool colour, FILE *to)
{
        const struct page p = {to, colour};
        int width = WIDTH_MIN;

        for (int i = 0; i < v->node_count; i++)
                width = wider(width, v->node[i].name);
        for (int i = 0; i < v->group_count; i++)
                width = wider(width, v->group[i].name);
        for (int i = 0; i < v->watch_count; i++)
                width = wider(width, v->watch[i].name);

        print_cluster(&p, v);
        fputc('\n', to);
        print_head(&p, "nodes");
        for (int i = 0; i < v->node_count; i++)
                print_node(&p, &v->node[i], width);
        fputc('\n', to);
        print_head(&p, "groups");
        for (int i = 0; i < v->group_count; i++)
                print_group(&p, &v->group[i], width);
        if (v->group_count == 0)
                fputs("  none in the configuration\n", to);
        print_watches(&p, v, width);
        if (v->refusal_count > 0)
                print_refusals(&p, v);
}

/* What a link's state says about each direction, and what to look at when one of them is wrong. */
static const struct {
        const char *state;
        const char *we_hear;
        const char *they_hear;
        const char *remark; /* completes "…"; NULL: none */
} directions[] = {
        {"up", "yes", "yes", NULL},
        {"late", "late", "yes", "slow, lossy, or the node is overloaded"},
        {"one-way-in", "yes", "no", "does not hear us: a firewall there, a cable, or a filter on the way"},
        {"one-way-out", "no", "yes", "hears us, we do not hear it: a firewall here, a cable, or a filter"},
        {"down", "no", "no", "silent: cable, switch, address, firewall, or the node is off"},
};

static void print_link_row(const struct page *p, const struct view_node *n, const struct view_link *link,
                           int node_width, int link_width)
{
        const char *we_hear = "?", *they_hear = "?", *remark = NULL;
        enum tint tint = tint_of(link->state);
        char heard[48];

        for (size_t i = 0; i < COUNT(directions); i++) {
                if (strcmp(link->state, directions[i].state) != 0)
                        continue;
                we_hear = directions[i].we_hear;
                they_hear = directions[i].they_hear;
                remark = directions[i].remark;
        }
        fputs("  ", p->to);
        print_cell(p, TINT_NONE, n->name, node_width);
        print_cell(p, TINT_NONE, link->name, link_width);
        print_cell(p, we_hear[0] == 'n' ? TINT_BAD : TINT_NONE, we_hear, 10);
        print_cell(p, they_hear[0] == 'n' ? TINT_BAD : TINT_NONE, they_hear, 10);
        print_cell(p, tint, link->state, 11);
        fputs(heard_text(link->silent_us, heard, sizeof(heard)), p->to);
        fputc('\n', p->to);
        if (remark) {
                print_blanks(p, 2 + node_width + 2);
                fprintf(p->to, "^ %s\n", remark);
        }
}

void view_print_links(const struct view *v, bool colour, FILE *to)
{
        const struct page p = {to, colour};
        int node_width = (int)strlen("node");
        int link_width = (int)strlen("link");
        int rows = 0;

        for (int i = 0; i < v->node_count; i++) {
                node_width = wider(node_width, v->node[i].name);
                for (int k = 0; k < v->node[i].link_count; k++)
                        link_width = wider(link_width, v->node[i].link[k].name);
        }
        fputs("links of ", to);
        print_safe(to, v->self);
        fputs("\n  ", to);
        print_cell(&p, TINT_HEAD, "node", node_width);
        print_cell(&p, TINT_HEAD, "link", link_width);
        print_cell(&p, TINT_HEAD, "we hear", 10);
        print_cell(&p, TINT_HEAD, "hears us", 10);
        print_head(&p, "state");
        for (int i = 0; i < v->node_count; i++) {
                for (int k = 0; k < v->node[i].link_count && !v->node[i].self; k++, rows++)
                        print_link_row(&p, &v->node[i], &v->node[i].link[k], node_width, link_width);
        }
        if (rows == 0)
                fputs("  none: this cluster has one node\n", to);
}

void view_print_checks(const struct view *v, bool colour, FILE *to)
{
        const struct page p = {to, colour};
        int group_width = 0, name_width = 0, rows = 0;
        char age[AGE_TEXT];

        for (int i = 0; i < v->group_count; i++) {
                group_width = wider(group_width, v->group[i].name);
                for (int k = 0; k < v->group[i].check_count; k++)
                        name_width = wider(name_width, v->group[i].check[k].name);
        }
        for (int i = 0; i < v->group_count; i++) {
                for (int k = 0; k < v->group[i].check_count; k++, rows++) {
                        const struct view_check *c = &v->group[i].check[k];
                        print_cell(&p, TINT_NONE, v->group[i].name, group_width);
                        print_cell(&p, TINT_NONE, c->name, name_width);
                        print_tinted(&p, tint_of(c->state), c->state);
                        if (c->age_us >= 0)
                                fprintf(to, " for %s", age_format(c->age_us, age));
                        fputs(c->text[0] ? ": " : "", to);
                        print_safe(to, c->text);
                        fputc('\n', to);
                }
        }
        if (rows == 0)
                fputs("no checks in the configuration\n", to);
}

void view_event_print(const struct view_event *e, bool colour, FILE *to)
{
        const struct page p = {to, colour};
        time_t s = (time_t)(e->wall_us / 1000000);
        struct tm tm;
        char when[32];

        localtime_r(&s, &tm);
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
        fprintf(to, "%s.%03d  ", when, (int)(e->wall_us / 1000 % 1000));
        print_cell(&p, TINT_HEAD, e->kind, 14);
        print_safe(to, e->subject);
        fputs(e->subject[0] && e->text[0] ? ": " : "", to);
        print_safe(to, e->text);
        fputc('\n', to);
}
