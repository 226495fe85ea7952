#include "main/paths.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
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
