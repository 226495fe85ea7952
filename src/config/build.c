#include "config/build.h"

#include "base/text.h"
#include "config/build_inside.h"
#include "config/words.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY 256

static void set_value(struct tree *t, const struct word *w, const struct target *to, const struct entry *e,
                      const struct value *v)
{
        char why[WHY];

        if (w->type->set(w, to, v->text, why, sizeof(why)) < 0)
                tree_mistake(t, (struct config_place){e->place.file, v->line}, "%s: '%s' %s", w->name,
                             v->text, why);
}

static void set_entry(struct tree *t, const struct word *w, const struct target *to, const struct entry *e)
{
        if (!w->list && e->value_count != 1) {
                if (e->value_count == 0)
                        tree_mistake(t, e->place, "%s is empty: it takes %s", w->name, w->type->name);
                else
                        tree_mistake(t, e->place, "%s takes one value, not %zu", w->name, e->value_count);
                return;
        }
        if (w->list && e->value_count == 0)
                tree_mistake(t, e->place, "%s is empty: write one value or several, as in {a, b}", w->name);
        if (w->type == &type_nodes && t->cut_short)
                return; /* which nodes there are is not known */
        for (size_t i = 0; i < e->value_count; i++)
                set_value(t, w, to, e, &e->value[i]);
}

static void set_default(const struct word *w, const struct target *to)
{
        char why[WHY];

        if (!w->fallback || !w->fallback[0] || w->fallback[0] == '<')
                return;
        int error = w->type->set(w, to, w->fallback, why, sizeof(why));
        assert(!error); /* the table is wrong */
}

static const struct word *find_word(const char *section, const char *kind, const char *name)
{
        const struct word *w;

        for (size_t i = 0; (w = word_next(section, kind, &i));)
                if (strcmp(w->name, name) == 0)
                        return w;
        return NULL;
}

void complain_twice(struct tree *t, const struct entry *e, const char *name, struct config_place first,
                    const char *advice)
{
        char place[PLACE_TEXT];

        tree_mistake(t, e->place, "%s '%s' is there already, on %s: %s", e->word, name,
                     tree_place(t, e->place.file, first, place), advice);
}

/* "section title": how people call it. */
static const char *called(const struct entry *e, char *text, size_t size)
{
        snprintf(text, size, "%s%s%s", e->word, e->title ? " " : "", e->title ? e->title : "");
        return text;
}

static int resource_kind_of(const char *word)
{
        for (int k = RESOURCE_ADDRESS; k < RESOURCE_KINDS; k++)
                if (strcmp(resource_kind_name((enum resource_kind)k), word) == 0)
                        return k;
        return -1;
}

/* The section that knows such a word, or NULL. */
static const char *home_of(const char *section, const struct entry *e)
{
        const char *home = NULL;
        const struct word *w;
        size_t n = strlen(section);

        if (e->section && strcmp(section, "watch") == 0 && strcmp(e->word, "check") == 0)
                return "service";
        if (e->section)
                return resource_kind_of(e->word) >= 0 || strcmp(e->word, "check") == 0 ? "group" : NULL;
        for (size_t i = 0; (w = word_at(i)); i++)
                if (strcmp(w->name, e->word) == 0 && (!home || strncmp(w->section, section, n) == 0)) {
                        home = w->section;
                        if (strncmp(home, section, n) == 0)
                                break; /* another kind of the same */
                }
        return home;
}

static void complain_unknown(struct tree *t, const struct entry *section, const char *name, const char *kind,
                             const struct entry *e)
{
        const char *known[2 * WORDS_MAX];
        size_t count = 0;
        const struct word *w;
        char what[128], advice[96] = "";

        for (size_t i = 0; count < WORDS_MAX && (w = word_next(name, kind, &i));)
                known[count++] = w->name;
        count += sections_of(name, &known[count]);
        const char *home = home_of(name, e), *meant = nearest(e->word, known, count);
        if (home && strcmp(home, section->word) != 0)
                snprintf(advice, sizeof(advice), ": it belongs in %s { }", home);
        else if (meant)
                snprintf(advice, sizeof(advice), ": did you mean %s?", meant);
        if (section->word[0] == '\0')
                tree_mistake(t, e->place, "'%s' is no section of a configuration%s", e->word, advice);
        else
                tree_mistake(t, e->place, "'%s' is no word of %s%s", e->word,
                             called(section, what, sizeof(what)), advice);
}

