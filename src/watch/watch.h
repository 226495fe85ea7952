/* watch.h - what is watched: how each service of each host is, and who is to be told of it.
 *
 * A service of a host is down when one of its checks is, up when all are, and otherwise stays what it was.
 * Each alert of the configuration is told of a failure once, when everything it wants has come true (after,
 * period, unacknowledged...), and of its end if it was told of the failure; nobody is told what lies behind a
 * dependency that fails, what is silenced or disabled, or flaps. Every node keeps all states, so that whoever
 * runs a watch next goes on where it stopped: watch_record() makes a record of a failure for the board,
 * watch_learn() takes one. Pure: no clock, no system call; time and results go in, notices come out. */
#pragma once

#include "base/instant.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCHED_NAME  160 /* "WATCH:SERVICE@HOST" */
#define WATCHED_TEXT  200
#define WATCHED_FLIPS 16
#define WATCHED_ROW   1000000 /* failures in a row; more are not counted */

enum watched_state { WATCHED_UNKNOWN, WATCHED_UP, WATCHED_DOWN };

/* The time of one step, all of it read by the caller at once. */
struct watch_time {
        instant now;
        int64_t wall_us; /* UTC: travels between nodes, where no other time is common */
        int weekday;     /* local, as tm_wday */
        int minute;      /* of that day */
};

/* What one alert has been told of a failure. */
struct watched_told {
        bool told;
        bool told_acknowledged;
        uint32_t times; /* that it still fails */
        instant at;     /* when last */
};

/* Failures of a check in a row. */
struct watched_row {
        int before; /* counted where it ran before, or by a checker that is dead */
        int now;
};

/* A service of a host. To be read only. */
struct watched {
        int watch, service, host; /* indices into the configuration */
        enum watched_state state;
        instant since;
        int64_t since_wall_us;
        enum watched_state check[CHECKS_MAX];
        struct watched_row row[CHECKS_MAX];
        char text[WATCHED_TEXT]; /* what its checks said last */
        bool blocked;            /* a dependency fails */
        instant unblocked;       /* when none did any more */
        bool flapping;
        int flip_count;
        instant flip[WATCHED_FLIPS]; /* its last changes, newest first */
        struct watched_told told[ALERTS_MAX];
        bool changed; /* since its record was made */
};

enum watch_mark_kind { MARK_ACKNOWLEDGED, MARK_SILENCED, MARK_DISABLED };
#define MARKS_MAX 256

/* What a person said about something watched. */
struct watch_mark {
        enum watch_mark_kind kind;
        char about[WATCHED_NAME]; /* WATCH, WATCH:SERVICE, WATCH:SERVICE@HOST or @HOST */
        int64_t since_wall_us;
        int64_t until_wall_us; /* 0: until it is taken back */
        char who[32];
        char text[64];
};

struct watch_notice {
        int alert;   /* index into config.alert */
        unsigned on; /* one bit of enum alert_on */
        const struct watched *watched;
        char id[WATCHED_NAME + 96]; /* of this notice, the same whoever makes it */
};

/* Somebody is to be told. */
typedef void watch_notice_fn(void *user, const struct watch_notice *notice);

struct watches;

/* `config` must live as long. NULL: out of memory. */
struct watches *watches_new(const struct config *config);
void watches_free(struct watches *w);
/* What of another generation is here too goes on from there, marks included. */
void watches_inherit(struct watches *w, const struct watches *from);

size_t watches_count(const struct watches *w);
const struct watched *watches_get(const struct watches *w, size_t i);
/* Index of a name, or -1. */
int watches_find(const struct watches *w, const char *name);
/* "WATCH:SERVICE@HOST". Returns `text`. */
const char *watched_name(const struct watches *w, const struct watched *t, char text[static WATCHED_NAME]);

const char *watches_check_name(const struct watches *w, const struct watched *t, int check);

/* When that was, by this node's clocks: not later than now. */
instant watch_instant(int64_t wall_us, const struct watch_time *time);

/* Whether this node runs that watch from now on. */
void watches_run(struct watches *w, int watch, bool here, const struct watch_time *time);
bool watches_runs(const struct watches *w, int watch);
/* What a check says now. `failures`: of it in a row; -1: nobody could look. */
void watches_result(struct watches *w, size_t i, int check, enum watched_state state, int failures,
                    const char *text, const struct watch_time *time);
/* How many failures in a row are to be counted for those who are told: 0, none wants a number. */
int watches_counted(const struct watches *w, size_t i);
/* Whether just so many failures as there are now are what an alert waits for. */
bool watches_reached(const struct watches *w, size_t i);
/* Failures in a row of the check that has most. */
int watched_failures(const struct watched *t);

/* Decides what is to be told by now. The return value is when to ask again: INSTANT_NEVER when nothing is
 * pending. */
instant watches_step(struct watches *w, const struct watch_time *time, watch_notice_fn *on_notice,
                     void *user);

/* Sets a mark, in place of one of the same kind about the same. -ENOSPC. */
int watches_mark(struct watches *w, const struct watch_mark *mark);
void watches_unmark(struct watches *w, enum watch_mark_kind kind, const char *about);
size_t watches_mark_count(const struct watches *w);
const struct watch_mark *watches_mark_get(const struct watches *w, size_t i);
/* The mark of this kind that holds for it, or NULL. */
const struct watch_mark *watches_marked(const struct watches *w, const struct watched *t,
                                        enum watch_mark_kind kind, int64_t wall_us);
/* Whether there is anything watched that `about` can mean. */
bool watches_knows(const struct watches *w, const char *about);

/* --- records, for the board --- */

#define WATCH_RECORD_MAX 1000
/* Writes what others must know of it. Bytes written; 0: nothing is worth a record. */
size_t watch_record(const struct watches *w, size_t i, uint8_t bytes[static WATCH_RECORD_MAX]);
/* Takes the record of something that another node runs. Its index; -EBADMSG; -ENOENT: nothing of ours;
 * -EBUSY: this node runs it and knows better. */
int watch_learn(struct watches *w, const uint8_t *bytes, size_t n, const struct watch_time *time);
/* Another node says that nothing of it is worth a record any more. */
void watch_forget(struct watches *w, size_t i, const struct watch_time *time);
size_t watch_mark_record(const struct watch_mark *m, uint8_t bytes[static WATCH_RECORD_MAX]);
/* 0 or -EBADMSG. */
int watch_mark_read(const uint8_t *bytes, size_t n, struct watch_mark *ret_mark);

/* Whether its record is another than it was when this was last asked. */
bool watches_take_changed(struct watches *w, size_t i);
/* Its record is to be made anew: somebody else has written one. */
void watches_insist(struct watches *w, size_t i);
/* Whether one of the things that the mark is about is down. */
bool watches_mark_matters(const struct watches *w, const struct watch_mark *mark);
