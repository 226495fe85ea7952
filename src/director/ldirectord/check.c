#include "director/ldirectord/check.h"

#include "base/text.h"
#include "monitor/verdict.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What becomes of each service. Those without a maker are connected to, and that is all. */
struct making;
typedef int maker(const struct making *m, struct config_check *c);
static maker make_http, make_proxy, make_login, make_ftp, make_ldap, make_nntp, make_simple, make_dns,
        make_sip, make_radius, make_sql;

static const struct {
        const char *service;
        enum check_kind kind;
        maker *make;
        bool tls;
        const char *lack;
} services[] = {
        {"http", CHECK_HTTP, make_http},
        {"https", CHECK_HTTP, make_http},
        {"http_proxy", CHECK_TCP, make_proxy},
        {"smtp", CHECK_SMTP, make_login},
        {"submission", CHECK_SMTP, make_login},
        {"pop", CHECK_POP3, make_login},
        {"pops", CHECK_POP3, make_login, .tls = true},
        {"imap", CHECK_IMAP, make_login},
        {"imaps", CHECK_IMAP, make_login, .tls = true},
        {"ftp", CHECK_FTP, make_ftp},
        {"ldap", CHECK_LDAP, make_ldap},
        {"ldaps", CHECK_LDAP, make_ldap, .tls = true},
        {"nntp", CHECK_TCP, make_nntp},
        {"simpletcp", CHECK_TCP, make_simple},
        {"dns", CHECK_DNS, make_dns},
        {"sip", CHECK_SIP, make_sip},
        {"radius", CHECK_RADIUS, make_radius},
        {"mysql", CHECK_MYSQL, make_sql},
        {"pgsql", CHECK_POSTGRESQL, make_sql},
        {"oracle", CHECK_TCP, NULL, .lack = "the server is connected to, and no query is made"},
};

struct making {
        const struct ldirectord_service *f;
        const struct ldirectord_server *s;
        size_t row; /* of `services` */
        char *why;
};

static int wrong(const struct making *m, const char *text)
{
        text_copy(m->why, 160, text);
        return -EINVAL;
}

/* Where a check looks. */
static uint16_t check_port(const struct making *m)
{
        if (m->f->checkport)
                return m->f->checkport;
        return m->s->port ? m->s->port : ldirectord_usual_port(m->f->service);
}

static const char *request_of(const struct making *m)
{
        return m->s->request ? m->s->request : m->f->request ? m->f->request : "/";
}

static const char *receive_of(const struct making *m)
{
        const char *receive = m->s->receive ? m->s->receive : m->f->receive;

        return receive ? receive : "";
}

static int set_text(char **field, const char *text)
{
        free(*field); /* a default */
        *field = text && text[0] ? strdup(text) : NULL;
        return text && text[0] && !*field ? -ENOMEM : 0;
}

/* Perl's expressions are read as extended ones, which know all that is used in practice but for \d. What
 * means something else there is refused. */
static int set_pattern(const struct making *m, char **field, const char *perl)
{
        size_t n = 0, room = 5 * strlen(perl) + 1;
        char *text = malloc(room);
        regex_t compiled;

        if (!text)
                return -ENOMEM;
        for (const char *at = perl; *at; at++) {
                bool escaped = at[0] == '\\' && at[1];
                if (escaped && at[1] == 'd')
                        n += (size_t)snprintf(text + n, room - n, "[0-9]");
                else if (escaped)
                        n += (size_t)snprintf(text + n, room - n, "%.2s", at);
                else
                        n += (size_t)snprintf(text + n, room - n, "%c", *at);
                at += escaped;
        }
        text[n] = '\0';
        free(*field);
        *field = text;
        if (strstr(perl, "(?") || strstr(perl, "*?") || strstr(perl, "+?") ||
            regcomp(&compiled, text, REG_EXTENDED | REG_NEWLINE | REG_NOSUB) != 0)
                return wrong(m, "receive is no expression that regex(7) knows");
        regfree(&compiled);
        return 0;
}

