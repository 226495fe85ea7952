#include "monitor/ping.h"

#include "monitor/icmp_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES             3  /* one lost packet must not cost a vote */
#define PACKETS_IN_A_TURN 64 /* a raw socket hears the replies to every ping of the machine */
#define COOKIE_SIZE       16
#define PACKET_SIZE       128

/* ICMP and ICMPv6 echo have the same layout; the kernel fills in the ICMPv6 checksum. */
struct echo {
        uint8_t type;
        uint8_t code;
        uint16_t checksum;
        uint16_t id;
        uint16_t sequence;
        uint8_t cookie[COOKIE_SIZE];
};
_Static_assert(sizeof(struct echo) == 8 + COOKIE_SIZE, "as it is on the wire");

struct ask {
        struct pinger *pinger; /* NULL: over, closing */
        struct ask *next;
        struct ip target[PING_TARGETS_MAX];
        size_t count;
        ping_fn *on_answer;
        void *user;
        uint16_t id;
        uint8_t cookie[COOKIE_SIZE];
        int tries;
        instant sent_at[TRIES]; /* by sequence */
        span between;
        instant end;
        uv_timer_t timer;
};

/* One for each family, open while questions of it are. */
struct door {
        uv_poll_t poll;
        struct pinger *pinger;
        int fd;
        int family;
        bool raw; /* IPv4 packets come with their IP header */
};

struct pinger {
        uv_loop_t *loop;
        struct ask *asks;
        size_t ask_count;
        struct door *v4, *v6; /* NULL: closed */
};

static void on_freed(uv_handle_t *handle)
{
        free(handle->data);
}

static struct door **door_of(struct pinger *p, int family)
{
        return family == AF_INET6 ? &p->v6 : &p->v4;
}

static void door_close(struct door **door)
{
        if (*door == NULL)
                return;
        uv_poll_stop(&(*door)->poll);
        close((*door)->fd);
        uv_close((uv_handle_t *)&(*door)->poll, on_freed);
        *door = NULL;
}

static bool family_in_use(const struct pinger *p, int family)
{
        for (const struct ask *ask = p->asks; ask != NULL; ask = ask->next)
                for (size_t i = 0; i < ask->count; i++)
                        if (ask->target[i].family == family)
                                return true;
        return false;
}

static void close_idle_doors(struct pinger *p)
{
        if (!family_in_use(p, AF_INET))
                door_close(&p->v4);
        if (!family_in_use(p, AF_INET6))
                door_close(&p->v6);
}

static void ask_end(struct ask *ask)
{
        struct pinger *p = ask->pinger;
        struct ask **at = &p->asks;

        while (*at != ask)
                at = &(*at)->next;
        *at = ask->next;
        p->ask_count--;
        ask->pinger = NULL;
        uv_close((uv_handle_t *)&ask->timer, on_freed);
        close_idle_doors(p);
}

static void ask_answered(struct ask *ask, const struct ping_answer *answer)
{
        ping_fn *on_answer = ask->on_answer;
        void *user = ask->user;

        ask_end(ask);
        on_answer(user, answer);
}

static void ask_send(struct ask *ask)
{
        int n = ask->tries++;
        instant now = instant_now();

        ask->sent_at[n] = now;
        for (size_t i = 0; i < ask->count; i++) {
                const struct ip *ip = &ask->target[i];
                const struct door *door = *door_of(ask->pinger, ip->family);
                struct echo echo = {.type = ip->family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
                                    .id = ask->id,
                                    .sequence = htons((uint16_t)n)};
                struct sockaddr_storage to;
                socklen_t size = ip_to_sockaddr(ip, 0, &to);

                memcpy(echo.cookie, ask->cookie, COOKIE_SIZE);
                if (ip->family == AF_INET)
                        echo.checksum = icmp_checksum(&echo, sizeof(echo));
                /* A target without a route is a silent one: it may have one at the next try. */
                (void)sendto(door->fd, &echo, sizeof(echo), MSG_DONTWAIT | MSG_NOSIGNAL,
                             (struct sockaddr *)&to, size);
        }
}

static void on_ask_timer(uv_timer_t *timer)
{
        struct ask *ask = timer->data;
        struct ping_answer none = {.any = false, .which = -1};
        instant now = instant_now();
        span left = span_between(now, ask->end);

        if (left.us <= 0) {
                ask_answered(ask, &none);
                return;
        }
        if (ask->tries < TRIES)
                ask_send(ask);
        if (ask->tries < TRIES)
                left = span_min(left, ask->between);
        uv_timer_start(timer, on_ask_timer, (uint64_t)span_to_ms(left), 0);
}

/* Which of its targets answered the question; -1 if this is no answer to it. */
static int ask_match(const struct ask *ask, const struct echo *echo, const struct ip *from, bool raw)
{
        if (memcmp(echo->cookie, ask->cookie, COOKIE_SIZE) != 0 || ntohs(echo->sequence) >= ask->tries)
                return -1;
        if (raw && echo->id != ask->id) /* a ping socket sends its own id */
                return -1;
        for (size_t i = 0; i < ask->count; i++)
                if (ip_equal(&ask->target[i], from))
                        return (int)i;
        return -1;
}

