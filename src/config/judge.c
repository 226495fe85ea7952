#include "config/judge.h"

#include "base/text.h"
#include "config/judge_company.h"
#include "config/judge_director.h"
#include "config/judge_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a word stands, or the section that should hold it. */
static struct config_place place_of(const struct tree *t, const char *section, const char *word)
{
        const struct entry *e = entry_find(t->root, section);
        const struct entry *w = e ? entry_find(e, word) : NULL;

        return w ? w->place : e ? e->place : (struct config_place){0};
}

/* --- durations --- */

static void judge_durations(struct tree *t, const struct config *c)
{
        char dead[SPAN_TEXT], heartbeat[SPAN_TEXT], least[SPAN_TEXT], warn[SPAN_TEXT];

        span_format(c->dead, dead);
        span_format(c->heartbeat, heartbeat);
        if (c->dead.us < 3 * c->heartbeat.us)
                tree_mistake(t, place_of(t, "cluster", "dead"),
                             "dead: %s is less than three heartbeats of %s: one lost packet would be a "
                             "death; at least "
                             "%s, better %lldms",
                             dead, heartbeat, span_format(span_times(c->heartbeat, 3), least),
                             (long long)span_to_ms(span_times(c->heartbeat, 5)));
        else if (c->warn.us <= c->heartbeat.us || c->warn.us >= c->dead.us)
                tree_mistake(t, place_of(t, "cluster", "warn"),
                             "warn: %s is not between heartbeat (%s) and dead (%s)",
                             span_format(c->warn, warn), heartbeat, dead);
}

/* Measured, an address's lifetime of one second ends after up to 1.24 s; by the kernel's source, up to two.
 */
#define UNGATED_WAIT_LEAST span_ms(2500)

static void judge_gate(struct tree *t, const struct config *c)
{
        struct config_place place = place_of(t, "cluster", "ungated-wait");
        char wait[SPAN_TEXT], least[SPAN_TEXT];

        if (c->ungated_wait.us == 0)
                return;
        if (c->gate == GATE_WISH_REQUIRE)
                tree_mistake(
                        t, place,
                        "ungated-wait: with gate = require no node is without a gate: nothing to wait for");
        else if (c->ungated_wait.us < UNGATED_WAIT_LEAST.us)
                tree_mistake(
                        t, place,
                        "ungated-wait: after %s an address may still be in a silent node's kernel: at least "
                        "%s, or 0s, which accepts that",
                        span_format(c->ungated_wait, wait), span_format(UNGATED_WAIT_LEAST, least));
}

/* --- addresses --- */

static bool all_host_bits(const struct config_resource *r, uint8_t value)
{
        for (unsigned bit = r->prefix; bit < 32; bit++)
                if (((r->ip.bytes[bit / 8] >> (7 - bit % 8)) & 1) != value)
                        return false;
        return true;
}

static void judge_floating(struct tree *t, const struct config *c, const struct config_resource *r)
{
        const char *why = address_unusable(&r->ip);
        char text[IP_TEXT];

        ip_format(&r->ip, text);
        if (why)
                tree_mistake(t, r->place, "address %s %s", text, why);
        else if (r->prefix == 0)
                tree_mistake(t, r->place,
                             "address %s/0: a network of all addresses; write its real prefix, such as /%d",
                             text, r->ip.family == AF_INET ? 24 : 64);
        else if (r->ip.family == AF_INET && r->prefix < 31 && all_host_bits(r, 0))
                tree_mistake(t, r->place, "address %s/%u is the network itself, not a machine in it", text,
                             r->prefix);
        else if (r->ip.family == AF_INET && r->prefix < 31 && all_host_bits(r, 1))
                tree_mistake(t, r->place, "address %s/%u is the broadcast address of its network", text,
                             r->prefix);
        for (size_t i = 0; i < r->verify_count; i++)
                if (r->verify[i].family != r->ip.family)
                        tree_mistake(t, r->place,
                                     "address %s: who verifies it speaks %s too, a neighbour in its network",
                                     text, r->ip.family == AF_INET ? "IPv4" : "IPv6");
                else if (ip_equal(&r->verify[i], &r->ip))
                        tree_mistake(t, r->place,
                                     "address %s cannot verify itself: name a neighbour, such as the router",
                                     text);
        for (size_t n = 0; n < c->node_count; n++)
                for (size_t l = 0; l < c->node[n].address_count; l++)
                        if (ip_equal(&c->node[n].address[l], &r->ip))
                                tree_mistake(
                                        t, r->place,
                                        "address %s is node %s's own: a floating address belongs to no node",
                                        text, c->node[n].name);
}