void set_words(struct tree *t, const struct entry *section, const char *name, const char *kind,
               const struct target *to)
{
        const struct word *w;
        char what[128];

        for (size_t i = 0; (w = word_next(name, kind, &i));) {
                const struct entry *e = entry_find(section, w->name);
                if (e && e->section)
                        e = NULL; /* complained of below */
                if (!e || !w->list)
                        set_default(w, to);
                if (e)
                        set_entry(t, w, to, e);
                else if (w->required && !t->cut_short)
                        tree_mistake(t, section->place, "%s needs %s: %s",
                                     called(section, what, sizeof(what)), w->name, w->help);
        }
        for (size_t i = 0; i < section->child_count; i++) {
                const struct entry *e = section->child[i];
                const char *inside[WORDS_MAX];
                size_t sections = sections_of(name, inside);
                bool known = false;
                for (size_t s = 0; s < sections; s++)
                        known |= e->section && strcmp(inside[s], e->word) == 0;
                if (!known && (e->section || !find_word(name, kind, e->word)))
                        complain_unknown(t, section, name, kind, e);
                else if (!known && entry_find(section, e->word) != e)
                        tree_mistake(t, e->place,
                                     "%s stands here a second time; it is set on line %d already", e->word,
                                     entry_find(section, e->word)->place.line);
        }
}

/* Also a bad name is kept: what refers to it need not be complained of. */
void take_name(struct tree *t, const struct entry *e, char *name, size_t size)
{
        const char *title = e->title ? e->title : "";
        bool whole = text_copy(name, size, title);

        if (!text_is_name(title))
                tree_mistake(t, e->place,
                             "'%s' is no name for a %s: letters, digits, '.', '_' and '-', a letter or digit "
                             "first",
                             title, e->word);
        else if (!whole)
                tree_mistake(t, e->place, "'%s' is too long for a name: %zu characters at most", title,
                             size - 1);
}

/* --- the sections --- */

static void set_profile(const struct entry *cluster, struct config *c)
{
        const struct entry *profile = cluster ? entry_find(cluster, "profile") : NULL;
        const char *name = profile && profile->value_count == 1 ? profile->value[0].text : "default";
        bool fast = strcmp(name, "fast") == 0, wan = strcmp(name, "wan") == 0;

        if (!cluster || !entry_find(cluster, "heartbeat"))
                c->heartbeat = fast ? span_ms(20) : wan ? span_ms(500) : span_ms(100);
        if (!cluster || !entry_find(cluster, "dead"))
                c->dead = fast ? span_ms(100) : wan ? span_s(5) : span_ms(500);
        if (!cluster || !entry_find(cluster, "warn"))
                c->warn = span_us(c->dead.us * 6 / 10);
}

static void build_cluster(struct tree *t, struct config *c)
{
        const struct entry *cluster = entry_find(t->root, "cluster");
        struct target to = {.object = c, .config = c};

        if (!cluster) {
                if (!t->cut_short)
                        tree_mistake(t, (struct config_place){0},
                                     "there is no cluster section: cluster NAME { key = /etc/haven/key }");
        } else {
                take_name(t, cluster, c->cluster, sizeof(c->cluster));
                set_words(t, cluster, "cluster", NULL, &to);
        }
        set_profile(cluster, c);
}

static bool has_group(const struct config *c, sa_family_t family)
{
        for (size_t i = 0; i < c->multicast_group_count; i++)
                if (c->multicast_group[i].family == family)
                        return true;
        return false;
}

/* A group for each family in which multicast is sent: of this site (RFC 2365), and of this network (RFC
 * 4291). */
static void set_groups(struct config *c)
{
        static const char *const groups[] = {"239.255.6.94", "ff12::694"};

        for (size_t g = 0; g < COUNT(groups); g++) {
                struct ip group;
                bool wanted = false;
                ip_parse(groups[g], &group);
                for (size_t n = 0; n < c->node_count; n++)
                        for (size_t i = 0; i < c->node[n].multicast_count; i++)
                                wanted |= c->node[n].multicast[i].family == group.family;
                if (wanted && !has_group(c, group.family) && c->multicast_group_count < 2)
                        c->multicast_group[c->multicast_group_count++] = group;
        }
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(a, b); /* a name is the first member of both structs */
}