/* "http://10.0.0.11:8080/index.html", or the request, if that is a url itself. */
static int set_url(const struct making *m, char **field)
{
        const char *request = request_of(m);
        char scheme[24], endpoint[SERVER_TEXT];

        snprintf(scheme, sizeof(scheme), "%s://", m->f->service);
        if (m->s->request && m->s->receive && strstr(request, scheme))
                return set_text(field, strstr(request, scheme));
        return asprintf(field, "%s%s%s", scheme, endpoint_format(&m->s->ip, check_port(m), endpoint),
                        request) == -1
                       ? -ENOMEM
                       : 0;
}

static int make_http(const struct making *m, struct config_check *c)
{
        int error = set_url(m, &c->http.url);

        c->http.method = m->f->head ? METHOD_HEAD : METHOD_GET;
        c->http.redirect = HTTP_REDIRECT_FOLLOW;
        c->http.status = (struct status_ranges){.count = 1, .range = {{200, 299}}};
        if (!error)
                error = set_text(&c->http.host, m->f->virtualhost);
        if (!error && receive_of(m)[0])
                error = set_pattern(m, &c->http.expect, receive_of(m));
        return error;
}

/* The whole url is asked of the server, in one request of the old kind: the answer ends with the connection.
 */
static int make_proxy(const struct making *m, struct config_check *c)
{
        const char *url = request_of(m) + (request_of(m)[0] == '/'), *host = strstr(url, "://");
        char *expect;

        host = m->f->virtualhost ? m->f->virtualhost : host ? host + 3 : url;
        if (asprintf(&c->tcp.send, "%s %s HTTP/1.0\\r\\nHost: %.*s\\r\\n\\r\\n", m->f->head ? "HEAD" : "GET",
                     url, (int)strcspn(host, "/"), host) == -1)
                return -ENOMEM;
        if (asprintf(&expect, "^HTTP/1\\.[01] 2%s%s", receive_of(m)[0] ? "(.|\n)*" : "", receive_of(m)) == -1)
                return -ENOMEM;
        int error = set_pattern(m, &c->tcp.expect, expect);
        free(expect);
        return error;
}

static int set_login(const struct making *m, struct config_check *c)
{
        int error = set_text(&c->login.user, m->f->login);

        c->login.tls = services[m->row].tls ? LOGIN_TLS_TLS : LOGIN_TLS_NONE;
        return error ? error : set_text(&c->login.password, m->f->passwd);
}

static int make_login(const struct making *m, struct config_check *c)
{
        if (c->kind == CHECK_SMTP)
                return 0; /* it is only greeted */
        return set_login(m, c);
}

/* A file that is not named is not fetched. */
static int make_ftp(const struct making *m, struct config_check *c)
{
        int error = set_login(m, c);

        if (!error)
                error = set_text(&c->login.path, request_of(m) + 1);
        if (!error && c->login.path && receive_of(m)[0])
                error = set_pattern(m, &c->login.expect, receive_of(m));
        return error;
}

static int make_ldap(const struct making *m, struct config_check *c)
{
        int error = m->f->login && m->f->passwd ? set_login(m, c) : 0;

        c->login.tls = services[m->row].tls ? LOGIN_TLS_TLS : LOGIN_TLS_NONE;
        return error ? error : set_text(&c->login.base, request_of(m) + 1);
}

static int make_nntp(const struct making *m, struct config_check *c)
{
        return set_text(&c->tcp.expect, "^2");
}

static int make_simple(const struct making *m, struct config_check *c)
{
        int error = set_text(&c->tcp.send, request_of(m) + 1);

        return error ? error : set_pattern(m, &c->tcp.expect, receive_of(m)[0] ? receive_of(m) : "^");
}

static int make_dns(const struct making *m, struct config_check *c)
{
        struct ip address;
        int error = set_text(&c->dns.name, request_of(m) + 1);

        /* an address can be compared, an expression cannot */
        if (error || ip_parse(receive_of(m), &address) < 0)
                return error;
        c->dns.type = address.family == AF_INET6 ? DNS_AAAA : DNS_A;
        c->dns.expect = calloc(2, sizeof(*c->dns.expect));
        return c->dns.expect ? set_text(&c->dns.expect[0], receive_of(m)) : -ENOMEM;
}

