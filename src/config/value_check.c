/* Types of values that checks alone have. Texts are memory of the check's own. */
#include "config/words.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An empty text is none: NULL. */
static int string_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        char **field = FIELD(char *, w, to);

        if (strlen(text) >= (size_t)w->most) {
                snprintf(why, size, "is longer than %lld characters", (long long)w->most - 1);
                return -EINVAL;
        }
        free(*field);
        *field = text[0] == '\0' ? NULL : memory_text(text);
        return 0;
}

static void string_put(const struct word *w, const struct target *from, struct texts *to)
{
        const char *text = *FIELD(char *, w, from);

        if (text)
                texts_add(to, "%s", text);
}

static void string_drop(const struct word *w, const struct target *of)
{
        char **field = FIELD(char *, w, of);

        free(*field);
        *field = NULL;
}

const struct value_type type_string = {"a text", string_set, string_put, string_drop};

/* What follows the host's ':', if one does; those in [2001:db8::1] are none. */
static const char *url_port(const char *host, size_t n)
{
        const char *bracket = memrchr(host, ']', n);
        const char *from = bracket ? bracket : host;
        const char *colon = memrchr(from, ':', n - (size_t)(from - host));

        return colon ? colon + 1 : NULL;
}

static bool is_port(const char *text, size_t n)
{
        unsigned long port = 0;

        for (size_t i = 0; i < n; i++) {
                if (!isdigit((unsigned char)text[i]))
                        return false;
                port = port > 65535 ? port : port * 10 + (unsigned long)(text[i] - '0');
        }
        return port >= 1 && port <= 65535;
}

/* The scheme, a host, no blanks: what is finer, libcurl says in the checker; it is not loaded for this here.
 */
static bool url_is_good(const char *text, char *why, size_t size)
{
        size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
        size_t host = strcspn(text + scheme, "/?#");
        const char *port = url_port(text + scheme, host);

        if (scheme == 0)
                snprintf(why, size, "is no web address: it begins with http:// or https://");
        else if (host == 0 || text[scheme] == ':' || text[scheme] == '@')
                snprintf(why, size, "has no host: write it as http://10.0.0.111/");
        else if (port && !is_port(port, (size_t)(text + scheme + host - port)))
                snprintf(why, size, "has no port after its ':': write a number from 1 to 65535");
        else if (strpbrk(text, " \t"))
                snprintf(why, size, "has a blank in it: write %%20 instead");
        else
                return true;
        return false;
}

static int url_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        return url_is_good(text, why, size) ? type_text.set(w, to, text, why, size) : -EINVAL;
}

static void url_put(const struct word *w, const struct target *from, struct texts *to)
{
        type_text.put(w, from, to);
}

const struct value_type type_url = {"a url", url_set, url_put, NULL};

static int own_url_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        return url_is_good(text, why, size) ? string_set(w, to, text, why, size) : -EINVAL;
}

const struct value_type type_own_url = {"a url", own_url_set, string_put, string_drop};

/* glibc unrolls x{n}: nested ones, or a large one, take all memory there is. */
static bool regex_is_modest(const char *text)
{
        long product = 1;

        for (const char *c = text; (c = strchr(c, '{')); c++) {
                for (const char *n = c + 1; *n && *n != '}'; n++) {
                        if (!isdigit((unsigned char)*n))
                                continue;
                        char *end;
                        long bound = strtol(n, &end, 10);
                        if (bound > 1000)
                                return false;
                        product *= bound > 1 ? bound : 1;
                        if (product > 1000)
                                return false;
                        n = end - 1;
                }
        }
        return true;
}

static int pattern_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        char message[128];
        regex_t regex;

        if (strlen(text) >= (size_t)w->most)
                return string_set(w, to, text, why, size);
        if (!regex_is_modest(text)) {
                snprintf(why, size, "repeats more than 1000 times: use * or + instead of {...}");
                return -EINVAL;
        }
        int r = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
        if (r != 0) {
                regerror(r, &regex, message, sizeof(message));
                snprintf(why, size, "is no regular expression: %s", message);
                return -EINVAL;
        }
        regfree(&regex);
        return string_set(w, to, text, why, size);
}

const struct value_type type_pattern = {"a regular expression", pattern_set, string_put, string_drop};

static int statuses_set(const struct word *w, const struct target *to, const char *text, char *why,
                        size_t size)
{
        struct status_ranges *s = FIELD(struct status_ranges, w, to);
        int from = 0, last = 0, used = 0;

        if (sscanf(text, "%3d-%3d%n", &from, &last, &used) != 2 || text[used] != '\0') {
                used = 0;
                if (sscanf(text, "%3d%n", &from, &used) != 1 || text[used] != '\0')
                        from = 0;
                last = from;
        }
        if (from < 100 || last > 599 || from > last) {
                snprintf(why, size, "is no range of status codes: write 200 or 200-399, within 100-599");
                return -EINVAL;
        }
        if (s->count == STATUS_RANGES_MAX) {
                snprintf(why, size, "is one too many: there may be %d", STATUS_RANGES_MAX);
                return -EINVAL;
        }
        s->range[s->count].from = (uint16_t)from;
        s->range[s->count++].to = (uint16_t)last;
        return 0;
}

static void statuses_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct status_ranges *s = FIELD(struct status_ranges, w, from);

        for (size_t i = 0; i < s->count; i++)
                if (s->range[i].from == s->range[i].to)
                        texts_add(to, "%u", s->range[i].from);
                else
                        texts_add(to, "%u-%u", s->range[i].from, s->range[i].to);
}

