#include "supervisor/supervisor.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The lock file: "PID\n" of the supervisor, then "PID STARTTIME\n" of its core. Locked by flock(2) as long as
 * the supervisor lives. */
#define LOCK_TEXT 96

/* When the process started, in ticks since boot; 0 if it is gone, or has another name than the one wanted
 * (NULL: any). proc(5), /proc/PID/stat. */
static unsigned long long process_starttime(pid_t pid, const char *wanted)
{
        char path[64], name[32];
        unsigned long long start;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        FILE *stat = fopen(path, "re");
        if (!stat)
                return 0;
        int fields = fscanf(
                stat,
                "%*d (%31[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                "%*d %llu",
                name, &start);
        fclose(stat);
        return fields == 2 && (!wanted || strcmp(name, wanted) == 0) ? start : 0;
}

static ssize_t lock_read(int fd, char text[static LOCK_TEXT])
{
        ssize_t n = pread(fd, text, LOCK_TEXT - 1, 0);

        text[n > 0 ? n : 0] = '\0';
        return n;
}

/* A core that stood still when its supervisor was killed has not left. Now two would serve one node. */
static void outlived_core_kill(int fd)
{
        char text[LOCK_TEXT];
        int supervisor, core;
        unsigned long long start;

        lock_read(fd, text);
        if (sscanf(text, "%d\n%d %llu", &supervisor, &core, &start) != 3 || start == 0)
                return;
        if (process_starttime(core, "haven-core") != start)
                return;
        log_warning("core: pid %d of an earlier havend (pid %d) has outlived it, killed", core, supervisor);
        kill(core, SIGKILL);
}

static void lock_write(int fd, const char *text)
{
        size_t n = strlen(text);

        /* for people and for the next supervisor; the lock itself is flock(2)'s */
        if (ftruncate(fd, 0) == -1 || pwrite(fd, text, n, 0) != (ssize_t)n)
                log_warning("%s: cannot be written: %s", PATH_LOCK, strerror(errno));
}

/* Opened and locked, and still the file of that name: its last owner may have removed it in between. */
static int open_locked(const char *path)
{
        struct stat ours, named;

        for (;;) {
                int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
                if (fd == -1)
                        return -errno;
                if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
                        int error = -errno;
                        char text[LOCK_TEXT];
                        lock_read(fd, text);
                        close(fd);
                        if (error == -EWOULDBLOCK)
                                log_error("%s: another havend (pid %d) runs with this run directory", path,
                                          atoi(text));
                        return error;
                }
                if (fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
                    ours.st_dev == named.st_dev)
                        return fd;
                close(fd);
        }
}

int lock_take(struct supervisor *s)
{
        const char *dir = s->options.run_dir;
        char path[PATH_SIZE], text[LOCK_TEXT];

        if (mkdir(dir, 0755) == -1 && errno != EEXIST) {
                log_error("%s: cannot make the run directory: %s", dir, strerror(errno));
                return HAVEND_EXIT_FAILURE;
        }
        int fd = path_join(dir, PATH_LOCK, path);
        if (!fd)
                fd = open_locked(path);
        if (fd < 0) {
                if (fd != -EWOULDBLOCK)
                        log_error("%s/%s: cannot be locked: %s", dir, PATH_LOCK, strerror(-fd));
                return HAVEND_EXIT_FAILURE;
        }
        outlived_core_kill(fd);
        snprintf(text, sizeof(text), "%d\n", (int)getpid());
        lock_write(fd, text);
        s->lock = fd;
        return 0;
}

void lock_note_core(struct supervisor *s)
{
        char text[LOCK_TEXT];

        /* it is a copy of us until it has become the core: its start time is known, its name is not yet */
        snprintf(text, sizeof(text), "%d\n%d %llu\n", (int)getpid(), (int)s->core,
                 process_starttime(s->core, NULL));
        lock_write(s->lock, text);
}

void lock_drop(struct supervisor *s)
{
        char path[PATH_SIZE];

        if (s->lock == -1)
                return;
        if (path_join(s->options.run_dir, PATH_LOCK, path) == 0)
                unlink(path);
        close(s->lock);
        s->lock = -1;
}
