/* judge.h - what no word says alone: contradictions, doubles, what cannot work. */
#pragma once

#include "config/tree.h"

void judge(struct tree *t, const struct config *c);

/* judge_links.c */
void judge_links(struct tree *t, const struct config *c);
/* Why it cannot be an address of one machine that others reach, or NULL. */
const char *address_unusable(const struct ip *ip);
/* One check, wherever it stands. */
void judge_check(struct tree *t, const struct config_check *k);
