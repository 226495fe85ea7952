/* icmp.c - echo requests of all icmp checks over one socket for each family.
 *
 * Requests of one turn of the loop leave together, replies are read together, so that tens of thousands in a
 * second cost few system calls. A reply counts when it comes from whom was asked and carries the probe's
 * secret: neither a late one nor one meant for another program is taken for it. */
#include "monitor/icmp_socket.h"
#include "monitor/probe.h"

#include <assert.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define BATCH       64
#define BATCHES_MAX 16   /* read in one turn: checks of other kinds get theirs */
#define HEARD_SIZE  128  /* of a reply: an IP header of up to 60 bytes, and the echo */
#define DATA_MAX    8192 /* the largest `size` of a check */
#define PACKETS_MAX 20

/* An echo and its data as far as it tells anything; zeros follow. ICMPv6's checksum is the kernel's. */
struct echo {
        uint8_t type;
        uint8_t code;
        uint16_t checksum;
        uint16_t id;
        uint16_t sequence;
        uint32_t slot;
        uint32_t number; /* which of the probe's packets */
        uint64_t secret;
};
#define TOKEN_SIZE 16
_Static_assert(sizeof(struct echo) == 8 + TOKEN_SIZE, "as it is on the wire");

struct icmp_room;
struct probe;

/* By what its packets say they belong to. */
struct slot {
        struct probe *probe; /* NULL: free */
};

struct probe {
        struct icmp_room *icmp;
        const struct config_check *check;
        uint32_t slot;
        uint64_t secret;
        int sent; /* or on their way */
        int back;
        uint32_t back_bits; /* which: a reply may come twice */
        span rtt_sum;
        instant sent_at[PACKETS_MAX];
        uv_timer_t *pace; /* between packets; NULL: there is one only */
        bool queued;
        struct probe *next;
        probe_done_fn *on_done;
        void *user;
};

struct door {
        uv_poll_t poll;
        struct icmp_room *icmp;
        int fd; /* or a negative errno */
        int family;
        bool raw;
        bool full;                   /* the socket takes no more now */
        struct probe *first, **last; /* who has a packet to send */
};

struct icmp_room {
        struct door v4, v6;
        uv_prepare_t flush;
        int handles; /* open ones; free with the last */
        uint16_t id;
        struct slot *slot;
        uint32_t slot_count;
        uint32_t *free_slot;
        uint32_t free_count;
        uint64_t secrets[64];
        size_t secrets_left;
};

static struct door *door_of(struct icmp_room *icmp, int family)
{
        return family == AF_INET6 ? &icmp->v6 : &icmp->v4;
}

static int take_slot(struct icmp_room *icmp, struct probe *p)
{
        if (icmp->free_count == 0) {
                uint32_t count = icmp->slot_count == 0 ? 64 : icmp->slot_count * 2;
                struct slot *slot = reallocarray(icmp->slot, count, sizeof(*slot));
                uint32_t *list;

                if (slot == NULL)
                        return -ENOMEM;
                icmp->slot = slot;
                list = reallocarray(icmp->free_slot, count, sizeof(*list));
                if (list == NULL)
                        return -ENOMEM;
                icmp->free_slot = list;
                while (icmp->slot_count < count) {
                        icmp->slot[icmp->slot_count].probe = NULL;
                        icmp->free_slot[icmp->free_count++] = icmp->slot_count++;
                }
        }
        p->slot = icmp->free_slot[--icmp->free_count];
        icmp->slot[p->slot].probe = p;
        return 0;
}

static int take_secret(struct icmp_room *icmp, uint64_t *ret_secret)
{
        if (icmp->secrets_left == 0) {
                if (getrandom(icmp->secrets, sizeof(icmp->secrets), GRND_NONBLOCK) != sizeof(icmp->secrets))
                        return -EAGAIN;
                icmp->secrets_left = sizeof(icmp->secrets) / sizeof(icmp->secrets[0]);
        }
        *ret_secret = icmp->secrets[--icmp->secrets_left];
        return 0;
}

static void on_pace_closed(uv_handle_t *handle)
{
        free(handle);
}

static void unqueue(struct probe *p)
{
        struct door *door = door_of(p->icmp, p->check->ip.family);
        struct probe **at = &door->first;

        while (*at != p)
                at = &(*at)->next;
        *at = p->next;
        if (door->last == &p->next)
                door->last = at;
        p->queued = false;
}

