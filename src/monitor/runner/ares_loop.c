#include "monitor/runner/ares_loop.h"

#include <errno.h>
#include <stdlib.h>

/* One socket of c-ares. It outlives the channel by a turn. */
struct ares_watched {
        uv_poll_t poll;
        struct ares_loop *loop;
        ares_socket_t fd;
};

static void on_freed(uv_handle_t *handle)
{
        free(handle->data);
}

static void on_timer(uv_timer_t *timer)
{
        struct ares_loop *l = timer->data;

        ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        l->on_turn(l->user);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
        struct ares_watched *s = poll->data;
        struct ares_loop *l = s->loop;
        bool failed = status < 0;

        ares_process_fd(l->channel, failed || (events & UV_READABLE) != 0 ? s->fd : ARES_SOCKET_BAD,
                        failed || (events & UV_WRITABLE) != 0 ? s->fd : ARES_SOCKET_BAD);
        l->on_turn(l->user);
}

static struct ares_watched **watched_of(struct ares_loop *l, ares_socket_t fd)
{
        struct ares_watched **free_place = NULL;

        for (size_t i = 0; i < ARES_SOCKETS_MAX; i++) {
                if (l->socket[i] != NULL && l->socket[i]->fd == fd)
                        return &l->socket[i];
                if (l->socket[i] == NULL)
                        free_place = &l->socket[i];
        }
        return free_place;
}

static struct ares_watched *watched_new(struct ares_loop *l, ares_socket_t fd)
{
        struct ares_watched *s = calloc(1, sizeof(*s));

        if (s == NULL)
                return NULL;
        if (uv_poll_init(l->timer.loop, &s->poll, fd) != 0) {
                free(s);
                return NULL;
        }
        s->loop = l;
        s->fd = fd;
        s->poll.data = s;
        return s;
}

static void on_socket_state(void *user, ares_socket_t fd, int readable, int writable)
{
        struct ares_loop *l = user;
        struct ares_watched **place = watched_of(l, fd), *s = place == NULL ? NULL : *place;

        if (!readable && !writable) {
                if (s == NULL)
                        return;
                uv_poll_stop(&s->poll);
                uv_close((uv_handle_t *)&s->poll, on_freed);
                *place = NULL;
                return;
        }
        if (place == NULL)
                return; /* more than it ever has: the timeout ends it */
        if (s == NULL)
                s = *place = watched_new(l, fd);
        if (s != NULL)
                uv_poll_start(&s->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
                              on_ready);
}

int ares_failure(int status)
{
        return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

int ares_loop_open(struct ares_loop *l, uv_loop_t *loop, struct ares_options *options, int mask,
                   ares_turn_fn *on_turn, void *user)
{
        *l = (struct ares_loop){.on_turn = on_turn, .user = user};
        uv_timer_init(loop, &l->timer);
        l->timer.data = l;
        options->sock_state_cb = on_socket_state;
        options->sock_state_cb_data = l;
        return ares_failure(ares_init_options(&l->channel, options, mask | ARES_OPT_SOCK_STATE_CB));
}

void ares_loop_wait(struct ares_loop *l)
{
        struct timeval left, *at = ares_timeout(l->channel, NULL, &left);

        if (at != NULL)
                uv_timer_start(&l->timer, on_timer,
                               (uint64_t)at->tv_sec * 1000 + (uint64_t)at->tv_usec / 1000 + 1, 0);
}

void ares_loop_wake(struct ares_loop *l)
{
        uv_timer_start(&l->timer, on_timer, 0, 0);
}

void ares_loop_close(struct ares_loop *l, uv_close_cb on_closed, void *owner)
{
        if (l->channel != NULL)
                ares_destroy(l->channel); /* closes its sockets, by on_socket_state() */
        l->timer.data = owner;
        uv_close((uv_handle_t *)&l->timer, on_closed);
}
