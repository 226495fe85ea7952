/* What an ldirectord.cf asks for, as a plan. */
#include "director/plan.h"
#include "director/ldirectord/check.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct making {
        const struct ldirectord_file *file;
        const struct ldirectord_service *from; /* the one that is made */
        const struct ldirectord_lookup *lookup;
        struct plan *to;
        struct plan_service *service; /* of it, likewise */
        struct ldirectord_mistake *mistake;
};

static int wrong(const struct making *m, int line, const char *format, const char *what)
{
        m->mistake->line = line;
        snprintf(m->mistake->text, sizeof(m->mistake->text), "%s%s", format, what);
        return -EINVAL;
}

/* -b takes names or bits joined by commas (ipvsadm's parse_sched_flags()). */
static int take_flags(const struct making *m, const char *text, uint32_t *ret_flags)
{
        static const struct {
                const char *name;
                uint32_t flag;
        } known[] = {
                {"flag-1", SERVICE_FLAG_1},      {"flag-2", SERVICE_FLAG_2},  {"flag-3", SERVICE_FLAG_3},
                {"sh-fallback", SERVICE_FLAG_1}, {"sh-port", SERVICE_FLAG_2}, {"mh-fallback", SERVICE_FLAG_1},
                {"mh-port", SERVICE_FLAG_2},
        };

        for (; text && *text; text += strcspn(text, ",") + (text[strcspn(text, ",")] == ',')) {
                size_t n = strcspn(text, ", \t"), i = 0;
                while (i < COUNT(known) &&
                       (strlen(known[i].name) != n || strncmp(text, known[i].name, n) != 0))
                        i++;
                if (i == COUNT(known))
                        return wrong(m, m->from->line, "unknown scheduler flag: ", text);
                *ret_flags |= known[i].flag;
        }
        return 0;
}

static int make_service(const struct making *m, struct virtual_service *s)
{
        const struct ldirectord_service *f = m->from;

        *s = (struct virtual_service){
                .key = {.family = f->family,
                        .protocol = f->protocol,
                        .port = f->port,
                        .mark = f->mark,
                        .ip = f->ip},
                .persistence_s = f->persistent,
                .mask_bits = f->family == AF_INET6 ? 128 : 32,
        };
        if (f->persistent && f->mask_bits)
                s->mask_bits = f->mask_bits; /* the mask goes with persistence only */
        if (f->ops && f->protocol == IPPROTO_UDP)
                s->flags |= SERVICE_ONE_PACKET;
        text_copy(s->scheduler, sizeof(s->scheduler), f->scheduler);
        return take_flags(m, f->schedflags, &s->flags);
}

/* All that is said of one address is one server: the last line counts. */
static struct plan_server *find_twin(const struct plan_service *s, const struct real_server *r)
{
        for (size_t i = 0; i < s->server_count; i++)
                if (s->server[i].real.port == r->port && ip_equal(&s->server[i].real.ip, &r->ip))
                        return &s->server[i];
        return NULL;
}

static void take_checks(const struct making *m, const struct ldirectord_server *s,
                        struct config_check check[static LDIRECTORD_CHECKS], size_t count,
                        struct plan_server *to)
{
        const struct virtual_key k = m->service->service.key;
        char key[VIRTUAL_TEXT], endpoint[SERVER_TEXT];
        struct plan *p = m->to;

        for (size_t i = 0; i < count; i++) {
                struct plan_check *c = &p->check[p->check_count];
                snprintf(c->name, sizeof(c->name), i ? "%s %s again" : "%s %s", virtual_key_format(&k, key),
                         endpoint_format(&s->ip, s->port, endpoint));
                c->check = check[i];
                check[i] = (struct config_check){0};
                to->check[to->check_count++] = p->check_count++;
        }
}

static int make_checks(const struct making *m, const struct ldirectord_server *s, struct plan_server *to)
{
        struct config_check check[LDIRECTORD_CHECKS] = {0};
        char why[160] = "";
        size_t count = 0;
        int error = ldirectord_checks(m->from, s, check, &count, why);

        if (error == -EINVAL)
                wrong(m, s->line, "", why);
        to->check_count = 0;
        if (!error)
                take_checks(m, s, check, count, to);
        for (size_t i = 0; i < count; i++)
                check_done(&check[i]);
        return error;
}

static void warn(const struct making *m, int line, const char *text)
{
        if (m->lookup && m->lookup->warn)
                m->lookup->warn(m->lookup->user, line, text);
}