static int make_sql(const struct making *m, struct config_check *c)
{
        int error = set_text(&c->sql.user, m->f->login);

        if (!error)
                error = set_text(&c->sql.password, m->f->passwd);
        if (!error)
                error = set_text(&c->sql.database, m->f->database);
        return error ? error : set_text(&c->sql.query, request_of(m) + 1);
}

/* Who nobody has named is ldirectord, as with `service = sip` in a section. */
static int make_sip(const struct making *m, struct config_check *c)
{
        char host[HOST_NAME_MAX + 1] = "";
        int n;

        c->sip.transport = m->f->protocol == IPPROTO_UDP ? SIP_UDP : SIP_TCP;
        c->sip.status = (struct status_ranges){.count = 1, .range = {{200, 200}}};
        if (m->f->login)
                n = asprintf(&c->sip.uri, "sip:%s", m->f->login);
        else
                n = gethostname(host, sizeof(host)) == -1 ? -1
                                                          : asprintf(&c->sip.uri, "sip:ldirectord@%s", host);
        return n == -1 ? -ENOMEM : 0;
}

/* Its client gives up after the one time, an alarm ends it after the other. */
static int make_radius(const struct making *m, struct config_check *c)
{
        int error = set_text(&c->radius.user, m->f->login);

        c->timeout = span_min(c->timeout, span_s((int64_t)m->f->common.checktimeout));
        if (!error)
                error = set_text(&c->radius.password, m->f->passwd);
        return error ? error : set_text(&c->radius.secret, m->f->secret);
}

/* The program of an external check: found in the usual places, if it has no path. */
static char *find_program(const char *name)
{
        static const char *const places[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                             "/usr/bin",        "/sbin",          "/bin"};
        char *path = NULL;

        if (strchr(name, '/'))
                return strdup(name);
        for (size_t i = 0; i < COUNT(places); i++) {
                free(path);
                if (asprintf(&path, "%s/%s", places[i], name) == -1)
                        return NULL;
                if (access(path, X_OK) == 0)
                        break;
        }
        return path;
}

/* CMD VADDR VPORT RADDR RPORT; for a mark the first two are MARK and 0. */
static int make_external(const struct making *m, struct config_check *c)
{
        const struct ldirectord_service *f = m->f;
        const char *command = f->checkcommand ? f->checkcommand : "/bin/true";
        bool perl = f->checktype == LD_EXTERNAL_PERL;
        char **argv = calloc(7, sizeof(*argv)), ip[IP_TEXT];
        size_t n = 0;
        bool all = argv;

        if (!argv)
                return -ENOMEM;
        c->command.argv = argv;
        if (perl)
                all = (argv[n++] = strdup("/usr/bin/perl")) && all;
        all = (argv[n++] = perl ? strdup(command) : find_program(command)) && all;
        if (f->mark)
                all = asprintf(&argv[n++], "%u", f->mark) != -1 && all;
        else
                all = asprintf(&argv[n++], f->family == AF_INET6 ? "[%s]" : "%s", ip_format(&f->ip, ip)) !=
                              -1 &&
                      all;
        all = all && asprintf(&argv[n++], "%u", f->port) != -1;
        all = all &&
              asprintf(&argv[n++], f->family == AF_INET6 ? "[%s]" : "%s", ip_format(&m->s->ip, ip)) != -1;
        all = all && asprintf(&argv[n++], "%u", m->s->port) != -1;
        return all ? 0 : -ENOMEM;
}

/* In seconds: one success, and so many failures. */
static void set_rhythm(const struct making *m, unsigned interval_s, unsigned limit_s, struct config_check *c)
{
        unsigned fall = m->f->common.failurecount;

        c->interval = c->quick = span_s((int64_t)interval_s);
        c->timeout = span_s((int64_t)limit_s);
        c->fall = (int)(fall > VERDICT_RUN_MAX ? VERDICT_RUN_MAX : fall);
        c->rise = 1;
}

static void set_ping(const struct making *m, struct config_check *c)
{
        int count = (int)(m->f->common.checkcount > 20 ? 20 : m->f->common.checkcount);

        c->icmp.packets = count;
        c->icmp.loss_max = count > 1 ? 99 : 0; /* one answer is enough */
        c->timeout = span_times(c->timeout, count);
}

