#include "monitor/runner.h"

#include "base/log.h"
#include "base/text.h"
#include "monitor/packet.h"
#include "monitor/probe.h"
#include "monitor/table.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEAT_MS           5000 /* the core takes four missing ones for a frozen checker */
#define REPORT_EVERY      10   /* looks; so that the core knows how fresh an unchanged state is */
#define FIRST_LOOK_MS     1000 /* first looks are spread over so much, or the interval if shorter */
#define PACKETS_IN_A_TURN 64

struct runner {
        uv_loop_t *loop;
        int fd;
        uv_poll_t poll;
        uv_timer_t beat;
        struct table checks; /* of struct look */
        uint64_t random;
        char object_dir[512];
        const struct probe_http_door *door; /* NULL: not loaded */
        struct http *http;
        int handles;           /* open ones of the two above; free with the last */
        uint32_t waiting_from; /* unsent reports start at this id; UINT32_MAX: none */
};

/* One check: either waiting for its turn or looking; the timer serves both. */
struct look {
        struct runner *runner;
        uint32_t id;
        uint32_t generation;
        struct config_check check;
        struct verdict verdict;
        uv_timer_t timer;
        uint64_t due_ms; /* uv_now() of the turn that is next or under way */
        bool first;      /* the turn under way is its first */
        bool looking;
        instant began;
        struct outcome outcome;
        instant at;
        int unreported; /* looks since the core was told */
        bool waiting;   /* told to, but the socket was full */
        struct probe_tcp *tcp;
        struct probe_http *http;
};

static void look_begin(struct look *l);
static void on_turn(uv_timer_t *timer);

/* xorshift64: spreading needs no better. */
static uint64_t random_below(struct runner *r, uint64_t limit)
{
        r->random ^= r->random << 13;
        r->random ^= r->random >> 7;
        r->random ^= r->random << 17;
        return limit == 0 ? 0 : r->random % limit;
}

