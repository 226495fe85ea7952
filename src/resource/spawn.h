/* spawn.h - starts a program clean of what the core is: ordinary scheduling, default signals, no descriptor
 * but the given ones, a session of its own; inside a cgroup and new namespaces where wanted.
 *
 * It does not wait for the program to be executed, since that needs processor time which a busy machine may
 * give late: a program that cannot be executed says so on its standard error and exits with 127. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SPAWN_NOT_EXECUTED 127 /* exit status, the shells' own */

struct spawn_want {
        char *const *argv; /* argv[0] is the path */
        char *const *env;
        const char *cgroup;   /* directory, "" for none */
        bool namespaces;      /* be the init of a new PID namespace with mounts of its own */
        bool signals_blocked; /* it starts with all signals blocked, so that none is lost before it can read
                                 them */
        const int *fd;        /* they become 0, 1, 2, ... */
        size_t fd_count;
};

/* Returns 0 and the child with a descriptor of it that becomes readable when it ends (the caller closes it
 * and collects the child with spawn_collect()), or a negative errno: with `namespaces`, -EPERM, -EINVAL,
 * -ENOSPC or -ENOSYS when the kernel refuses these. */
int spawn_program(const struct spawn_want *want, pid_t *ret_pid, int *ret_pidfd);

/* Takes the exit status of an ended child as waitpid() gives it. -ECHILD: not our child, its status is
 * unknown; -EAGAIN: it has not ended. */
int spawn_collect(int pidfd, int *ret_status);

/* "exited with status 3", "was killed by SIGSEGV (11)". */
#define SPAWN_STATUS_TEXT 64
const char *spawn_status_format(int status, char text[static SPAWN_STATUS_TEXT]);
