#include "monitor/kinds/command_past.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OUTPUT_MAX 4096 /* told of a long one */

/* As mon counts: of the newest failure or success, and of the first since the state was another. 0: none. */
struct memory {
        const struct config_check *check;
        time_t last_failure, first_failure, last_success, first_success;
        bool good;
        char *summary, *output;
};

struct command_past {
        void *tree; /* tsearch(3), by check */
};

static int compare(const void *a, const void *b)
{
        const struct memory *x = a, *y = b;

        return x->check < y->check ? -1 : x->check > y->check;
}

static struct memory *find(const struct command_past *past, const struct config_check *check)
{
        struct memory key = {.check = check};
        struct memory **at = tfind(&key, &past->tree, compare);

        return at == NULL ? NULL : *at;
}

static void entry_free(void *entry)
{
        struct memory *e = entry;

        free(e->summary);
        free(e->output);
        free(e);
}

int command_past_new(struct command_past **ret_past)
{
        *ret_past = calloc(1, sizeof(**ret_past));
        return *ret_past == NULL ? -ENOMEM : 0;
}

void command_past_free(struct command_past *past)
{
        tdestroy(past->tree, entry_free);
        free(past);
}

static struct memory *find_or_make(struct command_past *past, const struct config_check *check)
{
        struct memory *e = find(past, check);

        if (e != NULL)
                return e;
        e = calloc(1, sizeof(*e));
        if (e == NULL)
                return NULL;
        e->check = check;
        if (tsearch(e, &past->tree, compare) == NULL) {
                free(e);
                return NULL;
        }
        return e;
}

void command_past_add(struct command_past *past, const struct config_check *check, bool good,
                      const char *summary, const char *output)
{
        struct memory *e = find_or_make(past, check);
        time_t now = time(NULL);

        if (e == NULL)
                return;
        if (good && (!e->good || e->first_success == 0))
                e->first_success = now;
        if (!good && (e->good || e->first_failure == 0))
                e->first_failure = now;
        *(good ? &e->last_success : &e->last_failure) = now;
        e->good = good;
        free(e->summary);
        free(e->output);
        e->summary = strdup(summary);
        e->output = output == NULL ? NULL : strndup(output, OUTPUT_MAX);
}

const char *command_past_setting(const struct command_past *past, const struct config_check *check, size_t i)
{
        static const struct memory nothing;
        static char text[OUTPUT_MAX + 64];
        const struct memory *e = find(past, check);

        if (e == NULL)
                e = &nothing;
        switch (i) {
        case 0: snprintf(text, sizeof(text), "MON_LAST_SUMMARY=%s", e->summary ? e->summary : ""); break;
        case 1: snprintf(text, sizeof(text), "MON_LAST_OUTPUT=%s", e->output ? e->output : ""); break;
        case 2: snprintf(text, sizeof(text), "MON_LAST_FAILURE=%lld", (long long)e->last_failure); break;
        case 3: snprintf(text, sizeof(text), "MON_FIRST_FAILURE=%lld", (long long)e->first_failure); break;
        case 4: snprintf(text, sizeof(text), "MON_LAST_SUCCESS=%lld", (long long)e->last_success); break;
        case 5: snprintf(text, sizeof(text), "MON_FIRST_SUCCESS=%lld", (long long)e->first_success); break;
        default: return NULL;
        }
        return text;
}

void command_past_forget(struct command_past *past, const struct config_check *check)
{
        struct memory *e = find(past, check);

        if (e == NULL)
                return;
        tdelete(e, &past->tree, compare);
        entry_free(e);
}
