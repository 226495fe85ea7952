#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t file_read(const char *path, void *buffer, size_t size)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t n = 0;
        ssize_t r;
        uint8_t more;

        if (fd == -1)
                return -errno;
        while (n < size && (r = read(fd, (uint8_t *)buffer + n, size - n)) > 0)
                n += (size_t)r;
        r = n < size ? r : read(fd, &more, 1);
        ssize_t result = r == -1 ? -errno : r > 0 ? -EFBIG : (ssize_t)n;
        close(fd);
        return result;
}

static int write_synced(const char *path, const void *bytes, size_t n, mode_t mode)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
        int error = 0;

        if (fd == -1)
                return -errno;
        for (size_t done = 0; done < n && !error;) {
                ssize_t r = write(fd, (const uint8_t *)bytes + done, n - done);
                if (r == -1)
                        error = -errno;
                else
                        done += (size_t)r;
        }
        if (!error && fsync(fd) == -1)
                error = -errno;
        if (close(fd) == -1 && !error)
                error = -errno;
        return error;
}

static int sync_directory_of(const char *path)
{
        char copy[PATH_MAX];

        snprintf(copy, sizeof(copy), "%s", path);
        int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd == -1)
                return -errno;
        int error = fsync(fd) == -1 ? -errno : 0;
        close(fd);
        return error;
}

int file_replace(const char *path, const void *bytes, size_t n, mode_t mode)
{
        char fresh[PATH_MAX];
        int error;

        if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
                return -ENAMETOOLONG;
        error = write_synced(fresh, bytes, n, mode);
        if (!error && rename(fresh, path) == -1)
                error = -errno;
        if (error) {
                unlink(fresh);
                return error;
        }
        return sync_directory_of(path);
}
