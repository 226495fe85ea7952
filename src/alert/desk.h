/* desk.h - where what is to be told waits, and from where it is told.
 *
 * Every node's desk shows the same: notices are records of the board (watch/board.h), and so survive restarts
 * and takeovers. One node tells: the leader; one that has seen no leader for a while tells what it alone has
 * seen. What was told is erased from the board. What could not be told is tried again, after a second at
 * first and up to a quarter of an hour later. If the node that tells dies between the moment a mail server
 * has taken a mail and the moment the others know, the next one sends it again, with the same Message-ID. */
#pragma once

#include "alert/notice.h"
#include "watch/board.h"

#include <uv.h>

#define DESK_NOTICES_MAX 512 /* of all alerts; beyond it the oldest is dropped, and that is said */

enum desk_role {
        DESK_WAITS, /* somebody else tells */
        DESK_LEADS,
        DESK_ALONE, /* no leader is known: tells what no other node has */
};

struct desk;

struct desk_hooks {
        /* A notice was told, or is not and why: for the log and the journal. */
        void (*on_trouble)(void *user, const char *alert, const char *text);
        /* The board has changed. */
        void (*on_change)(void *user);
        void *user;
};

/* `board` and `hooks->user` must outlive it; `program` is the absolute path of haven-alert. `config` must
 * live until desk_reload() gives another. 0 or a negative errno. */
int desk_new(uv_loop_t *loop, const struct config *config, int self, struct board *board, const char *program,
             const struct desk_hooks *hooks, struct desk **ret_desk);
/* What is under way is cut off, and told by the next desk. The loop must run once more. */
void desk_free(struct desk *d);
void desk_reload(struct desk *d, const struct config *config, int self);

/* Something is to be told to one alert. `id` is the same for the same thing whoever finds it: what was told
 * already, or waits, is not taken twice. */
void desk_take(struct desk *d, int alert, unsigned on, const char *kind, const char *subject,
               const char *text, const char *id);
/* The same to all alerts that want it: about a node or a group. `id`: NULL, it is a thing of its own. */
void desk_raise(struct desk *d, unsigned on, const char *kind, const char *subject, const char *text,
                const char *id);
/* Who tells now. */
void desk_role(struct desk *d, enum desk_role role);
/* Other nodes' notices have come, or time has gone by: looks whether something is to be told. */
void desk_look(struct desk *d);

struct desk_view {
        size_t waiting;
        int64_t oldest_wall_us; /* 0: nothing waits */
        unsigned dropped;
        char trouble[320]; /* "alert mail: ...": why what was tried last was not told; "" */
};
void desk_view(const struct desk *d, struct desk_view *ret_view);
/* How long after a failure the first new try comes; 1 s unless set. */
void desk_retry_after(struct desk *d, span first);
