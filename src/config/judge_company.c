#include "config/judge_company.h"

#include "base/text.h"
#include "config/settings.h"
#include "config/words.h"

#include <stdlib.h>
#include <string.h>

/* Where the group says that, or the group itself. */
static struct config_place place_of(const struct tree *t, const struct config_group *g, const char *word)
{
        for (size_t i = 0; i < t->root->child_count; i++) {
                const struct entry *e = t->root->child[i];
                if (e->place.file != g->place.file || e->place.line != g->place.line)
                        continue;
                const struct entry *w = entry_find(e, word);
                return w ? w->place : g->place;
        }
        return g->place;
}

static bool is_listed(const struct cluster_group *g, uint8_t node)
{
        return memchr(g->node, node, g->node_count) != NULL;
}

/* --- names --- */

static void judge_names(struct tree *t, const struct config *c, const struct config_group *g,
                        const char *word, char *const *names)
{
        const char *known[GROUPS_MAX];

        for (size_t i = 0; i < c->group_count; i++)
                known[i] = c->group[i].name;
        for (; names && *names; names++) {
                if (config_find_group(c, *names) >= 0)
                        continue;
                const char *meant = nearest(*names, known, c->group_count);
                tree_mistake(t, place_of(t, g, word), "group %s: %s: there is no group '%s'%s%s%s", g->name,
                             word, *names, meant ? ": did you mean " : "", meant ? meant : "",
                             meant ? "?" : "");
        }
}

/* --- with and apart --- */

static void judge_with(struct tree *t, const struct config *c, const struct cluster_settings *s, uint8_t g)
{
        const struct config_group *group = &c->group[g];
        struct config_place place = place_of(t, group, "with");
        const struct cluster_group *own = &s->group[g];
        for (char *const *name = group->apart; name && *name; name++) {
                int o = config_find_group(c, *name);
                if (o >= 0 && own->with & 1ULL << o)
                        tree_mistake(t, place_of(t, group, "apart"),
                                     "group %s is to be apart from %s and goes with it too, by its own words "
                                     "or others': leave one out",
                                     group->name, *name);
        }
        for (uint8_t o = 0; own->follows && o < s->group_count; o++) {
                bool shared = false;
                if (!(own->with & 1ULL << o))
                        continue;
                for (uint8_t i = 0; i < own->node_count; i++)
                        shared |= is_listed(&s->group[o], own->node[i]);
                if (!shared)
                        tree_mistake(t, place,
                                     "group %s goes with %s, and no node is in the lists of both: it could "
                                     "run nowhere",
                                     group->name, c->group[o].name);
        }
        for (uint64_t company = own->company; company; company &= company - 1) {
                const struct cluster_group *o = &s->group[__builtin_ctzll(company)];
                for (uint8_t i = 0; i < own->node_count; i++)
                        if (!is_listed(o, own->node[i]))
                                tree_mistake(t, place,
                                             "group %s goes with %s, which does not run on %s: add the node "
                                             "there or leave it out here",
                                             group->name, o->name, s->node_name[own->node[i]]);
        }
}

static void judge_apart(struct tree *t, const struct config *c, const struct cluster_settings *s, uint8_t g)
{
        const struct cluster_group *own = &s->group[g];

        for (uint64_t apart = own->apart >> g << g; apart; apart &= apart - 1) {
                uint8_t o = (uint8_t)__builtin_ctzll(apart);
                if (own->node_count == 1 && s->group[o].node_count == 1 &&
                    own->node[0] == s->group[o].node[0])
                        tree_mistake(t, place_of(t, &c->group[g], "apart"),
                                     "groups %s and %s are to be apart and have the same single node: one of "
                                     "them could never run",
                                     own->name, s->group[o].name);
        }
}

/* --- after --- */

struct circle {
        const struct cluster_settings *s;
        uint8_t path[GROUPS_MAX];
        size_t length;
        uint64_t seen;
};

/* Follows `after` until it meets itself; then the path from `root` to the end is a circle. */
static bool find_circle(struct circle *c, uint8_t root, uint8_t g)
{
        c->path[c->length++] = g;
        for (uint64_t after = c->s->group[g].after; after; after &= after - 1) {
                uint8_t next = (uint8_t)__builtin_ctzll(after);
                if (next == root)
                        return true;
                if (c->seen & 1ULL << next)
                        continue;
                c->seen |= 1ULL << next;
                if (find_circle(c, root, next))
                        return true;
        }
        c->length--;
        return false;
}