static void judge_realserver(struct tree *t, const struct config_resource *r)
{
        const char *why = r->ip.family ? address_unusable(&r->ip) : NULL;

        if (why)
                tree_mistake(t, r->place, "realserver %s %s", r->name, why);
        if (r->ip.family == AF_INET6 && r->device[0])
                tree_mistake(t, r->place,
                             "realserver %s: device is about ARP: IPv6 answers for its interface's addresses "
                             "only, so leave it out",
                             r->name);
}

static bool share_a_node(const struct config_group *a, const struct config_group *b)
{
        for (size_t i = 0; i < a->node_count; i++)
                if (memchr(b->node, a->node[i], b->node_count))
                        return true;
        return false;
}

/* Whether two resources are one thing in the world: then there is a mistake in having both. */
static const char *conflict(const struct config_group *g, const struct config_resource *r,
                            const struct config_group *og, const struct config_resource *o)
{
        bool both_run = (r->kind == RESOURCE_PROCESS && o->kind == RESOURCE_SCRIPT) ||
                        (r->kind == RESOURCE_SCRIPT && o->kind == RESOURCE_PROCESS);

        if (both_run && g == og && strcmp(r->name, o->name) == 0)
                return "they would share a cgroup, and the stop of one would end the other";
        if (r->kind != o->kind)
                return NULL;
        if (r->kind == RESOURCE_ADDRESS && r->ip.family && ip_equal(&o->ip, &r->ip))
                return "an address has one owner";
        if (r->kind == RESOURCE_REALSERVER && r->ip.family && ip_equal(&o->ip, &r->ip) && share_a_node(g, og))
                return "the stop of one would take it from the other";
        if (r->kind == RESOURCE_SERVICE && strcmp(o->unit, r->unit) == 0 && share_a_node(g, og))
                return "both would start and stop it";
        return NULL;
}

/* The later of two in the order of the files is the mistake. */
static void report_conflict(struct tree *t, const struct config_resource *r, const struct config_group *og,
                            const struct config_resource *o, const char *why)
{
        char place[PLACE_TEXT];

        tree_place(t, r->place.file, o->place, place);
        if (r->kind == o->kind)
                tree_mistake(t, r->place, "%s %s stands twice, also in group %s on %s: %s",
                             resource_kind_name(r->kind), r->name, og->name, place, why);
        else
                tree_mistake(t, r->place, "%s %s has the name of the %s on %s: %s",
                             resource_kind_name(r->kind), r->name, resource_kind_name(o->kind), place, why);
}

static bool place_before(struct config_place a, struct config_place b)
{
        return a.file != b.file ? a.file < b.file : a.line < b.line;
}

static void judge_doubles(struct tree *t, const struct config *c, size_t group, size_t resource)
{
        const struct config_group *g = &c->group[group];
        const struct config_resource *r = &g->resource[resource];

        for (size_t i = 0; i <= group; i++)
                for (size_t j = 0; j < (i == group ? resource : c->group[i].resource_count); j++) {
                        const struct config_group *og = &c->group[i];
                        const struct config_resource *o = &og->resource[j];
                        const char *why = conflict(g, r, og, o);
                        if (why && place_before(r->place, o->place))
                                report_conflict(t, o, g, r, why);
                        else if (why)
                                report_conflict(t, r, og, o, why);
                }
}

/* --- groups --- */

static const char *client_library(enum check_kind kind)
{
        return kind == CHECK_POSTGRESQL ? "libpq" : "libmariadb";
}

/* What is said of a certificate where there is none, or without what it takes. */
static void judge_certificate(struct tree *t, const struct config_check *k, int tls, bool verify,
                              const char *ca)
{
        if (verify && tls == LOGIN_TLS_NONE)
                tree_mistake(t, k->place,
                             "check %s: verify, but no certificate is asked for: write tls = starttls, too",
                             k->name);
        if (ca && !verify)
                tree_mistake(t, k->place, "check %s: ca, but nothing is verified: write verify = yes, too",
                             k->name);
        if (k->kind == CHECK_POSTGRESQL && verify && !ca)
                tree_mistake(t, k->place,
                             "check %s: verify: libpq does not know whom the system trusts: write ca = "
                             "/etc/ssl/certs/ca-certificates.crt, or your own",
                             k->name);
}

