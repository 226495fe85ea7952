#include "config/command.h"

#include "config/tree.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct splitter {
        const char *at;
        char *word; /* room for the whole text */
        size_t length;
        char **argv;
        size_t argc;
        char *why;
        size_t why_size;
};

static bool refuse(struct splitter *s, const char *text)
{
        snprintf(s->why, s->why_size, "%s", text);
        return false;
}

static bool refuse_shell(struct splitter *s, char c)
{
        snprintf(s->why, s->why_size,
                 "holds '%c', and no shell reads it: quote it as '%c', or write /bin/sh -c '...'", c, c);
        return false;
}

static bool split_single(struct splitter *s)
{
        const char *end = strchr(++s->at, '\'');

        if (!end)
                return refuse(s, "has a ' that is never closed");
        memcpy(s->word + s->length, s->at, (size_t)(end - s->at));
        s->length += (size_t)(end - s->at);
        s->at = end + 1;
        return true;
}

static bool split_double(struct splitter *s)
{
        for (s->at++; *s->at != '"'; s->at++) {
                if (*s->at == '\0')
                        return refuse(s, "has a \" that is never closed");
                if (*s->at == '$' || *s->at == '`')
                        return refuse_shell(s, *s->at);
                if (*s->at == '\\' && s->at[1] && strchr("\"\\$`", s->at[1]))
                        s->at++;
                s->word[s->length++] = *s->at;
        }
        s->at++;
        return true;
}

static bool split_word(struct splitter *s)
{
        s->length = 0;
        while (*s->at && !isspace((unsigned char)*s->at)) {
                if (*s->at == '\'') {
                        if (!split_single(s))
                                return false;
                } else if (*s->at == '"') {
                        if (!split_double(s))
                                return false;
                } else if (strchr("$`|&;<>", *s->at)) {
                        return refuse_shell(s, *s->at);
                } else if (*s->at == '\\' && s->at[1] == '\0') {
                        return refuse(s, "ends in a backslash");
                } else {
                        s->at += *s->at == '\\';
                        s->word[s->length++] = *s->at++;
                }
        }
        s->word[s->length] = '\0';
        s->argv = memory_grow(s->argv, s->argc + 2, sizeof(char *));
        s->argv[s->argc++] = memory_text(s->word);
        s->argv[s->argc] = NULL;
        return true;
}

char **command_split(const char *text, char *why, size_t why_size)
{
        struct splitter s = {.at = text, .why = why, .why_size = why_size};
        bool good = true;

        s.word = memory_new(strlen(text) + 1, 1);
        s.argv = memory_new(1, sizeof(char *));
        while (good) {
                while (isspace((unsigned char)*s.at))
                        s.at++;
                if (*s.at == '\0')
                        break;
                good = split_word(&s);
        }
        free(s.word);
        if (good && s.argc == 0)
                good = refuse(&s, "is no command: write an absolute path and its arguments");
        else if (good && s.argv[0][0] != '/')
                good = refuse(&s, "does not begin with an absolute path, such as /usr/sbin/nginx");
        if (good)
                return s.argv;
        command_free(s.argv);
        return NULL;
}

void command_free(char **argv)
{
        for (char **a = argv; a && *a; a++)
                free(*a);
        free(argv);
}

char *command_join(char *const *argv)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                abort();
        for (size_t i = 0; argv[i]; i++) {
                bool plain = argv[i][0] != '\0';
                for (const char *c = argv[i]; *c; c++)
                        plain = plain && (isalnum((unsigned char)*c) || strchr("._-/:@%=,+", *c));
                fputs(i > 0 ? " " : "", to);
                fputs(plain ? "" : "'", to);
                for (const char *c = argv[i]; *c; c++)
                        if (*c == '\'')
                                fputs("'\\''", to);
                        else
                                fputc(*c, to);
                fputs(plain ? "" : "'", to);
        }
        fclose(to);
        return text;
}
