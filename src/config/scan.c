#include "config/scan.h"

#include <ctype.h>
#include <string.h>

struct scanner {
        char *at;
        int line;
        struct tree *tree;
        int file;
        bool good;
        bool in_word; /* the character before belongs to an unquoted word */
        int depth;
        int opened[SCAN_DEPTH_MAX]; /* the line of each brace that is open */
};

static void refuse(struct scanner *s, int line, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void refuse(struct scanner *s, int line, const char *format, ...)
{
        va_list args;
        char text[256];

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        tree_mistake(s->tree, (struct config_place){s->file, line}, "%s", text);
        s->good = false;
}

static void blank_to_line_end(struct scanner *s)
{
        while (*s->at && *s->at != '\n')
                *s->at++ = ' ';
}

static void blank_c_comment(struct scanner *s)
{
        int line = s->line;
        char *end = strstr(s->at + 2, "*/");

        if (!end)
                refuse(s, line, "this comment has no end: close it with */");
        for (end = end ? end + 2 : s->at + strlen(s->at); s->at < end; s->at++) {
                if (*s->at == '\n')
                        s->line++;
                else
                        *s->at = ' ';
        }
}

/* A backslash inside double quotes. */
static void scan_escape(struct scanner *s)
{
        char c = s->at[1];

        if (c == '\n')
                s->line++;
        else if (c != '\0' && !strchr("\"'\\$nt", c))
                refuse(s, s->line, "'\\%c' is no escape here: write \\\\ for a backslash", c);
        s->at += c == '\0' ? 1 : 2;
}

static void scan_quoted(struct scanner *s)
{
        char quote = *s->at++;
        int line = s->line;

        while (*s->at && *s->at != quote) {
                if (*s->at == '\\' && quote == '"') {
                        scan_escape(s);
                } else if (*s->at == '\\' && s->at[1] != '\n') {
                        s->at += s->at[1] ? 2 : 1;
                } else if (*s->at == '\n' || *s->at == '\\') {
                        break;
                } else if (quote == '"' && s->at[0] == '$' && s->at[1] == '{') {
                        refuse(s, s->line, "variables are not replaced here: write \\$ for a dollar sign");
                        s->at += 2;
                } else {
                        s->at++;
                }
        }
        if (*s->at != quote) {
                refuse(s, line, "this quoted text has no end on its line: close it with %c", quote);
                return;
        }
        s->at++;
}

static void scan_open(struct scanner *s)
{
        if (s->depth == SCAN_DEPTH_MAX)
                refuse(s, s->line, "more than %d braces within each other", SCAN_DEPTH_MAX);
        else
                s->opened[s->depth] = s->line;
        s->depth++;
        s->at++;
}

static void scan_close(struct scanner *s)
{
        if (s->depth == 0)
                refuse(s, s->line, "this '}' closes nothing");
        else
                s->depth--;
        s->at++;
}

/* include("FILE"). libconfuse does not free what it has read of a call that is written otherwise. */
static void scan_call(struct scanner *s)
{
        int line = s->line;

        s->at += 1 + strspn(s->at + 1, " \t");
        bool good = *s->at == '"' || *s->at == '\'';
        if (good) {
                scan_quoted(s);
                s->at += strspn(s->at, " \t");
                good = *s->at == ')';
        }
        if (good)
                s->at++;
        else if (s->good)
                refuse(s, line, "what stands in parentheses is one file in quotes: include(\"FILE\")");
}

/* One step outside of quotes and comments. */
static void scan_plain(struct scanner *s)
{
        char c = *s->at;
        bool was_in_word = s->in_word;

        s->in_word = !strchr(" \t\r\n#\"'{}()=+,*", c);
        if (c == '#' || (c == '/' && s->at[1] == '/' && !was_in_word)) {
                blank_to_line_end(s);
                s->in_word = false;
        } else if (c == '/' && s->at[1] == '*' && !was_in_word) {
                blank_c_comment(s);
                s->in_word = false;
        } else if (c == '"' || c == '\'') {
                scan_quoted(s);
        } else if (c == '(') {
                scan_call(s);
        } else if (c == '{') {
                scan_open(s);
        } else if (c == '}') {
                scan_close(s);
        } else if (c == '\n') {
                s->line++;
                s->at++;
        } else if (c == ';') {
                refuse(s, s->line, "';' ends nothing here: leave it out, or put the whole value in quotes");
                s->at++;
        } else if (c == '*' || (c == '+' && s->at[1] != '=') || (c == '$' && s->at[1] == '{')) {
                refuse(s, s->line, "'%c' cannot stand here: put the whole value in double quotes", c);
                blank_to_line_end(s);
        } else {
                s->at++;
        }
}

bool scan(char *text, struct tree *t, int file)
{
        struct scanner s = {.at = text, .line = 1, .tree = t, .file = file, .good = true};
        int line = 1;

        for (const char *c = text; *c; c++) {
                if (*c == '\n')
                        line++;
                else if (iscntrl((unsigned char)*c) && *c != '\t' && *c != '\r') {
                        refuse(&s, line, "a control character (0x%02x): this is not a text file", *c);
                        return false;
                }
        }
        while (*s.at && s.depth <= SCAN_DEPTH_MAX)
                scan_plain(&s);
        while (s.good && s.depth > 0)
                refuse(&s, s.opened[--s.depth], "this '{' is never closed");
        return s.good;
}
