/* keep.h - what the next daemon of this boot must know of a director: which services are its own, and which
 * servers are drained. Small files of one line each, in the run directory. */
#pragma once

#include "director/table.h"

#define DRAINS_MAX 256

struct drains {
        size_t count;
        struct {
                struct ip ip;
                uint16_t port; /* 0: whatever the port */
        } server[DRAINS_MAX];
};

/* Undraining without a port undrains all of that address. 0; -ENOSPC when there are too many. */
int drains_set(struct drains *d, const struct ip *ip, uint16_t port, bool drain);

/* 0 or a negative errno. */
int keep_drains(const char *path, const struct drains *d);
int keep_services(const char *path, const struct table *t); /* the keys */
/* What was kept; what cannot be read was not. */
void kept_drains(const char *path, struct drains *ret_drains);
void kept_services(const char *path, struct table *ret_table);

/* As virtual_key_format() writes it. -EINVAL. */
int virtual_key_parse(const char *text, struct virtual_key *ret_key);
