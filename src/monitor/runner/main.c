/* main.c - haven-checker: looks at services and tells the core, over descriptor 3, what it sees.
 *
 * Started by the core when there is a check, never by hand. It ends when the core closes the socket. */
#include "base/log.h"
#include "child/sandbox.h"
#include "monitor/icmp_socket.h"
#include "monitor/runner/command_host.h"
#include "monitor/runner/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CORE_FD 3

/* Directory of this program, where its shared object lies too. */
static int own_directory(char *path, size_t size)
{
        ssize_t n = readlink("/proc/self/exe", path, size - 1);
        char *slash;

        if (n == -1)
                return -errno;
        path[n] = '\0';
        slash = strrchr(path, '/');
        if (slash == NULL)
                return -EINVAL;
        *slash = '\0';
        return 0;
}

int main(void)
{
        char directory[512];
        struct runner *runner;
        uv_loop_t loop;
        struct probe_house house = {.loop = &loop};
        int type = 0, r;
        socklen_t size = sizeof(type);

        log_open("haven-checker", true, LOG_LEVEL_INFO);
        if (getsockopt(CORE_FD, SOL_SOCKET, SO_TYPE, &type, &size) == -1 || type != SOCK_SEQPACKET) {
                fprintf(stderr, "haven-checker is started by havend, not by hand\n");
                return 2;
        }
        close_range(CORE_FD + 1, ~0U, 0);
        house.commands = command_host_start();
        house.icmp4 = icmp_socket_open(AF_INET);
        house.icmp6 = icmp_socket_open(AF_INET6);
        house.directory = directory;
        r = own_directory(directory, sizeof(directory));
        if (r == 0)
                r = sandbox_enter();
        if (r != 0) {
                log_error("checker: cannot give up its privileges: %s; no check runs", strerror(-r));
                return 1;
        }
        r = uv_loop_init(&loop);
        if (r == 0)
                r = poller_new(&loop, &house.poller);
        if (r == 0)
                r = runner_new(&house, CORE_FD, directory, &runner);
        if (r != 0) {
                log_error("checker: cannot begin: %s", uv_strerror(r));
                return 1;
        }
        uv_run(&loop, UV_RUN_DEFAULT);
        runner_free(runner);
        poller_free(house.poller);
        uv_run(&loop, UV_RUN_DEFAULT);
        close(house.commands); /* it ends on that */
        return uv_loop_close(&loop) == 0 ? 0 : 1;
}
