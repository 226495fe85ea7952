#include "director/ldirectord.h"

#include "base/text.h"
#include "director/ldirectord_server.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a word may stand. */
#define FILE_WIDE  1U
#define IN_SERVICE 2U

enum form {
        FORM_NUMBER,   /* the first digits */
        FORM_POSITIVE, /* likewise, and not 0 */
        FORM_YES,      /* yes or no, and nothing else */
        FORM_QUOTED,
        FORM_MAYBE_QUOTED,
        FORM_TEXT,
        FORM_OWN, /* see take_own() */
        FORM_WRONG,
};

struct reading;

struct word {
        const char *name;
        unsigned where;
        enum form form;
        size_t in_file;    /* of the field in struct ldirectord_file */
        size_t in_service; /* in struct ldirectord_service */
};

#define COMMON(field)                                                                                        \
        .in_file = offsetof(struct ldirectord_file, common.field),                                           \
        .in_service = offsetof(struct ldirectord_service, common.field)
#define WIDE(field)  .in_file = offsetof(struct ldirectord_file, field)
#define INNER(field) .in_service = offsetof(struct ldirectord_service, field)

static const struct word words[] = {
        {"checktimeout", FILE_WIDE | IN_SERVICE, FORM_POSITIVE, COMMON(checktimeout)},
        {"negotiatetimeout", FILE_WIDE | IN_SERVICE, FORM_POSITIVE, COMMON(negotiatetimeout)},
        {"checkinterval", FILE_WIDE | IN_SERVICE, FORM_POSITIVE, COMMON(checkinterval)},
        {"checkcount", FILE_WIDE | IN_SERVICE, FORM_POSITIVE, COMMON(checkcount)},
        {"failurecount", FILE_WIDE | IN_SERVICE, FORM_POSITIVE, COMMON(failurecount)},
        {"quiescent", FILE_WIDE | IN_SERVICE, FORM_YES, COMMON(quiescent)},
        {"cleanstop", FILE_WIDE | IN_SERVICE, FORM_YES, COMMON(cleanstop)},
        {"fallbackcommand", FILE_WIDE | IN_SERVICE, FORM_MAYBE_QUOTED, COMMON(fallbackcommand)},
        {"emailalertfreq", FILE_WIDE | IN_SERVICE, FORM_NUMBER, COMMON(emailalertfreq)},
        {"emailalertstatus", FILE_WIDE | IN_SERVICE, FORM_OWN, COMMON(emailalertstatus)},
        {"emailalert", FILE_WIDE | IN_SERVICE, FORM_MAYBE_QUOTED, COMMON(emailalert)},
        {"smtp", FILE_WIDE | IN_SERVICE, FORM_TEXT, COMMON(smtp)},
        {"fallback", FILE_WIDE | IN_SERVICE, FORM_OWN, COMMON(fallback)},
        {"fallback6", FILE_WIDE | IN_SERVICE, FORM_OWN, COMMON(fallback)},
        {"autoreload", FILE_WIDE, FORM_YES, WIDE(autoreload)},
        {"fork", FILE_WIDE, FORM_YES, WIDE(fork)},
        {"supervised", FILE_WIDE, FORM_YES, WIDE(supervised)},
        {"readdquiescent", FILE_WIDE, FORM_YES, WIDE(readdquiescent)},
        {"callback", FILE_WIDE, FORM_QUOTED, WIDE(callback)},
        {"logfile", FILE_WIDE, FORM_QUOTED, WIDE(logfile)},
        {"execute", FILE_WIDE, FORM_TEXT, WIDE(execute)},
        {"maintenancedir", FILE_WIDE, FORM_TEXT, WIDE(maintenancedir)},
        {"emailalertfrom", FILE_WIDE, FORM_TEXT, WIDE(emailalertfrom)},
        {"timeout", FILE_WIDE, FORM_WRONG, 0, 0},
        {"connecttimeout", FILE_WIDE | IN_SERVICE, FORM_WRONG, 0, 0},
        {"real", IN_SERVICE, FORM_OWN, 0, 0},
        {"real6", IN_SERVICE, FORM_OWN, 0, 0},
        {"checktype", IN_SERVICE, FORM_OWN, 0, 0},
        {"service", IN_SERVICE, FORM_OWN, 0, 0},
        {"checkcommand", IN_SERVICE, FORM_MAYBE_QUOTED, INNER(checkcommand)},
        {"checkport", IN_SERVICE, FORM_OWN, 0, 0},
        {"request", IN_SERVICE, FORM_QUOTED, INNER(request)},
        {"receive", IN_SERVICE, FORM_QUOTED, INNER(receive)},
        {"httpmethod", IN_SERVICE, FORM_OWN, 0, 0},
        {"virtualhost", IN_SERVICE, FORM_MAYBE_QUOTED, INNER(virtualhost)},
        {"login", IN_SERVICE, FORM_QUOTED, INNER(login)},
        {"passwd", IN_SERVICE, FORM_QUOTED, INNER(passwd)},
        {"database", IN_SERVICE, FORM_QUOTED, INNER(database)},
        {"secret", IN_SERVICE, FORM_QUOTED, INNER(secret)},
        {"load", IN_SERVICE, FORM_OWN, 0, 0},
        {"scheduler", IN_SERVICE, FORM_OWN, 0, 0},
        {"schedflags", IN_SERVICE, FORM_TEXT, INNER(schedflags)},
        {"persistent", IN_SERVICE, FORM_NUMBER, INNER(persistent)},
        {"netmask", IN_SERVICE, FORM_OWN, 0, 0},
        {"protocol", IN_SERVICE, FORM_OWN, 0, 0},
        {"ops", IN_SERVICE, FORM_YES, INNER(ops)},
        {"monitorfile", IN_SERVICE, FORM_MAYBE_QUOTED, INNER(monitorfile)},
        {"servicename", IN_SERVICE, FORM_TEXT, INNER(servicename)},
        {"comment", IN_SERVICE, FORM_TEXT, INNER(comment)},
};

