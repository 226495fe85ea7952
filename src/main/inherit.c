#include "main/inherit.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int take_fd(const char *name)
{
        const char *text = getenv(name);
        char *end;

        if (!text)
                return -ENOENT;
        long fd = strtol(text, &end, 10);
        if (*text == '\0' || *end != '\0' || fd < 0 || fd > INT_MAX)
                return -EINVAL;
        if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) == -1)
                return -errno;
        unsetenv(name);
        return (int)fd;
}

int inheritance_take(struct inheritance *ret_inheritance)
{
        struct inheritance in = {.life_fd = take_fd(INHERIT_LIFE), .control_fd = take_fd(INHERIT_CONTROL)};
        int ledger_fd = take_fd(INHERIT_LEDGER);

        if (ledger_fd < 0 || in.life_fd < 0 || in.control_fd < 0)
                return ledger_fd < 0 ? ledger_fd : in.life_fd < 0 ? in.life_fd : in.control_fd;
        int error = ledger_map(ledger_fd, &in.ledger);
        if (error)
                return error;
        if (in.ledger->watch_fd != -1 && fcntl(in.ledger->watch_fd, F_SETFD, FD_CLOEXEC) == -1)
                return -errno;
        in.ledger_fd = ledger_fd;
        const char *program = getenv(INHERIT_PROGRAM);
        if (program)
                text_copy(in.program, sizeof(in.program), program);
        unsetenv(INHERIT_PROGRAM);
        *ret_inheritance = in;
        return 0;
}

int inheritance_say(const struct inheritance *in, const char *line)
{
        char text[32];
        int n = snprintf(text, sizeof(text), "%s\n", line);

        /* a handful of bytes: they fit the socket's buffer whole */
        return send(in->control_fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == -1 ? -errno : 0;
}

void stdio_detach(void)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null == -1)
                return;
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                dup2(null, fd);
        if (null > STDERR_FILENO)
                close(null);
}
