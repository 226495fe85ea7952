/* checker.h - the core's side of the checker: which checks shall run, and what they say.
 *
 * The checker process (haven-checker) is started with the first check and ended after the last. When it dies,
 * or is silent for 20 s, every check becomes unknown, never down, and it is started again, later each time.
 * The core never waits for it: what it shall run and what it has been told are two sets, and the difference
 * is sent when the socket takes it. */
#pragma once

#include "base/instant.h"
#include "config/config.h"
#include "monitor/reason.h"
#include "monitor/verdict.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct checker;

struct check_result {
        enum verdict_state state;
        bool changed;       /* the state is another than in the last result */
        instant since;      /* when it came into that state */
        instant at;         /* when it was looked at last; INSTANT_LONG_AGO: never by this checker */
        enum reason reason; /* how the newest look ended */
        int detail;         /* as the reason says (reason.h) */
        span took;          /* how long that look lasted */
        instant told;       /* when it was told so, by a trap; zero: it was not */
        int failures;       /* in a row, seen by this process */
        const char *said;   /* what was seen there beyond the reason; NULL: nothing. Valid during the call */
        const char *text;   /* for people: "http://10.0.0.111/: status 503, wanted 200-399"; valid
                               during the call */
};

/* Called from the loop on every change of state or reason, on the first look after a start, and now and then
 * to say that nothing changed; from within checker_start() only when the process cannot be started. May start
 * and stop checks, but not free the checker. */
typedef void check_result_fn(void *user, uint32_t id, const struct check_result *result);

/* `program` is the absolute path of haven-checker. 0 or a negative errno. */
int checker_new(uv_loop_t *loop, const char *program, check_result_fn *on_result, void *user,
                struct checker **ret_checker);
/* Ends the process. The loop must run once more for its handles to close. */
void checker_free(struct checker *c);

/* Runs the check under a number of the caller's, below UINT32_MAX. The same number again is a reload: an
 * equal definition goes on untouched; another rhythm keeps the verdict; another target starts as unknown. The
 * definition is copied. 0; -EINVAL and -E2BIG as check_encode(); -ENOMEM; -ENOSPC at TABLE_MAX. A process
 * that cannot be started is no error here but a result: unknown, REASON_NO_CHECKER. Costs some microseconds,
 * however many there are. */
int checker_start(struct checker *c, uint32_t id, const struct config_check *check);
/* What it was told (trap) where it ran before: as check_result said it. Nothing newer is forgotten for it.
 * The next process is told the same by itself. */
void checker_remember(struct checker *c, uint32_t id, instant told, int detail, const char *said);
/* So many failures in a row are each a result, for who counts them; 0 unless set. */
void checker_count(struct checker *c, uint32_t id, int failures);
/* No result of it comes any more. An unknown number is ignored. */
void checker_stop(struct checker *c, uint32_t id);

/* What is known of a check now, with its text in `text`. False if it does not run. */
bool checker_result(const struct checker *c, uint32_t id, struct check_result *ret_result,
                    char text[static REASON_TEXT]);

/* Writes the verdicts with their age for the next core of this boot. 0 or a negative errno. */
int checker_save(const struct checker *c, const char *path);
/* Does so by itself from now on, a moment after each change; `path` lies in the run directory, on tmpfs,
 * where that is cheap. */
void checker_keep(struct checker *c, const char *path);
/* Reads them back, before checker_start(): a check whose number and target are the same goes on from its
 * saved verdict, which checker_result() shows at once and on_result confirms or overturns with the first
 * look. What another boot has saved is not used. 0; -ENOENT; -ESTALE of another boot; -EBADMSG not a saved
 * state, nothing is used then. */
int checker_load(struct checker *c, const char *path);

/* Of the checker process; 0 when none runs. */
int checker_pid(const struct checker *c);
