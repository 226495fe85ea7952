/* checker_inside.h - what checker.c and checker_saved.c share, and no one else. */
#pragma once

#include "monitor/checker.h"
#include "monitor/child.h"
#include "monitor/table.h"

#define CHECKER_TICK_MS 5000 /* the checker beats as often */

/* A check as the core wants it. */
struct wanted {
        uint32_t id;
        uint32_t generation;
        struct config_check check;
        struct verdict verdict;
        struct outcome outcome;
        instant at;
        bool told;  /* the process has this generation */
        bool there; /* the process has this or an earlier one */
};

/* A verdict of a former core, until its check is started. */
struct saved {
        struct verdict verdict;
        char *target;
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
};

/* What two definitions must share for the verdict of one to say something about the other. Returns `text`. */
#define TARGET_TEXT 1280
const char *check_identity(const struct config_check *check, char text[static TARGET_TEXT]);
void saved_free(struct checker *c);
