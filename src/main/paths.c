#include "main/paths.h"

#include "base/text.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int path_join(const char *dir, const char *name, char path[static PATH_SIZE])
{
        return snprintf(path, PATH_SIZE, "%s/%s", dir, name) < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

int path_absolute(const char *given, char path[static PATH_SIZE])
{
        char here[PATH_SIZE];

        if (given[0] == '/')
                return text_copy(path, PATH_SIZE, given) ? 0 : -ENAMETOOLONG;
        if (!getcwd(here, sizeof(here)))
                return errno == ERANGE ? -ENAMETOOLONG : -errno;
        return path_join(here, given, path);
}

void path_self(const char *argv0, char path[static PATH_SIZE])
{
        ssize_t n;

        if (strchr(argv0, '/') && path_absolute(argv0, path) == 0)
                return;
        n = readlink("/proc/self/exe", path, PATH_SIZE - 1);
        path[n > 0 ? n : 0] = '\0';
}

int path_program(const char *name, char path[static PATH_SIZE])
{
        char self[PATH_SIZE];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n > 0) {
                self[n] = '\0';
                if (path_join(dirname(self), name, path) == 0 && access(path, X_OK) == 0)
                        return 0;
        }
        int error = path_join(HAVEN_LIBEXECDIR, name, path);
        if (!error && access(path, X_OK) == -1)
                error = -errno;
        return error;
}
