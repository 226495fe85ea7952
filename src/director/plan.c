#include "director/plan.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "director/ldirectord/ldirectord.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FILE_MAX (1 << 20) /* of an ldirectord.cf */

void plan_free(struct plan *p)
{
        for (size_t i = 0; p->service && i < p->service_count; i++) {
                for (size_t j = 0; j < p->service[i].server_count; j++)
                        free(p->service[i].server[j].check);
                free(p->service[i].server);
                free(p->service[i].fallback_command);
                free(p->service[i].maintenance);
        }
        for (size_t i = 0; i < p->check_count; i++)
                check_done(&p->check[i].check);
        for (size_t i = 0; i < p->file_count; i++)
                free(p->file[i].path);
        free(p->service);
        free(p->check);
        free(p->file);
        *p = (struct plan){0};
}

static int compare_keys(const void *one, const void *two)
{
        const struct plan_service *a = one, *b = two;

        return virtual_key_compare(&a->service.key, &b->service.key);
}

bool plan_sort(struct plan *p, const struct virtual_key **ret_twin)
{
        if (p->service_count > 1)
                qsort(p->service, p->service_count, sizeof(*p->service), compare_keys);
        for (size_t i = 1; i < p->service_count; i++)
                if (compare_keys(&p->service[i - 1], &p->service[i]) == 0) {
                        *ret_twin = &p->service[i].service.key;
                        return false;
                }
        return true;
}

const struct plan_service *plan_find(const struct plan *p, const struct virtual_key *key)
{
        const struct plan_service sought = {.service.key = *key};

        return p->service_count
                       ? bsearch(&sought, p->service, p->service_count, sizeof(*p->service), compare_keys)
                       : NULL;
}

static struct virtual_service service_of(const struct config_virtual *v)
{
        static const uint8_t protocols[] = {[TRANSPORT_TCP] = IPPROTO_TCP,
                                            [TRANSPORT_UDP] = IPPROTO_UDP,
                                            [TRANSPORT_SCTP] = IPPROTO_SCTP};
        static const uint32_t flags[] = {SERVICE_FLAG_1, SERVICE_FLAG_2, SERVICE_FLAG_3};
        struct virtual_service s = {
                .key = {.family = v->ip.family,
                        .port = v->port,
                        .ip = v->ip,
                        .protocol = protocols[v->transport]},
                .flags = v->one_packet ? SERVICE_ONE_PACKET : 0,
                .persistence_s = (uint32_t)(v->persistence.us / 1000000),
                .mask_bits = (uint8_t)v->mask_bits,
        };

        if (v->mark)
                s.key = (struct virtual_key){.family = v->version == IP_VERSION_6 ? AF_INET6 : AF_INET,
                                             .mark = v->mark};
        if (s.mask_bits == 0)
                s.mask_bits = s.key.family == AF_INET6 ? 128 : 32;
        for (size_t i = 0; i < COUNT(flags); i++)
                if (v->flags & 1U << i)
                        s.flags |= flags[i];
        text_copy(s.scheduler, sizeof(s.scheduler), v->scheduler);
        text_copy(s.retriever, sizeof(s.retriever), v->retriever);
        return s;
}

static struct real_server real_of(const struct config_real *r, const struct virtual_key *key)
{
        struct real_server real = {
                .ip = r->ip,
                .port = r->port ? r->port : key->port,
                .forward = r->forward,
                .weight = (uint32_t)r->weight,
                .upper = (uint32_t)r->upper,
                .lower = (uint32_t)r->lower,
        };

        if (r->forward == FORWARD_TUNNEL) {
                real.tunnel = r->tunnel;
                real.tunnel_port = r->tunnel_port;
                real.checksum = r->checksum;
        }
        return real;
}

static const struct config_pool *find_pool(const struct config_director *d, const char *name,
                                           size_t *ret_first_check)
{
        *ret_first_check = 0;
        for (size_t i = 0; i < d->pool_count; i++) {
                if (strcmp(d->pool[i].name, name) == 0)
                        return &d->pool[i];
                *ret_first_check += d->pool[i].server_count * d->pool[i].check_count;
        }
        return NULL;
}

