/* build_inside.h - what the files of building share, and no one else. */
#pragma once

#include "config/words.h"

/* Sets the words of one section into `to`; sections inside it are the caller's. */
void set_words(struct tree *t, const struct entry *section, const char *name, const char *kind,
               const struct target *to);
/* Also a bad name is kept: what refers to it need not be complained of. */
void take_name(struct tree *t, const struct entry *e, char *name, size_t size);
void complain_twice(struct tree *t, const struct entry *e, const char *name, struct config_place first,
                    const char *advice);
/* False: it is of no known kind. */
bool build_check(struct tree *t, const struct entry *e, struct config_check *k, struct config *c);

/* build_watch.c */
/* The check's section as it is for one host: that in place of %h and for the word that says what to connect
 * to; with `port`, that in place of %p. */
struct entry *check_for_host(const struct entry *check, const char *host, const char *port);
/* Its words as they are printed: with %h where it was written, without what the host stands for. */
char *check_text(const struct entry *check, const struct config_check *built, const struct config *c);
/* Whether every host gets a look of its own. */
bool check_names_host(const struct entry *check);
void build_watch(struct tree *t, const struct entry *e, struct config *c);
void build_alert(struct tree *t, const struct entry *e, struct config *c);
/* When all are there: in an order that does not depend on the file's, each with a name. */
void build_alerts_name(struct tree *t, struct config *c);

/* build_director.c */
void build_director(struct tree *t, const struct entry *e, struct config_resource *r,
                    const struct config_group *g, struct config *c);
