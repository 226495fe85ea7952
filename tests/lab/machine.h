/* machine.h - what the two programs share that put processes on lab machines: their last word, and the way
 * into the machine's cgroup. PROGRAM and DIE_STATUS are the program's. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((format(printf, 1, 2), noreturn)) static inline void die(const char *format, ...)
{
        int error = errno;
        va_list ap;

        va_start(ap, format);
        fputs(PROGRAM ": ", stderr);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fprintf(stderr, ": %s\n", strerror(error));
        exit(DIE_STATUS);
}

/* "": none. */
static inline void join_cgroup(const char *directory)
{
        char path[512];

        if (directory[0] == '\0')
                return;
        snprintf(path, sizeof path, "%s/cgroup.procs", directory);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd == -1 || write(fd, "0", 1) == -1)
                die("%s", path);
        close(fd);
}
