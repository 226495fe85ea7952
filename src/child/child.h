/* child.h - a program run beside us, on the loop: for the checker and for alerts.
 *
 * The child starts clean whatever the core has become: an ordinary scheduling class, nice 0, no protection
 * from the OOM killer, default signals, a session of its own, and no descriptor but those given. Memory is
 * not copied (posix_spawn), so that a core with locked memory starts a program without a pause. Exits are
 * seen by pidfd; nobody else may wait for our children by pid -1. */
#pragma once

#include <uv.h>

struct child;

/* `status` as from waitpid(2). The child frees itself after this. */
typedef void child_exit_fn(void *user, int status);

struct child_setup {
        uv_loop_t *loop;
        char *const *argv;        /* argv[0] is an absolute path */
        char *const *environment; /* whole */
        int stdin_fd;             /* -1: /dev/null. Stays the caller's */
        int output_fd;            /* gets its standard output and error; 0: our own standard error */
        int extra_fd;             /* becomes descriptor 3; -1: none. Stays the caller's */
        child_exit_fn *on_exit;
        void *user;
};

/* 0, or a negative errno when the program cannot be run (its exec included); then there is no callback.
 */
int child_start(const struct child_setup *setup, struct child **ret_child);
int child_pid(const struct child *child);
/* To the child and everything in its session's process group. */
void child_signal(struct child *child, int signal);
/* Forgets it: no callback; killed now, or after `grace_ms` if it has not gone by itself. It frees itself when
 * it is gone; the loop stays alive so long. */
void child_forget(struct child *child, uint64_t grace_ms);
/* Forgets it and lets it live. */
void child_release(struct child *child);

#define CHILD_STATUS_TEXT 48
/* "exit status 3", "killed by signal 9 (Killed)". Returns `text`. */
const char *child_status_format(int status, char text[static CHILD_STATUS_TEXT]);
