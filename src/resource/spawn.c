#include "resource/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3 /* waitid(2), Linux 5.4 */
#endif

#define FDS_MAX 8

/* In the child, where only async-signal-safe calls are right: another thread of the core may hold any lock.
 */
static void say_and_exit(const char *what, const char *path)
{
        const char *why = strerrordesc_np(errno);

        dprintf(STDERR_FILENO, "cannot %s %s: %s\n", what, path, why ? why : "unknown error");
        _exit(SPAWN_NOT_EXECUTED);
}

static void become_ordinary(bool signals_blocked)
{
        struct sched_param ordinary = {0};
        sigset_t none;

        setsid();
        sched_setscheduler(0, SCHED_OTHER, &ordinary);
        setpriority(PRIO_PROCESS, 0, 0);
        for (int s = 1; s < NSIG; s++)
                signal(s, SIG_DFL);
        sigemptyset(&none);
        if (!signals_blocked)
                sigprocmask(SIG_SETMASK, &none, NULL);
        umask(022);
}

static void arrange_descriptors(const struct spawn_want *want)
{
        int high[FDS_MAX];

        /* first out of the way of each other, then to their numbers */
        for (size_t i = 0; i < want->fd_count; i++)
                high[i] = fcntl(want->fd[i], F_DUPFD, 64);
        for (size_t i = 0; i < want->fd_count; i++)
                if (high[i] == -1 || dup2(high[i], (int)i) == -1)
                        _exit(SPAWN_NOT_EXECUTED);
        if (syscall(SYS_close_range, (unsigned)want->fd_count, ~0U, 0) == -1)
                for (int fd = (int)want->fd_count; fd < 4096; fd++)
                        close(fd);
}

static void __attribute__((noreturn)) child(const struct spawn_want *want, int cgroup_fd, bool inside)
{
        if (cgroup_fd != -1 && !inside) {
                int procs = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
                if (procs == -1 || write(procs, "0", 1) == -1)
                        say_and_exit("enter the cgroup", want->cgroup);
        }
        become_ordinary(want->signals_blocked);
        arrange_descriptors(want);
        execve(want->argv[0], want->argv, want->env);
        say_and_exit("run", want->argv[0]);
        _exit(SPAWN_NOT_EXECUTED);
}

static pid_t try_clone3(const struct spawn_want *want, int cgroup_fd, int *ret_pidfd)
{
        struct clone_args args = {
                .flags = CLONE_PIDFD | (want->namespaces ? CLONE_NEWPID | CLONE_NEWNS : 0) |
                         (cgroup_fd != -1 ? CLONE_INTO_CGROUP : 0),
                .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
                .exit_signal = SIGCHLD,
                .cgroup = cgroup_fd != -1 ? (uint64_t)cgroup_fd : 0,
        };

        return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Kernels and containers without clone3() or CLONE_INTO_CGROUP. */
static pid_t fork_with_pidfd(int *ret_pidfd)
{
        pid_t pid = fork();

        if (pid <= 0)
                return pid;
        *ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (*ret_pidfd == -1) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                errno = ENOSYS;
                return -1;
        }
        return pid;
}

int spawn_program(const struct spawn_want *want, pid_t *ret_pid, int *ret_pidfd)
{
        int cgroup_fd = -1, pidfd = -1, error;
        bool inside = true;
        sigset_t all, before;

        if (want->fd_count > FDS_MAX)
                return -E2BIG;
        if (want->cgroup[0]) {
                cgroup_fd = open(want->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (cgroup_fd == -1)
                        return -errno;
        }
        /* no handler of ours may run in the child, and no signal be lost there */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t pid = try_clone3(want, cgroup_fd, &pidfd);
        if (pid == -1 && !want->namespaces) {
                inside = false;
                pid = fork_with_pidfd(&pidfd);
        }
        error = pid == -1 ? -errno : 0;
        if (pid == 0)
                child(want, cgroup_fd, inside);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (cgroup_fd != -1)
                close(cgroup_fd);
        if (error)
                return error;
        *ret_pid = pid;
        *ret_pidfd = pidfd;
        return 0;
}

int spawn_collect(int pidfd, int *ret_status)
{
        siginfo_t info = {0};

        if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) == -1)
                return -errno;
        if (info.si_pid == 0)
                return -EAGAIN;
        *ret_status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
        return 0;
}

const char *spawn_status_format(int status, char text[static SPAWN_STATUS_TEXT])
{
        int signal_number = 0;

        if (WIFSIGNALED(status))
                signal_number = WTERMSIG(status);
        else if (WEXITSTATUS(status) > 128 && sigabbrev_np(WEXITSTATUS(status) - 128))
                signal_number = WEXITSTATUS(status) - 128;
        if (signal_number)
                snprintf(text, SPAWN_STATUS_TEXT, "was killed by SIG%s (%d)", sigabbrev_np(signal_number),
                         signal_number);
        else
                snprintf(text, SPAWN_STATUS_TEXT, "exited with status %d", WEXITSTATUS(status));
        return text;
}
