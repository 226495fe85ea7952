/* Links over serial lines, each of which joins two nodes.
 *
 * A line is slow, and what it is given it says in full, however late. So a line is given one frame, and the
 * next when the first must have left at the line's speed; of the packets that come meanwhile only the newest
 * is kept. A heartbeat is thus never older than one frame's time when it leaves. A device that vanishes, or
 * is not there yet, is asked for again and again, ever more seldom. */
#include "base/log.h"
#include "heartbeat/frame.h"
#include "heartbeat/medium.h"
#include "heartbeat/tty.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BITS_PER_BYTE 10 /* a start bit, eight, a stop bit */
#define RETRY_MIN     span_ms(250)
#define RETRY_MAX     span_s(5)
/* Reads per turn of the loop, so that a line of noise does not starve the timers. */
#define TURN_MAX  4
#define READ_SIZE 4096

/* An open device. Apart from its line, since libuv closes it later than we do. */
struct port {
        uv_poll_t poll;
        struct line *line;
        int fd;
};

struct line {
        struct serial_links *links;
        int link, node;
        char device[sizeof(((struct config_serial *)0)->device)];
        int baud;
        struct port *port; /* NULL: waiting for it */
        int error;
        span retry;
        uv_timer_t timer; /* without a port: to open it; with one: the line is free again */
        instant free_at;  /* when all that was written has left */
        size_t waiting;   /* bytes of `next`: the newest packet not framed yet; 0: none */
        size_t frame_n, frame_written;
        uint8_t *next;  /* hooks.most */
        uint8_t *frame; /* FRAME_SIZE(hooks.most) */
        struct frame_reader *reader;
};

struct serial_links {
        struct medium medium;
        uv_loop_t *loop;
        struct medium_hooks hooks;
        int handles; /* still open; memory goes with the last */
        bool freed;
        size_t line_count;
        struct line line[LINKS_MAX * NODES_MAX];
};

static void on_timer(uv_timer_t *timer);
static void lose(struct line *l, int error);

static void set_error(struct line *l, int error)
{
        const struct medium_hooks *hooks = &l->links->hooks;

        if (l->error == error)
                return;
        l->error = error;
        if (hooks->on_change)
                hooks->on_change(hooks->user, MEDIUM_NODE_SELF, l->link, error);
}

static void start_timer(struct line *l, span after)
{
        uv_timer_start(&l->timer, on_timer, (uint64_t)(after.us + 999) / 1000, 0);
}

/* Writing */

static span time_of(const struct line *l, size_t bytes)
{
        return span_us((int64_t)bytes * BITS_PER_BYTE * 1000000 / l->baud);
}

/* 0 when the frame is written or has to wait for room, or a negative errno. */
static int write_frame(struct line *l)
{
        while (l->frame_written < l->frame_n) {
                ssize_t n = write(l->port->fd, l->frame + l->frame_written, l->frame_n - l->frame_written);
                if (n == -1 && errno == EAGAIN)
                        return 0;
                if (n == -1)
                        return -errno;
                l->frame_written += (size_t)n;
        }
        l->frame_n = l->frame_written = 0;
        return 0;
}