static int make_server(const struct making *m, const struct ldirectord_server *s)
{
        const struct ldirectord_service *f = m->from;
        struct real_server real = {.ip = s->ip,
                                   .port = s->port,
                                   .forward = s->forward,
                                   .weight = s->weight,
                                   .upper = s->upper,
                                   .lower = s->lower};
        struct plan_server *to;

        if (real.lower > real.upper) {
                real.lower = 0; /* the kernel would refuse the server */
                warn(m, s->line, "the lower threshold is above the upper one, and left out");
        }
        if (real.forward != FORWARD_MASQ && !f->mark)
                real.port = f->port; /* as the kernel has it */
        to = find_twin(m->service, &real);
        if (!to) {
                to = &m->service->server[m->service->server_count++];
                *to = (struct plan_server){.check = calloc(LDIRECTORD_CHECKS, sizeof(*to->check))};
        }
        if (!to->check)
                return -ENOMEM;
        to->real = real;
        to->own_port = s->port;
        to->use = f->checktype == LD_OFF ? USE_NEVER : USE_PROVEN;
        return make_checks(m, s, to);
}

static int set_text(char **field, const char *text)
{
        *field = text ? strdup(text) : NULL;
        return text && !*field ? -ENOMEM : 0;
}

/* What a director does for ldirectord's files only. */
static int make_manners(const struct making *m)
{
        const struct ldirectord_service *f = m->from;
        struct plan_service *s = m->service;
        char endpoint[SERVER_TEXT];
        int error = set_text(&s->fallback_command, f->common.fallbackcommand);

        if (f->mark)
                text_copy(s->fallback_words, sizeof(s->fallback_words), ":0 fwm");
        else
                snprintf(s->fallback_words, sizeof(s->fallback_words), "%s %s",
                         endpoint_format(&f->ip, f->port, endpoint), protocol_name(f->protocol));
        s->stays = !f->common.cleanstop;
        return error ? error : set_text(&s->maintenance, m->file->maintenancedir);
}

static void make_fallback(const struct making *m)
{
        const struct ldirectord_service *f = m->from;
        const struct config_real *b = &f->common.fallback;

        if (!f->common.has_fallback)
                return;
        m->service->has_fallback = true;
        m->service->fallback = (struct real_server){
                .ip = b->ip, .port = b->port ? b->port : f->port, .forward = b->forward, .weight = 1};
}

static int make_one(struct making *m)
{
        const struct ldirectord_service *f = m->from;
        char text[160];
        int error;

        m->service = &m->to->service[m->to->service_count++];
        *m->service = (struct plan_service){.failed = f->common.quiescent ? FAILED_QUIESCE : FAILED_REMOVE,
                                            .quorum = 1,
                                            .quorum_down = 1,
                                            .file = SIZE_MAX,
                                            .place = (size_t)(f - m->file->service)};
        error = make_service(m, &m->service->service);
        if (!error)
                error = make_manners(m);
        if (error)
                return error;
        make_fallback(m);
        m->service->server = calloc(f->server_count + 1, sizeof(*m->service->server));
        if (!m->service->server)
                return -ENOMEM;
        for (size_t i = 0; i < f->server_count && !error; i++)
                error = make_server(m, &f->server[i]);
        if (!error && ldirectord_check_lack(f)[0]) {
                snprintf(text, sizeof(text), "service %s: %s", f->service, ldirectord_check_lack(f));
                warn(m, f->line, text);
        }
        return error;
}

/* For all that there may be. */
static int make_room(const struct ldirectord_file *f, struct plan *to)
{
        size_t servers = 0;

        for (size_t i = 0; i < f->service_count; i++)
                servers += f->service[i].server_count;
        to->service = calloc(f->service_count + 1, sizeof(*to->service));
        to->check = calloc(servers * LDIRECTORD_CHECKS + 1, sizeof(*to->check));
        return to->service && to->check ? 0 : -ENOMEM;
}

int ldirectord_plan(const struct ldirectord_file *f, const struct ldirectord_lookup *lookup,
                    struct plan *ret_plan, struct ldirectord_mistake *ret_mistake)
{
        struct making m = {.file = f, .lookup = lookup, .to = ret_plan, .mistake = ret_mistake};
        const struct virtual_key *twin;
        int error;

        *ret_plan = (struct plan){0};
        error = make_room(f, ret_plan);
        for (size_t i = 0; i < f->service_count && !error; i++) {
                m.from = &f->service[i];
                error = make_one(&m);
        }
        if (error) {
                plan_free(ret_plan);
                return error;
        }
        bool unique = plan_sort(ret_plan, &twin);
        assert(unique); /* the reader has seen to that */
        return 0;
}
