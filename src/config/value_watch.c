/* Values of watches and alerts. */
#include "config/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER(type, w, to) ((type *)(void *)((char *)(to)->object + (w)->count_offset))

static int list_add(char ***list, const char *text, size_t most, char *why, size_t size)
{
        size_t n = 0;

        for (; *list && (*list)[n]; n++) {
                if (strcmp((*list)[n], text) == 0) {
                        snprintf(why, size, "is named twice");
                        return -EINVAL;
                }
        }
        if (n == most) {
                snprintf(why, size, "is one too many: there may be %zu", most);
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

/* What can stand in a url, in an argument of a program, and behind '@' in the name of what is watched. */
static int hosts_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        size_t n = 0;

        while (isalnum((unsigned char)text[n]) || (n > 0 && text[n] != '\0' && strchr(".-_", text[n])) ||
               text[n] == ':')
                n++;
        if (text[n] != '\0' || n == 0 || n > 63) {
                snprintf(why, size, "is no host: write an address in numbers or a name, up to 63 characters");
                return -EINVAL;
        }
        return list_add(FIELD(char **, w, to), text, (size_t)w->most, why, size);
}

const struct value_type type_hosts = {"hosts", hosts_set, list_put};

#define TEXTS_MAX 64

static int texts_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        if (text[0] == '\0' || strlen(text) >= (size_t)w->most) {
                snprintf(why, size, "is empty, or longer than %lld characters", (long long)w->most - 1);
                return -EINVAL;
        }
        return list_add(FIELD(char **, w, to), text, TEXTS_MAX, why, size);
}

const struct value_type type_texts = {"texts", texts_set, list_put};

/* Whether there is such a thing is not known before all is read: judge_watch.c asks. */
static int watched_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        const char *colon = strchr(text, ':');

        if (!colon || colon == text || colon[1] == '\0' || colon[1] == '@' || strlen(text) >= 160) {
                snprintf(why, size, "is nothing watched: write WATCH:SERVICE or WATCH:SERVICE@HOST");
                return -EINVAL;
        }
        return list_add(FIELD(char **, w, to), text, TEXTS_MAX, why, size);
}

const struct value_type type_watched = {"services of watches", watched_set, list_put};

static int periods_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        size_t *count = OTHER(size_t, w, to);

        if (*count == PERIODS_MAX) {
                snprintf(why, size, "is one too many: there may be %d", PERIODS_MAX);
                return -EINVAL;
        }
        int error = period_parse(text, &FIELD(struct config_period, w, to)[*count], why, size);
        *count += error == 0;
        return error;
}

static void periods_put(const struct word *w, const struct target *from, struct texts *to)
{
        char text[PERIOD_TEXT];

        for (size_t i = 0; i < *OTHER(size_t, w, from); i++)
                texts_add(to, "%s", period_format(&FIELD(struct config_period, w, from)[i], text));
}

const struct value_type type_periods = {"times of the week", periods_set, periods_put};

/* Whether there is such a group, judge_watch.c asks. */
static int where_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        struct config_watch *watch = to->object;
        char group[NAME_SIZE], end;

        watch->group[0] = '\0';
        if (strcmp(text, "leader") == 0)
                return 0;
        if (sscanf(text, "group%*[ \t]%31s%c", group, &end) != 1) {
                snprintf(why, size, "is not known: write leader or \"group NAME\"");
                return -EINVAL;
        }
        strcpy(watch->group, group);
        return 0;
}

static void where_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct config_watch *watch = from->object;

        if (watch->group[0])
                texts_add(to, "group %s", watch->group);
        else
                texts_add(to, "leader");
}

const struct value_type type_where = {"a place", where_set, where_put};

static void put_span(const char *before, span s, struct texts *to)
{
        struct word w = {.offset = 0};
        struct texts t = {0};

        type_span.put(&w, &(struct target){.object = &s}, &t);
        texts_add(to, "%s%s", before, t.text[0]);
        texts_free(&t);
}

static int after_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        struct config_alert *a = to->object;
        char *end;
        long n = strtol(text, &end, 10);
        span after;

        if (isdigit((unsigned char)text[0]) && *end == '\0' && n >= 1 && n <= 1000) {
                a->after_count = (int)n;
                a->after = SPAN_ZERO;
                return 0;
        }
        if (span_parse(text, &after) < 0 || after.us <= 0 || after.us > 365 * 86400000000LL) {
                snprintf(why, size, "is neither a number of failures, 1 to 1000, nor a time such as 5m");
                return -EINVAL;
        }
        a->after_count = 0;
        a->after = after;
        return 0;
}

static void after_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct config_alert *a = from->object;

        if (a->after_count)
                texts_add(to, "%d", a->after_count);
        else
                put_span("", a->after, to);
}

const struct value_type type_after = {"a number or a time", after_set, after_put};

/* "6 in 10m": the number at `offset`, the span at `count_offset`. */
static int rate_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        char *end;
        long n = strtol(text, &end, 10);
        const char *at = end + strspn(end, " \t");
        span window = SPAN_ZERO;

        if (isdigit((unsigned char)text[0]) && end != at && strncmp(at, "in", 2) == 0 &&
            (at[2] == ' ' || at[2] == '\t'))
                (void)span_parse(at + 2 + strspn(at + 2, " \t"), &window);
        if (window.us <= 0 || window.us > 365 * 86400000000LL) {
                snprintf(why, size, "is not understood: write NUMBER in TIME, such as \"%s\"", w->fallback);
                return -EINVAL;
        }
        if (n < 1 || n > w->most) {
                snprintf(why, size, "is out of range: the number is 1 to %lld", (long long)w->most);
                return -EINVAL;
        }
        *FIELD(int, w, to) = (int)n;
        *OTHER(span, w, to) = window;
        return 0;
}

static void rate_put(const struct word *w, const struct target *from, struct texts *to)
{
        char before[24];

        snprintf(before, sizeof(before), "%d in ", *FIELD(int, w, from));
        put_span(before, *OTHER(span, w, from), to);
}

const struct value_type type_rate = {"a rate", rate_set, rate_put};

static int mail_server_set(const struct word *w, const struct target *to, const char *text, char *why,
                           size_t size)
{
        size_t scheme = strncmp(text, "smtp://", 7) == 0 ? 7 : strncmp(text, "smtps://", 8) == 0 ? 8 : 0;

        if (scheme == 0 || text[scheme] == '\0' || strpbrk(text + scheme, "/@ \t")) {
                snprintf(why, size, "is no mail server: write smtp://HOST[:PORT] or smtps://HOST[:PORT]");
                return -EINVAL;
        }
        return type_text.set(w, to, text, why, size);
}

static void mail_server_put(const struct word *w, const struct target *from, struct texts *to)
{
        texts_add(to, "%s", FIELD(char, w, from));
}

const struct value_type type_mail_server = {"a mail server", mail_server_set, mail_server_put};
