/* cgroup.h - the directory of cgroup2 that is ours: found, made, emptied by force, removed.
 *
 * cgroups(7), Documentation/admin-guide/cgroup-v2.rst. Everything below the directory was started by haven.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Where this process's own cgroup lies in the file system, from the texts of /proc/self/mountinfo and
 * /proc/self/cgroup. 0, -ENOENT if no cgroup2 is mounted that shows it, -ENAMETOOLONG. */
int cgroup_path_find(const char *mountinfo, const char *cgroup, char *path, size_t size);

/* Finds and makes OWN/haven.HASH for this run directory, several havends of one machine apart. What a
 * supervisor before us left in it is killed (`*ret_leftovers`: whether there was any) and removed. 0 or a
 * negative errno; then `path` is "". */
int cgroup_claim(const char *run_dir, char *path, size_t size, bool *ret_leftovers);

/* Kills every process in it and below, SIGKILL. 0 or a negative errno. */
int cgroup_kill(const char *path);
/* Whether a process is in it or below; false too if the directory is gone. */
bool cgroup_populated(const char *path);
/* Removes it and all below, and kills what is still in one: waits two seconds at most. 0, -EBUSY when a
 * process does not die, or another negative errno. */
int cgroup_clear(const char *path);
