/* watch.h - what watch*.c share, and no one else: what is watched, who is told, and the board by
 * which all nodes know of both. */
#pragma once

#include "alert/desk.h"
#include "core/core.h"
#include "core/keeper.h"
#include "watch/board.h"
#include "watch/watch.h"

#define WATCH_CHECKS 0x80000000U /* in the number of a check: it is one of a watch */

/* A check that runs for a watch, by its number. */
struct watch_check_id {
        uint32_t id;
        uint32_t watched; /* index */
        uint8_t check;
};

struct watching {
        struct core *core;
        struct board *board;
        struct watches *watches;
        struct desk *desk;
        struct keeper *keeper;
        uv_timer_t step; /* the next look at what is to be told */
        uv_timer_t tick; /* who tells, every second */
        int handles;     /* of these that libuv still has, at the end */
        size_t id_count;
        struct watch_check_id *id; /* by id */
        uint64_t *key;             /* of each service of a host: its record's */
        instant leads_since;       /* NEVER: it does not */
        instant leader_seen;
};

struct watch_time watching_time(void);
/* Something changed: decides soon. */
void watching_soon(struct watching *w);
/* Writes a mark for all, or takes it back. 0 or a negative errno. */
int watching_mark(struct watching *w, const struct watch_mark *mark);
void watching_unmark(struct watching *w, enum watch_mark_kind kind, const char *about);
/* watch_past.c: what a check was told by a trap goes to the board, and from there to one that begins; what
 * checks were told that are no more is erased. */
void watching_note_told(struct watching *w, const struct watch_check_id *k,
                        const struct check_result *result);
void watching_remember(struct watching *w, const struct watch_check_id *k);
void watching_forget_strangers(struct watching *w);

/* A watch as its runner has said. False: nobody has. */
struct watch_summary {
        char node[NAME_SIZE];
        uint16_t up, down, unknown;
};
bool watching_summary(const struct watching *w, int watch, struct watch_summary *ret_summary);
