#include "config/difference.h"

#include "config/print_inside.h"

#include <stdlib.h>
#include <string.h>

/* Compares word by word, as they would be written. With `to`, writes each difference. */
static int compare(const char *section, const char *kind, const struct target *a, const struct target *b,
                   const char *who, FILE *to)
{
        const struct word *w;
        int count = 0;

        for (size_t i = 0; (w = word_next(section, kind, &i));) {
                char *x = word_text(w, a), *y = word_text(w, b);
                if (x && y && strcmp(x, y) != 0) {
                        count++;
                        if (to)
                                fprintf(to, "%s: %s %s -> %s\n", who, w->name, x, y);
                }
                free(x);
                free(y);
        }
        return count;
}

static struct target target_of(const void *object, const struct config *c)
{
        return (struct target){.object = (void *)object, .config = c};
}

static int compare_resource(const struct config_resource *a, const struct config_resource *b, const char *who,
                            FILE *to)
{
        bool directors = a->director && b->director;
        struct target x = target_of(directors ? (const void *)a->director : a, NULL),
                      y = target_of(directors ? (const void *)b->director : b, NULL);

        int count = compare(resource_kind_name(a->kind), NULL, &x, &y, who, to);

        return directors ? count + compare_directors(a->director, b->director, who, to) : count;
}

bool config_resource_equal(const struct config_resource *a, const struct config_resource *b)
{
        return a->kind == b->kind && strcmp(a->name, b->name) == 0 && compare_resource(a, b, "", NULL) == 0;
}

static const struct config_resource *find_resource(const struct config_group *g,
                                                   const struct config_resource *like)
{
        for (size_t i = 0; i < g->resource_count; i++)
                if (g->resource[i].kind == like->kind && strcmp(g->resource[i].name, like->name) == 0)
                        return &g->resource[i];
        return NULL;
}

/* The checks of a group or a node. */
struct checks {
        const struct config_check *check;
        size_t count;
};

static const struct config_check *find_check(const struct checks *in, const struct config_check *like)
{
        for (size_t i = 0; i < in->count; i++)
                if (in->check[i].kind == like->kind && strcmp(in->check[i].name, like->name) == 0)
                        return &in->check[i];
        return NULL;
}

static int tell(FILE *to, const char *group, const char *kind, const char *name, const char *what)
{
        if (to)
                fprintf(to, "group %s: %s %s %s\n", group, kind, name, what);
        return 1;
}

/* The order of starting, of those that both have. */
static int compare_order(const struct config_group *a, const struct config_group *b, FILE *to)
{
        const struct config_resource *last = NULL;

        for (size_t i = 0; i < b->resource_count; i++) {
                const struct config_resource *old = find_resource(a, &b->resource[i]);
                if (!old)
                        continue;
                if (last && old < last)
                        return tell(to, b->name, resource_kind_name(old->kind), old->name,
                                    "has another place in the order");
                last = old;
        }
        return 0;
}

static int compare_resources(const struct config_group *a, const struct config_group *b, FILE *to)
{
        char who[2 * 96 + 32];
        int count = 0;

        for (size_t i = 0; i < a->resource_count; i++)
                if (!find_resource(b, &a->resource[i]))
                        count += tell(to, a->name, resource_kind_name(a->resource[i].kind),
                                      a->resource[i].name, "removed");
        for (size_t i = 0; i < b->resource_count; i++) {
                const struct config_resource *r = &b->resource[i], *old = find_resource(a, r);
                snprintf(who, sizeof(who), "group %s, %s %s", b->name, resource_kind_name(r->kind), r->name);
                if (!old)
                        count += tell(to, b->name, resource_kind_name(r->kind), r->name, "added");
                else
                        count += compare_resource(old, r, who, to);
        }
        return count + compare_order(a, b, to);
}

