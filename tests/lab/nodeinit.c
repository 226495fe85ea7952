/* nodeinit.c - the first process of a lab machine.
 *
 *     nodeinit NETNS NAME CGROUP [tmpfs:DIR | bind:FROM:DIR]... [systemd:UNIT]
 *
 * Joins the network namespace NETNS (a path), makes mount, pid, host name, IPC and cgroup namespaces of its
 * own below the cgroup directory CGROUP ("" for none), prints the host's pid of the machine's process 1 when
 * all is mounted, and then only buries orphans, or becomes systemd, which boots UNIT. SIGKILL to that process
 * is a power failure: the kernel takes every process of the machine with it. The machine also dies when
 * whoever started it does, however that ends. */
#define PROGRAM    "nodeinit"
#define DIE_STATUS 1
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void mount_fs(const char *type, const char *where)
{
        if (mount(type, where, type, MS_NOSUID | MS_NODEV, NULL) == -1)
                die("cannot mount %s on %s", type, where);
}

/* "tmpfs:DIR" or "bind:FROM:DIR"; a directory the host does not have is left out. */
static void mount_extra(char *word)
{
        char *colon = strchr(word, ':');
        char *from;

        if (colon != NULL && strncmp(word, "tmpfs:", 6) == 0) {
                if (mount("tmpfs", colon + 1, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == -1 &&
                    errno != ENOENT)
                        die("cannot mount tmpfs on %s", colon + 1);
                return;
        }
        if (colon != NULL && strncmp(word, "bind:", 5) == 0) {
                from = colon + 1;
                colon = strchr(from, ':');
                if (colon != NULL) {
                        *colon = '\0';
                        if (mount(from, colon + 1, NULL, MS_BIND, NULL) == -1)
                                die("cannot bind %s to %s", from, colon + 1);
                        return;
                }
        }
        errno = EINVAL;
        die("%s", word);
}

static void bury_orphans(void)
{
        signal(SIGCHLD, SIG_IGN); /* the kernel buries what this process has not forked itself, too */
        for (;;)
                pause();
}

/* A real systemd, of whatever units the caller has mounted. Its own messages go nowhere: the log is the
 * host's. */
static void become_systemd(const char *unit)
{
        char word[128];
        char *argv[] = {"systemd", word, "--log-target=null", "--show-status=0", NULL};
        char *environment[] = {"container=haven-lab", "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                               NULL};

        snprintf(word, sizeof word, "--unit=%s", unit);
        execve("/lib/systemd/systemd", argv, environment);
        die("systemd");
}

/* Process 1 of the machine. `tell` is closed when the machine is ready. */
static void machine(const char *name, bool own_cgroups, char **extra, int tell)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setsid() == -1 || sethostname(name, strlen(name)) == -1)
                die("%s", name);
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
                die("cannot make / private");
        mount_fs("proc", "/proc");
        mount_fs("sysfs", "/sys"); /* shows the interfaces of this network namespace */
        if (own_cgroups)
                mount_fs("cgroup2", "/sys/fs/cgroup");
        mount_fs("tmpfs", "/run");
        for (; *extra != NULL && strncmp(*extra, "systemd:", 8) != 0; extra++)
                mount_extra(*extra);
        if (chdir("/") == -1)
                die("/");
        if (write(tell, "r", 1) == -1)
                die("pipe");
        close(tell);
        if (*extra != NULL)
                become_systemd(*extra + 8);
        bury_orphans();
}

int main(int argc, char **argv)
{
        int ready[2], net, status;
        pid_t pid;
        char byte;

        if (argc < 4) {
                fputs("usage: nodeinit NETNS NAME CGROUP [tmpfs:DIR | bind:FROM:DIR]... [systemd:UNIT]\n",
                      stderr);
                return 2;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        net = open(argv[1], O_RDONLY | O_CLOEXEC);
        if (net == -1 || setns(net, CLONE_NEWNET) == -1)
                die("%s", argv[1]);
        close(net);
        join_cgroup(argv[3]);
        if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP) == -1)
                die("cannot make namespaces");
        if (pipe2(ready, O_CLOEXEC) == -1)
                die("pipe");
        pid = fork();
        if (pid == -1)
                die("fork");
        if (pid == 0) {
                close(ready[0]);
                machine(argv[2], argv[3][0] != '\0', argv + 4, ready[1]);
        }
        close(ready[1]);
        if (read(ready[0], &byte, 1) != 1)
                return 1; /* the machine has said why */
        printf("%ld\n", (long)pid);
        fclose(stdout);
        waitpid(pid, &status, 0);
        return 0;
}