static void probe_free(struct probe *p)
{
        if (p->queued)
                unqueue(p);
        if (p->pace != NULL)
                uv_close((uv_handle_t *)p->pace, on_pace_closed);
        p->icmp->slot[p->slot].probe = NULL;
        p->icmp->free_slot[p->icmp->free_count++] = p->slot;
        free(p);
}

static void judge(const struct probe *p, struct ending *e)
{
        const struct check_icmp *want = &p->check->icmp;
        int lost = want->packets - p->back;
        span mean = p->back == 0 ? SPAN_ZERO : span_us(p->rtt_sum.us / p->back);
        char is[SPAN_TEXT], most[SPAN_TEXT];

        if (p->back == 0) {
                e->reason = REASON_SILENT;
                return;
        }
        e->reason = REASON_WORKS;
        if (lost * 100 > want->loss_max * want->packets) {
                e->reason = REASON_LIMIT;
                ending_say(e, "%d of %d packets lost, %d%% may be", lost, want->packets, want->loss_max);
        } else if (want->rtt_max.us > 0 && mean.us > want->rtt_max.us) {
                e->reason = REASON_LIMIT;
                ending_say(e, "mean round trip %s, at most %s", span_format(mean, is),
                           span_format(want->rtt_max, most));
        } else if (want->packets > 1) {
                ending_say(e, "mean round trip %s, %d of %d packets lost", span_format(mean, is), lost,
                           want->packets);
        }
}

static void probe_over(struct probe *p, const struct ending *e)
{
        probe_done_fn *on_done = p->on_done;
        void *user = p->user;

        probe_free(p);
        on_done(user, e);
}

static void on_flush(uv_prepare_t *prepare);

static void queue(struct probe *p)
{
        struct door *door = door_of(p->icmp, p->check->ip.family);

        p->next = NULL;
        p->queued = true;
        *door->last = p;
        door->last = &p->next;
        uv_prepare_start(&p->icmp->flush, on_flush);
}

static void on_pace(uv_timer_t *timer)
{
        struct probe *p = timer->data;

        if (!p->queued)
                queue(p);
}

/* --- sending --- */

struct outgoing {
        struct mmsghdr header[BATCH];
        struct iovec part[BATCH][2];
        struct echo echo[BATCH];
        struct sockaddr_storage to[BATCH];
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
        } control[BATCH];
};

/* From which of this node's addresses: IP_PKTINFO, RFC 3542. */
static void set_source(struct msghdr *m, void *bytes, const struct ip *source)
{
        struct in_pktinfo v4 = {0};
        struct in6_pktinfo v6 = {0};
        bool six = source->family == AF_INET6;
        struct cmsghdr *c;

        m->msg_control = bytes;
        m->msg_controllen = CMSG_SPACE(six ? sizeof(v6) : sizeof(v4));
        c = CMSG_FIRSTHDR(m);
        c->cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP;
        c->cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(six ? sizeof(v6) : sizeof(v4));
        memcpy(&v4.ipi_spec_dst, source->bytes, sizeof(v4.ipi_spec_dst));
        memcpy(&v6.ipi6_addr, source->bytes, sizeof(v6.ipi6_addr));
        memcpy(CMSG_DATA(c), six ? (void *)&v6 : (void *)&v4, six ? sizeof(v6) : sizeof(v4));
}

static void write_packet(struct outgoing *o, int i, const struct probe *p)
{
        static char zeros[DATA_MAX];
        bool six = p->check->ip.family == AF_INET6;
        struct msghdr *m = &o->header[i].msg_hdr;

        o->echo[i] = (struct echo){.type = six ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
                                   .id = p->icmp->id,
                                   .sequence = htons((uint16_t)p->sent),
                                   .slot = p->slot,
                                   .number = (uint32_t)p->sent,
                                   .secret = p->secret};
        if (!six)
                o->echo[i].checksum = icmp_checksum(&o->echo[i], sizeof(o->echo[i]));
        o->part[i][0] = (struct iovec){&o->echo[i], sizeof(o->echo[i])};
        o->part[i][1] = (struct iovec){zeros, (size_t)p->check->icmp.size - TOKEN_SIZE};
        *m = (struct msghdr){.msg_iov = o->part[i], .msg_iovlen = 2, .msg_name = &o->to[i]};
        m->msg_namelen = ip_to_sockaddr(&p->check->ip, 0, &o->to[i]);
        if (p->check->source.family == p->check->ip.family)
                set_source(m, o->control[i].bytes, &p->check->source);
}