static int compare_checks(const void *a, const void *b)
{
        const struct config_check *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static void build_checks(struct tree *t, const struct entry *e, struct config_check **ret_list,
                         size_t *ret_count, struct config *c);

static void build_node(struct tree *t, const struct entry *e, struct config *c)
{
        struct config_node *n = &c->node[c->node_count];
        struct target to = {.object = n, .config = c};

        if (e->title && config_find_node(c, e->title) >= 0) {
                complain_twice(t, e, e->title, c->node[config_find_node(c, e->title)].place,
                               "a node has one section");
                return;
        }
        n->place = e->place;
        take_name(t, e, n->name, sizeof(n->name));
        set_words(t, e, "node", NULL, &to);
        if (!entry_find(e, "address") && !entry_find(e, "multicast") && !entry_find(e, "broadcast") &&
            !entry_find(e, "serial") && !t->cut_short)
                tree_mistake(t, e->place, "node %s needs address: one address for each link", n->name);
        for (size_t i = 0; i < n->address_count; i++)
                ip_format(&n->address[i], n->address_text[i]);
        build_checks(t, e, &n->check, &n->check_count, c);
        c->node_count++;
}

static int arbiter_kind_of(const char *word)
{
        for (int k = ARBITER_NONE; k <= ARBITER_ETCD; k++)
                if (strcmp(arbiter_kind_name((enum arbiter_kind)k), word) == 0)
                        return k;
        return -1;
}

static void build_arbiter(struct tree *t, const struct entry *e, struct config *c)
{
        struct target to = {.object = &c->arbiter, .config = c};

        if (c->arbiter.place.line) {
                complain_twice(t, e, arbiter_kind_name(c->arbiter.kind), c->arbiter.place,
                               "one decides, or none does");
                return;
        }
        c->arbiter.place = e->place;
        int kind = arbiter_kind_of(e->title ? e->title : "");
        if (kind < 0) {
                tree_mistake(t, e->place,
                             "'%s' is no arbiter: write arbiter none, ping, disk, fence, witness or etcd",
                             e->title ? e->title : "");
                return;
        }
        c->arbiter.kind = (enum arbiter_kind)kind;
        set_words(t, e, "arbiter", e->title, &to);
}

/* The name is the address in its one canonical form (RFC 5952), however it was written. */
static void take_address(struct tree *t, const struct entry *e, struct config_resource *r)
{
        char text[IP_TEXT];

        if (e->title && strchr(e->title, '/') && ip_parse_prefix(e->title, &r->ip, &r->prefix) == 0)
                snprintf(r->name, sizeof(r->name), "%s/%u", ip_format(&r->ip, text), r->prefix);
        else
                tree_mistake(t, e->place,
                             "'%s' is no address with its prefix: write it as address 10.0.0.111/24 or "
                             "2001:db8::111/64",
                             e->title ? e->title : "");
}

/* A host's, on the loopback interface. */
static void take_virtual(struct tree *t, const struct entry *e, struct config_resource *r)
{
        char text[IP_TEXT];

        if (!e->title || ip_parse(e->title, &r->ip) < 0) {
                tree_mistake(t, e->place,
                             "'%s' is no address: write it as realserver 10.0.0.111 or 2001:db8::111, "
                             "without a prefix",
                             e->title ? e->title : "");
                return;
        }
        r->prefix = (uint8_t)(8 * ip_size(&r->ip));
        text_copy(r->name, sizeof(r->name), ip_format(&r->ip, text));
}

static void take_unit(struct tree *t, const struct entry *e, struct config_resource *r)
{
        static const char *const types[] = {".service", ".target", ".socket", ".mount", ".timer", ".path"};
        const char *title = e->title ? e->title : "";

        if (!title[0] || strpbrk(title, "/ \t") || strlen(title) > sizeof(r->unit) - 10) {
                tree_mistake(t, e->place, "'%s' is no systemd unit: write its name, such as service nginx",
                             title);
                return;
        }
        text_copy(r->unit, sizeof(r->unit), title);
        for (size_t i = 0; i < COUNT(types); i++) {
                size_t n = strlen(title), m = strlen(types[i]);
                if (n > m && strcmp(title + n - m, types[i]) == 0)
                        return;
        }
        snprintf(r->unit, sizeof(r->unit), "%.118s.service", title);
}

static void build_resource(struct tree *t, const struct entry *e, enum resource_kind kind,
                           struct config_group *g, struct config *c)
{
        struct config_resource *r = &g->resource[g->resource_count];
        struct target to = {.object = r, .config = c};

        for (size_t i = 0; i < g->resource_count; i++)
                if (e->title && g->resource[i].kind == kind && strcmp(g->resource[i].name, e->title) == 0) {
                        complain_twice(t, e, e->title, g->resource[i].place, "leave one of them out");
                        return;
                }
        r->kind = kind;
        r->place = e->place;
        text_copy(r->name, sizeof(r->name), e->title ? e->title : "");
        if (kind == RESOURCE_ADDRESS)
                take_address(t, e, r);
        else if (kind == RESOURCE_SERVICE)
                take_unit(t, e, r);
        else if (kind == RESOURCE_REALSERVER)
                take_virtual(t, e, r);
        else
                take_name(t, e, r->name, NAME_SIZE);
        if (kind == RESOURCE_DIRECTOR)
                build_director(t, e, r, g, c);
        else
                set_words(t, e, e->word, NULL, &to);
        if (kind == RESOURCE_ADDRESS || kind == RESOURCE_DIRECTOR || kind == RESOURCE_REALSERVER)
                r->start_timeout = r->stop_timeout = span_s(20);
        g->resource_count++;
}

static void complain_of_kind(struct tree *t, const struct entry *e)
{
        char known[256] = "";
        size_t used = 0;

        if (e->title && strcmp(e->title, "mariadb") == 0) {
                tree_mistake(t, e->place, "'mariadb' is no check: write check mysql, they speak alike");
                return;
        }
        for (int k = 0; k < CHECK_KINDS && used < sizeof(known); k++)
                used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                         k == 0                 ? ""
                                         : k == CHECK_KINDS - 1 ? " or "
                                                                : ", ",
                                         check_kind_name((enum check_kind)k));
        tree_mistake(t, e->place, "'%s' is no check: write check %s", e->title ? e->title : "", known);
}

