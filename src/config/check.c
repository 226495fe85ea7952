#include "config/check.h"

#include "base/bytes.h"
#include "base/text.h"
#include "config/words.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WHY 256

static const char *const kinds[CHECK_KINDS] = {
        [CHECK_TCP] = "tcp",
        [CHECK_HTTP] = "http",
        [CHECK_ICMP] = "icmp",
        [CHECK_TLS] = "tls",
        [CHECK_DNS] = "dns",
        [CHECK_COMMAND] = "command",
        [CHECK_FILE] = "file",
        [CHECK_DISK] = "disk",
        [CHECK_LOAD] = "load",
        [CHECK_PROCESS] = "process",
        [CHECK_FTP] = "ftp",
        [CHECK_SMTP] = "smtp",
        [CHECK_IMAP] = "imap",
        [CHECK_POP3] = "pop3",
        [CHECK_LDAP] = "ldap",
        [CHECK_REDIS] = "redis",
        [CHECK_POSTGRESQL] = "postgresql",
        [CHECK_MYSQL] = "mysql",
        [CHECK_TRAP] = "trap",
        [CHECK_SIP] = "sip",
        [CHECK_RADIUS] = "radius",
};

const char *check_kind_name(enum check_kind kind)
{
        return kinds[kind];
}

int check_kind_parse(const char *name, enum check_kind *ret_kind)
{
        for (int k = 0; k < CHECK_KINDS; k++)
                if (strcmp(kinds[k], name) == 0) {
                        *ret_kind = (enum check_kind)k;
                        return 0;
                }
        return -EINVAL;
}

bool check_kind_is_built(enum check_kind kind)
{
        switch (kind) {
#ifndef HAVE_POSTGRESQL
        case CHECK_POSTGRESQL: return false;
#endif
#ifndef HAVE_MYSQL
        case CHECK_MYSQL: return false;
#endif
        default: return true;
        }
}

/* The words of a kind, what all have among them, in the order of the table; NULL ends them. Thousands of
 * checks are made and sent at once, so they are looked for once. */
static const struct word *const *words_of_kind(enum check_kind kind)
{
        static const struct word *found[CHECK_KINDS][WORDS_MAX + 1];
        const struct word **to = found[kind];
        size_t n = 0;

        if (to[0])
                return to;
        for (size_t i = 0; i < check_words_count; i++)
                if (word_is_of(&check_words[i], "check", kinds[kind])) {
                        assert(n < WORDS_MAX);
                        to[n++] = &check_words[i];
                }
        return to;
}

static bool is_common(const struct word *w)
{
        return strcmp(w->section, "check") == 0;
}

void check_init(struct config_check *c, enum check_kind kind)
{
        struct target to = {.object = c};
        char why[WHY];

        *c = (struct config_check){.kind = kind};
        for (const struct word *const *each = words_of_kind(kind), *w; (w = *each); each++) {
                if (!w->fallback || !w->fallback[0] || w->fallback[0] == '<')
                        continue;
                int error = w->type->set(w, &to, w->fallback, why, sizeof(why));
                assert(!error); /* the table is wrong */
        }
        c->quick = c->interval;
}

void check_done(struct config_check *c)
{
        struct target of = {.object = c};

        for (const struct word *const *each = words_of_kind(c->kind), *w; (w = *each); each++)
                if (w->type->drop)
                        w->type->drop(w, &of);
}

int check_copy(const struct config_check *from, struct config_check *ret_copy)
{
        uint8_t bytes[CHECK_BYTES_MAX];
        size_t rhythm;
        int n = check_encode(from, bytes, &rhythm);

        if (n < 0)
                return n;
        int error = check_decode(bytes, (size_t)n, ret_copy);
        assert(!error);
        memcpy(ret_copy->name, from->name, sizeof(from->name));
        ret_copy->place = from->place;
        return 0;
}

/* --- as bytes: a part of common words, the kind's name, a part of the kind's words; of each word its name,
 * how many values, and each as a part --- */

static void put_word(struct writer *to, const struct word *w, const struct target *from, bool *ret_missing)
{
        struct texts texts = {0};

        w->type->put(w, from, &texts);
        if (texts.count == 0) {
                *ret_missing |= w->required;
        } else {
                put_text(to, w->name);
                put_u8(to, (uint8_t)texts.count);
        }
        for (size_t i = 0; i < texts.count; i++) {
                uint8_t *part = part_begin(to);
                put_bytes(to, texts.text[i], strlen(texts.text[i]));
                part_end(to, part);
        }
        texts_free(&texts);
}

static bool put_words(struct writer *to, const struct config_check *c, bool common)
{
        struct target from = {.object = (void *)c};
        bool missing = false;
        uint8_t *part = part_begin(to);

        for (const struct word *const *each = words_of_kind(c->kind), *w; (w = *each); each++)
                if (is_common(w) == common && strcmp(w->name, "name") != 0)
                        put_word(to, w, &from, &missing);
        part_end(to, part);
        return !missing;
}

int check_encode(const struct config_check *c, uint8_t bytes[static CHECK_BYTES_MAX], size_t *ret_rhythm)
{
        struct writer to;
        bool whole;

        writer_init(&to, bytes, CHECK_BYTES_MAX);
        whole = put_words(&to, c, true);
        *ret_rhythm = (size_t)(to.at - bytes);
        put_text(&to, kinds[c->kind]);
        whole = put_words(&to, c, false) && whole;
        if (!whole)
                return -EINVAL;
        return to.failed ? -E2BIG : (int)(to.at - bytes);
}

