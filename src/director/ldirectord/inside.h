/* inside.h - what the reader of ldirectord.cf is made of; for ldirectord.c and take.c
 * only.
 *
 * ldirectord.c       lines and sections, and what is known once the file has been read
 * take.c  the words, and what each takes for a value
 */
#pragma once

#include "director/ldirectord/server.h"

/* Where a word may stand. */
#define FILE_WIDE  1U
#define IN_SERVICE 2U

enum form {
        FORM_NUMBER,   /* the first digits */
        FORM_POSITIVE, /* likewise, and not 0 */
        FORM_YES,      /* yes or no, and nothing else */
        FORM_QUOTED,
        FORM_MAYBE_QUOTED,
        FORM_TEXT,
        FORM_OWN, /* see take_own() */
        FORM_WRONG,
};

struct word {
        const char *name;
        unsigned where;
        enum form form;
        size_t in_file;    /* of the field in struct ldirectord_file */
        size_t in_service; /* in struct ldirectord_service */
};

extern const struct word ldirectord_words[];
extern const size_t ldirectord_word_count;

struct reading {
        struct ldirectord_file *file;
        size_t room;  /* for its services, */
        size_t *slot; /* which are found here by what they are for: their place and 1 */
        size_t slots; /* a power of two */
        const struct ldirectord_lookup *lookup;
        struct ldirectord_service *service; /* the section that is open; NULL: none */
        char port[32];                      /* of it, as it was written */
        bool protocol_given;
        int line;
        struct ldirectord_mistake *mistake;
};

/* The mistake, of the line that is read. -EINVAL. */
int ldirectord_wrong(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ldirectord_warn(const struct reading *r, const char *text);
/* The value of that word, for the section that is open, or the file. 0; -EINVAL with the mistake; -ENOMEM. */
int ldirectord_take(struct reading *r, const struct word *w, const char *value);
/* A copy, instead of what was there. 0, or -ENOMEM. */
int ldirectord_keep(char **field, const char *text, size_t n);
/* As what an address on this line is read; `why` of WHY_SIZE. */
struct ldirectord_place ldirectord_place_of(const struct reading *r, char *why);
