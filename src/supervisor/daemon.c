#include "supervisor/supervisor.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the parent: until the child says that it serves, or has died. */
static _Noreturn void parent_wait(int from, pid_t child)
{
        char ready;
        ssize_t n;
        int status;

        while ((n = read(from, &ready, 1)) == -1 && errno == EINTR)
                ;
        if (n == 1)
                _exit(HAVEND_EXIT_OK);
        if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != 0)
                _exit(WEXITSTATUS(status));
        _exit(HAVEND_EXIT_FAILURE);
}

void daemon_begin(struct supervisor *s)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) == -1) {
                log_error("cannot go into the background: %s", strerror(errno));
                exit(HAVEND_EXIT_FAILURE);
        }
        pid_t child = fork();
        if (child == -1) {
                log_error("cannot go into the background: %s", strerror(errno));
                exit(HAVEND_EXIT_FAILURE);
        }
        if (child != 0) {
                close(fds[1]);
                parent_wait(fds[0], child);
        }
        close(fds[0]);
        s->parent = fds[1];
        setsid(); /* no terminal; none is ever opened here */
        umask(022);
        if (chdir("/") == -1)
                log_warning("cannot leave the working directory: %s", strerror(errno));
}

void daemon_ready(struct supervisor *s)
{
        if (s->ready_once)
                return;
        s->ready_once = true;
        if (s->parent != -1) {
                log_open("havend", false, LOG_LEVEL_INFO);
                stdio_detach();
                if (write(s->parent, "", 1) != 1)
                        log_warning("the process that started havend did not wait for it");
                close(s->parent);
                s->parent = -1;
        }
        log_info("started: core pid %d, boot %llu", (int)s->core, (unsigned long long)s->ledger->boot);
        notify("READY=1");
}

/* sd_notify(3), "Notes": a datagram to $NOTIFY_SOCKET, '@' standing for the abstract name space's NUL. */
void notify(const char *state)
{
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un to = {.sun_family = AF_UNIX};

        if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
                return;
        size_t n = strlen(path);
        memcpy(to.sun_path, path, n);
        if (path[0] == '@')
                to.sun_path[0] = '\0';
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd == -1)
                return;
        if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == -1)
                log_warning("systemd: cannot be told '%s': %s", state, strerror(errno));
        close(fd);
}