static const struct word *find_word(enum check_kind kind, const char *name)
{
        for (const struct word *const *each = words_of_kind(kind), *w; (w = *each); each++)
                if (strcmp(w->name, name) == 0)
                        return w;
        return NULL;
}

static void get_value(struct reader *from, const struct word *w, struct config_check *c)
{
        struct target to = {.object = c};
        struct reader part;
        char text[1024], why[WHY];

        get_part(from, &part);
        size_t n = reader_left(&part);
        const uint8_t *value = get_bytes(&part, n);
        if (from->failed || !value || n >= sizeof(text) || memchr(value, '\0', n)) {
                from->failed = true;
                return;
        }
        memcpy(text, value, n);
        text[n] = '\0';
        if (w->type->set(w, &to, text, why, sizeof(why)) != 0)
                from->failed = true;
}

/* Every word at most once, none of another kind. */
static void get_words(struct reader *from, struct config_check *c, bool common)
{
        const struct word *seen[WORDS_MAX];
        size_t count = 0;

        while (!from->failed && reader_left(from) > 0) {
                char name[NAME_SIZE];
                get_text(from, name, sizeof(name));
                const struct word *w = from->failed ? NULL : find_word(c->kind, name);
                unsigned values = get_u8(from);
                bool twice = false;
                for (size_t i = 0; i < count; i++)
                        twice |= seen[i] == w;
                if (!w || twice || is_common(w) != common || values == 0 || (values > 1 && !w->list)) {
                        from->failed = true;
                        return;
                }
                seen[count++] = w;
                for (unsigned i = 0; i < values && !from->failed; i++)
                        get_value(from, w, c);
        }
}

/* What the range of each single value does not rule out. */
static bool is_whole(const struct config_check *c)
{
        uint8_t bytes[CHECK_BYTES_MAX];
        size_t rhythm;

        return c->interval.us > 0 && c->quick.us > 0 && c->timeout.us > 0 && c->rise > 0 && c->fall > 0 &&
               check_encode(c, bytes, &rhythm) > 0;
}

int check_decode(const uint8_t *bytes, size_t size, struct config_check *ret_check)
{
        struct config_check c = {0};
        struct reader from, common, own;
        char kind[NAME_SIZE];

        reader_init(&from, bytes, size);
        get_part(&from, &common);
        get_text(&from, kind, sizeof(kind));
        if (from.failed || check_kind_parse(kind, &c.kind) != 0)
                return -EBADMSG;
        get_part(&from, &own);
        get_words(&common, &c, true);
        get_words(&own, &c, false);
        if (from.failed || common.failed || own.failed || reader_left(&from) != 0 || !is_whole(&c)) {
                check_done(&c);
                return -EBADMSG;
        }
        *ret_check = c;
        return 0;
}

/* --- for people --- */

/* The program without its arguments, of which one may be a password; the hosts of a monitor. */
static void command_target(const struct check_command *k, char text[static CHECK_TARGET])
{
        const char *program = k->argv ? k->argv[0] : "", *slash = strrchr(program, '/');
        size_t n = (size_t)snprintf(text, CHECK_TARGET, "command %.100s", slash ? slash + 1 : program);

        for (char **h = k->hosts; h && *h && n < CHECK_TARGET; h++)
                n += (size_t)snprintf(text + n, CHECK_TARGET - n, " %s", *h);
}

/* Kinds that look at no address. False: it has one. */
static bool own_target(const struct config_check *c, char text[static CHECK_TARGET])
{
        switch (c->kind) {
        case CHECK_HTTP: snprintf(text, CHECK_TARGET, "%s", c->http.url ? c->http.url : "http"); return true;
        case CHECK_COMMAND: command_target(&c->command, text); return true;
        case CHECK_FILE:
                snprintf(text, CHECK_TARGET, "file %s", c->file.path ? c->file.path : "");
                return true;
        case CHECK_DISK:
                snprintf(text, CHECK_TARGET, "disk %s", c->disk.path ? c->disk.path : "");
                return true;
        case CHECK_LOAD: snprintf(text, CHECK_TARGET, "load"); return true;
        case CHECK_TRAP:
                snprintf(text, CHECK_TARGET, "trap %s:%s", c->trap.group ? c->trap.group : "",
                         c->trap.service ? c->trap.service : "");
                return true;
        case CHECK_PROCESS:
                snprintf(text, CHECK_TARGET, "process %s", c->process.program ? c->process.program : "");
                return true;
        default: return false;
        }
}

const char *check_target(const struct config_check *c, char text[static CHECK_TARGET])
{
        char ip[IP_TEXT] = "", port[8] = "";
        const char *host = ip;

        if (own_target(c, text))
                return text;
        if (c->ip.family != 0)
                ip_format(&c->ip, ip);
        else if (c->host)
                host = c->host;
        if (c->port != 0)
                snprintf(port, sizeof(port), ":%u", c->port);
        snprintf(text, CHECK_TARGET, port[0] && c->ip.family == AF_INET6 ? "%s [%s]%s" : "%s %s%s",
                 kinds[c->kind], host, port);
        if (c->kind == CHECK_DNS && c->dns.name) {
                size_t n = strlen(text);
                snprintf(text + n, CHECK_TARGET - n, " %s", c->dns.name);
        }
        return text;
}
