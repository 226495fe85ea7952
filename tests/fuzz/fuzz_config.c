/* A configuration of any bytes. Either mistakes are told, each with a place and words, or what was read is
 * printed in full and is read back to the same. */
#include "config/config.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        int *count = user;

        assert(file[0] != '\0' && line >= 0 && text[0] != '\0');
        (*count)++;
}

static char *print(const struct config *c)
{
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);

        assert(to);
        config_print(c, to);
        fclose(to);
        return text;
}

static void try_again(const struct config *c)
{
        int mistakes = 0;
        char *text = print(c);
        struct config *again = config_parse(text, "printed", on_mistake, &mistakes);

        assert(again && mistakes == 0 && again->digest == c->digest);
        char *text_again = print(again);
        assert(strcmp(text, text_again) == 0);
        config_free(again);
        free(text_again);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        int mistakes = 0;
        char *text = strndup((const char *)data, n);

        assert(text);
        struct config *c = config_parse(text, "fuzz", on_mistake, &mistakes);
        assert((c == NULL) == (mistakes > 0));
        if (c)
                try_again(c);
        config_free(c);
        free(text);
        return 0;
}
