/* state.h - what a node must remember over a reboot: its boot count, its vote, the document.
 *
 * Two files in the state directory. `boot` counts the supervisors that ever ran here and is written by the
 * supervisor alone, before it starts a core. `cluster` holds the rest and is written by the core alone.
 * Without both there is no vote (rules.md rule 6); only `haven init` makes a voter from nothing. */
#pragma once

#include "base/instant.h"
#include "cluster/arbiter.h"
#include "cluster/document.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_TEXT 512 /* room for a message about a file */

/* Adds one to the count in `dir`/boot, durably, and returns it. 0 in *ret_boot: there is no count to go on
 * from, so there is no valid state; nothing is written. -EBADMSG: the file is no count. Else a negative
 * errno; in every case of error *ret_boot is 0. */
int state_boot_next(const char *dir, uint64_t *ret_boot);
/* Its two halves. -ENOENT, -EBADMSG as above; *ret_boot is 0 then. */
int state_boot_read(const char *dir, uint64_t *ret_boot);
int state_boot_write(const char *dir, uint64_t boot);

/* Locks `dir` for this process and what inherits the descriptor: a node's promises have one owner. The
 * descriptor; -EWOULDBLOCK: another havend has it; -ENOENT: there is none yet; or another negative errno. */
int state_lock(const char *dir);

struct state {
        char node[NAME_SIZE]; /* whose it is: a cloned disk does not make a second voter of one name */
        bool valid;           /* a voter; false while a node without history waits to be readmitted */
        uint32_t term;
        uint8_t voted_for; /* node index, NODE_NONE */
        struct version committed;
        struct arbiter_memory told; /* by a strong arbiter; zero in a state of an earlier release */
        struct document document;
};

/* Reads `dir`/cluster. 0; -ENOENT: there is none; -EBADMSG: it is damaged or of another version; or another
 * negative errno. On error `text` says what is wrong with which file, and *ret_state is untouched: go on as a
 * node without state. */
int state_load(const char *dir, struct state *ret_state, char text[static STATE_TEXT]);

/* Replaces it durably. Touches nothing but its arguments, so a worker thread may run it; two at once for one
 * `dir` may not. 0 or a negative errno; then the old one stands. */
int state_save(const char *dir, const struct state *state);

/* `haven init`: makes `dir` (0700) the state of a new voter `node`, empty document, no vote given. Refuses
 * with -EEXIST where a state is, but with `force`; with -EBUSY where one is and a havend goes by it; a forced
 * boot count goes on above the old one and is never below the wall clock in seconds, so that peers see a
 * newer incarnation even when the old count is lost. On error `text` says what is wrong, and what to do. */
int state_init(const char *dir, const char *node, bool force, char text[static STATE_TEXT]);
