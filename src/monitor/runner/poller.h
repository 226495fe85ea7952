/* poller.h - waits for sockets that live for a moment, as those of most looks do.
 *
 * libuv's own polling tells the kernel of such a socket, and takes it back, some eight times; here it is told
 * once, for both directions, edge by edge (epoll(7), EPOLLET), and closing the socket is all that ends it.
 * The set of them is one descriptor of libuv's loop, and one turn takes all that are ready. */
#pragma once

#include <stdint.h>
#include <uv.h>

struct poller;
struct polled;

/* `events` as in epoll(7): what became possible since the last call. Who reads goes on until there is no
 * more: a short read is the last if neither EPOLLRDHUP, EPOLLHUP nor EPOLLERR came with it. */
typedef void poller_fn(struct polled *polled, uint32_t events);

/* One socket; whoever owns it has this inside. */
struct polled {
        poller_fn *on_ready;
        int fd;
};

/* 0 or a negative errno. */
int poller_new(uv_loop_t *loop, struct poller **ret_poller);
/* When all its sockets are closed. The loop must run once more. */
void poller_free(struct poller *p);

/* From now on `on_ready` is called from the loop. 0 or a negative errno; then `fd` is still the caller's. */
int poller_add(struct poller *p, struct polled *polled, int fd, poller_fn *on_ready);
/* Calls once more for what is still there: its owner has left some of it for the next turn. */
void poller_again(struct poller *p, struct polled *polled);
/* Closes the socket; no call comes any more. */
void poller_close(struct poller *p, struct polled *polled);