static const struct {
        uint16_t port;
        const char *service;
} usual[] = {
        {21, "ftp"},          {25, "smtp"},    {53, "dns"},   {80, "http"},     {110, "pop"},
        {119, "nntp"},        {143, "imap"},   {389, "ldap"}, {443, "https"},   {587, "submission"},
        {636, "ldaps"},       {993, "imaps"},  {995, "pops"}, {1521, "oracle"}, {1812, "radius"},
        {3128, "http_proxy"}, {3306, "mysql"}, {5060, "sip"}, {5432, "pgsql"},
};

static const char *const services[] = {
        "dns",  "ftp",   "http",   "https",     "http_proxy", "imap",   "imaps",
        "ldap", "ldaps", "mysql",  "nntp",      "none",       "oracle", "pgsql",
        "pop",  "pops",  "radius", "simpletcp", "sip",        "smtp",   "submission",
};

struct reading {
        struct ldirectord_file *file;
        const struct ldirectord_lookup *lookup;
        struct ldirectord_service *service; /* the section that is open; NULL: none */
        char port[32];                      /* of it, as it was written */
        bool protocol_given;
        int line;
        struct ldirectord_mistake *mistake;
};

static int wrong(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct reading *r, const char *format, ...)
{
        va_list args;

        r->mistake->line = r->line;
        va_start(args, format);
        vsnprintf(r->mistake->text, sizeof(r->mistake->text), format, args);
        va_end(args);
        return -EINVAL;
}

static int keep(char **field, const char *text, size_t n)
{
        free(*field);
        *field = strndup(text, n);
        return *field ? 0 : -ENOMEM;
}

/* From the first '"' to the last. */
static bool in_quotes(const char *value, const char **ret_text, size_t *ret_n)
{
        const char *end = strrchr(value, '"');

        if (value[0] != '"' || end == value)
                return false;
        *ret_text = value + 1;
        *ret_n = (size_t)(end - value - 1);
        return true;
}

