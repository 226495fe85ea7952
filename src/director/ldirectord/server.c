#include "director/ldirectord/server.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_SIZE 256

static int wrong(const struct ldirectord_place *at, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
static int wrong(const struct ldirectord_place *at, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(at->why, WHY_SIZE, format, args);
        va_end(args);
        return -EINVAL;
}

static size_t blanks(const char *text)
{
        return strspn(text, " \t");
}

/* The host at the begin of the text: a dotted quad, a name, or an address in brackets. How long it is; 0:
 * there is none.
 */
static size_t host_length(const char *text, sa_family_t family)
{
        if (text[0] == '[' && family == AF_INET6) {
                const char *end = strchr(text, ']');
                return end ? (size_t)(end - text) + 1 : 0;
        }
        size_t n = 0;
        while (isalnum((unsigned char)text[n]) || (text[n] && strchr("._+", text[n])) ||
               (text[n] == '-' && text[n + 1] != '>'))
                n++;
        return n;
}

static int find_host(const struct ldirectord_place *at, const char *text, size_t n, struct ip *ret_ip)
{
        char host[HOST_SIZE];

        if (n == 0 || n >= sizeof(host))
                return wrong(at, "'%s' is no address", text);
        bool brackets = text[0] == '[';
        memcpy(host, text + brackets, n - 2 * brackets);
        host[n - 2 * brackets] = '\0';
        if (ip_parse(host, ret_ip) == 0)
                return ret_ip->family == at->family ? 0 : wrong(at, "%s is of the other IP version", host);
        if (brackets || !at->lookup || at->lookup->host(at->lookup->user, host, at->family, ret_ip) < 0)
                return wrong(at, "unknown host %s", host);
        return 0;
}

int ldirectord_port(const struct ldirectord_place *at, const char *text, uint16_t *ret_port)
{
        char *rest;

        if (isdigit((unsigned char)text[0])) {
                unsigned long port = strtoul(text, &rest, 10);
                if (*rest || port > UINT16_MAX)
                        return wrong(at, "'%s' is no port", text);
                *ret_port = (uint16_t)port;
                return 0;
        }
        if (!at->lookup || at->lookup->port(at->lookup->user, text, at->protocol, ret_port) < 0)
                return wrong(at, "unknown port %s", text);
        return 0;
}

/* Letters, digits, '-' and '_' after a colon. How many; 0: no port there. */
static size_t port_length(const char *text)
{
        size_t n = 1;

        if (text[0] != ':')
                return 0;
        while (isalnum((unsigned char)text[n]) || text[n] == '-' || text[n] == '_')
                n++;
        return n > 1 ? n - 1 : 0;
}

int ldirectord_virtual(const struct ldirectord_place *at, const char *text, struct ip *ret_ip,
                       char ret_port[static 32], uint32_t *ret_mark)
{
        size_t host = host_length(text, at->family), port = port_length(text + host);

        *ret_mark = 0;
        ret_port[0] = '\0';
        if (host && port) {
                if (port >= 32)
                        return wrong(at, "'%s' has too long a port", text);
                memcpy(ret_port, text + host + 1, port);
                ret_port[port] = '\0';
                return find_host(at, text, host, ret_ip);
        }
        if (text[0] == '[')
                return wrong(at, "'%s' %s", text, at->family == AF_INET6 ? "has no port" : "needs virtual6");
        /* an address without a port is taken for the mark that it begins with: so does ldirectord */
        unsigned long mark = strtoul(text, NULL, 10);
        if (!isdigit((unsigned char)text[0]) || mark == 0 || mark > UINT32_MAX)
                return wrong(at, "invalid address for virtual server: %s", text);
        *ret_mark = (uint32_t)mark;
        return 0;
}

static bool parse_forward(const char *text, size_t n, enum forward *ret_forward)
{
        static const char *const names[] = {
                [FORWARD_MASQ] = "masq", [FORWARD_DIRECT] = "gate", [FORWARD_TUNNEL] = "ipip"};

        for (size_t i = 0; i < COUNT(names); i++)
                if (strlen(names[i]) == n && !strncmp(text, names[i], n)) {
                        *ret_forward = (enum forward)i;
                        return true;
                }
        return false;
}

char *ldirectord_request(const char *text, size_t n)
{
        char *request = NULL;

        if (asprintf(&request, "%s%.*s", n && text[0] == '/' ? "" : "/", (int)n, text) == -1)
                return NULL;
        return request;
}

/* "REQUEST"SEP"RECEIVE", where SEP is one comma or blank and then blanks. Steps over it. */
static int take_pair(const struct ldirectord_place *at, const char **text, struct ldirectord_server *s)
{
        const char *one = *text + 1, *one_end = strchr(one, '"');

        if (!one_end || !strchr(", \t", one_end[1]) || one_end[1] == '\0')
                return wrong(at, "request and receive belong together: \"request\", \"receive\", around %s",
                             *text);
        const char *two = one_end + 2 + blanks(one_end + 2);
        const char *two_end = *two == '"' ? strchr(two + 1, '"') : NULL;
        if (!two_end || two_end == two + 1 || one_end == one)
                return wrong(at, "request and receive belong together: \"request\", \"receive\", around %s",
                             *text);
        s->request = ldirectord_request(one, (size_t)(one_end - one));
        s->receive = strndup(two + 1, (size_t)(two_end - two - 1));
        *text = two_end + 1;
        return s->request && s->receive ? 0 : -ENOMEM;
}

static bool take_threshold(const char **text, const char *sign, unsigned *ret_number)
{
        const char *from = *text + blanks(*text);
        char *rest;

        if (strncmp(from, sign, 2) != 0 || !isdigit((unsigned char)from[2]))
                return false;
        *ret_number = (unsigned)strtoul(from + 2, &rest, 10);
        *text = rest;
        return true;
}

static int take_endpoint(const struct ldirectord_place *at, const char **text, struct ldirectord_server *s)
{
        char port[32];
        size_t n = host_length(*text, at->family);
        int error = find_host(at, *text, n, &s->ip);

        *text += n;
        s->last = s->ip;
        if (!error && strncmp(*text, "->", 2) == 0) {
                *text += 2;
                n = host_length(*text, at->family);
                error = find_host(at, *text, n, &s->last);
                *text += n;
                if (!error && at->family == AF_INET6)
                        return wrong(at, "ranges are for IPv4");
                if (!error && memcmp(s->ip.bytes, s->last.bytes, 4) > 0)
                        return wrong(at, "the range ends before it begins");
        }
        n = error ? 0 : port_length(*text);
        if (n == 0)
                return error;
        snprintf(port, sizeof(port), "%.*s", n < sizeof(port) ? (int)n : 0, *text + 1);
        *text += n + 1;
        return ldirectord_port(at, port, &s->port);
}

int ldirectord_real(const struct ldirectord_place *at, const char *text, struct ldirectord_server *ret_server)
{
        const char *whole = text;
        struct ldirectord_server *s = ret_server;
        int error = take_endpoint(at, &text, s);
        size_t n;

        if (error)
                return error;
        n = blanks(text);
        if (n == 0 || text[n] == '\0')
                return wrong(at, "real server %s has no forward method: gate, masq or ipip", whole);
        text += n;
        n = strcspn(text, " \t");
        if (!parse_forward(text, n, &s->forward))
                return wrong(at, "forward method must be gate, masq or ipip, around %s", text);
        text += n;
        s->weight = 1;
        n = blanks(text);
        if (n && isdigit((unsigned char)text[n])) {
                char *rest;
                s->weight = (unsigned)strtoul(text + n, &rest, 10);
                text = rest;
        }
        n = blanks(text);
        if (n && text[n] == '"') {
                text += n;
                error = take_pair(at, &text, s);
                if (error)
                        return error;
        }
        take_threshold(&text, "l:", &s->lower);
        take_threshold(&text, "u:", &s->upper);
        if (take_threshold(&text, "l:", &s->lower))
                s->upper = 0; /* before l: it is lost, as in ldirectord */
        text += blanks(text);
        return *text ? wrong(at, "invalid real server line, around %s", text) : 0;
}

int ldirectord_fallback(const struct ldirectord_place *at, const char *text, struct config_real *ret_real)
{
        struct ldirectord_server s = {0};
        int error = take_endpoint(at, &text, &s);

        if (error)
                return error;
        *ret_real = (struct config_real){.ip = s.ip, .port = s.port, .forward = FORWARD_DIRECT, .weight = 1};
        text += blanks(text);
        size_t n = strcspn(text, " \t");
        if (n && !parse_forward(text, n, &ret_real->forward))
                return wrong(at, "forward method must be gate, masq or ipip, around %s", text);
        text += n + blanks(text + n);
        return *text ? wrong(at, "invalid fallback server line, around %s", text) : 0;
}
