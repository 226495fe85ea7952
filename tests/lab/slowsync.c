/* slowsync.c - a disk that takes its time, for one process: LD_PRELOAD it.
 *
 * While the file named by LAB_SLOWSYNC exists, fsync(2) takes LAB_SLOWSYNC_S seconds more; so long FILE.busy
 * exists beside it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd)
{
        const char *path = getenv("LAB_SLOWSYNC"), *seconds = getenv("LAB_SLOWSYNC_S");
        char busy[256];

        if (path && seconds && access(path, F_OK) == 0) {
                snprintf(busy, sizeof(busy), "%s.busy", path);
                int mark = open(busy, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                sleep((unsigned)atoi(seconds));
                unlink(busy);
                if (mark != -1)
                        close(mark);
        }
        return (int)syscall(SYS_fsync, fd);
}
