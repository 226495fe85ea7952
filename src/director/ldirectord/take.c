#include "director/ldirectord/inside.h"

#include "base/text.h"
#include "director/ldirectord/server.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMON(field)                                                                                        \
        .in_file = offsetof(struct ldirectord_file, common.field),                                           \
        .in_service = offsetof(struct ldirectord_service, common.field)
#define WIDE(field)  .in_file = offsetof(struct ldirectord_file, field)
#define INNER(field) .in_service = offsetof(struct ldirectord_service, field)

const struct word ldirectord_words[] = {
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
        {"execute", FILE_WIDE, FORM_OWN, 0, 0},
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
const size_t ldirectord_word_count = COUNT(ldirectord_words);

static const char *const services[] = {
        "dns",  "ftp",   "http",   "https",     "http_proxy", "imap",   "imaps",
        "ldap", "ldaps", "mysql",  "nntp",      "none",       "oracle", "pgsql",
        "pop",  "pops",  "radius", "simpletcp", "sip",        "smtp",   "submission",
};

int ldirectord_wrong(struct reading *r, const char *format, ...)
{
        va_list args;

        r->mistake->line = r->line;
        va_start(args, format);
        vsnprintf(r->mistake->text, sizeof(r->mistake->text), format, args);
        va_end(args);
        return -EINVAL;
}

void ldirectord_warn(const struct reading *r, const char *text)
{
        if (r->lookup && r->lookup->warn)
                r->lookup->warn(r->lookup->user, r->line, text);
}

int ldirectord_keep(char **field, const char *text, size_t n)
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

/* A file that is written to, or where log lines go without one: a facility of syslog. */
static int take_path(struct reading *r, const struct word *w, char **field, const char *text, size_t n)
{
        int error = ldirectord_keep(field, text, n);
        bool file = !error && ((*field)[0] == '/' || w->name[0] == 'm');

        if (file && r->lookup && r->lookup->append)
                error = r->lookup->append(r->lookup->user, *field);
        return error && error != -ENOMEM
                       ? ldirectord_wrong(r, "unable to open %s: %s: %s", w->name, *field, strerror(-error))
                       : error;
}

static int take_text(struct reading *r, const struct word *w, char **field, const char *value)
{
        const char *text = value;
        size_t n = strlen(value);
        bool quoted = w->form != FORM_TEXT && in_quotes(value, &text, &n);

        if (w->form == FORM_QUOTED && !quoted)
                return ldirectord_wrong(r, "Unknown command: %s takes a text in quotes", w->name);
        if (n == 0)
                return ldirectord_wrong(r, "%s: no value set", w->name);
        if (strcmp(w->name, "logfile") == 0 || strcmp(w->name, "monitorfile") == 0)
                return take_path(r, w, field, text, n);
        if (strcmp(w->name, "request") == 0) {
                free(*field);
                *field = ldirectord_request(text, n);
                return *field ? 0 : -ENOMEM;
        }
        return ldirectord_keep(field, text, n);
}

static int take_number(struct reading *r, const struct word *w, unsigned *field, const char *value)
{
        const char *digits = strpbrk(value, "0123456789");
        unsigned long number = digits ? strtoul(digits, NULL, 10) : 0;

        if (!digits || number > INT32_MAX || (w->form == FORM_POSITIVE && number == 0))
                return ldirectord_wrong(r, "%s must be a number%s", w->name,
                                        w->form == FORM_POSITIVE ? " greater than 0" : "");
        *field = (unsigned)number;
        return 0;
}

static int take_yes(struct reading *r, const struct word *w, bool *field, const char *value)
{
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
                return ldirectord_wrong(r, "%s must be 'yes' or 'no'", w->name);
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
        return ldirectord_wrong(
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
                if (strcmp(services[i], "ftp") != 0)
                        return 0;
                int error = s->login ? 0 : ldirectord_keep(&s->login, "anonymous", 9);
                return error || s->passwd ? error : ldirectord_keep(&s->passwd, "ldirectord@", 11);
        }
        return ldirectord_wrong(r, "service must be one of the known ones, not %s", value);
}

static int take_protocol(struct reading *r, const char *value)
{
        size_t n = strcspn(value, " \t");
        bool mark = n == 3 && !strncmp(value, "fwm", n);

        if (mark != (r->service->mark != 0))
                return ldirectord_wrong(
                        r, mark ? "protocol cannot be fwm if the virtual service is not a fwmark (a number)"
                                : "protocol must be fwm if the virtual service is a fwmark (a number)");
        if (!mark && (n != 3 || (strncmp(value, "tcp", n) != 0 && strncmp(value, "udp", n) != 0)))
                return ldirectord_wrong(r, "protocol must be tcp, udp or fwm");
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
                        return ldirectord_wrong(r, "netmask must be a prefix length from 1 to 128");
                r->service->mask_bits = (uint8_t)given;
                return 0;
        }
        if (ip_parse(value, &mask) < 0 || mask.family != AF_INET)
                return ldirectord_wrong(r, "netmask must be a dotted quad");
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
                        return ldirectord_wrong(r, "emailalertstatus: unknown status in %s", value);
                count += n > 0;
                none |= n == 4 && !strncmp(at, "none", n);
                at += n + strspn(at + n, ", \t");
        }
        if (count == 0 || (none && count > 1))
                return ldirectord_wrong(r, "emailalertstatus: none stands alone");
        return ldirectord_keep(field, value, strlen(value));
}