/* Who is first in the queue, and is not any more. */
static struct probe *take_head(struct door *door)
{
        struct probe *p = door->first;

        assert(p != NULL);
        door->first = p->next;
        if (door->first == NULL)
                door->last = &door->first;
        p->queued = false;
        return p;
}

static void head_sent(struct door *door, instant now)
{
        struct probe *p = take_head(door);

        p->sent_at[p->sent++] = now;
        if (p->sent == p->check->icmp.packets && p->pace != NULL)
                uv_timer_stop(p->pace);
}

static void head_failed(struct door *door, int error)
{
        struct ending e = {.reason = reason_from_errno(error, false), .detail = error};

        probe_over(take_head(door), &e);
}

/* False when the socket takes no more now. */
static bool send_batch(struct door *door)
{
        static struct outgoing o;
        instant now = instant_now();
        int count = 0, sent;

        for (struct probe *p = door->first; p != NULL && count < BATCH; p = p->next)
                write_packet(&o, count++, p);
        sent = sendmmsg(door->fd, o.header, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent == -1 && (errno == EAGAIN || errno == ENOBUFS))
                return false;
        if (sent == -1) {
                head_failed(door, errno); /* of the first alone; the others are tried again */
                return true;
        }
        while (sent-- > 0)
                head_sent(door, now);
        return true;
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void door_flush(struct door *door)
{
        while (door->first != NULL && !door->full)
                if (!send_batch(door)) {
                        door->full = true;
                        uv_poll_start(&door->poll, UV_READABLE | UV_WRITABLE, on_socket);
                }
}

static void on_flush(uv_prepare_t *prepare)
{
        struct icmp_room *icmp = prepare->data;

        uv_prepare_stop(prepare);
        door_flush(&icmp->v4);
        door_flush(&icmp->v6);
}

/* --- hearing --- */

static void take_echo(struct icmp_room *icmp, const struct echo *echo, const struct ip *from, instant now)
{
        struct probe *p = echo->slot < icmp->slot_count ? icmp->slot[echo->slot].probe : NULL;
        struct ending e = {0};

        if (p == NULL || p->secret != echo->secret || echo->number >= (uint32_t)p->sent ||
            !ip_equal(from, &p->check->ip) || (p->back_bits >> echo->number & 1) != 0)
                return;
        p->back_bits |= 1U << echo->number;
        p->back++;
        p->rtt_sum = span_add(p->rtt_sum, span_between(p->sent_at[echo->number], now));
        if (p->back < p->check->icmp.packets)
                return;
        judge(p, &e);
        probe_over(p, &e);
}

/* The echo reply in a packet; false if it is none. */
static bool find_echo(const struct door *door, const uint8_t *bytes, size_t n, struct echo *ret_echo)
{
        uint8_t wanted = door->family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
        size_t skip = 0;

        if (door->raw && door->family == AF_INET)
                skip = n > 0 ? (size_t)(bytes[0] & 0x0f) * 4 : 0; /* RFC 791: header length in words */
        if (n < skip + sizeof(*ret_echo))
                return false;
        memcpy(ret_echo, bytes + skip, sizeof(*ret_echo));
        return ret_echo->type == wanted && ret_echo->code == 0;
}

/* False when there is no more. */
static bool hear_batch(struct door *door)
{
        static struct mmsghdr header[BATCH];
        static struct iovec part[BATCH];
        static uint8_t bytes[BATCH][HEARD_SIZE];
        static struct sockaddr_storage from[BATCH];
        struct echo echo;
        instant now;
        struct ip ip;
        int count;

        for (int i = 0; i < BATCH; i++) {
                part[i] = (struct iovec){bytes[i], HEARD_SIZE};
                header[i].msg_hdr = (struct msghdr){.msg_iov = &part[i],
                                                    .msg_iovlen = 1,
                                                    .msg_name = &from[i],
                                                    .msg_namelen = sizeof(from[i])};
        }
        count = recvmmsg(door->fd, header, BATCH, MSG_DONTWAIT, NULL);
        if (count == -1)
                return errno != EAGAIN; /* else a pending ICMP error, now read off */
        now = instant_now();
        for (int i = 0; i < count; i++) {
                ip_from_sockaddr((struct sockaddr *)&from[i], &ip);
                if (find_echo(door, bytes[i], header[i].msg_len, &echo))
                        take_echo(door->icmp, &echo, &ip, now);
        }
        return count == BATCH;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
        struct door *door = poll->data;

        if ((events & UV_WRITABLE) != 0 && door->full) {
                door->full = false;
                uv_poll_start(poll, UV_READABLE, on_socket);
                door_flush(door);
        }
        for (int i = 0; i < BATCHES_MAX && hear_batch(door); i++)
                ;
}

/* --- the door of the kind --- */

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct icmp_room *icmp = shared;
        struct probe *p;
        int r = door_of(icmp, check->ip.family)->fd;

        if (r < 0)
                return r;
        p = calloc(1, sizeof(*p));
        if (p == NULL)
                return -ENOMEM;
        p->icmp = icmp;
        p->check = check;
        p->on_done = on_done;
        p->user = user;
        r = take_secret(icmp, &p->secret);
        if (r == 0)
                r = take_slot(icmp, p);
        if (r != 0) {
                free(p);
                return r;
        }
        if (check->icmp.packets > 1) {
                /* the last leaves at half of the time, so that it has the other half to come back */
                int64_t pace = span_to_ms(check->timeout) / (2 * check->icmp.packets) + 1;

                p->pace = calloc(1, sizeof(*p->pace));
                if (p->pace == NULL) {
                        probe_free(p);
                        return -ENOMEM;
                }
                uv_timer_init(house->loop, p->pace);
                p->pace->data = p;
                uv_timer_start(p->pace, on_pace, (uint64_t)pace, (uint64_t)pace);
        }
        queue(p);
        *ret_probe = p;
        return 0;
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        judge(p, ret_ending);
        probe_free(p);
}

