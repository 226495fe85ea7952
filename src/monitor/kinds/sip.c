/* sip.c - OPTIONS to a SIP server (RFC 3261 11): what it can do is what every one answers, without a login.
 */
#include "monitor/kinds/question.h"
#include "monitor/kinds/sip_answer.h"
#include "monitor/kinds/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 2048 /* the uri has 255 bytes at most, and stands in it four times */

struct probe {
        const struct config_check *check;
        char branch[SIP_BRANCH];
        probe_done_fn *on_done;
        void *user;
        struct question *question; /* by UDP */
        uv_poll_t poll;            /* by TCP */
        int fd;
        bool connected;
        size_t n;
        char bytes[SIP_HEAD_MAX];
};

/* --- what is said --- */

/* The branch begins with what says that it is unlike all others (RFC 3261 8.1.1.7). */
static int choose_branch(struct probe *p)
{
        uint64_t random;

        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        snprintf(p->branch, sizeof(p->branch), "z9hG4bK%016llx", (unsigned long long)random);
        return 0;
}

/* With rport, so that the answer comes back to where this came from (RFC 3581). */
static size_t write_request(const struct probe *p, const struct ip *from, uint16_t port,
                            char text[static REQUEST_MAX])
{
        const struct config_check *c = p->check;
        char own[IP_TEXT], whom[IP_TEXT], address[IP_TEXT + 16];
        const char *uri = c->sip.uri;

        if (!uri) {
                snprintf(address, sizeof(address), c->ip.family == AF_INET6 ? "sip:[%s]:%u" : "sip:%s:%u",
                         ip_format(&c->ip, whom), c->port);
                uri = address;
        }
        return (size_t)snprintf(text, REQUEST_MAX,
                                "OPTIONS %s SIP/2.0\r\n"
                                "Via: SIP/2.0/%s %s%s%s:%u;branch=%s;rport\r\n"
                                "Max-Forwards: 70\r\n"
                                "From: <%s>;tag=%s\r\n"
                                "To: <%s>\r\n"
                                "Call-ID: %s\r\n"
                                "CSeq: 1 OPTIONS\r\n"
                                "Contact: <%s>\r\n"
                                "Accept: application/sdp\r\n"
                                "User-Agent: haven\r\n"
                                "Content-Length: 0\r\n\r\n",
                                uri, c->sip.transport == SIP_UDP ? "UDP" : "TCP",
                                from->family == AF_INET6 ? "[" : "", ip_format(from, own),
                                from->family == AF_INET6 ? "]" : "", port, p->branch, uri, p->branch + 7, uri,
                                p->branch, uri);
}

/* --- what is heard --- */

/* Not what answers somebody else, nor that an answer will come. */
static bool judge(const struct probe *p, const struct sip_answer *a, struct ending *e)
{
        if (!a->ours || a->status < 200)
                return false;
        if (status_is_good(&p->check->sip.status, a->status)) {
                e->reason = REASON_WORKS;
                ending_say(e, "%d %s", a->status, a->phrase);
        } else {
                e->reason = REASON_BAD_STATUS;
                e->detail = a->status;
                ending_say(e, "%s", a->phrase);
        }
        return true;
}

static void bad(struct ending *e)
{
        e->reason = REASON_BAD_ANSWER;
        ending_say(e, "it does not speak SIP");
}