/* `who`: "group web", "node alpha". */
static int compare_checks(const struct checks *a, const struct checks *b, const char *owner, FILE *to)
{
        char who[128];
        int count = 0;

        for (size_t i = 0; i < a->count; i++)
                if (!find_check(b, &a->check[i])) {
                        if (to)
                                fprintf(to, "%s: check %s removed\n", owner, a->check[i].name);
                        count++;
                }
        for (size_t i = 0; i < b->count; i++) {
                const struct config_check *k = &b->check[i], *old = find_check(a, k);
                if (!old) {
                        if (to)
                                fprintf(to, "%s: check %s added\n", owner, k->name);
                        count++;
                        continue;
                }
                struct target x = target_of(old, NULL), y = target_of(k, NULL);
                snprintf(who, sizeof(who), "%s, check %s", owner, k->name);
                count += compare("check", check_kind_name(k->kind), &x, &y, who, to);
        }
        return count;
}

static int compare_group(const struct config *a, const struct config_group *x, const struct config *b,
                         const struct config_group *y, FILE *to)
{
        struct target from = target_of(x, a), with = target_of(y, b);
        char who[64];

        snprintf(who, sizeof(who), "group %s", x->name);
        return compare("group", NULL, &from, &with, who, to) + compare_resources(x, y, to) +
               compare_checks(&(struct checks){x->check, x->check_count},
                              &(struct checks){y->check, y->check_count}, who, to);
}

bool config_group_equal(const struct config *a, const struct config_group *x, const struct config *b,
                        const struct config_group *y)
{
        return compare_group(a, x, b, y, NULL) == 0;
}

/* Of a list of structs that begin with a name: the one called so, or NULL. */
static const void *find_named(const void *list, size_t count, size_t size, const char *name)
{
        for (size_t i = 0; i < count; i++) {
                const char *at = (const char *)list + i * size;
                if (strcmp(at, name) == 0)
                        return at;
        }
        return NULL;
}

static const struct config_alert *find_alert(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->alert_count; i++)
                if (strcmp(c->alert[i].name, name) == 0)
                        return &c->alert[i];
        return NULL;
}

static int compare_alerts(const struct config *a, const struct config *b, FILE *to)
{
        char who[64];
        int count = 0;

        for (size_t i = 0; i < a->alert_count; i++) {
                const struct config_alert *old = &a->alert[i], *fresh = find_alert(b, old->name);
                snprintf(who, sizeof(who), "alert %s", old->name);
                if (!fresh || fresh->kind != old->kind) {
                        fprintf(to, "%s: removed\n", who);
                        count++;
                        continue;
                }
                struct target x = target_of(old, a), y = target_of(fresh, b);
                count += compare("alert", alert_kind_name(old->kind), &x, &y, who, to);
        }
        for (size_t i = 0; i < b->alert_count; i++) {
                const struct config_alert *old = find_alert(a, b->alert[i].name);
                if (!old || old->kind != b->alert[i].kind) {
                        fprintf(to, "alert %s: added\n", b->alert[i].name);
                        count++;
                }
        }
        return count;
}

static bool same_checks(const struct config_service *a, const struct config_service *b)
{
        bool same = a->check_count == b->check_count;

        for (size_t i = 0; i < a->check_count && same; i++)
                same = a->check[i].kind == b->check[i].kind &&
                       strcmp(a->check[i].text, b->check[i].text) == 0;
        return same;
}

static int compare_services(const struct config *a, const struct config_watch *x, const struct config *b,
                            const struct config_watch *y, FILE *to)
{
        char who[96];
        int count = 0;

        for (size_t i = 0; i < x->service_count; i++) {
                const struct config_service *old = &x->service[i];
                const struct config_service *fresh =
                        find_named(y->service, y->service_count, sizeof(*old), old->name);
                snprintf(who, sizeof(who), "watch %s, service %s", x->name, old->name);
                if (!fresh || !same_checks(old, fresh)) {
                        fprintf(to, "%s: %s\n", who, fresh ? "its checks change" : "removed");
                        count++;
                }
                if (!fresh)
                        continue;
                struct target from = target_of(old, a), with = target_of(fresh, b);
                count += compare("watch service", NULL, &from, &with, who, to);
        }
        for (size_t i = 0; i < y->service_count; i++)
                if (!find_named(x->service, x->service_count, sizeof(*x->service), y->service[i].name)) {
                        fprintf(to, "watch %s, service %s: added\n", y->name, y->service[i].name);
                        count++;
                }
        return count;
}