static void judge_certificates(struct tree *t, const struct config_check *k)
{
        switch (k->kind) {
        case CHECK_HTTP: judge_certificate(t, k, LOGIN_TLS_TLS, k->http.verify, k->http.ca); break;
        case CHECK_TLS: judge_certificate(t, k, LOGIN_TLS_TLS, k->tls.verify, k->tls.ca); break;
        case CHECK_FTP:
        case CHECK_SMTP:
        case CHECK_IMAP:
        case CHECK_POP3:
        case CHECK_LDAP: judge_certificate(t, k, k->login.tls, k->login.verify, k->login.ca); break;
        case CHECK_POSTGRESQL:
        case CHECK_MYSQL: judge_certificate(t, k, k->sql.tls, k->sql.verify, k->sql.ca); break;
        case CHECK_TCP:
        case CHECK_ICMP:
        case CHECK_DNS:
        case CHECK_COMMAND:
        case CHECK_FILE:
        case CHECK_DISK:
        case CHECK_LOAD:
        case CHECK_PROCESS:
        case CHECK_REDIS:
        case CHECK_TRAP:
        case CHECK_SIP:
        case CHECK_RADIUS: break;
        }
}

void judge_check(struct tree *t, const struct config_check *k)
{
        char timeout[SPAN_TEXT], interval[SPAN_TEXT];

        if (k->timeout.us > k->interval.us)
                tree_mistake(t, k->place,
                             "check %s: timeout %s is longer than interval %s: looks would overlap", k->name,
                             span_format(k->timeout, timeout), span_format(k->interval, interval));
        if (k->quick.us > k->interval.us)
                tree_mistake(t, k->place, "check %s: quick %s is longer than interval %s", k->name,
                             span_format(k->quick, timeout), span_format(k->interval, interval));
        if (!check_kind_is_built(k->kind))
                tree_mistake(t, k->place,
                             "check %s: this haven was built without %s: build it where that is there",
                             check_kind_name(k->kind), client_library(k->kind));
#ifndef CURL_BEGINS_TLS_IN_LDAP
        if (k->kind == CHECK_LDAP && k->login.tls == LOGIN_TLS_STARTTLS)
                tree_mistake(
                        t, k->place,
                        "check %s: starttls is broken in the libcurl that this haven is built with (7.87 to "
                        "8.5): write tls = tls and port = 636",
                        k->name);
#endif
        if (k->kind == CHECK_POSTGRESQL && k->source.family)
                tree_mistake(t, k->place, "check %s: source: libpq leaves that to the kernel", k->name);
        if (k->kind == CHECK_FTP && k->login.expect && !k->login.path)
                tree_mistake(t, k->place, "check %s: expect, but no file is fetched: write its path, too",
                             k->name);
        judge_certificates(t, k);
        if ((k->kind == CHECK_POSTGRESQL || k->kind == CHECK_MYSQL) && k->sql.password &&
            k->sql.password_file)
                tree_mistake(t, k->place, "check %s: a password and a password-file: remove one of them",
                             k->name);
        if (k->ip.family && address_unusable(&k->ip) && !ip_is_loopback(&k->ip))
                tree_mistake(t, k->place, "check %s: its address %s", k->name, address_unusable(&k->ip));
        if (k->ip.family && k->source.family && k->ip.family != k->source.family)
                tree_mistake(t, k->place, "check %s: address and source are not of one family, IPv4 or IPv6",
                             k->name);
}

static bool all_can_be_fenced(const struct config *c, const struct config_group *g)
{
        for (size_t i = 0; i < g->node_count; i++)
                if (!config_can_fence(c, g->node[i]))
                        return false;
        return g->node_count > 0;
}