static void on_closed(uv_handle_t *handle)
{
        struct icmp_room *icmp = ((struct door *)handle->data)->icmp;

        if (--icmp->handles > 0)
                return;
        free(icmp->slot);
        free(icmp->free_slot);
        free(icmp);
}

static void on_flush_closed(uv_handle_t *handle)
{
        struct icmp_room *icmp = handle->data;

        handle->data = &icmp->v4;
        on_closed(handle);
}

static void door_open(struct icmp_room *icmp, uv_loop_t *loop, int fd, int family, struct door *door)
{
        door->icmp = icmp;
        door->family = family;
        door->last = &door->first;
        door->fd = fd;
        if (fd < 0)
                return;
        door->raw = icmp_socket_is_raw(fd);
        int r = uv_poll_init(loop, &door->poll, fd);
        if (r != 0) {
                door->fd = r;
                return;
        }
        door->poll.data = door;
        icmp->handles++;
        uv_poll_start(&door->poll, UV_READABLE, on_socket);
}

static int open_icmp(const struct probe_house *house, void **ret_shared)
{
        struct icmp_room *icmp = calloc(1, sizeof(*icmp));

        if (icmp == NULL)
                return -ENOMEM;
        if (getrandom(&icmp->id, sizeof(icmp->id), GRND_NONBLOCK) != sizeof(icmp->id)) {
                free(icmp);
                return -EAGAIN;
        }
        uv_prepare_init(house->loop, &icmp->flush);
        icmp->flush.data = icmp;
        icmp->handles = 1;
        door_open(icmp, house->loop, house->icmp4, AF_INET, &icmp->v4);
        door_open(icmp, house->loop, house->icmp6, AF_INET6, &icmp->v6);
        *ret_shared = icmp;
        return 0;
}

static void door_close(struct door *door)
{
        if (door->fd < 0)
                return;
        uv_poll_stop(&door->poll);
        close(door->fd);
        uv_close((uv_handle_t *)&door->poll, on_closed);
}

static void close_icmp(void *shared)
{
        struct icmp_room *icmp = shared;

        door_close(&icmp->v4);
        door_close(&icmp->v6);
        uv_close((uv_handle_t *)&icmp->flush, on_flush_closed);
}

const struct probe_kind probe_icmp = {.open = open_icmp, .close = close_icmp, .begin = begin, .cut = cut};
