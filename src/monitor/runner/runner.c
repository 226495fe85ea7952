#include "monitor/runner/runner.h"

#include "base/log.h"
#include "base/text.h"
#include "monitor/kinds/pattern.h"
#include "monitor/packet.h"
#include "monitor/probe.h"
#include "monitor/runner/lookup.h"
#include "monitor/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEAT_MS           5000 /* the core takes four missing ones for a frozen checker */
#define REPORT_EVERY      10   /* looks; so that the core knows how fresh an unchanged state is */
#define FIRST_LOOK_MS     1000 /* first looks are spread over so much, or the interval if shorter */
#define SAID_EVERY_MS     1000 /* a failing check whose words change is reported so often at most */
#define PACKETS_IN_A_TURN 64

/* A kind's door, opened. */
struct room {
        const struct probe_kind *door;
        void *shared;
};

struct runner {
        uv_loop_t *loop;
        int fd;
        uv_poll_t poll;
        uv_timer_t beat;
        struct table checks; /* of struct look */
        struct probe_house house;
        char object_dir[512];
        struct room room[2 * CHECK_KINDS]; /* of each kind in use, in no order; a kind may have two doors */
        size_t room_count;
        const struct lookup_kind *names; /* NULL: none was looked up so far */
        uint32_t started;                /* checks so far: each gets a place in its interval by this */
        int handles;                     /* open ones of the two above; free with the last */
        uint32_t waiting_from;           /* unsent reports start at this id; UINT32_MAX: none */
};

/* One check: either waiting for its turn or looking; the timer serves both. */
struct look {
        struct runner *runner;
        uint32_t id;
        uint32_t generation;
        struct config_check check;
        struct verdict verdict;
        uv_timer_t timer;
        uint32_t place;        /* in its interval, as a fraction of 2^32 */
        uint64_t due_ms;       /* uv_now() of the turn that is next or under way */
        bool on_grid;          /* that is one of its places, an interval from the next */
        struct probe *probe;   /* NULL: not looking */
        struct lookup *lookup; /* of its host's name, before that; NULL: none is under way */
        struct room *room;     /* NULL: never looked */
        instant began;
        struct outcome outcome; /* `said` is its own */
        instant at;
        instant reported;
        int unreported; /* looks since the core was told */
        int count;      /* so many failures in a row are reported one by one */
        bool waiting;   /* told to, but the socket was full */
};

static void on_turn(uv_timer_t *timer);

/* Places that are spread evenly however many of them are taken: van der Corput's sequence, the bits of a
 * counter read backwards. */
