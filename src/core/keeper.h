/* keeper.h - keeps a file like a piece of memory, written beside the loop, so that a slow disk delays no
 * heartbeat (beside.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct keeper;

/* The bytes to write, which the keeper frees: 0 or a negative errno. */
typedef int keeper_bytes_fn(void *user, uint8_t **ret_bytes, size_t *ret_n);
/* 0 or a negative errno. */
int keeper_new(uv_loop_t *loop, const char *path, keeper_bytes_fn *bytes, void *user,
               struct keeper **ret_keeper);
/* What the file holds differs from now on: it is written, at once if nothing is being written. */
void keeper_changed(struct keeper *k);
/* Waits for the write under way, and writes what has changed since. The loop must run once more. */
void keeper_free(struct keeper *k);
