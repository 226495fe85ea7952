#include "child/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
        pid_t pid;
        int pidfd;
        uv_poll_t exited;
        uv_timer_t grace;
        int handles;            /* open ones of the two above; free with the last */
        child_exit_fn *on_exit; /* NULL: forgotten */
        void *user;
};

static int attributes_init(posix_spawnattr_t *attributes)
{
        struct sched_param ordinary = {.sched_priority = 0};
        sigset_t all, none;
        int r = posix_spawnattr_init(attributes);

        if (r != 0)
                return -r;
        sigfillset(&all);
        sigemptyset(&none);
        posix_spawnattr_setsigdefault(attributes, &all);
        posix_spawnattr_setsigmask(attributes, &none);
        posix_spawnattr_setschedpolicy(attributes, SCHED_OTHER);
        posix_spawnattr_setschedparam(attributes, &ordinary);
        posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                     POSIX_SPAWN_SETSCHEDULER | POSIX_SPAWN_SETSID);
        return 0;
}

static int actions_init(posix_spawn_file_actions_t *actions, const struct child_setup *setup)
{
        int r = posix_spawn_file_actions_init(actions);

        if (r != 0)
                return -r;
        /* The extra one first: its number could be taken by what follows. */
        if (setup->extra_fd != -1)
                r = posix_spawn_file_actions_adddup2(actions, setup->extra_fd, 3);
        if (r == 0 && setup->stdin_fd != -1)
                r = posix_spawn_file_actions_adddup2(actions, setup->stdin_fd, 0);
        else if (r == 0)
                r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, setup->output_fd > 0 ? setup->output_fd : 2, 1);
        if (r == 0 && setup->output_fd > 0)
                r = posix_spawn_file_actions_adddup2(actions, 1, 2);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(actions, setup->extra_fd != -1 ? 4 : 3);
        if (r != 0)
                posix_spawn_file_actions_destroy(actions);
        return -r;
}

static int spawn(const struct child_setup *setup, pid_t *ret_pid)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        assert(setup->stdin_fd != 3); /* would be overwritten by the extra one */
        r = attributes_init(&attributes);
        if (r != 0)
                return r;
        r = actions_init(&actions, setup);
        if (r == 0) {
                r = -posix_spawn(ret_pid, setup->argv[0], &actions, &attributes, setup->argv,
                                 setup->environment);
                posix_spawn_file_actions_destroy(&actions);
        }
        posix_spawnattr_destroy(&attributes);
        return r;
}

/* posix_spawn knows neither nice nor the OOM killer; both are set from outside. Failing is harmless: an
 * unprivileged core has nothing to take back. */
static void make_ordinary(pid_t pid)
{
        char path[48];
        int fd;

        if (getpriority(PRIO_PROCESS, (id_t)pid) < 0)
                (void)setpriority(PRIO_PROCESS, (id_t)pid, 0);
        snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd == -1)
                return;
        if (write(fd, "0", 1) == -1)
                errno = 0;
        close(fd);
}

static void on_handle_closed(uv_handle_t *handle)
{
        struct child *child = handle->data;

        if (--child->handles > 0)
                return;
        close(child->pidfd);
        free(child);
}

static void child_close(struct child *child)
{
        uv_close((uv_handle_t *)&child->exited, on_handle_closed);
        uv_close((uv_handle_t *)&child->grace, on_handle_closed);
}

static void on_exited(uv_poll_t *handle, int status, int events)
{
        struct child *child = handle->data;
        int wait_status = 0;
        pid_t r = waitpid(child->pid, &wait_status, WNOHANG);

        if (r == 0)
                return;
        if (r == -1) /* someone else took it: it is gone, how we do not know */
                wait_status = 0;
        child_close(child);
        if (child->on_exit != NULL)
                child->on_exit(child->user, wait_status);
}

static void on_grace_over(uv_timer_t *timer)
{
        child_signal(timer->data, SIGKILL);
}

int child_start(const struct child_setup *setup, struct child **ret_child)
{
        struct child *child = calloc(1, sizeof(*child));
        int r;

        if (child == NULL)
                return -ENOMEM;
        r = spawn(setup, &child->pid);
        if (r != 0) {
                free(child);
                return r;
        }
        make_ordinary(child->pid);
        child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
        if (child->pidfd == -1) {
                r = -errno;
                goto undo;
        }
        fcntl(child->pidfd, F_SETFD, FD_CLOEXEC);
        r = uv_poll_init(setup->loop, &child->exited, child->pidfd);
        if (r != 0)
                goto undo;
        uv_timer_init(setup->loop, &child->grace);
        child->exited.data = child->grace.data = child;
        child->handles = 2;
        child->on_exit = setup->on_exit;
        child->user = setup->user;
        uv_poll_start(&child->exited, UV_READABLE, on_exited);
        *ret_child = child;
        return 0;
undo:
        kill(-child->pid, SIGKILL);
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
        if (child->pidfd != -1)
                close(child->pidfd);
        free(child);
        return r;
}

void child_signal(struct child *child, int signal)
{
        /* Not reaped yet, so the number is still its own. */
        if (kill(-child->pid, signal) == -1)
                (void)kill(child->pid, signal);
}

void child_forget(struct child *child, uint64_t grace_ms)
{
        child->on_exit = NULL;
        if (grace_ms == 0)
                child_signal(child, SIGKILL);
        else
                uv_timer_start(&child->grace, on_grace_over, grace_ms, 0);
}

void child_release(struct child *child)
{
        child->on_exit = NULL;
        child_close(child);
}

const char *child_status_format(int status, char text[static CHILD_STATUS_TEXT])
{
        if (WIFSIGNALED(status))
                snprintf(text, CHILD_STATUS_TEXT, "killed by signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
        else
                snprintf(text, CHILD_STATUS_TEXT, "exit status %d", WEXITSTATUS(status));
        return text;
}

int child_pid(const struct child *child)
{
        return child->pid;
}
