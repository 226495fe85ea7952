/* trap.c - nobody is asked: others say by mon's traps how they are (trap_read.h), and a look is at what
 * was said last.
 *
 * One socket hears for all checks of a port. What was said is kept until the check is gone. */
#include "monitor/kinds/trap_read.h"
#include "monitor/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRAP_MAX     65536 /* a datagram; its detail is not kept */
#define TRAPS_A_TURN 64
#define HEARING_MAX  8 /* sockets: pairs of port and source that checks have */

/* What one check was told. */
struct told {
        struct told *next;
        const struct config_check *check;
        instant since; /* when it began to be listened for */
        instant at;    /* when it was told last */
        bool any;
        int status;
        char summary[SAID_TEXT];
};

struct hearing {
        uv_poll_t poll;
        int fd;
        uint16_t port;
        struct ip source;
        struct traps *traps;
};

struct traps {
        struct hearing *hearing[HEARING_MAX];
        struct told *told;
};

/* Its answer is there at once, and is given by the loop. */
struct probe {
        uv_timer_t timer;
        const struct told *told;
        probe_done_fn *on_done;
        void *user;
};

/* --- what comes --- */

/* IPv4 arrives as ::ffff:10.0.0.1 at a socket for both. */
static struct ip plain(const struct ip *ip)
{
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        struct ip four = {.family = AF_INET};

        if (ip->family != AF_INET6 || memcmp(ip->bytes, mapped, sizeof(mapped)) != 0)
                return *ip;
        memcpy(four.bytes, ip->bytes + 12, 4);
        return four;
}

static bool is_for(const struct trap *t, const struct ip *from, const struct hearing *h,
                   const struct config_check *c)
{
        if (c->port != h->port || (c->source.family != 0) != (h->source.family != 0) ||
            (c->source.family != 0 && !ip_equal(&c->source, &h->source)))
                return false;
        if (c->ip.family != 0 && !ip_equal(&c->ip, from))
                return false;
        if (c->trap.user != NULL && strcmp(c->trap.user, t->user) != 0)
                return false;
        if (c->trap.password != NULL && strcmp(c->trap.password, t->password) != 0)
                return false;
        return strcmp(c->trap.group, t->group) == 0 && strcmp(c->trap.service, t->service) == 0;
}

static void on_trap(struct hearing *h, const char *bytes, size_t n, const struct ip *from)
{
        struct trap trap;

        if (trap_read(bytes, n, &trap) != 0)
                return;
        for (struct told *t = h->traps->told; t != NULL; t = t->next) {
                if (!is_for(&trap, from, h, t->check))
                        continue;
                t->any = true;
                t->at = instant_now();
                t->status = trap.status;
                memcpy(t->summary, trap.summary, sizeof(t->summary));
        }
}

static void on_heard(uv_poll_t *poll, int status, int events)
{
        static char bytes[TRAP_MAX];
        struct hearing *h = poll->data;

        for (int i = 0; i < TRAPS_A_TURN; i++) {
                struct sockaddr_storage peer = {0};
                socklen_t size = sizeof(peer);
                struct ip from;
                ssize_t n =
                        recvfrom(h->fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&peer, &size);

                if (n == -1)
                        return;
                ip_from_sockaddr((struct sockaddr *)&peer, &from);
                from = plain(&from);
                on_trap(h, bytes, (size_t)n, &from);
        }
}

/* --- who listens --- */

static int listen_at(uint16_t port, const struct ip *source)
{
        static const struct ip any4 = {.family = AF_INET}, any6 = {.family = AF_INET6};
        const struct ip *at = source->family != 0 ? source : &any6;
        int fd = socket(at->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), off = 0;
        struct sockaddr_storage own;

        if (fd == -1 && source->family == 0) { /* a kernel without IPv6 */
                at = &any4;
                fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        }
        if (fd == -1)
                return -errno;
        if (at->family == AF_INET6)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        if (bind(fd, (struct sockaddr *)&own, ip_to_sockaddr(at, port, &own)) == -1) {
                int r = -errno;
                close(fd);
                return r;
        }
        return fd;
}

static bool is_heard(const struct hearing *h, const struct config_check *c)
{
        return h != NULL && h->port == c->port && h->source.family == c->source.family &&
               (h->source.family == 0 || ip_equal(&h->source, &c->source));
}