bool build_check(struct tree *t, const struct entry *e, struct config_check *k, struct config *c)
{
        struct target to = {.object = k, .config = c};
        enum check_kind kind;
        uint8_t bytes[CHECK_BYTES_MAX];
        size_t rhythm;

        if (check_kind_parse(e->title ? e->title : "", &kind) != 0) {
                complain_of_kind(t, e);
                return false;
        }
        k->kind = kind;
        k->place = e->place;
        set_words(t, e, "check", e->title, &to);
        if (!entry_find(e, "timeout"))
                k->timeout = span_min(k->timeout, k->interval);
        if (!entry_find(e, "quick"))
                k->quick = k->interval;
        if (!k->name[0])
                text_copy(k->name, sizeof(k->name), e->title);
        if (check_encode(k, bytes, &rhythm) == -E2BIG)
                tree_mistake(t, e->place, "check %s: all of it together is too long: %d characters at most",
                             k->name, CHECK_BYTES_MAX - 500);
        return true;
}

/* The checks of a section, by name. */
static void build_checks(struct tree *t, const struct entry *e, struct config_check **ret_list,
                         size_t *ret_count, struct config *c)
{
        struct config_check *list = memory_new(e->child_count + 1, sizeof(*list));
        size_t count = 0;

        for (size_t i = 0; i < e->child_count; i++) {
                const struct entry *child = e->child[i];
                struct config_check *k = &list[count], *same = list;
                if (!child->section || strcmp(child->word, "check") != 0)
                        continue;
                if (count == CHECKS_MAX) {
                        tree_mistake(t, child->place, "more than %d checks in one %s", CHECKS_MAX, e->word);
                        break;
                }
                if (!build_check(t, child, k, c))
                        continue;
                while (same < k && strcmp(same->name, k->name) != 0)
                        same++;
                if (same < k) {
                        complain_twice(t, child, k->name, same->place,
                                       "give one of them a name of its own, as in name = front");
                        check_done(k);
                        memset(k, 0, sizeof(*k));
                        continue;
                }
                count++;
        }
        if (count > 1)
                qsort(list, count, sizeof(*list), compare_checks);
        *ret_list = list;
        *ret_count = count;
}

static void build_group(struct tree *t, const struct entry *e, struct config *c)
{
        struct config_group *g = &c->group[c->group_count];
        struct target to = {.object = g, .config = c};

        if (e->title && config_find_group(c, e->title) >= 0) {
                complain_twice(t, e, e->title, c->group[config_find_group(c, e->title)].place,
                               "a group has one section");
                return;
        }
        c->group_count++;
        g->place = e->place;
        take_name(t, e, g->name, sizeof(g->name));
        g->id = text_id(g->name);
        set_words(t, e, "group", NULL, &to);
        g->resource = memory_new(e->child_count + 1, sizeof(*g->resource));
        build_checks(t, e, &g->check, &g->check_count, c);
        for (size_t i = 0; i < e->child_count; i++) {
                const struct entry *child = e->child[i];
                int kind = child->section ? resource_kind_of(child->word) : -1;
                if (kind >= 0 && g->resource_count == RESOURCES_MAX)
                        tree_mistake(t, child->place, "more than %d resources in one group", RESOURCES_MAX);
                else if (kind >= 0)
                        build_resource(t, child, (enum resource_kind)kind, g, c);
        }
}

