/* words.h - every word of the configuration, one row each: what it takes, its limits, default and help.
 *
 * The rows drive reading (what libconfuse is told, how values are checked and stored), printing, comparing,
 * and a test holds them against haven.conf(5). */
#pragma once

#include "config/tree.h"

#define WORDS_MAX 64 /* in one section */

struct word;

/* What a value is being put into, and what it may refer to. */
struct target {
        void *object; /* the struct that the section fills */
        const struct config *config;
};

/* Values as text, in order. */
struct texts {
        size_t count;
        char **text;
};

/* How values of one type are read and written. */
struct value_type {
        const char *name; /* for people: "a time" */
        /* Stores one value. 0, or -EINVAL with what would be right in `why`. */
        int (*set)(const struct word *w, const struct target *to, const char *text, char *why, size_t size);
        /* Writes what is stored. NULL: the word has no place of its own (it only sets others). */
        void (*put)(const struct word *w, const struct target *from, struct texts *to);
        /* Frees what is stored and leaves nothing. NULL: it is stored in the struct itself. */
        void (*drop)(const struct word *w, const struct target *of);
};

struct word {
        const char *section; /* "group"; "check tcp" for a word of one kind only */
        const char *name;
        const struct value_type *type;
        bool list;
        bool required;
        bool is_host;               /* in a watch the host stands here */
        size_t offset;              /* of the field in the section's struct */
        size_t count_offset;        /* of the number of a list's values */
        int64_t least, most;        /* microseconds, number, or size of a text with its end */
        const char *const *choices; /* in the order of the enum, NULL-terminated */
        const char *fallback;       /* the default as it would be written; NULL: nothing */
        const char *help;
};

/* The i-th of all words, in the order of printing; NULL past the end. */
const struct word *word_at(size_t i);
/* The rows for this section, as by word_is_of(), one after the other, from `*i` = 0 on; NULL ends them. */
const struct word *word_next(const char *section, const char *kind, size_t *i);

/* Those of checks, which the checker links without the rest. */
extern const struct word check_words[];
extern const size_t check_words_count;

extern const char *const script_styles[];
extern const char *const exclusive_kinds[];
extern const char *const gate_wishes[];
extern const char *const alert_events[];
extern const char *const fence_actions[];
extern const char *const stop_failures[];
extern const char *const scheduler_flags[];
extern const char *const mail_tls[];

/* The distinct words of all kinds of `section`, and the sections in it ("root" holds the outermost). */
size_t words_of(const char *section, const char *found[static WORDS_MAX]);
size_t sections_of(const char *section, const char *found[static WORDS_MAX]);
/* What the section `word` is called in this table when it stands in `parent`: a service of a watch is another
 * thing than a service of a group. */
const char *section_inside(const char *parent, const char *word);
/* There is one at most, so it has no name. */
bool section_has_title(const char *section);
/* Whether the row is for this section: exactly ("group"), or for all its kinds. */
bool word_is_of(const struct word *w, const char *section, const char *kind);
/* The nearest of `known` when `text` is likely a slip of it, else NULL. */
const char *nearest(const char *text, const char *const *known, size_t count);

void texts_add(struct texts *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void texts_free(struct texts *t);
/* The value as it stands in a file, "{a, b}" for lists. The caller frees it. NULL if it has none. */
char *word_text(const struct word *w, const struct target *from);
/* Writes `text`, in quotes where the scanner would not take it as one word. */
void quoted_print(const char *text, FILE *to);

/* The field of a word in an object. */
#define FIELD(type, w, to) ((type *)((char *)(to)->object + (w)->offset))

extern const struct value_type type_string, type_url, type_own_url, type_pattern, type_statuses, type_headers,
        type_answers, type_host, type_hostnames, type_file, type_line, type_sip_uri; /* value_check.c */
extern const struct value_type type_command, type_environment;                       /* value_command.c */
extern const struct value_type type_endpoint;                                        /* value_director.c */
extern const struct value_type type_serials, type_broadcasts, type_hops;             /* value_link.c */
extern const struct value_type type_span, type_int, type_port, type_bool, type_choice, type_text, type_path,
        type_name, type_device, type_ip, type_ips, type_endpoints, type_nodes, type_groups, type_failback,
        type_restart, type_events, type_signal, type_profile, type_user, type_agent;
/* value_watch.c */
extern const struct value_type type_hosts, type_texts, type_watched, type_periods, type_where, type_after,
        type_rate, type_mail_server;
