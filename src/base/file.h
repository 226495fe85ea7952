/* file.h - small files, read whole and replaced whole. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Reads up to `size` bytes of `path`. Bytes read, -EFBIG if the file is larger, or a negative errno. */
ssize_t file_read(const char *path, void *buffer, size_t size);

/* Replaces `path` so that after a power cut it holds the old or the new content, never a mixture: writes
 * PATH.new, fsyncs it, renames it, fsyncs the directory. 0, or a negative errno; then `path` is as before. */
int file_replace(const char *path, const void *bytes, size_t n, mode_t mode);