static int hear(struct traps *traps, uv_loop_t *loop, const struct config_check *c)
{
        struct hearing **place = NULL, *h;
        int r;

        for (size_t i = 0; i < HEARING_MAX; i++) {
                if (is_heard(traps->hearing[i], c))
                        return 0;
                if (place == NULL && traps->hearing[i] == NULL)
                        place = &traps->hearing[i];
        }
        if (place == NULL)
                return -EMFILE;
        h = calloc(1, sizeof(*h));
        if (h == NULL)
                return -ENOMEM;
        r = h->fd = listen_at(c->port, &c->source);
        if (r >= 0)
                r = uv_poll_init(loop, &h->poll, h->fd);
        if (r != 0) {
                if (h->fd >= 0)
                        close(h->fd);
                free(h);
                return r;
        }
        h->port = c->port;
        h->source = c->source;
        h->traps = traps;
        h->poll.data = h;
        uv_poll_start(&h->poll, UV_READABLE, on_heard);
        *place = h;
        return 0;
}

static void on_freed(uv_handle_t *handle)
{
        free(handle->data);
}

static void hearing_free(struct hearing *h)
{
        if (h == NULL)
                return;
        uv_poll_stop(&h->poll);
        close(h->fd);
        uv_close((uv_handle_t *)&h->poll, on_freed);
}

/* --- a look --- */

static struct told *find_or_make(struct traps *traps, const struct config_check *check)
{
        struct told *t = traps->told;

        while (t != NULL && t->check != check)
                t = t->next;
        if (t != NULL)
                return t;
        t = calloc(1, sizeof(*t));
        if (t == NULL)
                return NULL;
        t->check = check;
        t->since = instant_now();
        t->next = traps->told;
        traps->told = t;
        return t;
}

static void judge(const struct told *t, instant now, struct ending *e)
{
        const struct check_trap *c = &t->check->trap;
        span age = span_between(t->any ? t->at : t->since, now);
        char text[SPAN_TEXT];

        if (t->any) {
                e->told = t->at;
                e->detail = t->status;
        }
        if (c->within.us > 0 && age.us > c->within.us) {
                e->reason = REASON_MISSING;
                ending_say(e, "no trap within %s", span_format(c->within, text));
        } else if (!t->any) {
                e->reason = REASON_NOT_YET;
                ending_say(e, "no trap has come so far");
        } else if (t->status == 0 || (c->lasts.us > 0 && age.us > c->lasts.us)) {
                e->reason = REASON_WORKS;
                ending_say(e, "%s", t->status == 0 ? t->summary : "its last failure is over");
        } else {
                e->reason = REASON_FAILED;
                ending_say(e, "%s", t->summary);
        }
}

static void on_turn(uv_timer_t *timer)
{
        struct probe *p = timer->data;
        struct ending e = {0};
        probe_done_fn *on_done = p->on_done;
        void *user = p->user;

        judge(p->told, instant_now(), &e);
        uv_close((uv_handle_t *)&p->timer, on_freed);
        on_done(user, &e);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct told *told = find_or_make(shared, check);
        int r = told == NULL ? -ENOMEM : hear(shared, house->loop, check);
        struct probe *p = r == 0 ? calloc(1, sizeof(*p)) : NULL;

        if (p == NULL)
                return r == 0 ? -ENOMEM : r;
        p->told = told;
        p->on_done = on_done;
        p->user = user;
        uv_timer_init(house->loop, &p->timer);
        p->timer.data = p;
        uv_timer_start(&p->timer, on_turn, 0, 0);
        *ret_probe = p;
        return 0;
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        judge(p->told, instant_now(), ret_ending);
        uv_close((uv_handle_t *)&p->timer, on_freed);
}

static void remember(void *shared, const struct config_check *check, const struct ending *past)
{
        struct told *told = find_or_make(shared, check);

        if (told == NULL || told->any)
                return;
        told->any = true;
        told->at = past->told;
        told->status = past->detail;
        memcpy(told->summary, past->said, sizeof(told->summary));
}

/* The socket goes with the last check that has it. */
static void forget(void *shared, const struct config_check *check)
{
        struct traps *traps = shared;
        struct told **at = &traps->told, *t;

        while (*at != NULL && (*at)->check != check)
                at = &(*at)->next;
        t = *at;
        if (t == NULL)
                return;
        *at = t->next;
        free(t);
        for (size_t i = 0; i < HEARING_MAX; i++) {
                bool wanted = false;
                for (t = traps->told; t != NULL; t = t->next)
                        wanted |= is_heard(traps->hearing[i], t->check);
                if (!wanted) {
                        hearing_free(traps->hearing[i]);
                        traps->hearing[i] = NULL;
                }
        }
}

static int open_traps(const struct probe_house *house, void **ret_shared)
{
        *ret_shared = calloc(1, sizeof(struct traps));
        return *ret_shared == NULL ? -ENOMEM : 0;
}

static void close_traps(void *shared)
{
        struct traps *traps = shared;

        while (traps->told != NULL)
                forget(traps, traps->told->check);
        free(traps);
}

const struct probe_kind probe_trap = {.open = open_traps,
                                      .close = close_traps,
                                      .begin = begin,
                                      .cut = cut,
                                      .remember = remember,
                                      .forget = forget};
