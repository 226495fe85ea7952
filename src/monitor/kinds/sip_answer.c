#include "monitor/kinds/sip_answer.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VERSION  "SIP/2.0 "
#define BODY_MAX 65535

/* A line or a part of one. */
struct span_of {
        const char *at;
        size_t n;
};

static struct span_of trimmed(const char *at, size_t n)
{
        for (; n > 0 && (*at == ' ' || *at == '\t'); at++)
                n--;
        while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
                n--;
        return (struct span_of){at, n};
}

static bool is_named(struct span_of name, const char *full, const char *compact)
{
        return (name.n == strlen(full) && strncasecmp(name.at, full, name.n) == 0) ||
               (compact && name.n == strlen(compact) && strncasecmp(name.at, compact, name.n) == 0);
}

/* RFC 3261 8.1.1.7: the parameter tells transactions apart. */
static bool has_branch(struct span_of via, const char *branch)
{
        size_t n = strlen(branch);

        for (size_t i = 0; i < via.n; i++) {
                struct span_of p;
                if (via.at[i] == ',')
                        return false; /* the next hop's */
                if (via.at[i] != ';')
                        continue;
                p = trimmed(via.at + i + 1, via.n - i - 1);
                if (p.n >= 7 + n && strncasecmp(p.at, "branch=", 7) == 0 && memcmp(p.at + 7, branch, n) == 0)
                        return p.n == 7 + n || strchr(";, \t", p.at[7 + n]);
        }
        return false;
}

static bool read_status(const char *line, size_t n, struct sip_answer *a)
{
        size_t at = strlen(VERSION);
        int status = 0;

        if (n < at + 3 || memcmp(line, VERSION, at) != 0)
                return false;
        for (size_t end = at + 3; at < end; at++) {
                if (!isdigit((unsigned char)line[at]))
                        return false;
                status = 10 * status + (line[at] - '0');
        }
        if (status < 100 || status > 699 || (at < n && line[at] != ' '))
                return false;
        struct span_of phrase = trimmed(line + at, n - at);
        snprintf(a->phrase, sizeof(a->phrase), "%.*s", (int)phrase.n, phrase.at);
        a->status = status;
        return true;
}

/* What of the head has been seen. */
struct seen {
        bool via, ours, options;
        size_t body;
};

static bool read_length(struct span_of value, size_t *ret_size)
{
        size_t size = 0;

        for (size_t i = 0; i < value.n; i++) {
                if (!isdigit((unsigned char)value.at[i]))
                        return false;
                size = 10 * size + (size_t)(value.at[i] - '0');
                if (size > BODY_MAX)
                        return false;
        }
        *ret_size = size;
        return value.n > 0;
}

static bool read_field(const char *line, size_t n, const char *branch, struct seen *seen)
{
        const char *colon = memchr(line, ':', n);

        if (n > 0 && (line[0] == ' ' || line[0] == '\t'))
                return true; /* the line before goes on */
        if (!colon)
                return false;
        struct span_of name = trimmed(line, (size_t)(colon - line));
        struct span_of value = trimmed(colon + 1, n - (size_t)(colon + 1 - line));
        if (is_named(name, "Via", "v") && !seen->via) {
                seen->via = true;
                seen->ours = has_branch(value, branch);
        } else if (is_named(name, "CSeq", NULL)) {
                static const char method[] = "OPTIONS";
                size_t m = strlen(method);
                seen->options = value.n > m && memcmp(value.at + value.n - m, method, m) == 0;
        } else if (is_named(name, "Content-Length", "l")) {
                return read_length(value, &seen->body);
        }
        return true;
}

int sip_answer_read(const char *bytes, size_t n, const char *branch, struct sip_answer *ret_answer)
{
        static const char end[] = "\r\n\r\n";
        struct sip_answer a = {0};
        struct seen seen = {0};
        const char *head_end = memmem(bytes, n, end, 4), *line = bytes;
        size_t known = n < strlen(VERSION) ? n : strlen(VERSION);

        if (memcmp(bytes, VERSION, known) != 0)
                return -EBADMSG;
        if (!head_end)
                return n < SIP_HEAD_MAX ? -EAGAIN : -EBADMSG;
        while (line < head_end + 2) {
                const char *line_end = memmem(line, (size_t)(head_end + 2 - line), "\r\n", 2);
                assert(line_end); /* the head ends with one */
                size_t size = (size_t)(line_end - line);
                if (line == bytes ? !read_status(line, size, &a) : !read_field(line, size, branch, &seen))
                        return -EBADMSG;
                line = line_end + 2;
        }
        a.ours = seen.ours && seen.options;
        a.size = (size_t)(head_end + 4 - bytes) + seen.body;
        *ret_answer = a;
        return 0;
}