/* All checks of all pools, server by server. */
static int put_checks(const struct config_director *d, struct plan *to)
{
        size_t count = 0;

        for (size_t i = 0; i < d->pool_count; i++)
                count += d->pool[i].server_count * d->pool[i].check_count;
        to->check = calloc(count + 1, sizeof(*to->check));
        if (!to->check)
                return -ENOMEM;
        for (size_t i = 0; i < d->pool_count; i++) {
                const struct config_pool *p = &d->pool[i];
                for (size_t j = 0; j < p->server_count; j++)
                        for (size_t k = 0; k < p->check_count; k++) {
                                struct plan_check *c = &to->check[to->check_count];
                                if (check_copy(p->check[k].check[j], &c->check) < 0)
                                        return -ENOMEM;
                                to->check_count++;
                                snprintf(c->name, sizeof(c->name), "%s %s %s", p->name, p->server[j].name,
                                         c->check.name);
                        }
        }
        return 0;
}

static int put_server(struct plan_service *to, const struct config_pool *p, size_t server, size_t first_check)
{
        struct plan_server *s = &to->server[to->server_count++];

        s->real = real_of(&p->server[server], &to->service.key);
        s->check = calloc(p->check_count + 1, sizeof(*s->check));
        if (!s->check)
                return -ENOMEM;
        for (size_t k = 0; k < p->check_count; k++)
                s->check[s->check_count++] = first_check + server * p->check_count + k;
        return 0;
}

static int put_service(const struct config_director *d, const struct config_virtual *v, struct plan *to)
{
        struct plan_service *s = &to->service[to->service_count++];
        size_t count = 0, first;

        *s = (struct plan_service){
                .service = service_of(v),
                .has_fallback = v->has_fallback,
                .failed = v->failed == FAILED_SERVER_QUIESCE ? FAILED_QUIESCE : FAILED_REMOVE,
                .slow_start = v->slow_start,
                .quorum = (unsigned)v->quorum,
                .quorum_down = (unsigned)v->quorum_down,
                .file = SIZE_MAX,
        };
        if (v->has_fallback)
                s->fallback = real_of(&v->fallback, &s->service.key);
        for (char **name = v->pool; name && *name; name++)
                count += find_pool(d, *name, &first)->server_count;
        s->server = calloc(count + 1, sizeof(*s->server));
        if (!s->server)
                return -ENOMEM;
        for (char **name = v->pool; name && *name; name++) {
                const struct config_pool *p = find_pool(d, *name, &first);
                for (size_t i = 0; i < p->server_count; i++)
                        if (put_server(s, p, i, first) < 0)
                                return -ENOMEM;
        }
        return 0;
}

/* Takes what is in `from`, whose checks get other numbers. */
static int append(struct plan *to, struct plan *from)
{
        struct plan_service *service =
                reallocarray(to->service, to->service_count + from->service_count + 1, sizeof(*service));
        if (service)
                to->service = service;
        struct plan_check *check =
                reallocarray(to->check, to->check_count + from->check_count + 1, sizeof(*check));
        if (check)
                to->check = check;
        if (!service || !check)
                return -ENOMEM;
        for (size_t i = 0; i < from->service_count; i++) {
                struct plan_service *s = &from->service[i];
                for (size_t j = 0; j < s->server_count; j++)
                        for (size_t k = 0; k < s->server[j].check_count; k++)
                                s->server[j].check[k] += to->check_count;
                service[to->service_count++] = *s;
        }
        for (size_t i = 0; i < from->check_count; i++)
                check[to->check_count++] = from->check[i];
        free(from->service);
        free(from->check);
        *from = (struct plan){0};
        return 0;
}

/* The machine's own file alone: to ask the network could take the core longer than a lease. */
static int find_host(void *user, const char *name, sa_family_t family, struct ip *ret_ip)
{
        char line[1024], *rest;
        FILE *hosts = fopen("/etc/hosts", "re");
        bool found = false;

        while (hosts && !found && fgets(line, sizeof(line), hosts)) {
                line[strcspn(line, "#")] = '\0';
                const char *address = strtok_r(line, " \t\n", &rest), *word = address;
                if (!address || ip_parse(address, ret_ip) < 0 || ret_ip->family != family)
                        continue;
                while (!found && (word = strtok_r(NULL, " \t\n", &rest)))
                        found = strcasecmp(word, name) == 0;
        }
        if (hosts)
                fclose(hosts);
        return found ? 0 : -ENOENT;
}

static int find_port(void *user, const char *name, uint8_t protocol, uint16_t *ret_port)
{
        const struct servent *s = getservbyname(name, protocol == IPPROTO_UDP ? "udp" : "tcp");

        if (!s)
                return -ENOENT;
        *ret_port = ntohs((uint16_t)s->s_port);
        return 0;
}

static int try_append(void *user, const char *path)
{
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

        if (fd == -1)
                return -errno;
        close(fd);
        return 0;
}

