/* paths.h - where havend keeps its files, and what they are called. */
#pragma once

#include <stddef.h>

#define PATH_SIZE 256 /* of every path that havend is given or makes, with the end */

#define PATH_CONFIG_DEFAULT "/etc/haven/haven.conf"
#define PATH_RUN_DEFAULT    "/run/haven"
#define PATH_STATE_DEFAULT  "/var/lib/haven"

/* in the run directory */
#define PATH_LOCK    "havend.lock"
#define PATH_SOCKET  "haven.sock"
#define PATH_RUNNING "running.conf"
/* in the state directory */
#define PATH_BOOT    "boot"
#define PATH_CLUSTER "cluster"

/* "DIR/NAME" into `path`. 0, or -ENAMETOOLONG. */
int path_join(const char *dir, const char *name, char path[static PATH_SIZE]);

/* Makes a relative path absolute, so that it survives the daemon's chdir("/"). The file need not exist.
 * 0, -ENAMETOOLONG, or the negative errno of getcwd(3). */
int path_absolute(const char *given, char path[static PATH_SIZE]);

/* The running program's own path, by the name under which it was started where that is known: a later one put
 * in its place is found there. */
void path_self(const char *argv0, char path[static PATH_SIZE]);

/* One of haven's own programs: beside the running one, as in a build tree, else where `make install` puts it.
 * 0, or a negative errno. */
int path_program(const char *name, char path[static PATH_SIZE]);
