/* keep.h - what the next daemon of this boot must know of a director: which services are its own, and which
 * servers are drained. Files of one line each, in the run directory, which is gone with the boot. */
#pragma once

#include "director/table.h"

#include <stdio.h>

#define DRAINS_MAX 65536

struct drained {
        struct ip ip;
        uint16_t port; /* 0: whatever the port */
};

struct drains {
        size_t count, room;
        struct drained *server;
        size_t lines; /* of its file, which tells what was ordered: the last word on a server counts */
        FILE *file;   /* open for more of them; NULL: not yet */
};

/* Empty is {0}. */
void drains_free(struct drains *d);
/* Undraining without a port undrains all of that address. 0; -ENOMEM; -ENOSPC when there are too many. */
int drains_set(struct drains *d, const struct ip *ip, uint16_t port, bool drain);

/* 0 or a negative errno. What was just set, at the end of the file, or the file anew. */
int keep_drain(const char *path, struct drains *d, const struct drained *server, bool drain);
int keep_services(const char *path, const struct table *t); /* the keys */
/* What was kept; what cannot be read was not. */
void kept_drains(const char *path, struct drains *ret_drains);
void kept_services(const char *path, struct table *ret_table);

/* As virtual_key_format() writes it. -EINVAL. */
int virtual_key_parse(const char *text, struct virtual_key *ret_key);
