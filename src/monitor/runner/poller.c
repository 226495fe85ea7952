#include "monitor/runner/poller.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_IN_TURN 64
#define EVENTS_WANTED  (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct poller {
        uv_poll_t poll;
        int epoll;
        struct epoll_event event[EVENTS_IN_TURN]; /* of this turn; `ptr` NULL: closed meanwhile */
        int at, count;
};

static void on_events(uv_poll_t *poll, int status, int events)
{
        struct poller *p = poll->data;

        p->count = epoll_wait(p->epoll, p->event, EVENTS_IN_TURN, 0);
        for (p->at = 0; p->at < p->count; p->at++) {
                struct polled *polled = p->event[p->at].data.ptr;

                if (polled != NULL)
                        polled->on_ready(polled, p->event[p->at].events);
        }
        p->count = 0;
}

int poller_new(uv_loop_t *loop, struct poller **ret_poller)
{
        struct poller *p = calloc(1, sizeof(*p));
        int r;

        if (p == NULL)
                return -ENOMEM;
        p->epoll = epoll_create1(EPOLL_CLOEXEC);
        r = p->epoll == -1 ? -errno : uv_poll_init(loop, &p->poll, p->epoll);
        if (r != 0) {
                if (p->epoll != -1)
                        close(p->epoll);
                free(p);
                return r;
        }
        p->poll.data = p;
        uv_poll_start(&p->poll, UV_READABLE, on_events);
        *ret_poller = p;
        return 0;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

void poller_free(struct poller *p)
{
        if (p == NULL)
                return;
        uv_poll_stop(&p->poll);
        close(p->epoll);
        uv_close((uv_handle_t *)&p->poll, on_closed);
}

int poller_add(struct poller *p, struct polled *polled, int fd, poller_fn *on_ready)
{
        struct epoll_event wanted = {.events = EVENTS_WANTED, .data.ptr = polled};

        *polled = (struct polled){.on_ready = on_ready, .fd = fd};
        return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &wanted) == -1 ? -errno : 0;
}

void poller_again(struct poller *p, struct polled *polled)
{
        struct epoll_event wanted = {.events = EVENTS_WANTED, .data.ptr = polled};

        /* changing what is there needs no memory; what is ready then counts as an edge */
        (void)epoll_ctl(p->epoll, EPOLL_CTL_MOD, polled->fd, &wanted);
}

void poller_close(struct poller *p, struct polled *polled)
{
        close(polled->fd); /* nobody else has it, so the kernel forgets it here, too */
        for (int i = p->at + 1; i < p->count; i++)
                if (p->event[i].data.ptr == polled)
                        p->event[i].data.ptr = NULL;
}
