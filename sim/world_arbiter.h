/* world_arbiter.h - the third vote in a simulated world: one struct of functions per kind of arbiter.
 *
 * A model is what the nodes' arbiter is in truth: a third machine, the sectors of a disk, a key in etcd, or
 * nothing but a rule of thumb. It lives in a file of its own (world_witness.c, world_disk.c, ...), keeps its
 * own memory, puts its own things on the agenda and breaks in its own ways. To add one: write the file, name
 * its model below and in the table of world_arbiter.c, and list the file in meson.build. Nothing else of the
 * simulator knows it.
 *
 * It may look into the world (world_inside.h). It tells a node's core what it has to say by machine_step(),
 * which drops it when that core is down or stands still; what takes time goes over arbiter_later(). */
#pragma once

#include "world_inside.h"

#include "cluster/witness.h"

struct arbiter_model {
        const char *name; /* of `--arbiter NAME` */
        const char *about;
        enum cluster_arbiter kind; /* what the nodes' settings say where nodes are even in number */
        bool odd;                  /* stands in with odd numbers of nodes too */
        span slower;               /* a takeover with it takes so much longer: its operations, its reading */

        /* Its memory, made with the world and freed with it; both NULL: it needs none. */
        void *(*begin)(struct world *w);
        void (*end)(struct world *w, void *self);
        /* What else the nodes' settings have to say, before the first core starts. NULL: nothing. */
        void (*settings)(const struct world *w, struct cluster_settings *s);

        /* The core of `node` asks, w->todo.question says what. Called last of all that the step asked for:
         * the model may step this core or others at once. w->todo is void after the first such step. */
        void (*asked)(struct world *w, void *self, uint8_t node);
        /* What it put on the agenda is due. `life` tells whether the core that it was for is still there
         * (machine[node].life); `data` is freed afterwards. */
        void (*happens)(struct world *w, void *self, const struct happening *h);
        /* After every step of a core, its promise written: for an arbiter that watches or is written to
         * without being asked. NULL: not interested. */
        void (*stepped)(struct world *w, void *self, uint8_t node);
        /* A core starts (before its first step), or its node lost power or its core was killed. NULL: not
         * interested. */
        void (*starts)(struct world *w, void *self, uint8_t node);
        void (*dies)(struct world *w, void *self, uint8_t node, bool power);

        /* One fault of its own, by w's chance; and all of them mended. NULL: it has none. */
        void (*fault)(struct world *w, void *self);
        void (*mend)(struct world *w, void *self);

        /* Of a strong one: this node does not reach it; and the newest document that it keeps. */
        void (*cut)(void *self, uint8_t node, bool cut);
        struct version (*kept)(const struct world *w, const void *self);
        /* What becomes of its memory; NULL: the nodes would have to lose theirs (disk). */
        void (*memory)(struct world *w, void *self, enum arbiter_fate fate);
};

extern const struct arbiter_model arbiter_none; /* weak: whoever is alone is right */
extern const struct arbiter_model arbiter_ping; /* weak: whoever reaches the targets is right */
extern const struct arbiter_model arbiter_witness;
extern const struct arbiter_model arbiter_etcd;

extern const struct arbiter_model arbiter_disk; /* world_disk.c */

extern const struct arbiter_model arbiter_fence; /* for two nodes only, so not among those "in turn" */

/* By name; NULL if there is no such. `arbiter_list` prints them. */
const struct arbiter_model *arbiter_find(const char *name);
void arbiter_list(FILE *out);
size_t arbiter_count(void);
const struct arbiter_model *arbiter_at(size_t i);

/* Has happens() called `in` from now. `data` (malloc, or NULL) belongs to the agenda from here on. */
void arbiter_later(struct world *w, span in, uint8_t node, uint32_t serial, void *data);

/* The way to an arbiter on another machine and back, as lossy and slow as any other. */
struct arbiter_way {
        bool connected; /* by TCP: what is lost is late */
        bool cut[WORLD_NODES];
        span late[WORLD_NODES]; /* what this node asks, on the way there, */
        span back[WORLD_NODES]; /* and what is answered, on the way back */
};
/* `data` reaches the other end, there or back: happens() is called. False: it does not, and is the caller's.
 * A packet that is lost is sent again where there is a connection. */
bool arbiter_travel(struct world *w, const struct arbiter_way *way, uint8_t node, bool there, void *data);
/* What came back, as the core is told of it. */
void arbiter_tell(struct world *w, uint8_t node, const struct witness_answer *a, instant asked);

/* --- for the world --- */

void arbiter_begin(struct world *w);
void arbiter_end(struct world *w);