static void take_echo(struct pinger *p, const struct echo *echo, const struct ip *from, bool raw)
{
        for (struct ask *ask = p->asks; ask != NULL; ask = ask->next) {
                int which = ask_match(ask, echo, from, raw);
                struct ping_answer answer = {.any = true, .which = which};

                if (which == -1)
                        continue;
                answer.sent_at = ask->sent_at[ntohs(echo->sequence)];
                answer.rtt = span_between(answer.sent_at, instant_now());
                ask_answered(ask, &answer);
                return;
        }
}

/* The echo reply in a packet; false if it is none. */
static bool find_echo(const struct door *door, const uint8_t *bytes, size_t n, struct echo *ret_echo)
{
        size_t skip = 0;
        uint8_t wanted = door->family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;

        if (door->raw && door->family == AF_INET)
                skip = n > 0 ? (size_t)(bytes[0] & 0x0f) * 4 : 0; /* RFC 791: header length in words */
        if (n < skip + sizeof(*ret_echo))
                return false;
        memcpy(ret_echo, bytes + skip, sizeof(*ret_echo));
        return ret_echo->type == wanted && ret_echo->code == 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
        struct door *door = poll->data; /* stays until the loop's next turn, even when closed */
        struct pinger *p = door->pinger;
        uint8_t bytes[PACKET_SIZE];
        struct sockaddr_storage from;
        struct echo echo;
        struct ip ip;

        for (int i = 0; i < PACKETS_IN_A_TURN && *door_of(p, door->family) == door; i++) {
                socklen_t size = sizeof(from);
                ssize_t n = recvfrom(door->fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from,
                                     &size);

                if (n == -1) {
                        if (errno == EAGAIN)
                                return;
                        continue; /* a pending ICMP error, now read off */
                }
                ip_from_sockaddr((struct sockaddr *)&from, &ip);
                if (find_echo(door, bytes, (size_t)n, &echo))
                        take_echo(p, &echo, &ip, door->raw);
        }
}

static int door_open(struct pinger *p, int family)
{
        struct door **place = door_of(p, family);
        struct door *door;
        int r;

        if (*place != NULL)
                return 0;
        door = calloc(1, sizeof(*door));
        if (door == NULL)
                return -ENOMEM;
        door->pinger = p;
        door->family = family;
        door->fd = icmp_socket_open(family);
        if (door->fd < 0) {
                r = door->fd;
                free(door);
                return r;
        }
        door->raw = icmp_socket_is_raw(door->fd);
        r = uv_poll_init(p->loop, &door->poll, door->fd);
        if (r != 0) {
                close(door->fd);
                free(door);
                return r;
        }
        door->poll.data = door;
        uv_poll_start(&door->poll, UV_READABLE, on_readable);
        *place = door;
        return 0;
}

static int open_doors(struct pinger *p, const struct ip *targets, size_t n)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                r = door_open(p, targets[i].family);
        if (r != 0)
                close_idle_doors(p);
        return r;
}

int pinger_ask(struct pinger *p, const struct ip *targets, size_t n, span timeout, ping_fn *on_answer,
               void *user)
{
        struct ask *ask;
        int r;

        if (n == 0 || n > PING_TARGETS_MAX)
                return -EINVAL;
        if (p->ask_count == PING_ASKS_MAX)
                return -EBUSY;
        ask = calloc(1, sizeof(*ask));
        if (ask == NULL)
                return -ENOMEM;
        /* Never blocks once the machine is up; before that an answer could be forged, so none is asked for.
         */
        if (getrandom(ask->cookie, COOKIE_SIZE, GRND_NONBLOCK) != COOKIE_SIZE ||
            getrandom(&ask->id, sizeof(ask->id), GRND_NONBLOCK) != sizeof(ask->id)) {
                free(ask);
                return -EAGAIN;
        }
        r = open_doors(p, targets, n);
        if (r != 0) {
                free(ask);
                return r;
        }
        memcpy(ask->target, targets, n * sizeof(*targets));
        ask->count = n;
        ask->pinger = p;
        ask->on_answer = on_answer;
        ask->user = user;
        ask->end = instant_add(instant_now(), timeout);
        ask->between = (span){timeout.us / TRIES};
        uv_timer_init(p->loop, &ask->timer);
        ask->timer.data = ask;
        ask->next = p->asks;
        p->asks = ask;
        p->ask_count++;
        ask_send(ask);
        uv_timer_start(&ask->timer, on_ask_timer, (uint64_t)span_to_ms(ask->between), 0);
        return 0;
}

int pinger_new(uv_loop_t *loop, struct pinger **ret_pinger)
{
        struct pinger *p = calloc(1, sizeof(*p));

        if (p == NULL)
                return -ENOMEM;
        p->loop = loop;
        *ret_pinger = p;
        return 0;
}

void pinger_free(struct pinger *p)
{
        if (p == NULL)
                return;
        while (p->asks != NULL)
                ask_end(p->asks);
        door_close(&p->v4);
        door_close(&p->v6);
        free(p);
}
