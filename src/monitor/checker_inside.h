/* checker_inside.h - what checker.c and checker_saved.c share, and no one else. */
#pragma once

#include "child/child.h"
#include "monitor/checker.h"
#include "monitor/table.h"

#define CHECKER_TICK_MS 5000 /* the checker beats as often */

/* A check as the core wants it. */
struct wanted {
        uint32_t id;
        uint32_t generation;
        uint8_t *check; /* by check_encode(): its rhythm, then what it looks at */
        size_t check_size;
        size_t rhythm_size;
        char *target;
        span timeout;
        struct verdict verdict;
        struct outcome outcome; /* `said` is its own */
        instant at;
        struct outcome *past; /* what it was told last (trap), `said` being its own; NULL: nothing */
        int count;            /* so many failures in a row are reported one by one */
        bool told;            /* the process has this generation */
        bool there;           /* the process has this or an earlier one */
};

/* A verdict of a former core, until its check is started. */
struct saved {
        struct verdict verdict;
        uint64_t identity;
};

struct checker {
        uv_loop_t *loop;
        char program[512];
        check_result_fn *on_result;
        void *user;
        struct table wanted;
        struct table stopping; /* of struct wanted: stopped here, the process does not know yet */
        struct table saved;
        uint32_t generations;
        uint32_t untold; /* START is owed from this number on; UINT32_MAX: to none */

        /* the process; NULL: none */
        struct child *child;
        struct link *link;
        instant born;
        int silent_ticks;
        uint64_t tick_ms; /* CHECKER_TICK_MS; tests have less patience */

        uv_timer_t *timer; /* watches the process while one runs, else waits to start it */
        span retry_after;  /* grows with each death */

        char keep_path[512];    /* empty: not kept */
        uv_timer_t *keep_timer; /* runs while something is not saved */
};

/* What two definitions must share for the verdict of one to say something about the other, as a number. */
uint64_t wanted_identity(const struct wanted *w);
void saved_free(struct checker *c);
/* A state has changed: it is to be saved soon. */
void saved_due(struct checker *c);