static int compare_watches(const struct config *a, const struct config *b, FILE *to)
{
        char who[64];
        int count = 0;

        for (size_t i = 0; i < a->watch_count; i++) {
                const struct config_watch *old = &a->watch[i];
                int w = config_find_watch(b, old->name);
                snprintf(who, sizeof(who), "watch %s", old->name);
                if (w < 0) {
                        fprintf(to, "%s: removed\n", who);
                        count++;
                        continue;
                }
                struct target x = target_of(old, a), y = target_of(&b->watch[w], b);
                count += compare("watch", NULL, &x, &y, who, to);
                count += compare_services(a, old, b, &b->watch[w], to);
        }
        for (size_t i = 0; i < b->watch_count; i++)
                if (config_find_watch(a, b->watch[i].name) < 0) {
                        fprintf(to, "watch %s: added\n", b->watch[i].name);
                        count++;
                }
        return count;
}

static int compare_nodes(const struct config *a, const struct config *b, FILE *to)
{
        char who[64];
        int count = 0;

        for (size_t i = 0; i < a->node_count; i++) {
                int n = config_find_node(b, a->node[i].name);
                snprintf(who, sizeof(who), "node %s", a->node[i].name);
                if (n < 0) {
                        fprintf(to, "%s: removed\n", who);
                        count++;
                        continue;
                }
                struct target x = target_of(&a->node[i], a), y = target_of(&b->node[n], b);
                count += compare("node", NULL, &x, &y, who, to);
                count += compare_checks(&(struct checks){a->node[i].check, a->node[i].check_count},
                                        &(struct checks){b->node[n].check, b->node[n].check_count}, who, to);
        }
        for (size_t i = 0; i < b->node_count; i++)
                if (config_find_node(a, b->node[i].name) < 0) {
                        fprintf(to, "node %s: added\n", b->node[i].name);
                        count++;
                }
        return count;
}

static const struct config_fence *find_fence(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->fence_count; i++)
                if (strcmp(c->fence[i].name, name) == 0)
                        return &c->fence[i];
        return NULL;
}

static int compare_fences(const struct config *a, const struct config *b, FILE *to)
{
        char who[64];
        int count = 0;

        for (size_t i = 0; i < a->fence_count; i++) {
                const struct config_fence *fresh = find_fence(b, a->fence[i].name);
                snprintf(who, sizeof(who), "fence %s", a->fence[i].name);
                if (!fresh) {
                        fprintf(to, "%s: removed\n", who);
                        count++;
                        continue;
                }
                struct target x = target_of(&a->fence[i], a), y = target_of(fresh, b);
                count += compare("fence", NULL, &x, &y, who, to);
        }
        for (size_t i = 0; i < b->fence_count; i++)
                if (!find_fence(a, b->fence[i].name)) {
                        fprintf(to, "fence %s: added\n", b->fence[i].name);
                        count++;
                }
        return count;
}

int config_difference(const struct config *old, const struct config *fresh, FILE *to)
{
        struct target x = target_of(old, old), y = target_of(fresh, fresh);
        int count = compare("cluster", NULL, &x, &y, "cluster", to);

        if (strcmp(old->cluster, fresh->cluster) != 0) {
                fprintf(to, "cluster: name %s -> %s\n", old->cluster, fresh->cluster);
                count++;
        }
        count += compare_nodes(old, fresh, to);
        if (old->arbiter.kind != fresh->arbiter.kind) {
                fprintf(to, "arbiter: %s -> %s\n", arbiter_kind_name(old->arbiter.kind),
                        arbiter_kind_name(fresh->arbiter.kind));
                count++;
        }
        x.object = (void *)&old->arbiter;
        y.object = (void *)&fresh->arbiter;
        count += compare("arbiter", arbiter_kind_name(fresh->arbiter.kind), &x, &y, "arbiter", to);
        count += compare_fences(old, fresh, to);
        for (size_t i = 0; i < old->group_count; i++) {
                int g = config_find_group(fresh, old->group[i].name);
                if (g < 0) {
                        fprintf(to, "group %s: removed\n", old->group[i].name);
                        count++;
                } else {
                        count += compare_group(old, &old->group[i], fresh, &fresh->group[g], to);
                }
        }
        for (size_t i = 0; i < fresh->group_count; i++)
                if (config_find_group(old, fresh->group[i].name) < 0) {
                        fprintf(to, "group %s: added\n", fresh->group[i].name);
                        count++;
                }
        return count + compare_watches(old, fresh, to) + compare_alerts(old, fresh, to);
}

