/* fencer.h - powers nodes off, and makes sure.
 *
 *     all devices of a level: off -> all of them: status says off -> told "off" -> on, where that is wanted
 *                  |  one failed, or is still on: the next level; after the last one: told "could not"
 *
 * "Off" is told as soon as it is certain; switching on again comes after that and is nobody's business but
 * the log's. Whether a node is to be powered off is decided elsewhere. */
#pragma once

#include "config/config.h"
#include "disk/format.h"

#include <uv.h>

#define FENCER_TEXT 224

struct fencer;

/* What haven-fence-disk, the agent of `agent = disk`, is told besides the configuration. */
struct fencer_pill {
        char program[272];
        char lock[256]; /* a file of this node's: held by whoever writes its pills */
        int self;
        struct disk_keys keys;
};

/* `off`: it is certain; `asked`: when the status query left that said so, or the order to switch off where
 * devices know no status. `text` says how, or why not. */
typedef void fencer_end_fn(void *user, int node, bool off, instant asked, const char *text);

int fencer_new(uv_loop_t *loop, fencer_end_fn *on_end, void *user, struct fencer **ret_fencer);
/* Agents under way are killed; no callbacks. The loop must turn once more. */
void fencer_free(struct fencer *f);

/* Begins; the end is told by the callback, never during the call. 0, or a negative errno: -EALREADY it is
 * under way, -ENODEV no device. */
int fencer_off(struct fencer *f, const struct config *c, int node);
/* Copied. Without it a pill cannot be given. */
void fencer_set_pill(struct fencer *f, const struct fencer_pill *pill);