/* False when the core does not read now. */
static bool send_packet(struct runner *r, const struct packet *p)
{
        uint8_t bytes[PACKET_MAX];
        size_t n = checker_packet_encode(p, bytes);

        if (send(r->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
                return true;
        if (errno != EAGAIN && errno != ENOBUFS)
                uv_stop(r->loop); /* the core is gone */
        return false;
}

static bool look_send(struct look *l)
{
        struct packet p = {.type = PACKET_REPORT,
                           .id = l->id,
                           .generation = l->generation,
                           .verdict = l->verdict,
                           .outcome = l->outcome,
                           .at = l->at};

        if (!send_packet(l->runner, &p))
                return false;
        l->unreported = 0;
        l->waiting = false;
        return true;
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void look_report(struct look *l)
{
        struct runner *r = l->runner;

        if (look_send(l))
                return;
        l->waiting = true;
        if (l->id < r->waiting_from)
                r->waiting_from = l->id;
        uv_poll_start(&r->poll, UV_READABLE | UV_WRITABLE, on_socket);
}

static void send_waiting(struct runner *r)
{
        struct look *l;

        for (uint32_t id = r->waiting_from; (l = table_next(&r->checks, &id)) != NULL; id++)
                if (l->waiting && !look_send(l)) {
                        r->waiting_from = id;
                        return;
                }
        r->waiting_from = UINT32_MAX;
        uv_poll_start(&r->poll, UV_READABLE, on_socket);
}

static void wait_for_turn(struct look *l)
{
        uint64_t now = uv_now(l->runner->loop);

        uv_timer_start(&l->timer, on_turn, l->due_ms > now ? l->due_ms - now : 0, 0);
}

/* The turn after this one: an interval later, or the next that is still to come. After the first look the
 * check takes a place of its own in the interval, so that thousands started together do not march in step. */
static void choose_turn(struct look *l)
{
        uint64_t interval = (uint64_t)span_to_ms(l->check.interval);
        uint64_t now = uv_now(l->runner->loop);

        assert(interval > 0); /* no packet carries less than a millisecond */
        if (l->first)
                l->due_ms -= random_below(l->runner, interval / 2);
        l->first = false;
        l->due_ms += interval;
        if (l->due_ms <= now)
                l->due_ms += (now - l->due_ms) / interval * interval + interval;
}

static void look_ended(struct look *l, enum reason reason, int detail)
{
        struct outcome before = l->outcome;
        bool changed;

        l->looking = false;
        l->tcp = NULL;
        l->at = instant_now();
        l->outcome = (struct outcome){.reason = reason, .took = span_between(l->began, l->at)};
        /* A number from outside has no business below zero. */
        l->outcome.detail = detail > 0 ? detail : 0;
        changed = verdict_step(&l->verdict, l->check.rise, l->check.fall, reason_finding(reason), l->at);
        if (changed || reason != before.reason || l->outcome.detail != before.detail ||
            ++l->unreported >= REPORT_EVERY)
                look_report(l);
        choose_turn(l);
        wait_for_turn(l);
}

static void on_probe_done(void *user, enum reason reason, int detail)
{
        look_ended(user, reason, detail);
}

static void look_cut(struct look *l)
{
        enum reason reason = REASON_NO_CONNECTION;

        switch (l->check.kind) {
        case CHECK_TCP: probe_tcp_cancel(l->tcp); break;
        case CHECK_HTTP: reason = l->runner->door->cancel(l->http); break;
        }
        look_ended(l, reason, 0);
}

static void on_turn(uv_timer_t *timer)
{
        struct look *l = timer->data;

        if (l->looking)
                look_cut(l);
        else
                look_begin(l);
}

/* Loads the shared object that carries http, once. */
static int runner_http(struct runner *r)
{
        char path[sizeof(r->object_dir) + sizeof(PROBE_HTTP_OBJECT) + 1];
        void *object;

        if (r->http != NULL)
                return 0;
        if (r->door == NULL) {
                snprintf(path, sizeof(path), "%s/%s", r->object_dir, PROBE_HTTP_OBJECT);
                object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
                if (object == NULL) {
                        log_error("checker: no http checks possible: %s", dlerror());
                        return -ELIBACC;
                }
                r->door = dlsym(object, PROBE_HTTP_SYMBOL);
                if (r->door == NULL)
                        return -ELIBBAD;
        }
        return r->door->http_new(r->loop, &r->http);
}

static int begin_http(struct look *l)
{
        int r = runner_http(l->runner);

        if (r == 0 && l->http == NULL)
                r = l->runner->door->probe_new(l->runner->http, &l->check, on_probe_done, l, &l->http);
        return r == 0 ? l->runner->door->begin(l->http) : r;
}

static void look_begin(struct look *l)
{
        int r = -EINVAL;

        l->began = instant_now();
        l->looking = true;
        switch (l->check.kind) {
        case CHECK_TCP: r = probe_tcp_begin(l->runner->loop, &l->check, on_probe_done, l, &l->tcp); break;
        case CHECK_HTTP: r = begin_http(l); break;
        }
        if (r != 0)
                look_ended(l, reason_from_errno(-r, false), -r);
        else
                uv_timer_start(&l->timer, on_turn, (uint64_t)span_to_ms(l->check.timeout), 0);
}

static void on_look_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void look_free(struct look *l)
{
        if (l == NULL)
                return;
        if (l->looking && l->check.kind == CHECK_TCP)
                probe_tcp_cancel(l->tcp);
        if (l->http != NULL)
                l->runner->door->probe_free(l->http);
        uv_close((uv_handle_t *)&l->timer, on_look_closed);
}

static void runner_start(struct runner *r, const struct packet *p)
{
        uint64_t spread = (uint64_t)span_to_ms(span_min(p->check.interval, span_ms(FIRST_LOOK_MS)));
        struct look *l = calloc(1, sizeof(*l));

        look_free(table_take(&r->checks, p->id));
        if (l == NULL || table_put(&r->checks, p->id, l) != 0) {
                log_error("checker: no memory for check %u", p->id);
                abort(); /* to be started again with what is wanted, rather than go on without it */
        }
        l->runner = r;
        l->id = p->id;
        l->generation = p->generation;
        l->check = p->check;
        l->verdict = p->verdict;
        l->outcome.reason = REASON_NOT_YET; /* differs from all that come, so the first is reported */
        l->first = true;
        uv_timer_init(r->loop, &l->timer);
        l->timer.data = l;
        l->due_ms = uv_now(r->loop) + random_below(r, spread);
        wait_for_turn(l);
}

/* False when the core has closed, or says what it must not. */
static bool receive_packet(struct runner *r, bool *ret_more)
{
        uint8_t bytes[PACKET_MAX];
        struct packet p;
        ssize_t n = recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        *ret_more = n != -1;
        if (n == -1)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0)
                return false;
        if (checker_packet_decode(bytes, (size_t)n, &p) != 0) {
                log_error("checker: the core sent a packet that is none, giving up");
                return false;
        }
        if (p.type == PACKET_START)
                runner_start(r, &p);
        else if (p.type == PACKET_STOP)
                look_free(table_take(&r->checks, p.id));
        return true;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
        struct runner *r = poll->data;
        bool more = true;

        if ((events & UV_WRITABLE) != 0)
                send_waiting(r);
        for (int i = 0; i < PACKETS_IN_A_TURN && more; i++)
                if (!receive_packet(r, &more)) {
                        uv_stop(r->loop);
                        return;
                }
}

static void on_beat(uv_timer_t *timer)
{
        struct packet beat = {.type = PACKET_BEAT};

        send_packet(timer->data, &beat);
}

int runner_new(uv_loop_t *loop, int fd, const char *object_dir, struct runner **ret_runner)
{
        struct runner *r = calloc(1, sizeof(*r));
        int e;

        if (r == NULL)
                return -ENOMEM;
        r->loop = loop;
        r->fd = fd;
        r->waiting_from = UINT32_MAX;
        text_copy(r->object_dir, sizeof(r->object_dir), object_dir);
        if (getrandom(&r->random, sizeof(r->random), GRND_NONBLOCK) == -1 || r->random == 0)
                r->random = (uint64_t)instant_now().us | 1;
        e = uv_poll_init(loop, &r->poll, fd);
        if (e != 0) {
                free(r);
                return e;
        }
        uv_timer_init(loop, &r->beat);
        r->handles = 2;
        r->poll.data = r->beat.data = r;
        uv_poll_start(&r->poll, UV_READABLE, on_socket);
        uv_timer_start(&r->beat, on_beat, BEAT_MS, BEAT_MS);
        *ret_runner = r;
        return 0;
}

static void on_runner_closed(uv_handle_t *handle)
{
        struct runner *r = handle->data;

        if (--r->handles == 0)
                free(r);
}

void runner_free(struct runner *r)
{
        struct look *l;

        for (uint32_t id = 0; (l = table_next(&r->checks, &id)) != NULL;)
                look_free(table_take(&r->checks, id));
        table_done(&r->checks);
        if (r->http != NULL)
                r->door->http_free(r->http);
        uv_poll_stop(&r->poll);
        close(r->fd);
        uv_close((uv_handle_t *)&r->poll, on_runner_closed);
        uv_close((uv_handle_t *)&r->beat, on_runner_closed);
}
