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
void build_watch(struct tree *t, const struct entry *e, struct config *c);
void build_alert(struct tree *t, const struct entry *e, struct config *c);
/* When all are there: in an order that does not depend on the file's, each with a name. */
void build_alerts_name(struct tree *t, struct config *c);
