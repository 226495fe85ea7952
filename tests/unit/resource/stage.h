/* stage.h - an engine on a loop of its own, with what it reported, for the tests of this room. */
#pragma once

#include "resource/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define REPORTS_MAX 256

struct stage {
        uv_loop_t loop;
        struct engine *engine;
        struct config config;
        struct config_node node;
        struct config_group group;
        struct config_resource resource[8];
        char directory[64]; /* scripts, their log, run_dir */
        char cgroup[128];   /* "" when not root */
        int life[2];
        size_t count;
        enum engine_report_kind kind[REPORTS_MAX];
        char text[REPORTS_MAX][512];
        size_t seen; /* by stage_await() */
        void (*on_report)(struct stage *s, const struct engine_report *report);
};

/* The directory with its script, an empty group "g", a cgroup if `cgroup` and root. */
void stage_init(struct stage *s, bool cgroup);
/* Kills what is left, removes everything. */
void stage_done(struct stage *s);
/* Teardown: does that for a stage that a failed test left. It must not lie on the test's stack. */
int stage_clear(void **state);
void stage_open(struct stage *s);  /* makes the engine */
void stage_close(struct stage *s); /* frees it, without stopping anything */

/* An LSB script NAME that keeps its state in DIRECTORY/NAME.run and writes "NAME ACTION" to DIRECTORY/log;
 * NAME.fail-ACTION makes that action fail. */
struct config_resource *stage_script(struct stage *s, const char *name);
struct config_resource *stage_process(struct stage *s, const char *name, const char *shell_text);
struct config_resource *stage_address(struct stage *s, const char *ip);

/* Turns the loop until a report of this kind comes (reports before it are passed by) and returns its text;
 * fails the test after 20 s. */
const char *stage_await(struct stage *s, enum engine_report_kind kind);
/* Turns the loop until `done` is true. */
void stage_until(struct stage *s, bool (*done)(struct stage *s));
size_t stage_reported(const struct stage *s, enum engine_report_kind kind);

void stage_flag(struct stage *s, const char *name); /* makes DIRECTORY/name */
void stage_unflag(struct stage *s, const char *name);
bool stage_flagged(struct stage *s, const char *name);
/* What is in DIRECTORY/name, without the last newline, newlines as ", ". */
const char *stage_read(struct stage *s, const char *name);
#define stage_log(s) stage_read(s, "log")

/* fake_takeover.c: a takeover without a kernel. */
extern int fake_release_error;
extern bool fake_refuse;
extern char fake_log[512];
void fake_event(struct address *a, int event, const char *text);
