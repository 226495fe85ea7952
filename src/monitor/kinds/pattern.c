#include "monitor/kinds/pattern.h"

#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PATTERNS_MAX 64

static struct compiled {
        char *text; /* NULL: free */
        regex_t regex;
        uint64_t used; /* by `uses` */
} compiled[PATTERNS_MAX];
static uint64_t uses;

static void compiled_free(struct compiled *c)
{
        if (c->text == NULL)
                return;
        regfree(&c->regex);
        free(c->text);
        c->text = NULL;
        c->used = 0;
}

/* The compiled one, in place of that which was not used for the longest time. */
static struct compiled *find(const char *text)
{
        struct compiled *oldest = &compiled[0];

        for (size_t i = 0; i < PATTERNS_MAX; i++) {
                if (compiled[i].text != NULL && strcmp(compiled[i].text, text) == 0)
                        return &compiled[i];
                if (compiled[i].used < oldest->used)
                        oldest = &compiled[i];
        }
        compiled_free(oldest);
        oldest->text = strdup(text);
        if (oldest->text == NULL)
                return NULL;
        if (regcomp(&oldest->regex, text, REG_EXTENDED | REG_NEWLINE) == 0)
                return oldest;
        free(oldest->text);
        oldest->text = NULL;
        return NULL;
}

bool pattern_matches(const char *pattern, const char *bytes, size_t n)
{
        struct compiled *c = find(pattern);
        regmatch_t part = {.rm_so = 0, .rm_eo = (regoff_t)n};

        if (c == NULL)
                return false;
        c->used = ++uses;
        return regexec(&c->regex, bytes, 1, &part, REG_STARTEND) == 0;
}

void pattern_forget(void)
{
        for (size_t i = 0; i < PATTERNS_MAX; i++)
                compiled_free(&compiled[i]);
}