static int take_text(struct reading *r, const struct word *w, char **field, const char *value)
{
        const char *text = value;
        size_t n = strlen(value);
        bool quoted = w->form != FORM_TEXT && in_quotes(value, &text, &n);

        if (w->form == FORM_QUOTED && !quoted)
                return wrong(r, "Unknown command: %s takes a text in quotes", w->name);
        if (n == 0)
                return wrong(r, "%s: no value set", w->name);
        if (strcmp(w->name, "request") == 0) {
                free(*field);
                *field = ldirectord_request(text, n);
                return *field ? 0 : -ENOMEM;
        }
        return keep(field, text, n);
}

static int take_number(struct reading *r, const struct word *w, unsigned *field, const char *value)
{
        const char *digits = strpbrk(value, "0123456789");
        unsigned long number = digits ? strtoul(digits, NULL, 10) : 0;

        if (!digits || number > INT32_MAX || (w->form == FORM_POSITIVE && number == 0))
                return wrong(r, "%s must be a number%s", w->name,
                             w->form == FORM_POSITIVE ? " greater than 0" : "");
        *field = (unsigned)number;
        return 0;
}

static int take_yes(struct reading *r, const struct word *w, bool *field, const char *value)
{
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
                return wrong(r, "%s must be 'yes' or 'no'", w->name);
        *field = value[0] == 'y';
        return 0;
}

static int take_checktype(struct reading *r, const char *value)
{
        static const char *const types[] = {
                [LD_NEGOTIATE] = "negotiate",
                [LD_CONNECT] = "connect",
                [LD_PING] = "ping",
                [LD_EXTERNAL] = "external",
                [LD_EXTERNAL_PERL] = "external-perl",
                [LD_ON] = "on",
                [LD_OFF] = "off",
        };
        const char *digits = strpbrk(value, "0123456789");

        if (digits) {
                r->service->connects = (unsigned)strtoul(digits, NULL, 10);
                r->service->checktype = r->service->connects ? LD_COMBINED : LD_NEGOTIATE;
                return 0;
        }
        for (size_t i = 0; i < COUNT(types); i++) {
                size_t n = strcspn(value, " \t");
                if (strlen(types[i]) == n && !strncmp(value, types[i], n)) {
                        r->service->checktype = (enum ldirectord_checktype)i;
                        return 0;
                }
        }
        return wrong(
                r,
                "checktype must be connect, negotiate, ping, external, external-perl, on, off or a number");
}

static int take_service(struct reading *r, const char *value)
{
        size_t n = strcspn(value, " \t");
        struct ldirectord_service *s = r->service;

        for (size_t i = 0; i < COUNT(services); i++) {
                if (strlen(services[i]) != n || strncmp(value, services[i], n) != 0)
                        continue;
                text_copy(s->service, sizeof(s->service), services[i]);
                if (strcmp(services[i], "ftp") == 0 && !s->login)
                        return keep(&s->login, "anonymous", 9);
                return 0;
        }
        return wrong(r, "service must be one of the known ones, not %s", value);
}

