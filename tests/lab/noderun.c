/* noderun.c - runs a command on a lab machine.
 *
 *     noderun PID CGROUP FD COMMAND [ARGUMENT]...
 *
 * PID is the machine's process 1 as the host sees it, CGROUP its cgroup directory or "". The host's pid of
 * the command is written to the file descriptor FD as a decimal line. noderun then waits, hands on SIGTERM,
 * SIGINT and SIGHUP, and ends as the command did (128 + signal where one killed it). When noderun dies, so
 * does the command; its own children do not. */
#define PROGRAM    "noderun"
#define DIE_STATUS 126
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES 6

static const char *const kind[NAMESPACES] = {"cgroup", "ipc", "uts", "net", "pid", "mnt"};
static volatile sig_atomic_t child;

static void on_signal(int number)
{
        if (child > 0)
                kill(child, number);
}

static void join_namespaces(const char *pid)
{
        int fd[NAMESPACES];
        char path[64];

        /* all are opened first: the mount namespace brings another /proc */
        for (int i = 0; i < NAMESPACES; i++) {
                snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, kind[i]);
                fd[i] = open(path, O_RDONLY | O_CLOEXEC);
                if (fd[i] == -1)
                        die("%s", path);
        }
        for (int i = 0; i < NAMESPACES; i++) {
                if (setns(fd[i], 0) == -1)
                        die("cannot join the %s namespace of %s", kind[i], pid);
                close(fd[i]);
        }
}

int main(int argc, char **argv)
{
        struct sigaction act = {.sa_handler = on_signal};
        int tell, status;
        pid_t pid;

        if (argc < 5) {
                fputs("usage: noderun PID CGROUP FD COMMAND [ARGUMENT]...\n", stderr);
                return 2;
        }
        tell = atoi(argv[3]);
        fcntl(tell, F_SETFD, FD_CLOEXEC);
        join_cgroup(argv[2]);
        join_namespaces(argv[1]);
        pid = fork();
        if (pid == -1)
                die("fork");
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                execvp(argv[4], argv + 4);
                die("%s", argv[4]);
        }
        child = pid;
        sigaction(SIGTERM, &act, NULL);
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGHUP, &act, NULL);
        dprintf(tell, "%ld\n", (long)pid);
        close(tell);
        while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
                ;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
