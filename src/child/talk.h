/* talk.h - a socket between us and a child (child.h): whole messages, both ways. Our end is on the
 * loop; the child's becomes its descriptor 3. */
#pragma once

#include <uv.h>

struct child_talk {
        int socket; /* ours, non-blocking; -1: none */
        uv_poll_t *poll;
};

#define CHILD_TALK_NONE ((struct child_talk){.socket = -1})

/* `on_socket` is called when there is something to read, also the child's end of file. `*ret_child_end` is
 * the caller's to give to child_start() as its extra_fd, and to close. 0 or a negative errno; then all is as
 * before.
 */
int child_talk_open(struct child_talk *t, uv_loop_t *loop, uv_poll_cb on_socket, void *data,
                    int *ret_child_end);
void child_talk_close(struct child_talk *t);