static bool on_packet(void *user, const uint8_t *bytes, size_t n, struct ending *e)
{
        struct sip_answer a;

        if (sip_answer_read((const char *)bytes, n, ((struct probe *)user)->branch, &a) == 0)
                return judge(user, &a, e);
        bad(e);
        return true;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void probe_free(struct probe *p)
{
        if (p->fd == -1) {
                free(p);
                return;
        }
        uv_poll_stop(&p->poll);
        close(p->fd);
        uv_close((uv_handle_t *)&p->poll, on_closed);
}

static void over(void *user, const struct ending *e)
{
        struct probe *p = user;
        probe_done_fn *on_done = p->on_done;
        void *whose = p->user;

        probe_free(p);
        on_done(whose, e);
}

static void over_by_errno(struct probe *p, int error, bool connected)
{
        over(p, &(struct ending){.reason = reason_from_errno(error, connected), .detail = error});
}

/* One answer after the other. True: it is decided. */
static bool read_stream(struct probe *p, struct ending *e)
{
        struct sip_answer a;

        for (;;) {
                int r = p->n ? sip_answer_read(p->bytes, p->n, p->branch, &a) : -EAGAIN;
                if (r == -EAGAIN)
                        return false;
                if (r == 0 && judge(p, &a, e))
                        return true;
                if (r < 0 || a.size > p->n) { /* a body with an answer that is none yet */
                        bad(e);
                        return true;
                }
                p->n -= a.size;
                memmove(p->bytes, p->bytes + a.size, p->n);
        }
}

static void on_stream(uv_poll_t *poll, int status, int events)
{
        struct probe *p = poll->data;
        struct ending e = {0};
        ssize_t n = recv(p->fd, p->bytes + p->n, sizeof(p->bytes) - p->n, MSG_DONTWAIT);

        if (n == -1 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n == -1) {
                over_by_errno(p, errno, true);
                return;
        }
        p->n += (size_t)n;
        if (n == 0)
                over(p, &(struct ending){.reason = REASON_CLOSED});
        else if (read_stream(p, &e))
                over(p, &e);
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
        struct probe *p = poll->data;
        struct sockaddr_storage own = {0};
        socklen_t size = sizeof(own);
        struct ip from = {0};
        char text[REQUEST_MAX];
        int error = 0;

        if (getsockname(p->fd, (struct sockaddr *)&own, &size) == -1)
                error = errno;
        uint16_t port = ip_from_sockaddr((struct sockaddr *)&own, &from);
        if (!error &&
            send(p->fd, text, write_request(p, &from, port, text), MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
                error = errno;
        if (error) {
                over_by_errno(p, error, false);
                return;
        }
        p->connected = true;
        uv_poll_start(poll, UV_READABLE, on_stream);
}

/* --- its life --- */

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = p->question    ? REASON_SILENT
                             : p->connected ? REASON_NO_ANSWER
                                            : REASON_NO_CONNECTION;
        if (p->question)
                question_free(p->question);
        probe_free(p);
}

static int begin_udp(struct probe *p, uv_loop_t *loop)
{
        const struct question_setup setup = {
                .check = p->check, .on_heard = on_packet, .on_done = over, .user = p};
        char text[REQUEST_MAX];
        struct ip from;
        uint16_t port;
        int r = question_new(loop, &setup, &p->question);

        if (r != 0)
                return r;
        r = question_source(p->question, &from, &port);
        if (r != 0)
                question_free(p->question);
        else
                question_ask(p->question, text, write_request(p, &from, port, text));
        return r;
}

static int begin_tcp(struct probe *p, uv_loop_t *loop)
{
        int r;

        p->fd = probe_connect(&p->check->ip, p->check->port, &p->check->source);
        r = p->fd < 0 ? p->fd : uv_poll_init(loop, &p->poll, p->fd);
        if (r != 0) {
                if (p->fd >= 0)
                        close(p->fd);
                return r;
        }
        p->poll.data = p;
        uv_poll_start(&p->poll, UV_WRITABLE, on_connected);
        return 0;
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *p = calloc(1, sizeof(*p));
        int r;

        if (p == NULL)
                return -ENOMEM;
        *p = (struct probe){.check = check, .on_done = on_done, .user = user, .fd = -1};
        r = choose_branch(p);
        if (r == 0)
                r = check->sip.transport == SIP_UDP ? begin_udp(p, house->loop) : begin_tcp(p, house->loop);
        if (r != 0) {
                free(p);
                return r;
        }
        *ret_probe = p;
        return 0;
}

const struct probe_kind probe_sip = {.begin = begin, .cut = cut};
