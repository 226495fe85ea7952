#include "resource/cgroup.h"

#include "base/file.h"
#include "resource/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_SIZE 256
#define KILL_ROUNDS 10 /* of the kernels before 5.14, which have no cgroup.kill: forking races with us */

static void append_name(char *path, const char *name)
{
        size_t n = strlen(path);

        snprintf(path + n, CGROUP_PATH - n, "/%s", name);
        for (char *c = path + n + 1; *c; c++)
                if (*c == '/')
                        *c = '_';
}

void resource_cgroup_path(const char *root, const char *group, const char *resource,
                          char path[static CGROUP_PATH])
{
        path[0] = '\0';
        if (!root[0])
                return;
        snprintf(path, CGROUP_PATH, "%s", root);
        append_name(path, group);
        append_name(path, resource);
}

int resource_cgroup_make(const char *path)
{
        char above[CGROUP_PATH];

        snprintf(above, sizeof(above), "%s", path);
        *strrchr(above, '/') = '\0';
        if (mkdir(above, 0755) == -1 && errno != EEXIST)
                return -errno;
        /* An empty one is replaced: since Linux 6.14 a program cloned into a cgroup that was killed before
         * dies at once, because its count of kills is compared with that of the cgroup it was cloned from. */
        rmdir(path);
        return mkdir(path, 0755) == -1 && errno != EEXIST ? -errno : 0;
}

void resource_cgroup_remove(const char *path)
{
        char above[CGROUP_PATH];

        if (!path[0] || rmdir(path) == -1)
                return;
        snprintf(above, sizeof(above), "%s", path);
        *strrchr(above, '/') = '\0';
        rmdir(above); /* fails as long as another resource is there, and should */
}

bool resource_cgroup_populated(const char *path)
{
        char file[CGROUP_PATH + 32], text[EVENTS_SIZE];

        if (!path[0])
                return false;
        snprintf(file, sizeof(file), "%s/cgroup.events", path);
        ssize_t n = file_read(file, text, sizeof(text) - 1);
        if (n < 0)
                return n != -ENOENT; /* cannot tell: assume the worse */
        text[n] = '\0';
        return !strstr(text, "populated 0");
}

/* Calls `fn` for each process in it until one answers true. */
static bool each_process(const char *path, bool fn(pid_t pid, void *user), void *user)
{
        char file[CGROUP_PATH + 32];
        bool found = false;
        long pid;

        snprintf(file, sizeof(file), "%s/cgroup.procs", path);
        FILE *f = fopen(file, "re");
        if (!f)
                return false;
        while (!found && fscanf(f, "%ld", &pid) == 1)
                found = fn((pid_t)pid, user);
        fclose(f);
        return found;
}

static bool is_pid(pid_t pid, void *user)
{
        return pid == *(pid_t *)user;
}

bool resource_cgroup_contains(const char *path, pid_t pid)
{
        return path[0] && each_process(path, is_pid, &pid);
}

static bool kill_pid(pid_t pid, void *user)
{
        (void)user;
        if (pid > 0)
                kill(pid, SIGKILL);
        return false;
}

int resource_cgroup_kill(const char *path)
{
        char file[CGROUP_PATH + 32];
        int error = 0;

        if (!path[0])
                return 0;
        snprintf(file, sizeof(file), "%s/cgroup.kill", path);
        int fd = open(file, O_WRONLY | O_CLOEXEC);
        if (fd == -1) {
                for (int i = 0; i < KILL_ROUNDS && resource_cgroup_populated(path); i++)
                        each_process(path, kill_pid, NULL);
                return 0;
        }
        if (write(fd, "1", 1) == -1)
                error = -errno;
        close(fd);
        return error;
}

struct resource_cgroup_await {
        int fd;
        struct loop_watch *watch;
        struct loop_timer *soon; /* it was empty already when asked */
        cgroup_empty_fn *on_empty;
        void *user;
};

static bool read_populated(int fd)
{
        char text[EVENTS_SIZE];
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

        if (n == -1)
                return errno != ENODEV; /* the cgroup is gone, and so is what was in it */
        text[n] = '\0';
        return !strstr(text, "populated 0");
}

static void on_soon(void *user)
{
        struct resource_cgroup_await *w = user;

        w->on_empty(w->user);
}

static void on_events(void *user, int events)
{
        struct resource_cgroup_await *w = user;

        (void)events;
        if (!read_populated(w->fd))
                w->on_empty(w->user);
}

struct resource_cgroup_await *resource_cgroup_await_new(uv_loop_t *loop, const char *path,
                                                        cgroup_empty_fn *on_empty, void *user)
{
        struct resource_cgroup_await *w = calloc(1, sizeof(*w));
        char file[CGROUP_PATH + 32];

        if (!w)
                return NULL;
        w->on_empty = on_empty;
        w->user = user;
        w->soon = loop_timer_new(loop, on_soon, w);
        snprintf(file, sizeof(file), "%s/cgroup.events", path);
        w->fd = path[0] ? open(file, O_RDONLY | O_CLOEXEC) : -1;
        /* reading first arms the notice of every later change */
        bool populated = w->fd != -1 && read_populated(w->fd);
        if (populated)
                w->watch = loop_watch_new(loop, w->fd, UV_PRIORITIZED, on_events, w);
        else if (w->soon)
                loop_timer_set(w->soon, SPAN_ZERO);
        if (!w->soon || (populated && !w->watch)) {
                resource_cgroup_await_free(w);
                return NULL;
        }
        return w;
}

void resource_cgroup_await_free(struct resource_cgroup_await *w)
{
        if (!w)
                return;
        loop_timer_free(w->soon);
        loop_watch_free(w->watch);
        if (w->fd != -1)
                close(w->fd);
        free(w);
}
