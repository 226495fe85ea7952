/* print_inside.h - what the files of printing and comparing share, and no one else. */
#pragma once

#include "config/words.h"

/* Every word of the section, defaults included; what is empty has no words. */
void print_words(const char *section, const char *kind, const struct target *from, const char *indent,
                 FILE *to);
/* As they stand inside a director. */
void print_director(const struct config *c, const struct config_director *d, FILE *to);
void print_pool(const struct config *c, const struct config_pool *p, FILE *to);
void print_virtual(const struct config *c, const struct config_virtual *v, FILE *to);

/* How many pools and virtual services differ; with `to`, each is told. */
int compare_directors(const struct config_director *a, const struct config_director *b, const char *who,
                      FILE *to);