static void log_warn(void *user, int line, const char *text)
{
        log_warning("director: %s:%d: %s", (const char *)user, line, text);
}

struct ldirectord_lookup plan_lookup(const char *path)
{
        return (struct ldirectord_lookup){.host = find_host,
                                          .port = find_port,
                                          .append = try_append,
                                          .warn = log_warn,
                                          .user = (void *)path};
}

/* What is kept of a file, read or not. */
static struct plan_file *add_file(struct plan *to, const char *path)
{
        struct plan_file *file = reallocarray(to->file, to->file_count + 1, sizeof(*file));

        if (!file)
                return NULL;
        to->file = file;
        file += to->file_count;
        *file = (struct plan_file){.path = strdup(path)};
        if (!file->path)
                return NULL;
        to->file_count++;
        return file;
}

static int put_text(const char *text, const struct ldirectord_lookup *lookup, struct plan_file *to_file,
                    size_t number, struct plan *to, struct ldirectord_mistake *ret_mistake)
{
        struct ldirectord_file file = {0};
        struct plan plan = {0};
        int error = ldirectord_read(text, lookup, &file, ret_mistake);

        if (!error)
                error = ldirectord_plan(&file, lookup, &plan, ret_mistake);
        to_file->digest = text_id(text);
        to_file->autoreload = file.autoreload;
        for (size_t i = 0; i < plan.service_count; i++)
                plan.service[i].file = number;
        if (!error)
                error = append(to, &plan);
        plan_free(&plan);
        ldirectord_free(&file);
        return error;
}

int plan_put_file(struct plan *to, const char *path, const struct ldirectord_lookup *lookup,
                  char why[static PLAN_WHY])
{
        struct ldirectord_mistake mistake = {0};
        struct plan_file *file = add_file(to, path);
        char *text = calloc(1, FILE_MAX + 1);
        ssize_t n = text && file ? file_read(path, text, FILE_MAX) : -ENOMEM;
        int error = n < 0 ? (int)n : put_text(text, lookup, file, to->file_count - 1, to, &mistake);

        if (mistake.text[0])
                snprintf(why, PLAN_WHY, "%s:%d: %s", path, mistake.line, mistake.text);
        else if (error)
                snprintf(why, PLAN_WHY, "%s: %s", path, strerror(-error));
        free(text);
        return error;
}

/* What one file says, another or the configuration may say too. */
static int find_twins(struct plan *p, char why[static PLAN_WHY])
{
        const struct virtual_key *twin;
        char key[VIRTUAL_TEXT];

        if (plan_sort(p, &twin))
                return 0;
        snprintf(why, PLAN_WHY, "%s is there twice", virtual_key_format(twin, key));
        return -EEXIST;
}

/* All of them, so that each is known, and heard of first what is wrong first. */
static int put_files(const struct config_director *d, struct plan *to, char why[static PLAN_WHY])
{
        char again[PLAN_WHY] = "";
        int first = 0;

        for (char **path = d->ldirectord; path && *path; path++) {
                struct ldirectord_lookup lookup = plan_lookup(*path);
                int error = plan_put_file(to, *path, &lookup, first ? again : why);
                first = first ? first : error;
        }
        return first;
}

/* Nothing is left but which files there are. */
static void drop(struct plan *p)
{
        struct plan files = {.file_count = p->file_count, .file = p->file};

        p->file_count = 0;
        p->file = NULL;
        plan_free(p);
        *p = files;
}

int plan_from_config(const struct config_director *d, struct plan *ret_plan, char why[static PLAN_WHY])
{
        *ret_plan = (struct plan){0};
        int error = put_checks(d, ret_plan);

        snprintf(why, PLAN_WHY, "%s", strerror(ENOMEM));
        ret_plan->service = calloc(d->virtual_count + 1, sizeof(*ret_plan->service));
        if (!ret_plan->service)
                error = -ENOMEM;
        for (size_t i = 0; i < d->virtual_count && !error; i++)
                error = put_service(d, &d->virtual[i], ret_plan);
        if (!error)
                error = put_files(d, ret_plan, why);
        if (!error)
                error = find_twins(ret_plan, why);
        if (error)
                drop(ret_plan);
        return error;
}

bool plan_file_changed(struct plan_file *f)
{
        char *text = calloc(1, FILE_MAX + 1);
        uint32_t now = text && file_read(f->path, text, FILE_MAX) >= 0 ? text_id(text) : 0;
        bool changed = now != f->digest && now == f->seen;

        free(text);
        f->seen = now;
        return changed;
}