/* The device may be slower than its speed says: something else may hold it up. */
static bool is_drained(const struct line *l)
{
        int left = 0;

        return ioctl(l->port->fd, TIOCOUTQ, &left) == -1 || left == 0;
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* Writes what may be written now, and sees to it that the rest follows. */
static void pump(struct line *l)
{
        instant now = instant_now();
        int error = write_frame(l);

        if (!error && l->frame_n == 0 && l->waiting > 0 && instant_reached(now, l->free_at) &&
            is_drained(l)) {
                l->frame_n = frame_write(l->next, l->waiting, l->frame);
                l->waiting = 0;
                l->free_at = instant_add(now, time_of(l, l->frame_n));
                error = write_frame(l);
        }
        if (error) {
                lose(l, error);
                return;
        }
        uv_poll_start(&l->port->poll, l->frame_n ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_ready);
        if (l->frame_n == 0 && l->waiting > 0)
                start_timer(l, span_max(span_between(now, l->free_at), span_ms(1)));
}

/* Reading */

static void take_byte(struct line *l, uint8_t byte, instant received)
{
        const struct medium_hooks *hooks = &l->links->hooks;
        size_t n;

        switch (frame_read(l->reader, byte, &n)) {
        case FRAME_NOTHING: break;
        case FRAME_PACKET:
                hooks->on_packet(hooks->user, l->node, l->link, NULL, l->reader->bytes, n, received);
                break;
        case FRAME_NOISE:
                if (hooks->on_refused)
                        hooks->on_refused(hooks->user, l->node, l->link, PACKET_NOISE, NULL, received);
                break;
        }
}

/* False when nothing more is there. */
static bool read_some(struct line *l)
{
        uint8_t bytes[READ_SIZE];
        ssize_t n = read(l->port->fd, bytes, sizeof(bytes));

        if (n == -1 && errno == EAGAIN)
                return false;
        if (n <= 0) {
                lose(l, n == 0 ? -EIO : -errno);
                return false;
        }
        instant received = instant_now();
        for (ssize_t i = 0; i < n; i++)
                take_byte(l, bytes[i], received);
        return n == sizeof(bytes);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
        struct line *l = ((struct port *)poll->data)->line;

        if (status < 0) {
                lose(l, -EIO);
                return;
        }
        for (int i = 0; i < TURN_MAX && !l->links->freed && l->port && read_some(l); i++)
                ;
        if (!l->links->freed && l->port && l->frame_n)
                pump(l);
}

/* Opening and losing */

static void handle_closed(struct serial_links *s)
{
        if (--s->handles > 0)
                return;
        for (size_t i = 0; i < s->line_count; i++) {
                free(s->line[i].next);
                free(s->line[i].frame);
                free(s->line[i].reader);
        }
        free(s);
}

static void on_port_closed(uv_handle_t *handle)
{
        struct port *p = handle->data;
        struct serial_links *s = p->line->links;

        free(p);
        handle_closed(s);
}

static void on_timer_closed(uv_handle_t *handle)
{
        handle_closed(((struct line *)handle->data)->links);
}

static void port_close(struct line *l)
{
        struct port *p = l->port;

        l->port = NULL;
        uv_close((uv_handle_t *)&p->poll, on_port_closed);
        close(p->fd);
}

static int port_open(struct line *l, int fd)
{
        struct port *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->line = l;
        p->fd = fd;
        int error = uv_poll_init(l->links->loop, &p->poll, fd);
        if (error) {
                free(p);
                return error;
        }
        p->poll.data = p;
        l->links->handles++;
        l->port = p;
        error = uv_poll_start(&p->poll, UV_READABLE, on_ready);
        assert(error == 0); /* it fails for closing handles only */
        return 0;
}

static void line_open(struct line *l)
{
        char owner[TTY_OWNER];
        int fd = tty_open(l->device, l->baud, owner);
        int error = fd < 0 ? fd : port_open(l, fd);

        if (error && fd >= 0)
                close(fd);
        if (error == -EBUSY && l->error != error)
                log_warning("serial %s: %s has it; waiting until it is free", l->device,
                            owner[0] ? owner : "another program");
        else if (!error && owner[0])
                log_warning(
                        "serial %s: %s has it open too and takes part of what arrives: stop that program, or "
                        "name another line",
                        l->device, owner);
        if (error) {
                start_timer(l, l->retry);
                l->retry = span_min(span_times(l->retry, 2), RETRY_MAX);
        } else {
                l->retry = RETRY_MIN;
                l->free_at = instant_now();
                l->waiting = l->frame_n = l->frame_written = 0;
                frame_reader_init(l->reader, l->links->hooks.most);
        }
        set_error(l, error);
}

/* It is gone: unplugged, or its other half has ended. */
static void lose(struct line *l, int error)
{
        port_close(l);
        start_timer(l, l->retry);
        set_error(l, error);
}

static void on_timer(uv_timer_t *timer)
{
        struct line *l = timer->data;

        if (l->port)
                pump(l);
        else
                line_open(l);
}

/* Life */

static int line_init(struct serial_links *s, const struct config_serial *from, int link, int node)
{
        struct line *l = &s->line[s->line_count];
        size_t most = s->hooks.most;

        *l = (struct line){.links = s, .link = link, .node = node, .baud = from->baud, .retry = RETRY_MIN};
        memcpy(l->device, from->device, sizeof(l->device));
        int error = uv_timer_init(s->loop, &l->timer);
        if (error)
                return error;
        l->timer.data = l;
        s->handles++;
        s->line_count++;
        l->next = malloc(most);
        l->frame = malloc(FRAME_SIZE(most));
        l->reader = malloc(FRAME_READER_SIZE(most));
        return l->next && l->frame && l->reader ? 0 : -ENOMEM;
}

static struct serial_links *links_of(struct medium *m)
{
        assert(m->kind == &medium_serial);
        return (struct serial_links *)m;
}

static void serial_free(struct medium *m)
{
        struct serial_links *s = links_of(m);

        s->freed = true;
        for (size_t i = 0; i < s->line_count; i++) {
                if (s->line[i].port)
                        port_close(&s->line[i]);
                uv_close((uv_handle_t *)&s->line[i].timer, on_timer_closed);
        }
        handle_closed(s); /* the one that stands for the medium itself */
}

static int init_lines(struct serial_links *s, const struct config *config, int self)
{
        for (int link = 0; link < (int)config->link_count; link++) {
                if (config->link[link].kind != LINK_SERIAL)
                        continue;
                for (int node = 0; node < (int)config->node_count; node++) {
                        if (node == self || !config_link_shared(config, link, self, node))
                                continue;
                        int error = line_init(s, config_link_serial(config, link, self, node), link, node);
                        if (error)
                                return error;
                }
        }
        return 0;
}

static int serial_create(uv_loop_t *loop, const struct config *config, int self,
                         const struct medium_hooks *hooks, struct medium **ret_medium)
{
        struct serial_links *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->medium.kind = &medium_serial;
        s->loop = loop;
        s->hooks = *hooks;
        s->handles = 1;
        int error = init_lines(s, config, self);
        if (error) {
                serial_free(&s->medium);
                return error;
        }
        for (size_t i = 0; i < s->line_count; i++)
                line_open(&s->line[i]);
        *ret_medium = &s->medium;
        return 0;
}

static struct line *find_line(struct serial_links *s, int node, int link)
{
        for (size_t i = 0; i < s->line_count; i++)
                if (s->line[i].node == node && s->line[i].link == link)
                        return &s->line[i];
        assert(!"a line of ours");
        return NULL;
}

static int serial_send(struct medium *m, int node, int link, const uint8_t *bytes, size_t n)
{
        struct line *l = find_line(links_of(m), node, link);

        assert(n > 0 && n <= l->links->hooks.most);
        if (!l->port)
                return l->error;
        memcpy(l->next, bytes, n);
        l->waiting = n;
        pump(l);
        return l->error;
}

static int serial_error(const struct medium *m, int node, int link)
{
        return find_line(links_of((struct medium *)m), node, link)->error;
}

const struct medium_kind medium_serial = {
        .carries = 1U << LINK_SERIAL,
        .create = serial_create,
        .free = serial_free,
        .send = serial_send,
        .error = serial_error,
};