/* A connection; of what has none, a ping. */
static void begin_connect(const struct making *m, unsigned interval_s, struct config_check *c)
{
        bool ping = m->f->checktype == LD_PING || m->f->protocol == IPPROTO_UDP;

        check_init(c, ping ? CHECK_ICMP : CHECK_TCP);
        set_rhythm(m, interval_s, m->f->common.checktimeout, c);
        if (ping)
                set_ping(m, c);
}

/* Why a service cannot be asked by what the file says of it, and is only connected to. NULL: it can. */
static const char *not_asked(const struct ldirectord_service *f, size_t row)
{
        if (services[row].make == make_sql &&
            (!f->login || !f->request || !check_kind_is_built(services[row].kind)))
                return "the server is connected to, and no query is made";
        if (services[row].make == make_radius && (!f->login || !f->secret))
                return "without a login and a secret the server is pinged, and nobody logs in";
        return services[row].make ? NULL : services[row].lack;
}

static int make_negotiate(const struct making *m, unsigned interval_s, struct config_check *c)
{
        if (not_asked(m->f, m->row)) {
                begin_connect(m, interval_s, c);
                return 0;
        }
        check_init(c, services[m->row].kind);
        set_rhythm(m, interval_s, m->f->common.negotiatetimeout, c);
        return services[m->row].make(m, c);
}

static size_t row_of(const struct ldirectord_service *f)
{
        size_t row = 0;

        while (row < COUNT(services) && strcmp(services[row].service, f->service) != 0)
                row++;
        return row;
}

/* Whom it speaks to, and whether the checker would take it. */
static int finish(const struct making *m, struct config_check *c)
{
        uint8_t bytes[CHECK_BYTES_MAX];
        struct config_check taken;
        size_t rhythm;

        if (c->kind != CHECK_HTTP && c->kind != CHECK_COMMAND)
                c->ip = m->s->ip;
        if (c->kind != CHECK_HTTP && c->kind != CHECK_COMMAND && c->kind != CHECK_ICMP) {
                c->port = check_port(m);
                if (c->port == 0)
                        return wrong(m, "real server without a port, and no checkport");
        }
        text_copy(c->name, sizeof(c->name), check_kind_name(c->kind));
        int n = check_encode(c, bytes, &rhythm);
        if (n < 0 || check_decode(bytes, (size_t)n, &taken) < 0)
                return wrong(m, "its check cannot be made: a number or text of it is too large");
        check_done(&taken);
        return 0;
}

int ldirectord_checks(const struct ldirectord_service *f, const struct ldirectord_server *s,
                      struct config_check to[static LDIRECTORD_CHECKS], size_t *ret_count,
                      char why[static 160])
{
        struct making m = {.f = f, .s = s, .row = row_of(f), .why = why};
        unsigned interval = f->common.checkinterval, rounds = f->connects + 1;
        bool known = m.row < COUNT(services);
        int error = 0;

        *ret_count = 0;
        switch (f->checktype) {
        case LD_ON:
        case LD_OFF: return 0;
        case LD_PING:
        case LD_CONNECT: begin_connect(&m, interval, &to[(*ret_count)++]); break;
        case LD_EXTERNAL:
        case LD_EXTERNAL_PERL:
                check_init(&to[0], CHECK_COMMAND);
                set_rhythm(&m, interval, f->common.checktimeout, &to[0]);
                error = make_external(&m, &to[(*ret_count)++]);
                break;
        case LD_NEGOTIATE:
                if (known)
                        error = make_negotiate(&m, interval, &to[(*ret_count)++]);
                break;
        case LD_COMBINED: /* so many connections, then a question */
                begin_connect(&m, interval, &to[(*ret_count)++]);
                if (known)
                        error = make_negotiate(&m, interval * rounds, &to[(*ret_count)++]);
                break;
        }
        for (size_t i = 0; i < *ret_count && !error; i++)
                error = finish(&m, &to[i]);
        return error;
}

const char *ldirectord_check_lack(const struct ldirectord_service *f)
{
        size_t row = row_of(f);
        bool asks = f->checktype == LD_NEGOTIATE || f->checktype == LD_COMBINED;

        if (!asks || row == COUNT(services))
                return "";
        const char *lack = not_asked(f, row);

        return lack ? lack : "";
}