static void judge_group(struct tree *t, const struct config *c, size_t index)
{
        const struct config_group *g = &c->group[index];

        for (size_t o = 0; o < index; o++)
                if (c->group[o].id == g->id)
                        tree_mistake(
                                t, g->place,
                                "group names %s and %s have the same short form on the wire: rename one of "
                                "them",
                                c->group[o].name, g->name);
        if (g->resource_count == 0 && !t->cut_short)
                tree_mistake(t, g->place,
                             "group %s has nothing in it: add an address, a service, a process or a script",
                             g->name);
        if (g->exclusive == EXCLUSIVE_DATA && !g->accept_split && !all_can_be_fenced(c, g) && c->node_count &&
            c->node_count % 2 == 0 && !arbiter_kind_is_strong(c->arbiter.kind))
                tree_mistake(t, g->place,
                             "group %s: exclusive = data, but with an even number of nodes and arbiter %s a "
                             "network split can "
                             "run it twice; use three nodes, a witness, a shared disk, fence devices for "
                             "all of its nodes, or write accept-split = yes to take that risk",
                             g->name, arbiter_kind_name(c->arbiter.kind));
        if (g->exclusive == EXCLUSIVE_ADDRESS && g->accept_split)
                tree_mistake(t, g->place, "group %s: accept-split is about exclusive = data, which it is not",
                             g->name);
        for (size_t i = 0; i < g->resource_count; i++) {
                const struct config_resource *r = &g->resource[i];
                if (r->kind == RESOURCE_ADDRESS && r->ip.family)
                        judge_floating(t, c, r);
                if (r->kind == RESOURCE_REALSERVER)
                        judge_realserver(t, r);
                judge_doubles(t, c, index, i);
                if (r->kind == RESOURCE_SCRIPT && r->style == SCRIPT_LSB && r->argv && r->argv[0] &&
                    r->argv[1])
                        tree_mistake(t, r->place,
                                     "script %s: an LSB script takes the action alone; for leading arguments "
                                     "write style = heartbeat",
                                     r->name);
        }
        for (size_t i = 0; i < g->check_count; i++)
                judge_check(t, &g->check[i]);
}

/* A lease that the disk renewed must not end before one that a node did. */
static void judge_disk_dead(struct tree *t, const struct config *c)
{
        const struct config_arbiter *a = &c->arbiter;
        char own[SPAN_TEXT], dead[SPAN_TEXT];

        if (a->kind == ARBITER_DISK && a->disk_dead.us && a->disk_dead.us < c->dead.us)
                tree_mistake(t, a->place,
                             "arbiter disk: dead: %s is less than the cluster's, %s: at least that, or leave "
                             "it out",
                             span_format(a->disk_dead, own), span_format(c->dead, dead));
}

static void judge_arbiter(struct tree *t, const struct config *c)
{
        const struct config_arbiter *a = &c->arbiter;
        const char *word = a->kind == ARBITER_PING ? "target" : "address";
        char text[IP_TEXT];

        if (a->kind != ARBITER_NONE && c->node_count % 2 && c->node_count)
                tree_mistake(t, a->place,
                             "arbiter %s with %zu nodes: an odd number decides by itself, and a further vote "
                             "would make it even; "
                             "leave the arbiter out",
                             arbiter_kind_name(a->kind), c->node_count);
        for (size_t n = 0; a->kind == ARBITER_FENCE && n < c->node_count; n++)
                if (!config_can_fence(c, (int)n))
                        tree_mistake(t, a->place,
                                     "arbiter fence: nothing can power off node %s: it needs a fence section",
                                     c->node[n].name);
        if (a->kind == ARBITER_FENCE && c->node_count > 2)
                tree_mistake(t, a->place,
                             "arbiter fence is for two nodes, not %zu: use three nodes, or another arbiter",
                             c->node_count);
        for (size_t i = 0; i < a->target_count; i++) {
                const char *why = address_unusable(&a->target[i]);
                ip_format(&a->target[i], text);
                if (why)
                        tree_mistake(t, a->place, "arbiter: %s %s %s", word, text, why);
                for (size_t n = 0; n < c->node_count; n++)
                        for (size_t l = 0; l < c->node[n].address_count; l++)
                                if (ip_equal(&c->node[n].address[l], &a->target[i]))
                                        tree_mistake(t, a->place,
                                                     "arbiter: %s %s is node %s's own: it must be a third "
                                                     "machine, such as "
                                                     "the router",
                                                     word, text, c->node[n].name);
                for (size_t g = 0; g < c->group_count; g++)
                        for (size_t r = 0; r < c->group[g].resource_count; r++)
                                if (c->group[g].resource[r].kind == RESOURCE_ADDRESS &&
                                    ip_equal(&c->group[g].resource[r].ip, &a->target[i]))
                                        tree_mistake(t, a->place,
                                                     "arbiter: %s %s is a floating address of group %s: it "
                                                     "must be a third "
                                                     "machine",
                                                     word, text, c->group[g].name);
        }
}

