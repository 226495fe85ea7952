#include "config/words.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool word_is_of(const struct word *w, const char *section, const char *kind)
{
        size_t n = strlen(section);

        if (strncmp(w->section, section, n) != 0)
                return false;
        return w->section[n] == '\0' ||
               (kind && w->section[n] == ' ' && strcmp(w->section + n + 1, kind) == 0);
}

void texts_add(struct texts *t, const char *format, ...)
{
        va_list args;
        char *text;

        va_start(args, format);
        int n = vasprintf(&text, format, args);
        va_end(args);
        if (n == -1)
                abort();
        t->text = memory_grow(t->text, t->count + 1, sizeof(char *));
        t->text[t->count++] = text;
}

void texts_free(struct texts *t)
{
        for (size_t i = 0; i < t->count; i++)
                free(t->text[i]);
        free(t->text);
        *t = (struct texts){0};
}

static bool is_plain(const char *text)
{
        bool plain = text[0] != '\0' && strncmp(text, "//", 2) != 0;

        for (const char *c = text; *c && plain; c++)
                plain = isalnum((unsigned char)*c) || strchr("._-/:@%", *c);
        return plain;
}

void quoted_print(const char *text, FILE *to)
{
        if (is_plain(text)) {
                fputs(text, to);
                return;
        }
        fputc('"', to);
        for (; *text; text++) {
                if (strchr("\"\\$", *text))
                        fputc('\\', to);
                fputc(*text, to);
        }
        fputc('"', to);
}

char *word_text(const struct word *w, const struct target *from)
{
        struct texts texts = {0};
        char *result = NULL;
        size_t size;

        if (!w->type->put)
                return NULL;
        w->type->put(w, from, &texts);
        if (!w->list && texts.count == 1 && is_plain(texts.text[0])) { /* nearly all: no stream for them */
                result = texts.text[0];
                texts.count = 0;
                texts_free(&texts);
                return result;
        }
        FILE *to = open_memstream(&result, &size);
        if (!to)
                abort();
        if (w->list)
                fputc('{', to);
        for (size_t i = 0; i < texts.count; i++) {
                if (i > 0)
                        fputs(", ", to);
                quoted_print(texts.text[i], to);
        }
        if (w->list)
                fputc('}', to);
        fclose(to);
        texts_free(&texts);
        return result;
}

/* A span that reads back to the same: the largest unit that divides it. */
static void put_exact_span(span s, struct texts *to)
{
        static const struct {
                const char *name;
                int64_t us;
        } units[] = {{"h", 3600000000}, {"m", 60000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1}};
        size_t i = 0;

        if (s.us == 0) {
                texts_add(to, "0s");
                return;
        }
        while (s.us % units[i].us != 0)
                i++;
        texts_add(to, "%lld%s", (long long)(s.us / units[i].us), units[i].name);
}

static void span_name(int64_t us, char *text, size_t size)
{
        struct texts t = {0};

        put_exact_span(span_us(us), &t);
        text_copy(text, size, t.text[0]);
        texts_free(&t);
}

static int span_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        char least[SPAN_TEXT], most[SPAN_TEXT];
        span s;

        if (span_parse(text, &s) < 0) {
                snprintf(why, size, "is no time: write a number and a unit, such as 100ms, 10s or 5m");
                return -EINVAL;
        }
        span_name(w->least, least, sizeof(least));
        span_name(w->most, most, sizeof(most));
        if (s.us < w->least) {
                snprintf(why, size, "is too short: write %s to %s", least, most);
                return -EINVAL;
        }
        if (s.us > w->most) {
                snprintf(why, size, "is too long: write %s to %s", least, most);
                return -EINVAL;
        }
        *FIELD(span, w, to) = s;
        return 0;
}

static void span_put(const struct word *w, const struct target *from, struct texts *to)
{
        put_exact_span(*FIELD(span, w, from), to);
}

const struct value_type type_span = {"a time", span_set, span_put};

static int parse_int(const char *text, int64_t least, int64_t most, int64_t *ret)
{
        char *end;

        errno = 0;
        long long v = strtoll(text, &end, 10);
        if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno || v < least || v > most)
                return -EINVAL;
        *ret = v;
        return 0;
}

static int int_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        int64_t v;

        if (parse_int(text, w->least, w->most, &v) < 0) {
                snprintf(why, size, "is no number from %lld to %lld", (long long)w->least,
                         (long long)w->most);
                return -EINVAL;
        }
        *FIELD(int, w, to) = (int)v;
        return 0;
}

static void int_put(const struct word *w, const struct target *from, struct texts *to)
{
        texts_add(to, "%d", *FIELD(int, w, from));
}

const struct value_type type_int = {"a number", int_set, int_put};

static int port_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        int64_t v;

        if (parse_int(text, 1, 65535, &v) < 0) {
                snprintf(why, size, "is no port: write a number from 1 to 65535");
                return -EINVAL;
        }
        *FIELD(uint16_t, w, to) = (uint16_t)v;
        return 0;
}

static void port_put(const struct word *w, const struct target *from, struct texts *to)
{
        if (*FIELD(uint16_t, w, from) != 0)
                texts_add(to, "%u", *FIELD(uint16_t, w, from));
}

const struct value_type type_port = {"a port", port_set, port_put};

static int bool_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0) {
                snprintf(why, size, "is neither yes nor no");
                return -EINVAL;
        }
        *FIELD(bool, w, to) = text[0] == 'y';
        return 0;
}

static void bool_put(const struct word *w, const struct target *from, struct texts *to)
{
        texts_add(to, "%s", *FIELD(bool, w, from) ? "yes" : "no");
}

