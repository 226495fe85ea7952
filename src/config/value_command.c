#include "config/command.h"
#include "config/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int command_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        char **argv = command_split(text, why, size);

        if (!argv)
                return -EINVAL;
        *FIELD(char **, w, to) = argv;
        return 0;
}

static void command_put(const struct word *w, const struct target *from, struct texts *to)
{
        char **argv = *FIELD(char **, w, from);
        char *text = argv ? command_join(argv) : NULL;

        if (!text)
                return;
        texts_add(to, "%s", text);
        free(text);
}

static void command_drop(const struct word *w, const struct target *of)
{
        char ***argv = FIELD(char **, w, of);

        command_free(*argv);
        *argv = NULL;
}

const struct value_type type_command = {"a command", command_set, command_put, command_drop};

static int environment_set(const struct word *w, const struct target *to, const char *text, char *why,
                           size_t size)
{
        char ***list = FIELD(char **, w, to);
        size_t name = strcspn(text, "=");
        size_t n = 0;

        if (text[name] != '=' || name == 0 || isdigit((unsigned char)text[0])) {
                snprintf(why, size, "is no NAME=VALUE");
                return -EINVAL;
        }
        for (; *list && (*list)[n]; n++) {
                if (strncmp((*list)[n], text, name + 1) == 0) {
                        snprintf(why, size, "sets %.*s a second time", (int)(name < 64 ? name : 64), text);
                        return -EINVAL;
                }
        }
        *list = memory_grow(*list, n + 2, sizeof(char *));
        (*list)[n] = memory_text(text);
        (*list)[n + 1] = NULL;
        return 0;
}

static void environment_put(const struct word *w, const struct target *from, struct texts *to)
{
        for (char **e = *FIELD(char **, w, from); e && *e; e++)
                texts_add(to, "%s", *e);
}

const struct value_type type_environment = {"settings", environment_set, environment_put, command_drop};
