/* inside.h - what the files of the runner share, and no one else. */
#pragma once

#include "monitor/packet.h"
#include "monitor/runner/due.h"
#include "monitor/runner/lookup.h"
#include "monitor/runner/runner.h"
#include "monitor/table.h"

/* A kind's door, opened. */
struct room {
        const struct probe_kind *door;
        void *shared;
};

struct runner {
        uv_loop_t *loop;
        int fd;
        uv_poll_t poll;
        uv_timer_t beat;
        struct table checks; /* of struct look */
        struct due_heap due; /* of all of them */
        uv_timer_t timer;    /* for the first of these */
        uint64_t timer_ms;   /* uv_now() that it is set to */
        bool more_due;       /* than one turn of the loop begins */
        uv_prepare_t turn;
        instant now; /* of this turn, if somebody has asked; else INSTANT_NEVER */
        struct probe_house house;
        char object_dir[512];
        struct room room[2 * CHECK_KINDS]; /* of each kind in use, in no order; a kind may have two doors */
        size_t room_count;
        const struct lookup_kind *names; /* NULL: none was looked up so far */
        uint32_t started;                /* checks so far: each gets a place in its interval by this */
        int handles;                     /* open ones of the four above; free with the last */
        uint32_t waiting_from;           /* unsent reports start at this id; UINT32_MAX: none */
        struct packet steady;            /* to be sent when it is full, or with the next beat */
};

/* One check: either waiting for its turn or looking. */
struct look {
        struct due due; /* the turn, or the look's timeout; its first member */
        struct runner *runner;
        uint32_t id;
        uint32_t generation;
        struct config_check check;
        struct verdict verdict;
        uint32_t place;        /* in its interval, as a fraction of 2^32 */
        uint64_t turn_ms;      /* uv_now() of the turn that is next or under way */
        bool on_grid;          /* that is one of its places, an interval from the next */
        struct probe *probe;   /* NULL: not looking */
        struct lookup *lookup; /* of its host's name, before that; NULL: none is under way */
        struct room *room;     /* NULL: never looked */
        instant began;
        struct outcome outcome; /* `said` is its own */
        instant at;
        instant reported;
        int unreported; /* looks since the core was told */
        int count;      /* so many failures in a row are reported one by one */
        bool reworded;  /* `said` is not what the core was told */
        bool waiting;   /* told to, but the socket was full */
};

/* The reading of the clock that is this turn's. */
instant runner_now(struct runner *r);

/* --- look.c --- */

/* The nth check's place in its interval: they lie evenly, however many there are. */
uint32_t look_place(uint32_t n);
/* The first turn of a new check. 0 or -ENOMEM. */
int look_add(struct look *l);
/* What the core gives it to go on from: what was told to a process before this one. */
void look_remember(struct look *l, const struct packet *p);
/* Its moment has come: it begins, or is cut. */
void look_turn(struct look *l);
void look_free(struct look *l);

/* --- report.c --- */

/* False when the core does not read now. */
bool runner_send(struct runner *r, const struct packet *p);
/* A look has ended, and the core may have to know. `changed`: it has another state, or another reason. */
void look_report(struct look *l, bool changed);
/* The socket has room for what waits. */
void runner_send_waiting(struct runner *r);
/* What was put aside, because nothing has changed there. */
void runner_send_steady(struct runner *r);
/* Whether to be told of room in the socket. */
void runner_want_room(struct runner *r, bool wanted);
