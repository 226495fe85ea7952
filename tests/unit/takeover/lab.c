#include "lab.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE_ROOM 1024

static pid_t peer_pid;

/* The peer is a process that only lends its namespace. */
static void be_the_peer(int ready)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) == -1 || write(ready, "y", 1) != 1)
                _exit(1);
        for (;;)
                pause();
}

bool lab_open(const char **ret_why)
{
        int ready[2];
        char answer;

        if (geteuid() != 0) {
                *ret_why = "needs root for network namespaces";
                return false;
        }
        if (unshare(CLONE_NEWNET) == -1 || pipe(ready) == -1) {
                *ret_why = strerror(errno);
                return false;
        }
        peer_pid = fork();
        if (peer_pid == 0)
                be_the_peer(ready[1]);
        close(ready[1]);
        bool ok = peer_pid > 0 && read(ready[0], &answer, 1) == 1;
        close(ready[0]);
        if (!ok) {
                *ret_why = "no second network namespace";
                return false;
        }
        here("ip link set lo up");
        peer("ip link set lo up");
        return true;
}

void lab_close(void)
{
        if (peer_pid <= 0)
                return;
        kill(peer_pid, SIGKILL);
        waitpid(peer_pid, NULL, 0);
        peer_pid = 0;
}

__attribute__((format(printf, 2, 0))) static bool run(bool at_peer, const char *format, va_list args)
{
        char line[LINE_ROOM], command[LINE_ROOM + 64];

        vsnprintf(line, sizeof(line), format, args);
        if (at_peer)
                snprintf(command, sizeof(command), "exec nsenter -t %d -n sh -c '%s'", (int)peer_pid, line);
        else
                snprintf(command, sizeof(command), "%s", line);
        return system(command) == 0;
}

#define RUN(at_peer, format)                                                                                 \
        ({                                                                                                   \
                va_list args;                                                                                \
                va_start(args, format);                                                                      \
                bool ok = run(at_peer, format, args);                                                        \
                va_end(args);                                                                                \
                ok;                                                                                          \
        })

void here(const char *format, ...)
{
        if (!RUN(false, format))
                fail_msg("here: %s", format);
}

void peer(const char *format, ...)
{
        if (!RUN(true, format))
                fail_msg("peer: %s", format);
}

bool here_is(const char *format, ...)
{
        return RUN(false, format);
}

bool peer_is(const char *format, ...)
{
        return RUN(true, format);
}

void lab_plug(void)
{
        here("ip link add name v0 address " LAB_OUR_MAC " type veth peer name v1 address " LAB_PEER_MAC
             " && ip link set v1 netns %d",
             (int)peer_pid);
        here("ip link set v0 up && ip addr add 10.9.0.1/24 dev v0 && ip addr add fd09::1/64 dev v0 nodad");
        peer("ip link set v1 up && ip addr add 10.9.0.2/24 dev v1 && ip addr add fd09::2/64 dev v1 nodad");
        /* the kernel tells of a cable some time after it is in */
        here("for i in $(seq 1000); do ip -o link show v0 | grep -q 'state UP' && break; sleep 0.01; done");
}

void lab_unplug(void)
{
        here_is("ip link del v0 2>/dev/null");
}