static void judge_plugs(struct tree *t, const struct config *c, const struct config_fence *f)
{
        char name[NAME_SIZE];

        for (char **p = f->plug; p && *p; p++) {
                size_t n = strcspn(*p, "=");
                snprintf(name, sizeof(name), "%.*s", (int)n, *p);
                int node = config_find_node(c, name);
                if (node < 0 || !memchr(f->node, node, f->node_count))
                        tree_mistake(t, f->place, "fence %s: plug %s: '%s' is none of the nodes it switches",
                                     f->name, *p, name);
        }
}

/* One disk for all, for one process reads it; and what makes a pill believable. */
static void judge_pill(struct tree *t, const struct config *c, const struct config_fence *f)
{
        const char *device = config_pill_device(c), *own = c->arbiter.device;
        span least = span_add(span_add(span_times(c->watchdog.timeout, 2), c->watchdog.reset), span_s(10));
        char text[SPAN_TEXT], needed[SPAN_TEXT];

        for (char **o = f->option; o && *o; o++)
                if (strncmp(*o, "device=", 7) == 0)
                        own = *o + 7;
        if (device[0] != '/')
                tree_mistake(t, f->place,
                             "fence %s: agent = disk: on which? option = {\"device=/dev/disk/by-id/...\"}, "
                             "or arbiter "
                             "disk",
                             f->name);
        else if (strcmp(device, own) != 0)
                tree_mistake(t, f->place, "fence %s: pills stand on one disk: %s here, %s elsewhere", f->name,
                             own, device);
        if (!c->watchdog.present)
                tree_mistake(t, f->place,
                             "fence %s: agent = disk: that a node takes a pill is believed because its "
                             "watchdog resets "
                             "it: add watchdog { }",
                             f->name);
        else if (f->timeout.us < least.us)
                tree_mistake(t, f->place,
                             "fence %s: timeout: %s is too short for a pill: two times the watchdog's, its "
                             "reset and 10 "
                             "seconds: %s",
                             f->name, span_format(f->timeout, text), span_format(least, needed));
        if (f->action == FENCE_ACTION_OFF || c->arbiter.kind == ARBITER_FENCE)
                tree_mistake(t, f->place,
                             "fence %s: agent = disk resets a node, and it comes back: neither action = off "
                             "nor arbiter "
                             "fence can rest on it",
                             f->name);
}

static void judge_fences(struct tree *t, const struct config *c)
{
        static const char *const passwords[] = {"passwd=", "password="};

        for (size_t i = 0; i < c->fence_count; i++) {
                const struct config_fence *f = &c->fence[i];
                judge_plugs(t, c, f);
                if (config_fence_is_pill(f))
                        judge_pill(t, c, f);
                for (char **o = f->option; o && *o; o++)
                        for (size_t k = 0; f->password_file[0] && k < COUNT(passwords); k++)
                                if (strncmp(*o, passwords[k], strlen(passwords[k])) == 0)
                                        tree_mistake(t, f->place,
                                                     "fence %s: a password in option and in password-file: "
                                                     "leave it in the file",
                                                     f->name);
                for (char **o = f->option; o && *o; o++)
                        if (strncmp(*o, "action=", 7) == 0 || strncmp(*o, "option=", 7) == 0)
                                tree_mistake(t, f->place,
                                             "fence %s: option %s: haven gives the agent its action itself",
                                             f->name, *o);
        }
}

void judge(struct tree *t, const struct config *c)
{
        if (c->node_count == 0 && !t->cut_short)
                tree_mistake(t, (struct config_place){0},
                             "there is no node: node NAME { address = {10.0.0.1} }, one for each machine");
        judge_durations(t, c);
        judge_gate(t, c);
        judge_links(t, c);
        judge_arbiter(t, c);
        judge_disk_dead(t, c);
        for (size_t i = 0; i < c->node_count; i++)
                for (size_t k = 0; k < c->node[i].check_count; k++)
                        judge_check(t, &c->node[i].check[k]);
        for (size_t g = 0; g < c->group_count; g++)
                judge_group(t, c, g);
        judge_fences(t, c);
        judge_company(t, c);
        judge_directors(t, c);
        judge_watches(t, c);
}
