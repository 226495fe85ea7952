/* What an ldirectord.cf asks for, as a plan. */
#include "director/ldirectord.h"
#include "director/plan.h"

#include "base/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct making {
        const struct ldirectord_service *from;
        struct plan *to;
        struct ldirectord_mistake *mistake;
};

static int wrong(const struct making *m, int line, const char *format, const char *what)
{
        m->mistake->line = line;
        snprintf(m->mistake->text, sizeof(m->mistake->text), "%s%s", format, what);
        return -ENOTSUP;
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

/* Where a check of a server that says nothing of its port looks. */
static uint16_t check_port(const struct ldirectord_service *f, const struct ldirectord_server *s)
{
        if (f->checkport)
                return f->checkport;
        return s->port ? s->port : ldirectord_usual_port(f->service);
}

static int set_text(char **field, const char *text)
{
        *field = text ? strdup(text) : NULL;
        return text && !*field ? -ENOMEM : 0;
}

/* "http://10.0.0.11:8080/index.html", or the request, if that is a url itself. */
static int set_url(const struct ldirectord_service *f, const struct ldirectord_server *s,
                   struct config_check *c)
{
        const char *request = s->request ? s->request : f->request ? f->request : "/";
        char scheme[24], endpoint[SERVER_TEXT];

        snprintf(scheme, sizeof(scheme), "%s://", f->service);
        if (s->request && s->receive && strstr(request, scheme))
                return set_text(&c->http.url, strstr(request, scheme));
        return asprintf(&c->http.url, "%s%s%s", scheme, endpoint_format(&s->ip, check_port(f, s), endpoint),
                        request) == -1
                       ? -ENOMEM
                       : 0;
}

static int make_http(const struct ldirectord_service *f, const struct ldirectord_server *s,
                     struct config_check *c)
{
        const char *receive = s->receive ? s->receive : f->receive;

        c->http.method = f->head ? METHOD_HEAD : METHOD_GET;
        c->http.status = (struct status_ranges){.count = 1, .range = {{200, 299}}};
        int error = set_url(f, s, c);
        if (!error)
                error = set_text(&c->http.host, f->virtualhost);
        return error ? error : set_text(&c->http.expect, receive && receive[0] ? receive : NULL);
}

static int make_dns(const struct ldirectord_service *f, const struct ldirectord_server *s,
                    struct config_check *c)
{
        const char *request = s->request ? s->request : f->request ? f->request : "/";

        c->ip = s->ip;
        c->port = check_port(f, s);
        return set_text(&c->dns.name, request + (request[0] == '/'));
}

/* The rhythm: in seconds, one success and so many failures. */
static void set_rhythm(const struct ldirectord_service *f, unsigned limit_s, struct config_check *c)
{
        c->interval = c->quick = span_s((int64_t)f->common.checkinterval);
        c->timeout = span_min(span_s((int64_t)limit_s), c->interval);
        c->fall = (int)f->common.failurecount;
        c->rise = 1;
}

/* Which kind of check it becomes; CHECK_KINDS: none is needed, the server is always up. */
static int kind_of(const struct making *m, int *ret_kind)
{
        const struct ldirectord_service *f = m->from;
        bool web = strcmp(f->service, "http") == 0 || strcmp(f->service, "https") == 0;

        *ret_kind = CHECK_KINDS;
        switch (f->checktype) {
        case LD_ON:
        case LD_OFF: return 0;
        case LD_PING: *ret_kind = CHECK_ICMP; return 0;
        case LD_CONNECT: *ret_kind = f->protocol == IPPROTO_UDP ? CHECK_ICMP : CHECK_TCP; return 0;
        case LD_EXTERNAL:
        case LD_EXTERNAL_PERL: return wrong(m, f->line, "checktype external is not taken over yet", "");
        case LD_COMBINED:
        case LD_NEGOTIATE: break;
        }
        if (strcmp(f->service, "none") == 0)
                return 0;
        *ret_kind = web ? CHECK_HTTP : CHECK_DNS;
        if (!web && strcmp(f->service, "dns") != 0)
                return wrong(m, f->line, "no check is taken over yet for service ", f->service);
        return 0;
}

static int make_check(const struct making *m, const struct ldirectord_server *s, enum check_kind kind,
                      struct plan_check *to)
{
        const struct ldirectord_service *f = m->from;
        bool outer = kind == CHECK_TCP || kind == CHECK_ICMP;
        char key[VIRTUAL_TEXT], endpoint[SERVER_TEXT];
        struct virtual_key k = {
                .family = f->family, .protocol = f->protocol, .port = f->port, .mark = f->mark, .ip = f->ip};

        check_init(&to->check, kind);
        set_rhythm(f, outer ? f->common.checktimeout : f->common.negotiatetimeout, &to->check);
        snprintf(to->name, sizeof(to->name), "%s %s", virtual_key_format(&k, key),
                 endpoint_format(&s->ip, s->port, endpoint));
        text_copy(to->check.name, sizeof(to->check.name), check_kind_name(kind));
        if (kind == CHECK_HTTP)
                return make_http(f, s, &to->check);
        if (kind == CHECK_DNS)
                return make_dns(f, s, &to->check);
        to->check.ip = s->ip;
        to->check.port = kind == CHECK_TCP ? check_port(f, s) : 0;
        if (kind == CHECK_TCP && to->check.port == 0)
                return wrong(m, s->line, "real server without a port, and no checkport", "");
        return 0;
}

static int make_server(const struct making *m, const struct ldirectord_server *s, int kind,
                       struct plan_server *to)
{
        const struct ldirectord_service *f = m->from;

        *to = (struct plan_server){
                .real = {.ip = s->ip,
                         .port = s->port,
                         .forward = s->forward,
                         .weight = s->weight,
                         .upper = s->upper,
                         .lower = s->lower},
                .use = f->checktype == LD_OFF ? USE_NEVER : USE_CHECKED,
                .check = calloc(1, sizeof(*to->check)),
        };
        if (!to->check)
                return -ENOMEM;
        if (kind == CHECK_KINDS)
                return 0;
        struct plan *p = m->to;
        struct plan_check *grown = reallocarray(p->check, p->check_count + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        p->check = grown;
        grown[p->check_count] = (struct plan_check){0};
        to->check[to->check_count++] = p->check_count++;
        return make_check(m, s, (enum check_kind)kind, &grown[p->check_count - 1]);
}

static int make_one(struct making *m)
{
        const struct ldirectord_service *f = m->from;
        struct plan_service *grown = reallocarray(m->to->service, m->to->service_count + 1, sizeof(*grown)),
                            *s;
        int kind, error;

        if (!grown)
                return -ENOMEM;
        m->to->service = grown;
        s = &grown[m->to->service_count++];
        *s = (struct plan_service){.failed = f->common.quiescent ? FAILED_QUIESCE : FAILED_REMOVE,
                                   .quorum = 1,
                                   .quorum_down = 1,
                                   .has_fallback = f->common.has_fallback &&
                                                   !(f->mark && !f->common.fallback.ip.family)};
        error = make_service(m, &s->service);
        if (!error)
                error = kind_of(m, &kind);
        if (error)
                return error;
        const struct config_real *b = &f->common.fallback;
        s->fallback = (struct real_server){
                .ip = b->ip, .port = b->port ? b->port : f->port, .forward = b->forward, .weight = 1};
        s->server = calloc(f->server_count + 1, sizeof(*s->server));
        if (!s->server)
                return -ENOMEM;
        for (size_t i = 0; i < f->server_count && !error; i++)
                error = make_server(m, &f->server[i], kind, &s->server[s->server_count++]);
        return error;
}

int ldirectord_plan(const struct ldirectord_file *f, struct plan *ret_plan,
                    struct ldirectord_mistake *ret_mistake)
{
        int error = 0;

        *ret_plan = (struct plan){0};
        for (size_t i = 0; i < f->service_count && !error; i++) {
                struct making m = {.from = &f->service[i], .to = ret_plan, .mistake = ret_mistake};
                error = make_one(&m);
        }
        if (error)
                plan_free(ret_plan);
        return error;
}
