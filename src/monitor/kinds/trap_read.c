#include "monitor/kinds/trap_read.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int digit_of(char c)
{
        return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without its quotes and escapes. False: it was cut, for it is too long. */
static bool unescape(const char *from, size_t n, char *to, size_t size)
{
        size_t used = 0;

        if (n >= 2 && from[0] == '\'' && from[n - 1] == '\'') {
                from++;
                n -= 2;
        }
        for (size_t i = 0; i < n; i++) {
                char c = from[i];
                int high = c == '\\' && i + 2 < n ? digit_of(from[i + 1]) : -1;
                int low = high < 0 ? -1 : digit_of(from[i + 2]);

                if (low >= 0) {
                        c = (char)(high * 16 + low);
                        i += 2;
                } else if (c == '\\' && i + 1 < n && from[i + 1] == '\\') {
                        i++;
                }
                if (used + 1 == size) {
                        to[used] = '\0';
                        return false;
                }
                to[used++] = c == '\0' ? '?' : c;
        }
        to[used] = '\0';
        return true;
}

static bool read_number(const char *text, int *ret_number)
{
        char *end;
        long number = strtol(text, &end, 10);

        *ret_number = number < 0 || number > 255 ? 255 : (int)number;
        return isdigit((unsigned char)text[0]) && *end == '\0';
}

/* One line. False: the trap is none. */
static bool read_line(struct trap *t, const char *line, size_t n, bool *ret_has_status)
{
        const struct {
                const char *tag;
                char *to;
        } names[] = {{"grp=", t->group}, {"svc=", t->service}, {"usr=", t->user}, {"pas=", t->password}};
        char number[24];

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (n >= 4 && memcmp(line, names[i].tag, 4) == 0)
                        return unescape(line + 4, n - 4, names[i].to, TRAP_NAME);
        if (n >= 4 && memcmp(line, "sta=", 4) == 0) {
                *ret_has_status =
                        unescape(line + 4, n - 4, number, sizeof(number)) && read_number(number, &t->status);
                return *ret_has_status;
        }
        if (n >= 4 && memcmp(line, "sum=", 4) == 0) {
                unescape(line + 4, n - 4, t->summary, sizeof(t->summary)); /* a long one is cut */
                t->summary[strcspn(t->summary, "\r\n")] = '\0';
        }
        return true;
}

int trap_read(const char *bytes, size_t n, struct trap *ret_trap)
{
        bool has_status = false;

        *ret_trap = (struct trap){0};
        while (n > 0) {
                const char *end = memchr(bytes, '\n', n);
                size_t line = end == NULL ? n : (size_t)(end - bytes);

                if (!read_line(ret_trap, bytes, line, &has_status))
                        return -EBADMSG;
                line += end == NULL ? 0 : 1;
                bytes += line;
                n -= line;
        }
        return has_status && ret_trap->group[0] != '\0' && ret_trap->service[0] != '\0' ? 0 : -EBADMSG;
}
