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

static const struct {
        uint16_t port;
        const char *service;
} usual[] = {
        {21, "ftp"},          {25, "smtp"},    {53, "dns"},   {80, "http"},     {110, "pop"},
        {119, "nntp"},        {143, "imap"},   {389, "ldap"}, {443, "https"},   {587, "submission"},
        {636, "ldaps"},       {993, "imaps"},  {995, "pops"}, {1521, "oracle"}, {1812, "radius"},
        {3128, "http_proxy"}, {3306, "mysql"}, {5060, "sip"}, {5432, "pgsql"},
};

/* "NAME = VALUE" at the begin of the line: the word, and its value. */
static const struct word *find_word(const char *line, unsigned where, const char **ret_value)
{
        size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789"), blank = strspn(line + n, " \t");

        if (line[n + blank] != '=')
                return NULL;
        *ret_value = line + n + blank + 1;
        *ret_value += strspn(*ret_value, " \t");
        for (size_t i = 0; i < ldirectord_word_count; i++)
                if ((ldirectord_words[i].where & where) && strlen(ldirectord_words[i].name) == n &&
                    !strncmp(line, ldirectord_words[i].name, n))
                        return &ldirectord_words[i];
        return NULL;
}

/* --- services --- */

static bool same_key(const struct ldirectord_service *a, const struct ldirectord_service *b)
{
        if (a->mark || b->mark)
                return a->mark == b->mark && a->family == b->family;
        return ip_equal(&a->ip, &b->ip) && a->port == b->port && a->protocol == b->protocol;
}

static size_t hash_key(const struct ldirectord_service *s)
{
        uint64_t digest = s->mark ? s->mark : ((uint64_t)s->port << 8 | s->protocol);

        for (size_t i = 0; !s->mark && i < ip_size(&s->ip); i++)
                digest = (digest ^ s->ip.bytes[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
        return (size_t)(digest ^ digest >> 32);
}

/* Where the service is that is for the same, or where it would be. */
static size_t *find_slot(const struct reading *r, const struct ldirectord_service *s)
{
        size_t at = hash_key(s) & (r->slots - 1);

        while (r->slot[at] && !same_key(&r->file->service[r->slot[at] - 1], s))
                at = (at + 1) & (r->slots - 1);
        return &r->slot[at];
}

/* For twice as many services. */
static int make_room(struct reading *r)
{
        struct ldirectord_file *f = r->file;
        size_t room = r->room ? 2 * r->room : 16, *slot = calloc(2 * room, sizeof(*slot));
        struct ldirectord_service *grown = slot ? reallocarray(f->service, room, sizeof(*grown)) : NULL;

        if (!grown) {
                free(slot);
                return -ENOMEM;
        }
        free(r->slot);
        f->service = grown;
        r->room = room;
        r->slot = slot;
        r->slots = 2 * room;
        for (size_t i = 0; i < f->service_count; i++)
                *find_slot(r, &f->service[i]) = i + 1;
        return 0;
}

static int open_service(struct reading *r, const char *value, sa_family_t family)
{
        struct ldirectord_file *f = r->file;
        struct ldirectord_service *s;
        char why[WHY_SIZE] = "";
        struct ldirectord_place at;

        if (f->service_count == r->room && make_room(r) < 0)
                return -ENOMEM;
        s = &f->service[f->service_count++];
        *s = (struct ldirectord_service){
                .line = r->line, .family = family, .protocol = IPPROTO_TCP, .scheduler = "wrr"};
        r->service = s;
        r->protocol_given = false;
        at = ldirectord_place_of(r, why);
        if (ldirectord_virtual(&at, value, &s->ip, r->port, &s->mark) < 0)
                return ldirectord_wrong(r, "%s", why);
        bool dns = strcmp(r->port, "53") == 0 || strcmp(r->port, "domain") == 0;
        s->protocol = s->mark ? 0 : dns ? IPPROTO_UDP : IPPROTO_TCP;
        return 0;
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
        at = ldirectord_place_of(r, why);
        if (!s->mark && ldirectord_port(&at, r->port, &s->port) < 0)
                return ldirectord_wrong(r, "%s", why);
        usual_service(s);
        r->service = NULL;
        size_t *slot = find_slot(r, s);
        if (*slot)
                return ldirectord_wrong(r, "duplicate virtual server, see line %d",
                                        r->file->service[*slot - 1].line);
        *slot = r->file->service_count;
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
                ldirectord_warn(r, "please update your config not to use a bare supervised directive");
                return 0;
        }
        const struct word *w = find_word(line, FILE_WIDE, &value);
        return w ? ldirectord_take(r, w, value) : ldirectord_wrong(r, "Unknown command %.100s", line);
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
                error = w ? ldirectord_take(r, w, value)
                          : ldirectord_wrong(r, "Unknown command %.100s", text);
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
        for (size_t i = 0; i < ldirectord_word_count; i++) {
                const struct word *w = &ldirectord_words[i];
                if (!(w->where & FILE_WIDE) || !(w->where & IN_SERVICE) || (s->common.given & 1U << i))
                        continue;
                void *from = (char *)f + w->in_file, *to = (char *)s + w->in_service;
                if (w->form == FORM_YES)
                        *(bool *)to = *(bool *)from;
                else if (w->form == FORM_NUMBER || w->form == FORM_POSITIVE)
                        *(unsigned *)to = *(unsigned *)from;
                else if (w->form != FORM_WRONG && strcmp(w->name, "fallback") != 0 &&
                         strcmp(w->name, "fallback6") != 0 && *(char **)from &&
                         ldirectord_keep(to, *(char **)from, strlen(*(char **)from)) < 0)
                        return -ENOMEM;
        }
        bool six = s->family == AF_INET6;
        if (!s->common.has_fallback && !s->mark && (six ? f->has_fallback6 : f->common.has_fallback)) {
                s->common.fallback = six ? f->fallback6 : f->common.fallback;
                s->common.has_fallback = true; /* ldirectord has none for marks, but in their own section */
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

/* The place of checkinterval in `words`. */
#define CHECKINTERVAL 2

static int finish(struct reading *r)
{
        struct ldirectord_file *f = r->file;
        int error = 0;

        for (size_t i = 0; i < f->service_count && !error; i++) {
                if (!f->fork && (f->service[i].common.given & 1U << CHECKINTERVAL)) {
                        r->line = f->service[i].line;
                        ldirectord_warn(r, "checkinterval in a virtual service is ignored when fork=no");
                        f->service[i].common.given &= ~(1U << CHECKINTERVAL);
                }
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

        static_assert(offsetof(struct ldirectord_common, given) == 0, "bits enough");
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
        if (!error)
                error = finish(&r);
        free(r.slot);
        return error;
}
