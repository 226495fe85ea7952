/* cgroup.h - one cgroup (version 2) per resource: what it started is in there, however it forked.
 *
 * Kernel: Documentation/admin-guide/cgroup-v2.rst (cgroup.kill, cgroup.events). An empty path is "no cgroup
 * on this machine": such a one is always empty and killing it does nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#define CGROUP_PATH 1024

/* Writes "ROOT/GROUP/RESOURCE", '/' inside names turned into '_'; "" if `root` is. */
void resource_cgroup_path(const char *root, const char *group, const char *resource,
                          char path[static CGROUP_PATH]);
/* Makes the directory, afresh if nothing is in it, and the one above it. 0 or a negative errno. */
int resource_cgroup_make(const char *path);
/* Removes it if it is empty. */
void resource_cgroup_remove(const char *path);
/* Whether a process is in it or below it. */
bool resource_cgroup_populated(const char *path);
bool resource_cgroup_contains(const char *path, pid_t pid);
/* SIGKILL to everything in it and below it. 0 or a negative errno. */
int resource_cgroup_kill(const char *path);

/* Waits until nothing is in it; never calls back before it has returned. NULL: cannot be watched. */
struct resource_cgroup_await;
typedef void cgroup_empty_fn(void *user);
struct resource_cgroup_await *resource_cgroup_await_new(uv_loop_t *loop, const char *path,
                                                        cgroup_empty_fn *on_empty, void *user);
void resource_cgroup_await_free(struct resource_cgroup_await *w);
