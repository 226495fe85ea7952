/* writer.h - writes the state file, beside the loop (beside.h). */
#pragma once

#include "main/state.h"

#include <stdbool.h>
#include <uv.h>

struct writer;

/* Called from the loop when what was given is on disk (0), or could not be written (negative errno). */
typedef void writer_done_fn(void *user, int error);

/* `dir` must stay valid. 0 or a negative errno. */
int writer_new(uv_loop_t *loop, const char *dir, writer_done_fn *on_done, void *user,
               struct writer **ret_writer);
/* Waits for the write under way. */
void writer_free(struct writer *w);

/* False while a write is under way: ask again when it is done. Copies `state`. */
bool writer_write(struct writer *w, const struct state *state);