static int take_protocol(struct reading *r, const char *value)
{
        size_t n = strcspn(value, " \t");
        bool mark = n == 3 && !strncmp(value, "fwm", n);

        if (mark != (r->service->mark != 0))
                return wrong(r,
                             mark ? "protocol cannot be fwm if the virtual service is not a fwmark (a number)"
                                  : "protocol must be fwm if the virtual service is a fwmark (a number)");
        if (!mark && (n != 3 || (strncmp(value, "tcp", n) != 0 && strncmp(value, "udp", n) != 0)))
                return wrong(r, "protocol must be tcp, udp or fwm");
        r->protocol_given = true;
        if (!mark)
                r->service->protocol = value[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
        return 0;
}

static int take_netmask(struct reading *r, const char *value)
{
        struct ip mask;
        unsigned bits = 0;
        char *rest;

        if (r->service->family == AF_INET6) {
                unsigned long given = strtoul(value, &rest, 10);
                if (rest == value || *rest || given < 1 || given > 128)
                        return wrong(r, "netmask must be a prefix length from 1 to 128");
                r->service->mask_bits = (uint8_t)given;
                return 0;
        }
        if (ip_parse(value, &mask) < 0 || mask.family != AF_INET)
                return wrong(r, "netmask must be a dotted quad");
        for (size_t i = 0; i < 4; i++)
                bits += (unsigned)__builtin_popcount(mask.bytes[i]);
        r->service->mask_bits = (uint8_t)bits;
        return 0;
}

static int take_status(struct reading *r, char **field, const char *value)
{
        static const char *const known[] = {"all", "none", "starting", "running", "stopping", "reloading"};
        size_t count = 0;
        bool none = false;

        for (const char *at = value; *at;) {
                size_t n = strcspn(at, ", \t");
                bool found = n == 0;
                for (size_t i = 0; i < COUNT(known) && !found; i++)
                        found = strlen(known[i]) == n && !strncmp(at, known[i], n);
                if (!found)
                        return wrong(r, "emailalertstatus: unknown status in %s", value);
                count += n > 0;
                none |= n == 4 && !strncmp(at, "none", n);
                at += n + strspn(at + n, ", \t");
        }
        if (count == 0 || (none && count > 1))
                return wrong(r, "emailalertstatus: none stands alone");
        return keep(field, value, strlen(value));
}

static struct ldirectord_place place(const struct reading *r, char *why)
{
        return (struct ldirectord_place){.lookup = r->lookup,
                                         .family = r->service ? r->service->family : AF_INET,
                                         .protocol = r->service ? r->service->protocol : IPPROTO_TCP,
                                         .why = why};
}

/* Inside virtual6 the words have a 6, elsewhere none. */
static int right_family(struct reading *r, const struct word *w)
{
        bool six = w->name[strlen(w->name) - 1] == '6',
             section6 = r->service && r->service->family == AF_INET6;

        if (!r->service || six == section6)
                return 0;
        return wrong(r, "%s cannot be used in virtual%s: write %.*s%s", w->name, section6 ? "6" : "",
                     (int)(strlen(w->name) - six), w->name, section6 ? "6" : "");
}

static int take_fallback(struct reading *r, const struct word *w, struct ldirectord_common *c,
                         const char *value)
{
        char why[WHY_SIZE] = "";
        struct ldirectord_place at = place(r, why);
        int error = right_family(r, w);

        if (error)
                return error;
        if (!r->service && w->name[strlen(w->name) - 1] == '6')
                at.family = AF_INET6;
        if (ldirectord_fallback(&at, value, &c->fallback) < 0)
                return wrong(r, "%s", why);
        c->has_fallback = true;
        return 0;
}

static struct ldirectord_server *new_server(struct ldirectord_service *s)
{
        struct ldirectord_server *grown = reallocarray(s->server, s->server_count + 1, sizeof(*grown));

        if (!grown)
                return NULL;
        s->server = grown;
        grown[s->server_count] = (struct ldirectord_server){0};
        return &grown[s->server_count++];
}

static int take_real(struct reading *r, const struct word *w, const char *value)
{
        char why[WHY_SIZE] = "";
        struct ldirectord_place at = place(r, why);
        int error = right_family(r, w);
        struct ldirectord_server *s = error ? NULL : new_server(r->service);

        if (!s)
                return error ? error : -ENOMEM;
        s->line = r->line;
        error = ldirectord_real(&at, value, s);
        if (error)
                return error == -ENOMEM ? error : wrong(r, "%s", why);
        /* the rest of the range, each a server of its own */
        while (memcmp(s->ip.bytes, s->last.bytes, 4) < 0 && s->ip.family == AF_INET) {
                struct ldirectord_server next = *s;
                for (size_t i = 4; i-- > 0 && ++next.ip.bytes[i] == 0;)
                        ;
                s = new_server(r->service);
                if (!s)
                        return -ENOMEM;
                *s = next;
                s->request = next.request ? strdup(next.request) : NULL;
                s->receive = next.receive ? strdup(next.receive) : NULL;
        }
        return 0;
}

static int take_scheduler(struct reading *r, const char *value)
{
        size_t from = strcspn(value, "abcdefghijklmnopqrstuvwxyz");
        size_t n = strspn(value + from, "abcdefghijklmnopqrstuvwxyz");

        if (n == 0 || n >= SCHEDULER_SIZE)
                return wrong(r, "invalid scheduler: %s", value);
        snprintf(r->service->scheduler, SCHEDULER_SIZE, "%.*s", (int)n, value + from);
        return 0;
}

static int take_checkport(struct reading *r, const char *value)
{
        const char *digits = strpbrk(value, "0123456789");
        unsigned long port = digits ? strtoul(digits, NULL, 10) : 0;

        if (port < 1 || port > UINT16_MAX)
                return wrong(r, "checkport must be a port from 1 to 65535");
        r->service->checkport = (uint16_t)port;
        return 0;
}

static int take_method(struct reading *r, const char *value)
{
        if (strncasecmp(value, "GET", 3) != 0 && strncasecmp(value, "HEAD", 4) != 0)
                return wrong(r, "httpmethod must be GET or HEAD");
        r->service->head = tolower((unsigned char)value[0]) == 'h';
        return 0;
}

static int take_own(struct reading *r, const struct word *w, void *field, const char *value)
{
        const char *text;
        size_t n;

        if (strncmp(w->name, "real", 4) == 0)
                return take_real(r, w, value);
        if (strcmp(w->name, "emailalertstatus") == 0)
                return take_status(r, field, value);
        if (strncmp(w->name, "fallback", 8) == 0)
                return take_fallback(r, w, r->service ? &r->service->common : &r->file->common, value);
        if (strcmp(w->name, "checktype") == 0)
                return take_checktype(r, value);
        if (strcmp(w->name, "service") == 0)
                return take_service(r, value);
        if (strcmp(w->name, "checkport") == 0)
                return take_checkport(r, value);
        if (strcmp(w->name, "httpmethod") == 0)
                return take_method(r, value);
        if (strcmp(w->name, "scheduler") == 0)
                return take_scheduler(r, value);
        if (strcmp(w->name, "netmask") == 0)
                return take_netmask(r, value);
        if (strcmp(w->name, "protocol") == 0)
                return take_protocol(r, value);
        /* load: was once used, and is still accepted */
        return in_quotes(value, &text, &n) && n ? 0
                                                : wrong(r, "Unknown command: load takes a text in quotes");
}

static int take(struct reading *r, const struct word *w, const char *value)
{
        void *field = r->service ? (char *)r->service + w->in_service : (char *)r->file + w->in_file;
        struct ldirectord_common *c = r->service ? &r->service->common : &r->file->common;

        if ((size_t)(w - words) < 32)
                c->given |= 1U << (w - words);
        switch (w->form) {
        case FORM_NUMBER:
        case FORM_POSITIVE: return take_number(r, w, field, value);
        case FORM_YES: return take_yes(r, w, field, value);
        case FORM_QUOTED:
        case FORM_MAYBE_QUOTED:
        case FORM_TEXT: return take_text(r, w, field, value);
        case FORM_OWN: return take_own(r, w, field, value);
        case FORM_WRONG:
                return wrong(r, "%s is deprecated: write checktimeout and negotiatetimeout", w->name);
        }
        return 0;
}

/* "NAME = VALUE" at the begin of the line: the word, and its value. */
static const struct word *find_word(const char *line, unsigned where, const char **ret_value)
{
        size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789"), blank = strspn(line + n, " \t");

        if (line[n + blank] != '=')
                return NULL;
        *ret_value = line + n + blank + 1;
        *ret_value += strspn(*ret_value, " \t");
        for (size_t i = 0; i < COUNT(words); i++)
                if ((words[i].where & where) && strlen(words[i].name) == n &&
                    !strncmp(line, words[i].name, n))
                        return &words[i];
        return NULL;
}

static int open_service(struct reading *r, const char *value, sa_family_t family)
{
        struct ldirectord_file *f = r->file;
        struct ldirectord_service *grown = reallocarray(f->service, f->service_count + 1, sizeof(*grown)), *s;
        char why[WHY_SIZE] = "";
        struct ldirectord_place at;

        if (!grown)
                return -ENOMEM;
        f->service = grown;
        s = &grown[f->service_count++];
        *s = (struct ldirectord_service){
                .line = r->line, .family = family, .protocol = IPPROTO_TCP, .scheduler = "wrr"};
        r->service = s;
        r->protocol_given = false;
        at = place(r, why);
        if (ldirectord_virtual(&at, value, &s->ip, r->port, &s->mark) < 0)
                return wrong(r, "%s", why);
        bool dns = strcmp(r->port, "53") == 0 || strcmp(r->port, "domain") == 0;
        s->protocol = s->mark ? 0 : dns ? IPPROTO_UDP : IPPROTO_TCP;
        return 0;
}

static bool same_key(const struct ldirectord_service *a, const struct ldirectord_service *b)
{
        if (a->mark || b->mark)
                return a->mark == b->mark && a->family == b->family;
        return ip_equal(&a->ip, &b->ip) && a->port == b->port && a->protocol == b->protocol;
}

uint16_t ldirectord_usual_port(const char *service)
{
        for (size_t i = 0; i < COUNT(usual); i++)
                if (strcmp(usual[i].service, service) == 0)
                        return usual[i].port;
        return 0;
}

static void usual_service(struct ldirectord_service *s)
{
        const char *service = "none";

        for (size_t i = 0; i < COUNT(usual) && !s->mark; i++)
                if (usual[i].port == s->port)
                        service = usual[i].service;
        if (!s->service[0])
                text_copy(s->service, sizeof(s->service), service);
}

/* What could not be known before the protocol was. */
static int close_service(struct reading *r)
{
        struct ldirectord_service *s = r->service;
        char why[WHY_SIZE] = "";
        struct ldirectord_place at;

        if (!s)
                return 0;
        r->line = s->line; /* what is wrong now is wrong with the service */
        at = place(r, why);
        if (!s->mark && ldirectord_port(&at, r->port, &s->port) < 0)
                return wrong(r, "%s", why);
        usual_service(s);
        r->service = NULL;
        for (size_t i = 0; i + 1 < r->file->service_count; i++)
                if (same_key(&r->file->service[i], s))
                        return wrong(r, "duplicate virtual server, see line %d", r->file->service[i].line);
        return 0;
}

static int file_line(struct reading *r, const char *line)
{
        const char *value;

        if (line[strspn(line, " \t\r")] == '\0' || line[strspn(line, " \t")] == '#')
                return 0;
        if (strncmp(line, "virtual", 7) == 0) {
                bool six = line[7] == '6';
                const char *rest = line + 7 + six + strspn(line + 7 + six, " \t");
                if (*rest == '=')
                        return open_service(r, rest + 1 + strspn(rest + 1, " \t"), six ? AF_INET6 : AF_INET);
        }
        if (strcmp(line, "supervised") == 0) {
                r->file->supervised = true;
                return 0;
        }
        const struct word *w = find_word(line, FILE_WIDE, &value);
        return w ? take(r, w, value) : wrong(r, "Unknown command %.100s", line);
}

/* The line without its comment and indent; false: it does not belong to a section. */
static bool in_section(char *line, const char **ret_text)
{
        size_t indent = 0, i = 0;

        line[strcspn(line, "#")] = '\0';
        for (; line[i] == ' ' || line[i] == '\t'; i++)
                indent += line[i] == '\t' ? 4 : 1;
        *ret_text = line + i;
        /* a line of more than four blanks belongs to it, and says nothing that is known */
        return indent >= 4 && (line[i] != '\0' || indent > 4);
}

static int one_line(struct reading *r, char *line)
{
        const char *text, *value;
        int error;

        if (!r->service)
                return file_line(r, line);
        if (line[strspn(line, " \t")] == '#')
                return 0;
        char *whole = strdup(line);
        if (!whole)
                return -ENOMEM;
        if (in_section(line, &text)) {
                const struct word *w = find_word(text, IN_SERVICE, &value);
                error = w ? take(r, w, value) : wrong(r, "Unknown command %.100s", text);
        } else {
                int at = r->line;
                error = close_service(r);
                if (!error) {
                        r->line = at;
                        error = file_line(r, whole);
                }
        }
        free(whole);
        return error;
}

/* What a service does not say is as the file says. */
static int inherit(struct ldirectord_file *f, struct ldirectord_service *s)
{
        for (size_t i = 0; i < COUNT(words); i++) {
                const struct word *w = &words[i];
                if (!(w->where & FILE_WIDE) || !(w->where & IN_SERVICE) || (s->common.given & 1U << i))
                        continue;
                void *from = (char *)f + w->in_file, *to = (char *)s + w->in_service;
                if (w->form == FORM_YES)
                        *(bool *)to = *(bool *)from;
                else if (w->form == FORM_NUMBER || w->form == FORM_POSITIVE)
                        *(unsigned *)to = *(unsigned *)from;
                else if (w->form != FORM_WRONG && strcmp(w->name, "fallback") != 0 &&
                         strcmp(w->name, "fallback6") != 0 && *(char **)from &&
                         keep(to, *(char **)from, strlen(*(char **)from)) < 0)
                        return -ENOMEM;
        }
        if (!s->common.has_fallback && f->common.has_fallback && f->common.fallback.ip.family == s->family) {
                s->common.fallback = f->common.fallback;
                s->common.has_fallback = true;
        }
        return 0;
}

/* The two time limits stand in for each other: first the service's, then the file's. */
static void set_timeouts(const struct ldirectord_common *f, struct ldirectord_common *s)
{
        unsigned check = s->checktimeout, negotiate = s->negotiatetimeout;
        unsigned or_check = f->checktimeout ? f->checktimeout : f->negotiatetimeout;
        unsigned or_negotiate = f->negotiatetimeout ? f->negotiatetimeout : f->checktimeout;

        s->checktimeout = check ? check : negotiate ? negotiate : or_check ? or_check : 5;
        s->negotiatetimeout = negotiate ? negotiate : check ? check : or_negotiate ? or_negotiate : 30;
}

static int finish(struct ldirectord_file *f)
{
        int error = 0;

        for (size_t i = 0; i < f->service_count && !error; i++) {
                set_timeouts(&f->common, &f->service[i].common);
                f->service[i].common.given |= 3; /* the two, by their place in `words` */
                error = inherit(f, &f->service[i]);
        }
        return error;
}

int ldirectord_read(const char *text, const struct ldirectord_lookup *lookup,
                    struct ldirectord_file *ret_file, struct ldirectord_mistake *ret_mistake)
{
        struct reading r = {.file = ret_file, .lookup = lookup, .mistake = ret_mistake};
        int error = 0, line = 0;

        static_assert(COUNT(words) < 64 && offsetof(struct ldirectord_common, given) == 0, "bits enough");
        *ret_file = (struct ldirectord_file){
                .common = {.checkinterval = 10, .checkcount = 1, .failurecount = 1, .cleanstop = true}};
        *ret_mistake = (struct ldirectord_mistake){0};
        while (*text && !error) {
                size_t n = strcspn(text, "\n");
                char *copy = strndup(text, n);
                r.line = ++line;
                error = copy ? one_line(&r, copy) : -ENOMEM;
                free(copy);
                text += n + (text[n] == '\n');
        }
        if (!error)
                error = close_service(&r);
        return error ? error : finish(ret_file);
}
