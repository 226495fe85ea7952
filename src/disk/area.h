/* area.h - the arbiter's disk as an open file: what may be opened, and whole blocks to and from it.
 *
 * Blocking, and slow when the disk is: for the process haven-disk and for `haven disk`, never for the core.
 * Past every cache (O_DIRECT) where the file system permits it, and on the medium when a write returns
 * (O_DSYNC). */
#pragma once

#include "disk/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AREA_TEXT 256

struct area {
        int fd;
        bool block_device;
        bool direct;    /* false: through the page cache; good for this kernel alone */
        uint64_t bytes; /* of the device or file */
};

/* 0, or a negative errno with the reason in `why`. `write` false: for looking at it only. */
int area_open(struct area *a, const char *path, bool write, char why[static AREA_TEXT]);
void area_close(struct area *a);

/* `at` and `n` are whole blocks, `bytes` is aligned to one. All of it, or a negative errno (-ENODATA: past
 * the end). */
int area_read(const struct area *a, uint64_t at, uint8_t *bytes, size_t n);
int area_write(const struct area *a, uint64_t at, const uint8_t *bytes, size_t n);

/* Whose area it is. 0; -EINVAL when it is none of this cluster's with room for so many nodes, -errno when it
 * cannot be read: then `why` says what it is, and what would be right. */
int area_identify(const struct area *a, const char *cluster, uint8_t node_count,
                  struct disk_header *ret_header, char why[static AREA_TEXT]);

/* Both records of a node as they stood at one moment: `bytes` has room for two of DISK_RECORD. 0, or a
 * negative errno (-EAGAIN: they were written faster than they could be read). */
int area_read_records(const struct area *a, const struct disk_header *h, uint8_t node, uint8_t *bytes,
                      size_t ret_n[static 2]);
/* The mail of one node to another; *ret_n bytes of it. */
int area_read_mail(const struct area *a, uint8_t from, uint8_t to, uint8_t *bytes, size_t *ret_n);

/* What a stranger would call what stands at the start of the device: "an ext4 file system", "a partition
 * table". False: nothing that is known. Reads only. */
bool area_recognise(const struct area *a, char what[static AREA_TEXT]);