static void build_watchdog(struct tree *t, const struct entry *e, struct config *c)
{
        struct target to = {.object = &c->watchdog, .config = c};

        if (c->watchdog.present) {
                tree_mistake(t, e->place, "a watchdog is there already, on line %d: every node has the same",
                             c->watchdog.place.line);
                return;
        }
        c->watchdog.present = true;
        c->watchdog.place = e->place;
        set_words(t, e, "watchdog", NULL, &to);
}

static void build_fence(struct tree *t, const struct entry *e, struct config *c)
{
        struct config_fence *f = &c->fence[c->fence_count];
        struct target to = {.object = f, .config = c};

        for (size_t i = 0; i < c->fence_count; i++)
                if (e->title && strcmp(c->fence[i].name, e->title) == 0) {
                        complain_twice(t, e, e->title, c->fence[i].place, "a device has one section");
                        return;
                }
        f->place = e->place;
        take_name(t, e, f->name, sizeof(f->name));
        set_words(t, e, "fence", NULL, &to);
        c->fence_count++;
}

static void each(struct tree *t, struct config *c, const char *word, size_t most,
                 void (*one)(struct tree *, const struct entry *, struct config *))
{
        size_t count = 0;

        for (size_t i = 0; i < t->root->child_count; i++) {
                const struct entry *e = t->root->child[i];
                if (!e->section || strcmp(e->word, word) != 0)
                        continue;
                if (++count > most) {
                        tree_mistake(t, e->place, "more than %zu %s%s: there may be no more", most, word,
                                     strcmp(word, "watch") == 0 ? "es" : "s");
                        t->cut_short = true;
                        return;
                }
                one(t, e, c);
        }
}

static void complain_of_strangers(struct tree *t)
{
        const char *known[WORDS_MAX];
        size_t count = sections_of("root", known);

        for (size_t i = 0; i < t->root->child_count; i++) {
                const struct entry *e = t->root->child[i];
                bool is_known = false;
                for (size_t k = 0; k < count; k++)
                        is_known |= e->section && strcmp(known[k], e->word) == 0;
                if (!is_known)
                        complain_unknown(t, t->root, "root", NULL, e);
                else if (strcmp(e->word, "cluster") == 0 && entry_find(t->root, "cluster") != e)
                        complain_twice(t, e, entry_find(t->root, "cluster")->title,
                                       entry_find(t->root, "cluster")->place,
                                       "one file is about one cluster");
        }
}

void build(struct tree *t, struct config *c)
{
        complain_of_strangers(t);
        build_cluster(t, c);
        c->node = memory_new(NODES_MAX + 1, sizeof(*c->node));
        c->group = memory_new(GROUPS_MAX + 1, sizeof(*c->group));
        c->alert = memory_new(entry_count(t->root, "alert") + 1, sizeof(*c->alert));
        each(t, c, "node", NODES_MAX, build_node);
        /* in what order these stand means nothing, so it must not count when two files are compared */
        qsort(c->node, c->node_count, sizeof(*c->node), compare_names);
        for (size_t i = 0; i < c->node_count; i++)
                c->node[i].id = text_id(c->node[i].name);
        set_groups(c);
        each(t, c, "arbiter", SIZE_MAX, build_arbiter);
        config_links_make(c);
        each(t, c, "watchdog", SIZE_MAX, build_watchdog);
        c->fence = memory_new(FENCES_MAX + 1, sizeof(*c->fence));
        each(t, c, "fence", FENCES_MAX, build_fence);
        qsort(c->fence, c->fence_count, sizeof(*c->fence), compare_names);
        each(t, c, "group", GROUPS_MAX, build_group);
        qsort(c->group, c->group_count, sizeof(*c->group), compare_names);
        c->watch = memory_new(WATCHES_MAX + 1, sizeof(*c->watch));
        each(t, c, "watch", WATCHES_MAX, build_watch);
        qsort(c->watch, c->watch_count, sizeof(*c->watch), compare_names);
        each(t, c, "alert", ALERTS_MAX, build_alert);
        build_alerts_name(t, c);
}