static uint32_t next_place(struct runner *r)
{
        uint32_t n = r->started++, place = 0;

        for (int bit = 0; bit < 32; bit++)
                place |= (n >> bit & 1U) << (31 - bit);
        return place;
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

        if (l->outcome.said != NULL)
                text_copy(p.said, sizeof(p.said), l->outcome.said);
        if (!send_packet(l->runner, &p))
                return false;
        l->reported = l->at;
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

/* Whether the newest findings are about to make it another state. */
static bool may_change(const struct look *l)
{
        bool worked = (l->verdict.history & 1) != 0;

        switch (l->verdict.state) {
        case VERDICT_UNKNOWN: return true;
        case VERDICT_UP: return !worked;
        case VERDICT_DOWN: return worked;
        }
        return false;
}

static uint64_t at_least_one_ms(span s)
{
        int64_t ms = span_to_ms(s);

        return ms < 1 ? 1 : (uint64_t)ms;
}

/* The turn after this one. Turns lie on a grid of the check's own, so that thousands started together do not
 * march in step; the first, and quick ones, lie beside it, and the next one joins it within an interval. A
 * turn that is past is left out. */
static void choose_turn(struct look *l)
{
        uint64_t interval = at_least_one_ms(l->check.interval), quick = at_least_one_ms(l->check.quick);
        uint64_t place = (uint64_t)l->place * interval >> 32;
        uint64_t now = uv_now(l->runner->loop);
        uint64_t next = l->due_ms + (l->on_grid ? interval - interval / 8 : 1);

        if (quick < interval && may_change(l)) {
                l->due_ms += quick;
                if (l->due_ms <= now)
                        l->due_ms += (now - l->due_ms) / quick * quick + quick;
                l->on_grid = false;
                return;
        }
        if (next <= now)
                next = now + 1;
        l->due_ms = (next + interval - 1 - place) / interval * interval + place;
        l->on_grid = true;
}

static void look_say(struct look *l, const char *said)
{
        free((char *)l->outcome.said);
        l->outcome.said = said[0] == '\0' ? NULL : strdup(said);
}

/* Whether the core has to know: what changed, and now and then that nothing did. */
static bool is_news(struct look *l, const struct ending *e)
{
        const char *before = l->outcome.said == NULL ? "" : l->outcome.said;

        if (e->reason != l->outcome.reason || e->detail != l->outcome.detail ||
            e->told.us != l->outcome.told.us)
                return true;
        if (reason_finding(e->reason) == FINDING_BROKEN && l->outcome.failures <= l->count)
                return true;
        if (l->check.kind == CHECK_COMMAND && l->check.command.weight && strcmp(before, e->said) != 0)
                return true;
        if (strcmp(before, e->said) != 0 && reason_finding(e->reason) != FINDING_WORKS &&
            span_between(l->reported, l->at).us >= SAID_EVERY_MS * 1000)
                return true;
        return ++l->unreported >= REPORT_EVERY;
}

static void count_failure(struct look *l, enum finding finding)
{
        switch (finding) {
        case FINDING_WORKS: l->outcome.failures = 0; break;
        case FINDING_BROKEN: l->outcome.failures += l->outcome.failures < FAILURES_MAX; break;
        case FINDING_NONE: break;
        }
}

static void look_ended(struct look *l, const struct ending *e)
{
        bool changed, news;

        l->probe = NULL;
        l->at = instant_now();
        changed = verdict_step(&l->verdict, l->check.rise, l->check.fall, reason_finding(e->reason), l->at);
        count_failure(l, reason_finding(e->reason));
        news = is_news(l, e);
        look_say(l, e->said);
        l->outcome.reason = e->reason;
        l->outcome.detail = e->detail > 0 ? e->detail : 0; /* from outside: has no business below zero */
        l->outcome.took = span_between(l->began, l->at);
        l->outcome.told = e->told;
        if (changed || news)
                look_report(l);
        choose_turn(l);
        wait_for_turn(l);
}

static void on_probe_done(void *user, const struct ending *ending)
{
        look_ended(user, ending);
}

static void look_cut(struct look *l)
{
        struct ending ending = {.reason = REASON_NO_LOOKUP};

        if (l->lookup != NULL) {
                l->runner->names->cut(l->lookup);
                l->lookup = NULL;
        } else {
                ending.reason = REASON_NO_ANSWER;
                l->room->door->cut(l->probe, &ending);
        }
        look_ended(l, &ending);
}

static void look_begin(struct look *l);

static void on_turn(uv_timer_t *timer)
{
        struct look *l = timer->data;

        if (l->probe != NULL || l->lookup != NULL)
                look_cut(l);
        else
                look_begin(l);
}

/* Finds the check's door, and opens it for the first that comes. */
static int look_find_room(struct look *l)
{
        struct runner *r = l->runner;
        struct room room = {0};
        int e;

        if (l->room != NULL)
                return 0;
        e = probe_kind_find(&l->check, r->object_dir, &room.door);
        if (e != 0)
                return e;
        for (size_t i = 0; i < r->room_count && l->room == NULL; i++)
                if (r->room[i].door == room.door)
                        l->room = &r->room[i];
        if (l->room != NULL)
                return 0;
        if (room.door->open != NULL)
                e = room.door->open(&r->house, &room.shared);
        if (e != 0)
                return e;
        assert(r->room_count < sizeof(r->room) / sizeof(r->room[0]));
        r->room[r->room_count] = room;
        l->room = &r->room[r->room_count++];
        return 0;
}

static void look_failed(struct look *l, int error)
{
        struct ending ending = {.reason = reason_from_errno(-error, false), .detail = -error};

        look_ended(l, &ending);
}

static int look_ask(struct look *l)
{
        return l->room->door->begin(l->room->shared, &l->runner->house, &l->check, on_probe_done, l,
                                    &l->probe);
}

/* The look goes on, in what is left of its time. */
static void on_address(void *user, const struct ip *ip, const struct ending *failure)
{
        struct look *l = user;
        int e;

        l->lookup = NULL;
        if (failure != NULL) {
                look_ended(l, failure);
                return;
        }
        l->check.ip = *ip;
        e = look_ask(l);
        if (e != 0)
                look_failed(l, e);
}

static int look_find_address(struct look *l)
{
        struct runner *r = l->runner;

        if (r->names == NULL) {
                int e = lookup_kind_find(r->object_dir, &r->names);
                if (e != 0)
                        return e;
        }
        assert(r->names != NULL);
        return r->names->begin(r->loop, l->check.host, l->check.source.family, l->check.timeout, on_address,
                               l, &l->lookup);
}

static void look_begin(struct look *l)
{
        int e = look_find_room(l);

        l->began = instant_now();
        if (e == 0)
                e = l->check.host != NULL ? look_find_address(l) : look_ask(l);
        if (e != 0)
                look_failed(l, e);
        else
                uv_timer_start(&l->timer, on_turn, (uint64_t)span_to_ms(l->check.timeout), 0);
}

static void on_look_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void look_free(struct look *l)
{
        struct ending unwanted = {0};

        if (l == NULL)
                return;
        if (l->lookup != NULL)
                l->runner->names->cut(l->lookup);
        if (l->probe != NULL)
                l->room->door->cut(l->probe, &unwanted);
        if (l->room != NULL && l->room->door->forget != NULL)
                l->room->door->forget(l->room->shared, &l->check);
        check_done(&l->check);
        free((char *)l->outcome.said);
        uv_close((uv_handle_t *)&l->timer, on_look_closed);
}

/* What was told to a process before this one. */
static void look_remember(struct look *l, const struct packet *p)
{
        struct ending past = {.told = p->outcome.told, .detail = p->outcome.detail};

        if (past.told.us == 0 || look_find_room(l) != 0 || l->room->door->remember == NULL)
                return;
        text_copy(past.said, sizeof(past.said), p->said);
        l->room->door->remember(l->room->shared, &l->check, &past);
}

/* False if the core sent a definition that is none. */
static bool runner_start(struct runner *r, const struct packet *p)
{
        struct look *old = table_take(&r->checks, p->id), *l = calloc(1, sizeof(*l));
        uint64_t spread;

        if (l == NULL || table_put(&r->checks, p->id, l) != 0) {
                log_error("checker: no memory for check %u", p->id);
                abort(); /* to be started again with what is wanted, rather than go on without it */
        }
        l->place = old == NULL ? next_place(r) : old->place;
        look_free(old);
        l->runner = r;
        l->id = p->id;
        l->generation = p->generation;
        l->verdict = p->verdict;
        l->outcome.reason = REASON_NOT_YET; /* differs from all that come, so the first is reported */
        l->outcome.failures = p->outcome.failures;
        l->count = p->count;
        uv_timer_init(r->loop, &l->timer);
        l->timer.data = l;
        if (check_decode(p->check, p->check_size, &l->check) != 0)
                return false;
        look_remember(l, p);
        spread = (uint64_t)span_to_ms(span_min(l->check.interval, span_ms(FIRST_LOOK_MS)));
        l->due_ms = uv_now(r->loop) + ((uint64_t)l->place * spread >> 32);
        wait_for_turn(l);
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
        r->waiting_from = UINT32_MAX;
        text_copy(r->object_dir, sizeof(r->object_dir), object_dir);
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
        for (size_t i = 0; i < r->room_count; i++)
                if (r->room[i].door->close != NULL)
                        r->room[i].door->close(r->room[i].shared);
        pattern_forget();
        uv_poll_stop(&r->poll);
        close(r->fd);
        uv_close((uv_handle_t *)&r->poll, on_runner_closed);
        uv_close((uv_handle_t *)&r->beat, on_runner_closed);
}
