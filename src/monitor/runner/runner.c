#include "monitor/runner/inside.h"

#include "base/log.h"
#include "base/text.h"
#include "monitor/kinds/pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEAT_MS           5000 /* the core takes four missing ones for a frozen checker */
#define PACKETS_IN_A_TURN 64
#define LOOKS_IN_A_TURN   64 /* are begun: then those that are answered get theirs */

/* --- time --- */

instant runner_now(struct runner *r)
{
        if (r->now.us == INSTANT_NEVER.us)
                r->now = instant_now();
        return r->now;
}

static void on_timer(uv_timer_t *timer)
{
        struct runner *r = timer->data;
        uint64_t now = uv_now(r->loop), by_ms;
        int looks = 0;

        r->now = INSTANT_NEVER;
        r->timer_ms = UINT64_MAX;
        for (struct due *d; (d = due_first(&r->due, &by_ms)) != NULL && d->from_ms <= now;) {
                r->more_due = ++looks > LOOKS_IN_A_TURN;
                if (r->more_due)
                        break;
                look_turn((struct look *)d); /* its first member */
        }
}

/* Before the loop waits: the timer is set to what is due first. */
static void on_prepare(uv_prepare_t *prepare)
{
        struct runner *r = prepare->data;
        uint64_t now = uv_now(r->loop), at = UINT64_MAX;
        bool any = due_first(&r->due, &at) != NULL;

        if (any && r->more_due)
                at = now;
        r->now = INSTANT_NEVER;
        r->more_due = false;
        if (at == r->timer_ms)
                return;
        r->timer_ms = at;
        if (any)
                uv_timer_start(&r->timer, on_timer, at > now ? at - now : 0, 0);
        else
                uv_timer_stop(&r->timer);
}

static void on_beat(uv_timer_t *timer)
{
        struct packet beat = {.type = PACKET_BEAT};
        struct runner *r = timer->data;

        runner_send(r, &beat);
        runner_send_steady(r);
}

/* --- what the core says --- */

static void abort_without_memory(uint32_t id)
{
        log_error("checker: no memory for check %u", id);
        abort(); /* to be started again with what is wanted, rather than go on without it */
}

/* False if the core sent a definition that is none. */
static bool runner_start(struct runner *r, const struct packet *p)
{
        struct look *old = table_take(&r->checks, p->id), *l = calloc(1, sizeof(*l));

        if (l == NULL || table_put(&r->checks, p->id, l) != 0)
                abort_without_memory(p->id);
        l->runner = r;
        l->id = p->id;
        l->generation = p->generation;
        l->verdict = p->verdict;
        l->count = p->count;
        l->outcome.failures = p->outcome.failures;
        l->outcome.reason = REASON_NOT_YET; /* differs from all that come, so the first is reported */
        l->place = old == NULL ? look_place(r->started++) : old->place;
        look_free(old);
        if (check_decode(p->check, p->check_size, &l->check) != 0)
                return false;
        if (look_add(l) != 0)
                abort_without_memory(p->id);
        look_remember(l, p);
        return true;
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
        if (checker_packet_decode(bytes, (size_t)n, &p) != 0 ||
            (p.type == PACKET_START && !runner_start(r, &p))) {
                log_error("checker: the core sent a packet that is none, giving up");
                return false;
        }
        if (p.type == PACKET_STOP)
                look_free(table_take(&r->checks, p.id));
        return true;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
        struct runner *r = poll->data;
        bool more = true;

        if ((events & UV_WRITABLE) != 0)
                runner_send_waiting(r);
        for (int i = 0; i < PACKETS_IN_A_TURN && more; i++)
                if (!receive_packet(r, &more)) {
                        uv_stop(r->loop);
                        return;
                }
}

void runner_want_room(struct runner *r, bool wanted)
{
        uv_poll_start(&r->poll, UV_READABLE | (wanted ? UV_WRITABLE : 0), on_socket);
}

/* --- its life --- */

int runner_new(const struct probe_house *house, int fd, const char *object_dir, struct runner **ret_runner)
{
        uv_loop_t *loop = house->loop;
        struct runner *r = calloc(1, sizeof(*r));
        int e;

        if (r == NULL)
                return -ENOMEM;
        r->loop = loop;
        r->house = *house;
        r->fd = fd;
        r->now = INSTANT_NEVER;
        r->timer_ms = UINT64_MAX;
        r->waiting_from = UINT32_MAX;
        r->steady.type = PACKET_STEADY;
        text_copy(r->object_dir, sizeof(r->object_dir), object_dir);
        e = uv_poll_init(loop, &r->poll, fd);
        if (e != 0) {
                free(r);
                return e;
        }
        uv_timer_init(loop, &r->beat);
        uv_timer_init(loop, &r->timer);
        uv_prepare_init(loop, &r->turn);
        r->handles = 4;
        r->poll.data = r->beat.data = r->timer.data = r->turn.data = r;
        uv_timer_start(&r->beat, on_beat, BEAT_MS, BEAT_MS);
        uv_prepare_start(&r->turn, on_prepare);
        runner_want_room(r, false);
        *ret_runner = r;
        return 0;
}

static void on_closed(uv_handle_t *handle)
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
        due_done(&r->due);
        for (size_t i = 0; i < r->room_count; i++)
                if (r->room[i].door->close != NULL)
                        r->room[i].door->close(r->room[i].shared);
        pattern_forget();
        uv_poll_stop(&r->poll);
        close(r->fd);
        uv_close((uv_handle_t *)&r->poll, on_closed);
        uv_close((uv_handle_t *)&r->beat, on_closed);
        uv_close((uv_handle_t *)&r->timer, on_closed);
        uv_close((uv_handle_t *)&r->turn, on_closed);
}