/* --- what a running cluster cannot take --- */

/* Whether the node is heard by the same means. */
static bool same_links(const struct config *a, const struct config_node *x, const struct config *b,
                       const struct config_node *y)
{
        static const char *const means[] = {"address", "multicast", "broadcast", "serial"};
        struct target from = target_of(x, a), with = target_of(y, b);
        const struct word *w;
        bool same = true;

        for (size_t i = 0; (w = word_at(i)); i++)
                for (size_t k = 0; k < sizeof(means) / sizeof(means[0]); k++) {
                        if (!word_is_of(w, "node", NULL) || strcmp(w->name, means[k]) != 0)
                                continue;
                        char *old = word_text(w, &from), *fresh = word_text(w, &with);
                        same = same && strcmp(old, fresh) == 0;
                        free(old);
                        free(fresh);
                }
        return same;
}

static bool same_nodes(const struct config *a, const struct config *b)
{
        for (size_t i = 0; i < a->node_count; i++) {
                int n = a->node[i].name[0] ? config_find_node(b, a->node[i].name) : -1;
                if (n >= 0 && !same_links(a, &a->node[i], b, &b->node[n]))
                        return false;
        }
        return true;
}

/* How many that `a` has are not in `b`. */
static int missing(const struct config *a, const struct config *b, const char *what, FILE *to)
{
        int count = 0;

        for (size_t i = 0; i < a->node_count; i++) {
                if (a->node[i].name[0] == '\0' || config_find_node(b, a->node[i].name) >= 0)
                        continue;
                fprintf(to, "node %s: %s\n", a->node[i].name, what);
                count++;
        }
        return count;
}

int config_nodes_difference(const struct config *old, const struct config *fresh, FILE *to)
{
        return missing(old, fresh, "removed", to) + missing(fresh, old, "added", to);
}

static bool same_multicast(const struct config *a, const struct config *b)
{
        bool same =
                a->multicast_ttl == b->multicast_ttl && a->multicast_group_count == b->multicast_group_count;

        for (size_t i = 0; i < a->multicast_group_count && same; i++)
                same = ip_equal(&a->multicast_group[i], &b->multicast_group[i]);
        return same;
}

static bool same_watchdog(const struct config_watchdog *a, const struct config_watchdog *b)
{
        return a->present == b->present && strcmp(a->device, b->device) == 0 &&
               a->timeout.us == b->timeout.us && a->reset.us == b->reset.us;
}

bool config_reload_possible(const struct config *old, const struct config *fresh,
                            config_mistake_fn *on_mistake, void *user)
{
        const struct {
                bool same;
                const char *what;
        } fixed[] = {
                {strcmp(old->cluster, fresh->cluster) == 0, "the cluster's name"},
                {same_nodes(old, fresh), "the links of a node"},
                {same_multicast(old, fresh), "the multicast group or its TTL"},
                {old->arbiter.kind == fresh->arbiter.kind, "the arbiter"},
                {strcmp(old->arbiter.device, fresh->arbiter.device) == 0 &&
                         old->arbiter.disk_link == fresh->arbiter.disk_link &&
                         old->arbiter.disk_dead.us == fresh->arbiter.disk_dead.us,
                 "the arbiter's disk"},
                {old->port == fresh->port, "the port"},
                {same_watchdog(&old->watchdog, &fresh->watchdog), "the watchdog"},
        };
        char text[160];
        bool possible = true;

        for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
                if (fixed[i].same)
                        continue;
                snprintf(text, sizeof(text),
                         "%s cannot change while the cluster runs: stop havend on all nodes, then start it",
                         fixed[i].what);
                on_mistake(user, fresh->path, 0, text);
                possible = false;
        }
        return possible;
}
