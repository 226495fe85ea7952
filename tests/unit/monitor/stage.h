/* stage.h - a loop, a checker on it, and waiting for what it says, with a limit. */
#pragma once

#include "monitor/checker.h"

#define STAGE_IDS 64

struct stage {
        uv_loop_t loop;
        struct checker *checker;
        struct check_result last[STAGE_IDS]; /* text and said are not kept here */
        char text[STAGE_IDS][REASON_TEXT];
        int results[STAGE_IDS];
        int failures[STAGE_IDS]; /* in a row, when the newest change came */
};

void stage_open(struct stage *s, const char *program);
void stage_close(struct stage *s);

/* Runs the loop until `done(s, arg)`; fails the test after ten seconds. */
typedef bool stage_done_fn(const struct stage *s, int arg);
void stage_until(struct stage *s, stage_done_fn *done, int arg, const char *what);
void stage_until_state(struct stage *s, uint32_t id, enum verdict_state state);
void stage_until_reason(struct stage *s, uint32_t id, enum reason reason);

/* Definitions for tests: every 50 ms, two of a kind decide. Their texts live until stage_close(), so nobody
 * calls check_done() on them. */
char *stage_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct config_check any_check(enum check_kind kind);
struct config_check http_check(const char *host, int port, const char *path);
struct config_check tcp_check(int port);