struct ldirectord_place ldirectord_place_of(const struct reading *r, char *why)
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
        return ldirectord_wrong(r, "%s cannot be used in virtual%s: write %.*s%s", w->name,
                                section6 ? "6" : "", (int)(strlen(w->name) - six), w->name,
                                section6 ? "6" : "");
}

static int take_fallback(struct reading *r, const struct word *w, const char *value)
{
        bool wide6 = !r->service && w->name[strlen(w->name) - 1] == '6';
        char why[WHY_SIZE] = "";
        struct ldirectord_place at = ldirectord_place_of(r, why);
        struct ldirectord_common *c = r->service ? &r->service->common : &r->file->common;
        struct config_real *to = wide6 ? &r->file->fallback6 : &c->fallback;
        int error = right_family(r, w);

        if (error)
                return error;
        if (wide6)
                at.family = AF_INET6;
        if (ldirectord_fallback(&at, value, to) < 0)
                return ldirectord_wrong(r, "%s", why);
        *(wide6 ? &r->file->has_fallback6 : &c->has_fallback) = true;
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

#define RANGE_MOST 4096 /* servers of one service; a range that is longer has a slip in it */

static int take_real(struct reading *r, const struct word *w, const char *value)
{
        char why[WHY_SIZE] = "";
        struct ldirectord_place at = ldirectord_place_of(r, why);
        int error = right_family(r, w);
        struct ldirectord_server *s = error ? NULL : new_server(r->service);

        if (!s)
                return error ? error : -ENOMEM;
        s->line = r->line;
        error = ldirectord_real(&at, value, s);
        if (error)
                return error == -ENOMEM ? error : ldirectord_wrong(r, "%s", why);
        /* the rest of the range, each a server of its own */
        while (memcmp(s->ip.bytes, s->last.bytes, 4) < 0 && s->ip.family == AF_INET) {
                if (r->service->server_count == RANGE_MOST)
                        return ldirectord_wrong(r, "more than %d servers in one service", RANGE_MOST);
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
                return ldirectord_wrong(r, "invalid scheduler: %s", value);
        snprintf(r->service->scheduler, SCHEDULER_SIZE, "%.*s", (int)n, value + from);
        return 0;
}

static int take_checkport(struct reading *r, const char *value)
{
        const char *digits = strpbrk(value, "0123456789");
        unsigned long port = digits ? strtoul(digits, NULL, 10) : 0;

        if (port < 1 || port > UINT16_MAX)
                return ldirectord_wrong(r, "checkport must be a port from 1 to 65535");
        r->service->checkport = (uint16_t)port;
        return 0;
}

static int take_method(struct reading *r, const char *value)
{
        if (strncasecmp(value, "GET", 3) != 0 && strncasecmp(value, "HEAD", 4) != 0)
                return ldirectord_wrong(r, "httpmethod must be GET or HEAD");
        r->service->head = tolower((unsigned char)value[0]) == 'h';
        return 0;
}

/* Another ldirectord that goes with this one. */
static int take_execute(struct reading *r, const char *value)
{
        struct ldirectord_file *f = r->file;

        for (size_t i = 0; i < f->execute_count; i++)
                if (strcmp(f->execute[i], value) == 0)
                        return 0;
        if (f->execute_count == LDIRECTORD_EXECUTE_MAX)
                return ldirectord_wrong(r, "more than %d lines with execute", LDIRECTORD_EXECUTE_MAX);
        char **grown = reallocarray(f->execute, f->execute_count + 1, sizeof(*grown));
        char *name = strdup(value);
        if (grown)
                f->execute = grown;
        if (!grown || !name) {
                free(name);
                return -ENOMEM;
        }
        grown[f->execute_count++] = name;
        return 0;
}

static int take_own(struct reading *r, const struct word *w, void *field, const char *value)
{
        const char *text;
        size_t n;

        if (strcmp(w->name, "emailalertstatus") == 0)
                return take_status(r, field, value);
        if (strncmp(w->name, "fallback", 8) == 0)
                return take_fallback(r, w, value);
        if (strcmp(w->name, "execute") == 0)
                return take_execute(r, value);
        assert(r->service); /* what follows stands there only */
        if (strncmp(w->name, "real", 4) == 0)
                return take_real(r, w, value);
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
        return in_quotes(value, &text, &n) && n
                       ? 0
                       : ldirectord_wrong(r, "Unknown command: load takes a text in quotes");
}

int ldirectord_take(struct reading *r, const struct word *w, const char *value)
{
        void *field = r->service ? (char *)r->service + w->in_service : (char *)r->file + w->in_file;
        struct ldirectord_common *c = r->service ? &r->service->common : &r->file->common;

        if ((size_t)(w - ldirectord_words) < 32)
                c->given |= 1U << (w - ldirectord_words);
        if (strcmp(w->name, "checkcount") == 0)
                ldirectord_warn(r, "checkcount option is deprecated: please see 'failurecount'");
        switch (w->form) {
        case FORM_NUMBER:
        case FORM_POSITIVE: return take_number(r, w, field, value);
        case FORM_YES: return take_yes(r, w, field, value);
        case FORM_QUOTED:
        case FORM_MAYBE_QUOTED:
        case FORM_TEXT: return take_text(r, w, field, value);
        case FORM_OWN: return take_own(r, w, field, value);
        case FORM_WRONG:
                return ldirectord_wrong(r, "%s is deprecated: write checktimeout and negotiatetimeout",
                                        w->name);
        }
        return 0;
}
