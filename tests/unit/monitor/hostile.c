#include "hostile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

const char *hostile_python, *hostile_script;

static struct {
        pid_t pid;
        int stdin_fd;
        struct {
                char name[16];
                int port;
        } server[32];
        size_t count;
} hostile;

int hostile_port(const char *name)
{
        for (size_t i = 0; i < hostile.count; i++)
                if (strcmp(hostile.server[i].name, name) == 0)
                        return hostile.server[i].port;
        fail_msg("no hostile server %s", name);
        return 0;
}

int hostile_start(void **state)
{
        int in[2], out[2];
        FILE *lines;

        if (pipe2(in, O_CLOEXEC) == -1 || pipe2(out, O_CLOEXEC) == -1)
                return -1;
        hostile.pid = fork();
        if (hostile.pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                dup2(in[0], 0);
                dup2(out[1], 1);
                execl(hostile_python, hostile_python, hostile_script, NULL);
                _exit(127);
        }
        close(in[0]);
        close(out[1]);
        hostile.stdin_fd = in[1];
        lines = fdopen(out[0], "r");
        while (fscanf(lines, "%15s %d", hostile.server[hostile.count].name,
                      &hostile.server[hostile.count].port) == 2 &&
               strcmp(hostile.server[hostile.count].name, "ready") != 0)
                hostile.count++;
        fclose(lines);
        return hostile.count > 0 ? 0 : -1;
}

int hostile_stop(void **state)
{
        close(hostile.stdin_fd);
        waitpid(hostile.pid, NULL, 0);
        return 0;
}
