#include "supervisor/cgroup.h"

#include "base/file.h"
#include "base/text.h"
#include "main/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOUNTINFO_BYTES_MAX (256 * 1024) /* a machine full of containers has thousands of mounts */
#define CGROUP_BYTES_MAX    8192
#define EMPTY_TRIES         200 /* of EMPTY_PAUSE_NS: two seconds for killed processes to vanish */
#define EMPTY_PAUSE_NS      10000000

/* The path behind "0::" (cgroups(7)): the unified hierarchy's line. */
static bool own_cgroup(const char *cgroup, char *own, size_t size)
{
        const char *line = strncmp(cgroup, "0::", 3) == 0 ? cgroup : strstr(cgroup, "\n0::");

        if (!line)
                return false;
        line += line[0] == '\n' ? 4 : 3;
        size_t n = strcspn(line, "\n");
        if (n >= size || n == 0 || line[0] != '/')
                return false;
        memcpy(own, line, n);
        own[n] = '\0';
        return true;
}

/* mountinfo writes blank, tab, newline and backslash as \ooo (proc(5)). */
static void unescape(char *text)
{
        char *to = text;

        for (const char *at = text; *at; at++) {
                if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
                    at[3] >= '0' && at[3] <= '7') {
                        *to++ = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
                        at += 3;
                } else {
                        *to++ = *at;
                }
        }
        *to = '\0';
}

/* One line: "ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS... - TYPE SOURCE OPTIONS". */
static bool cgroup2_mount(const char *line, size_t n, char root[static PATH_SIZE],
                          char point[static PATH_SIZE])
{
        char text[2 * PATH_SIZE + 128];
        char *rest = text;

        if (n >= sizeof(text))
                return false;
        memcpy(text, line, n);
        text[n] = '\0';
        const char *type = strstr(text, " - ");
        if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
                return false;
        for (int field = 0; field < 3; field++)
                if (!strsep(&rest, " "))
                        return false;
        const char *root_text = strsep(&rest, " "), *point_text = strsep(&rest, " ");
        if (!rest || !text_copy(root, PATH_SIZE, root_text) || !text_copy(point, PATH_SIZE, point_text))
                return false;
        unescape(root);
        unescape(point);
        return true;
}

/* What of `own` lies below the mount's root; NULL when the mount does not show it. */
static const char *below(const char *root, const char *own)
{
        size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

        if (strncmp(own, root, n) != 0 || (own[n] != '/' && own[n] != '\0'))
                return NULL;
        return strcmp(own + n, "/") == 0 ? "" : own + n;
}

int cgroup_path_find(const char *mountinfo, const char *cgroup, char *path, size_t size)
{
        char own[PATH_SIZE], root[PATH_SIZE], point[PATH_SIZE];

        if (!own_cgroup(cgroup, own, sizeof(own)))
                return -ENOENT;
        for (const char *line = mountinfo; *line;) {
                size_t n = strcspn(line, "\n");
                const char *rest;
                if (cgroup2_mount(line, n, root, point) && (rest = below(root, own)))
                        return (size_t)snprintf(path, size, "%s%s", point, rest) < size ? 0 : -ENAMETOOLONG;
                line += n + (line[n] == '\n');
        }
        return -ENOENT;
}

/* Read in pieces: files of /proc have no size and may be long. Freed by the caller; NULL with errno set. */
static char *read_text(const char *path, size_t max)
{
        char *text = malloc(max + 1);

        if (!text)
                return NULL;
        ssize_t n = file_read(path, text, max);
        if (n < 0) {
                free(text);
                errno = (int)-n;
                return NULL;
        }
        text[n] = '\0';
        return text;
}

static int own_path(char *path, size_t size)
{
        char *mountinfo = read_text("/proc/self/mountinfo", MOUNTINFO_BYTES_MAX);
        char *cgroup = mountinfo ? read_text("/proc/self/cgroup", CGROUP_BYTES_MAX) : NULL;
        int error = cgroup ? cgroup_path_find(mountinfo, cgroup, path, size) : -errno;

        free(cgroup);
        free(mountinfo);
        return error;
}

static int write_file(const char *dir, const char *name, const char *text)
{
        char path[PATH_SIZE + 64];

        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
                return -ENAMETOOLONG;
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd == -1)
                return -errno;
        int error = write(fd, text, strlen(text)) == -1 ? -errno : 0;
        close(fd);
        return error;
}

bool cgroup_populated(const char *path)
{
        char events[PATH_SIZE + 64], text[256];

        snprintf(events, sizeof(events), "%s/cgroup.events", path);
        ssize_t n = file_read(events, text, sizeof(text) - 1);
        if (n < 0)
                return false;
        text[n] = '\0';
        return strstr(text, "populated 1") != NULL;
}

/* Kernels before 5.14 have no cgroup.kill: one process after the other. What forks meanwhile is met in the
 * next round of the caller, or escapes it: such a kernel promises no more. */
static void kill_listed(const char *dir)
{
        char path[PATH_SIZE + 64], line[32];

        snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
        FILE *procs = fopen(path, "re");
        if (!procs)
                return;
        while (fgets(line, sizeof(line), procs)) {
                long pid = strtol(line, NULL, 10);
                if (pid > 1)
                        kill((pid_t)pid, SIGKILL);
        }
        fclose(procs);
}

/* Calls `visit` for every directory of the tree, the deepest first. */
static int each_directory(const char *path, int (*visit)(const char *dir))
{
        char *roots[] = {(char *)path, NULL};
        FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        FTSENT *entry;
        int first_error = 0;

        if (!tree)
                return -errno;
        while ((entry = fts_read(tree))) {
                if (entry->fts_info != FTS_DP)
                        continue;
                int error = visit(entry->fts_path);
                if (error && !first_error)
                        first_error = error;
        }
        fts_close(tree);
        return first_error;
}

static int visit_kill(const char *dir)
{
        kill_listed(dir);
        return 0;
}

static int visit_remove(const char *dir)
{
        return rmdir(dir) == -1 && errno != ENOENT ? -errno : 0;
}

int cgroup_kill(const char *path)
{
        int error = write_file(path, "cgroup.kill", "1");

        if (error != -ENOENT || access(path, F_OK) == -1)
                return error;
        return each_directory(path, visit_kill);
}

/* Killed processes take a moment to leave their cgroup. */
int cgroup_clear(const char *path)
{
        const struct timespec pause = {.tv_nsec = EMPTY_PAUSE_NS};

        for (int i = 0; i < EMPTY_TRIES && cgroup_populated(path); i++) {
                cgroup_kill(path);
                nanosleep(&pause, NULL);
        }
        return each_directory(path, visit_remove);
}

int cgroup_claim(const char *run_dir, char *path, size_t size, bool *ret_leftovers)
{
        char own[PATH_SIZE];

        *ret_leftovers = false;
        path[0] = '\0';
        int error = own_path(own, sizeof(own));
        if (!error && (size_t)snprintf(path, size, "%s/haven.%08x", own, text_id(run_dir)) >= size)
                error = -ENAMETOOLONG;
        if (!error && access(path, F_OK) == 0) {
                *ret_leftovers = cgroup_populated(path);
                error = cgroup_clear(path);
        }
        if (!error && mkdir(path, 0755) == -1)
                error = -errno;
        if (error)
                path[0] = '\0';
        return error;
}