const struct value_type type_bool = {"yes or no", bool_set, bool_put};

/* Index among the choices; or -EINVAL, and they are named. */
static int choose(const struct word *w, const char *text, char *why, size_t size)
{
        size_t used;

        for (int i = 0; w->choices[i]; i++)
                if (strcmp(w->choices[i], text) == 0)
                        return i;
        used = (size_t)snprintf(why, size, "is not known: write ");
        for (int i = 0; w->choices[i] && used < size; i++)
                used += (size_t)snprintf(why + used, size - used, "%s%s",
                                         i == 0              ? ""
                                         : w->choices[i + 1] ? ", "
                                                             : " or ",
                                         w->choices[i]);
        return -EINVAL;
}

static int choice_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        int i = choose(w, text, why, size);

        if (i < 0)
                return i;
        *FIELD(int, w, to) = i; /* enums of config.h have the size of int */
        return 0;
}

static void choice_put(const struct word *w, const struct target *from, struct texts *to)
{
        texts_add(to, "%s", w->choices[*FIELD(int, w, from)]);
}

const struct value_type type_choice = {"a word", choice_set, choice_put};

/* Only a choice: what follows from it is computed by whoever builds the cluster. */
static int profile_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        int i = choose(w, text, why, size);

        return i < 0 ? i : 0;
}

const struct value_type type_profile = {"a profile", profile_set, NULL};

static int events_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        int i = choose(w, text, why, size);

        if (i < 0)
                return i;
        if (*FIELD(unsigned, w, to) & 1U << i) {
                snprintf(why, size, "is named twice");
                return -EINVAL;
        }
        *FIELD(unsigned, w, to) |= 1U << i;
        return 0;
}

static void events_put(const struct word *w, const struct target *from, struct texts *to)
{
        for (int i = 0; w->choices[i]; i++)
                if (*FIELD(unsigned, w, from) & 1U << i)
                        texts_add(to, "%s", w->choices[i]);
}

const struct value_type type_events = {"events", events_set, events_put};

static int text_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (!text_copy(FIELD(char, w, to), (size_t)w->most, text)) {
                snprintf(why, size, "is longer than %lld characters", (long long)w->most - 1);
                return -EINVAL;
        }
        return 0;
}

static void text_put(const struct word *w, const struct target *from, struct texts *to)
{
        texts_add(to, "%s", FIELD(char, w, from));
}

const struct value_type type_text = {"a text", text_set, text_put};

static int path_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (text[0] != '/') {
                snprintf(why, size, "is no absolute path: begin with '/'");
                return -EINVAL;
        }
        return text_set(w, to, text, why, size);
}

const struct value_type type_path = {"a path", path_set, text_put};

static int name_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (!text_is_name(text)) {
                snprintf(why, size,
                         "is no name: letters, digits, '.', '_' and '-', and a letter or digit first");
                return -EINVAL;
        }
        return text_set(w, to, text, why, size);
}

const struct value_type type_name = {"a name", name_set, text_put};

static int user_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (text[0] == '-' || strpbrk(text, "/: \t")) {
                snprintf(why, size, "is no user's name: it holds no '/', ':' or blank");
                return -EINVAL;
        }
        return text_set(w, to, text, why, size);
}

const struct value_type type_user = {"a user", user_set, text_put};

/* The kernel's rules: dev_valid_name() in net/core/dev.c */
static int device_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (strpbrk(text, "/: \t") || strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
                snprintf(why, size, "is no interface's name: it holds no '/', ':' or blank");
                return -EINVAL;
        }
        return text_set(w, to, text, why, size);
}

const struct value_type type_device = {"an interface", device_set, text_put};

static int read_ip(const char *text, struct ip *ret_ip, char *why, size_t size)
{
        struct ip ip;
        uint8_t bits;

        if (ip_parse(text, &ip) < 0) {
                if (ip_parse_prefix(text, &ip, &bits) == 0)
                        snprintf(why, size, "is one address: write it without its /%u", bits);
                else
                        snprintf(why, size,
                                 "is no address: write it in numbers, such as 10.0.0.1 or 2001:db8::1");
                return -EINVAL;
        }
        *ret_ip = ip;
        return 0;
}

static int ip_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        return read_ip(text, FIELD(struct ip, w, to), why, size);
}

static void ip_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct ip *ip = FIELD(struct ip, w, from);
        char text[IP_TEXT];

        if (ip->family != 0)
                texts_add(to, "%s", ip_format(ip, text));
}

const struct value_type type_ip = {"an address", ip_set, ip_put};

static int ips_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        size_t *count = (size_t *)((char *)to->object + w->count_offset);
        struct ip *list = FIELD(struct ip, w, to);
        struct ip ip;

        if (read_ip(text, &ip, why, size) < 0)
                return -EINVAL;
        for (size_t i = 0; i < *count; i++) {
                if (ip_equal(&list[i], &ip)) {
                        snprintf(why, size, "is named twice");
                        return -EINVAL;
                }
        }
        if (*count == (size_t)w->most) {
                snprintf(why, size, "is one too many: there may be %lld", (long long)w->most);
                return -EINVAL;
        }
        list[(*count)++] = ip;
        return 0;
}

static void ips_put(const struct word *w, const struct target *from, struct texts *to)
{
        size_t count = *(const size_t *)((const char *)from->object + w->count_offset);
        char text[IP_TEXT];

        for (size_t i = 0; i < count; i++)
                texts_add(to, "%s", ip_format(&FIELD(struct ip, w, from)[i], text));
}

const struct value_type type_ips = {"addresses", ips_set, ips_put};
