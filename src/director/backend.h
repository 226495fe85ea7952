/* backend.h - who has a director's table, and what director.c asks of it: IPVS (ipvs/backend.c) and nftables
 * (nft/backend.c) alike.
 *
 * director.c knows the orders, the plan and the time; a back end knows how the table is read and changed. It
 * works in turns, a few milliseconds each, and says with director_end() and director_failed() what has become
 * of its task. For the files of the director only. */
#pragma once

#include "base/instant.h"
#include "director/table.h"

struct director;

struct backend {
        const char *name; /* "ipvs", "nft" */
        bool counts_bytes;
        bool stands; /* can have the table ready on standby */

        /* With the director, whether it will be the one that is used or not; nothing is touched. */
        void (*init)(struct director *d);
        void (*free)(struct director *d);
        /* It is the one, and the director may be started some day. */
        void (*stand_by)(struct director *d);
        /* As director_withdraw(). */
        void (*withdraw)(struct director *d);
        /* Goes on with the task of `d`: called again and again until that is over. */
        void (*turn)(struct director *d);
        /* Active, or on standby with a table, and without a task: follows the farm, and looks after the table
         * when that is due. */
        void (*tend)(struct director *d);
        /* A turn has no use until this is over, which says director_turn_soon(). */
        bool (*busy)(const struct director *d);
        /* When tend() has something to do besides. */
        instant (*due)(const struct director *d);
        /* As director_read(); sees to it that a later answer is no older than a second. */
        int (*read)(struct director *d, struct table *ret_table, size_t *ret_foreign, span *ret_age);
};

extern const struct backend backend_ipvs, backend_nft;

/* Whether the kernel has IPVS, or may have once a module is loaded. */
bool backend_ipvs_is_there(struct director *d);
/* Whether a director before us may have left its table in nftables. */
bool backend_nft_was_used(const struct director *d);
