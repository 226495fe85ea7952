#include "child/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int child_talk_open(struct child_talk *t, uv_loop_t *loop, uv_poll_cb on_socket, void *data,
                    int *ret_child_end)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
                return -errno;
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
        uv_poll_t *poll = malloc(sizeof(*poll));
        int error = poll ? uv_poll_init(loop, poll, pair[0]) : -ENOMEM;
        if (error) {
                free(poll);
                close(pair[0]);
                close(pair[1]);
                return error;
        }
        poll->data = data;
        uv_poll_start(poll, UV_READABLE, on_socket);
        *t = (struct child_talk){.socket = pair[0], .poll = poll};
        *ret_child_end = pair[1];
        return 0;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

void child_talk_close(struct child_talk *t)
{
        if (t->poll)
                uv_close((uv_handle_t *)t->poll, on_closed);
        if (t->socket != -1)
                close(t->socket);
        *t = CHILD_TALK_NONE;
}
