/* disk.h - the disk arbiter as the core sees it: questions in, answers out, and packets for other nodes.
 *
 * Runs the voter (voter.h) over the process haven-disk, which does the reading and writing. Nothing here
 * waits for the disk: a disk that hangs leaves questions unanswered, and status says since when. */
#pragma once

#include "base/instant.h"
#include "cluster/arbiter.h"
#include "disk/format.h"
#include "disk/voter.h"

#include <uv.h>

struct disk;

struct disk_setup {
        uv_loop_t *loop;
        const char *program; /* haven-disk; NULL: the installed one */
        const char *device;
        const char *lock; /* a file of this node's: held by the haven-disk that may write */
        const char *cluster;
        uint8_t self;
        uint8_t node_count;
        struct incarnation writer;
        span interval; /* between readings in peace */
        struct disk_keys keys;
        /* Callbacks may ask and mail, and may not free. Answer to the newest question, asked at `asked`; `a`
         * and its document are valid until it returns. */
        void (*on_answer)(void *user, const struct arbiter_answer *a, instant asked, const char *text);
        /* A packet that `from` has left for us, once. NULL: nobody reads mail. */
        void (*on_mail)(void *user, uint8_t from, const uint8_t *bytes, size_t n, instant received);
        /* The disk works again, or does not, and why. */
        void (*on_state)(void *user, bool works, const char *text);
        void *user;
};

/* Copies the texts. 0 or a negative errno. */
int disk_new(const struct disk_setup *setup, struct disk **ret_disk);
/* From now on: our number is ours for certain, and what is written under it cannot be another's. Once; that
 * the process cannot be started is on_state's to tell. */
void disk_start(struct disk *d);
/* How many nodes the area has room for; 0: it was not opened yet. */
uint8_t disk_slots(const struct disk *d);
/* No callback any more; the process ends when the write under way has. */
void disk_free(struct disk *d);
/* How often it is read from now on. */
void disk_set_interval(struct disk *d, span interval);

/* The first seals from now on, all are accepted. What this node has on the disk is sealed anew. */
void disk_set_keys(struct disk *d, const struct disk_keys *keys);

/* A later question replaces one that was not taken up yet. */
void disk_ask(struct disk *d, const struct arbiter_question *question);
/* The newest packet for that node replaces one before. 0, -EMSGSIZE, or -EIO while the disk does not work. */
int disk_mail(struct disk *d, uint8_t to, const uint8_t *bytes, size_t n);

/* For status: "answers in 3ms", "has not answered for 12s". Returns `text`. */
const char *disk_describe(const struct disk *d, char *text, size_t size);
bool disk_works(const struct disk *d);