const struct value_type type_statuses = {"status codes", statuses_set, statuses_put, NULL};

/* --- lists of texts, NULL-terminated; NULL: none --- */

static int list_add(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        char ***list = FIELD(char **, w, to);
        size_t n = 0;

        while (*list && (*list)[n])
                n++;
        if (n == (size_t)w->most) {
                snprintf(why, size, "is one too many: there may be %lld", (long long)w->most);
                return -EINVAL;
        }
        *list = memory_grow(*list, n + 2, sizeof(char *));
        (*list)[n] = memory_text(text);
        (*list)[n + 1] = NULL;
        return 0;
}

static void list_put(const struct word *w, const struct target *from, struct texts *to)
{
        for (char **text = *FIELD(char **, w, from); text && *text; text++)
                texts_add(to, "%s", *text);
}

static void list_drop(const struct word *w, const struct target *of)
{
        char ***list = FIELD(char **, w, of);

        for (char **text = *list; text && *text; text++)
                free(*text);
        free(*list);
        *list = NULL;
}

/* A field name is a token (RFC 9110 5.1); a value that could begin another line is none. */
static int header_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        size_t name = strcspn(text, ":");
        bool bad = name == 0 || text[name] != ':' || strlen(text) > 512;

        for (size_t i = 0; text[i]; i++) {
                unsigned char c = (unsigned char)text[i];
                bad |= i < name ? !isalnum(c) && !strchr("!#$%&'*+-.^_`|~", c) : c < ' ' && c != '\t';
        }
        if (bad) {
                snprintf(why, size, "is no header: write it as \"Name: value\"");
                return -EINVAL;
        }
        return list_add(w, to, text, why, size);
}

const struct value_type type_headers = {"headers", header_set, list_put, list_drop};

static int answer_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (text[0] == '\0' || strlen(text) > 255) {
                snprintf(why, size, "is no answer: 1 to 255 characters");
                return -EINVAL;
        }
        return list_add(w, to, text, why, size);
}

const struct value_type type_answers = {"answers", answer_set, list_put, list_drop};

/* RFC 1123 2.1, and '_', which some names have; the last part of a name is no number. */
static bool is_host_name(const char *text)
{
        const char *last = strrchr(text, '.');
        size_t part = 0;

        for (const char *c = text; *c; c++) {
                bool sign = *c == '-' || *c == '_';
                if (*c == '.' ? part == 0 : !isalnum((unsigned char)*c) && !(sign && part > 0))
                        return false;
                part = *c == '.' ? 0 : part + 1;
                if (part > 63)
                        return false;
        }
        last = last ? last + 1 : text;
        return part > 0 && strlen(text) <= 253 && last[strspn(last, "0123456789")] != '\0';
}

/* An address, or in the field beside it the name of a host. */
static int host_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        struct config_check *c = to->object;

        if (is_host_name(text)) {
                free(c->host);
                c->host = memory_text(text);
                c->ip = (struct ip){0};
                return 0;
        }
        if (type_ip.set(w, to, text, why, size) == 0) {
                free(c->host);
                c->host = NULL;
                return 0;
        }
        if (!strchr(text, '/'))
                snprintf(why, size,
                         "is no address: write it in numbers, such as 10.0.0.1 or 2001:db8::1, or as "
                         "the name of a host");
        return -EINVAL;
}

static void host_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct config_check *c = from->object;

        if (c->host)
                texts_add(to, "%s", c->host);
        else
                type_ip.put(w, from, to);
}

static void host_drop(const struct word *w, const struct target *of)
{
        struct config_check *c = of->object;

        free(c->host);
        c->host = NULL;
}

const struct value_type type_host = {"an address", host_set, host_put, host_drop};

/* A monitor gets it as an argument: what looks like an option is none. */
static int hostname_set(const struct word *w, const struct target *to, const char *text, char *why,
                        size_t size)
{
        bool bad = text[0] == '\0' || text[0] == '-' || strlen(text) > 253;

        for (const char *c = text; *c; c++)
                bad |= isspace((unsigned char)*c) || iscntrl((unsigned char)*c);
        if (bad) {
                snprintf(why, size, "is no host: write a name or an address");
                return -EINVAL;
        }
        return list_add(w, to, text, why, size);
}

const struct value_type type_hostnames = {"hosts", hostname_set, list_put, list_drop};

static int file_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (text[0] != '/') {
                snprintf(why, size, "is no absolute path: it begins with /");
                return -EINVAL;
        }
        return string_set(w, to, text, why, size);
}

const struct value_type type_file = {"a path", file_set, string_put, string_drop};

/* Goes into a line of a protocol: what could begin another line is none. */
static int line_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        for (const char *c = text; *c; c++)
                if (iscntrl((unsigned char)*c)) {
                        snprintf(why, size, "has a character in it that cannot be printed");
                        return -EINVAL;
                }
        return string_set(w, to, text, why, size);
}

const struct value_type type_line = {"a text", line_set, string_put, string_drop};

/* Stands between <> and blanks in a request (RFC 3261 25.1). */
static int sip_uri_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        bool bad = strncmp(text, "sip:", 4) != 0 && strncmp(text, "sips:", 5) != 0;

        for (const char *c = text; *c; c++)
                bad |= !isgraph((unsigned char)*c) || strchr("<>\"", *c);
        if (bad) {
                snprintf(why, size, "is no uri of SIP: write it as sip:somebody@example.org");
                return -EINVAL;
        }
        return string_set(w, to, text, why, size);
}

const struct value_type type_sip_uri = {"a uri of SIP", sip_uri_set, string_put, string_drop};
