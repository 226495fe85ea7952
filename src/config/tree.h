/* tree.h - a configuration file as it was written: sections, words, values, each with its place.
 *
 * The tree knows nothing of what words mean. It is built by read.h, judged by build.h, and thrown away.
 * Memory that cannot be had ends the process: a configuration is read at start, or by `haven check`. */
#pragma once

#include "config/config.h"

#include <stdarg.h>

struct value {
        char *text;
        int line;
};

struct entry {
        char *word;  /* "group", "heartbeat" */
        char *title; /* of a section; NULL: it has none */
        bool section;
        bool unknown;              /* no such word in this section */
        struct config_place place; /* its file is an index into tree.file */
        size_t value_count;        /* of a setting */
        struct value *value;
        size_t child_count; /* of a section */
        struct entry **child;
};

struct mistake {
        struct config_place place;
        size_t order; /* of being found: what breaks a tie */
        char *text;
};

struct tree {
        struct entry *root;
        size_t file_count;
        char *file[CONFIG_FILES_MAX]; /* in the order of being read; 0 is the one asked for */
        bool cut_short;               /* a syntax error hid the rest: what is missing may only be hidden */
        size_t mistake_count;
        struct mistake *mistake;
};

void tree_init(struct tree *t);
void tree_done(struct tree *t);
/* Index of a new file, or -1 when there are too many. */
int tree_add_file(struct tree *t, const char *name);
void tree_mistake(struct tree *t, struct config_place where, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* "line 7", or "line 7 of FILE" when that is another file than `from`, where this is reported. */
#define PLACE_TEXT 320
const char *tree_place(const struct tree *t, int from, struct config_place where,
                       char text[static PLACE_TEXT]);
/* Reports all mistakes in the order of the files and their lines. */
void tree_report(struct tree *t, config_mistake_fn *on_mistake, void *user);

struct entry *entry_new(const char *word, const char *title, struct config_place where);
void entry_free(struct entry *e);
/* Takes ownership of `child`. */
void entry_add(struct entry *parent, struct entry *child);
void entry_add_value(struct entry *e, const char *text, int line);
/* The first child of this word, or NULL. */
const struct entry *entry_find(const struct entry *e, const char *word);
/* Children of this word. */
size_t entry_count(const struct entry *e, const char *word);

/* calloc, realloc and strdup that cannot fail. */
void *memory_new(size_t count, size_t size);
void *memory_grow(void *array, size_t count, size_t size);
char *memory_text(const char *text);
