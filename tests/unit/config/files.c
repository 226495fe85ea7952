#include "files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

void mistakes_to(void *user, const char *file, int line, const char *text)
{
        fprintf(user, "%s:%d: %s\n", file, line, text);
}

char *file_text(const char *path)
{
        char *text = NULL;
        size_t size = 0;
        FILE *from = fopen(path, "re");

        if (!from)
                fail_msg("%s is missing", path);
        if (getdelim(&text, &size, '\0', from) == -1) {
                free(text);
                text = calloc(1, 1);
        }
        fclose(from);
        return text;
}

char *printed(const struct config *c)
{
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);

        config_print(c, to);
        fclose(to);
        return text;
}

struct config *parsed(const char *text)
{
        struct config *c = config_parse(text, "text", mistakes_to, stderr);

        assert_non_null(c);
        return c;
}

struct config *loaded(const char *path)
{
        struct config *c = config_load(path, mistakes_to, stderr);

        if (!c)
                fail_msg("%s has mistakes", path);
        return c;
}