/* Told once, of its first group by name. */
static void judge_after(struct tree *t, const struct config *c, const struct cluster_settings *s, uint8_t g)
{
        struct circle circle = {.s = s, .seen = 1ULL << g};
        char text[256];
        size_t n = 0;

        if (!find_circle(&circle, g, g))
                return;
        for (size_t i = 0; i < circle.length; i++)
                if (circle.path[i] < g)
                        return;
        for (size_t i = 1; i < circle.length && n < sizeof(text); i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s, which starts after ",
                                      c->group[circle.path[i]].name);
        text[n < sizeof(text) ? n : sizeof(text) - 1] = '\0';
        tree_mistake(t, place_of(t, &c->group[g], "after"),
                     "group %s starts after %s%s: a circle, in which none could be the first",
                     c->group[g].name, n ? text : "", c->group[g].name);
}

/* --- everywhere --- */

static void judge_everywhere(struct tree *t, const struct config *c, const struct cluster_settings *s,
                             uint8_t g)
{
        const struct config_group *group = &c->group[g];

        if (!group->everywhere)
                return;
        for (size_t i = 0; i < group->resource_count; i++)
                if (group->resource[i].kind == RESOURCE_ADDRESS)
                        tree_mistake(
                                t, group->resource[i].place,
                                "address %s: group %s runs everywhere, and an address has one owner: put "
                                "it into a group of its own, with = {%s}",
                                group->resource[i].name, group->name, group->name);
        if (group->exclusive == EXCLUSIVE_DATA)
                tree_mistake(t, place_of(t, group, "exclusive"),
                             "group %s: exclusive = data is never there twice, and everywhere = yes is",
                             group->name);
        if (s->group[g].follows || s->group[g].company)
                tree_mistake(t, place_of(t, group, "with"),
                             "group %s runs everywhere, so it goes with nobody; the other may go with it",
                             group->name);
        if (s->group[g].apart)
                tree_mistake(t, place_of(t, group, "apart"),
                             "group %s runs everywhere: nothing can be apart from it; take nodes out of its "
                             "list instead",
                             group->name);
}

/* --- load --- */

/* What the groups that run everywhere leave of the node's capacity. */
static int64_t left_on(const struct cluster_settings *s, uint8_t node)
{
        int64_t left = s->capacity[node];

        for (uint8_t g = 0; g < s->group_count; g++)
                if (s->group[g].everywhere && is_listed(&s->group[g], node))
                        left -= s->group[g].load;
        return left;
}

static void judge_nodes(struct tree *t, const struct config *c, const struct cluster_settings *s)
{
        for (uint8_t i = 0; i < s->node_count; i++)
                if (s->capacity[i] && left_on(s, i) < 0)
                        tree_mistake(t, c->node[i].place,
                                     "node %s: its capacity of %u is less than the load of the groups that "
                                     "run everywhere, %lld",
                                     s->node_name[i], s->capacity[i],
                                     (long long)s->capacity[i] - (long long)left_on(s, i));
}

/* A unit is judged once, by its first group. */
static void judge_load(struct tree *t, const struct config *c, const struct cluster_settings *s, uint8_t g)
{
        uint64_t unit = s->group[g].with | 1ULL << g;
        long long load = 0, most = -1;

        if (s->group[g].everywhere || unit & ((1ULL << g) - 1))
                return;
        for (uint8_t i = 0; i < s->node_count; i++) {
                bool listed = true;
                for (uint64_t left = unit; left; left &= left - 1)
                        listed &= is_listed(&s->group[__builtin_ctzll(left)], i);
                if (listed && s->capacity[i] == 0)
                        return;
                if (listed && left_on(s, i) > most)
                        most = left_on(s, i);
        }
        for (uint64_t left = unit; left; left &= left - 1)
                load += s->group[__builtin_ctzll(left)].load;
        if (most >= 0 && load > most)
                tree_mistake(t, place_of(t, &c->group[g], "load"),
                             "group %s%s: load %lld is more than any of its nodes carries, which is %lld at "
                             "most",
                             s->group[g].name, unit & (unit - 1) ? " and those that go with it" : "", load,
                             most);
}

void judge_company(struct tree *t, const struct config *c)
{
        struct cluster_settings *s = memory_new(1, sizeof(*s));

        settings_groups(c, s);
        if (!t->cut_short) {
                judge_nodes(t, c, s);
                for (uint8_t g = 0; g < s->group_count; g++) {
                        const struct config_group *group = &c->group[g];
                        judge_names(t, c, group, "with", group->with);
                        judge_names(t, c, group, "apart", group->apart);
                        judge_names(t, c, group, "after", group->after);
                        judge_with(t, c, s, g);
                        judge_apart(t, c, s, g);
                        judge_after(t, c, s, g);
                        judge_everywhere(t, c, s, g);
                        judge_load(t, c, s, g);
                }
        }
        free(s);
}
