/* Questions come in, answers go out. */
#include "witness/witness.h"

#include "base/bytes.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US 1000000LL

static void refuse(struct witness_process *p, enum packet_refusal why, const struct sockaddr *from)
{
        struct ip ip;

        p->refused[why].count++;
        if (ip_from_sockaddr(from, &ip))
                ip_format(&ip, p->refused[why].from);
}

/* The clear header names the cluster: magic u32, version u8, cluster u32. */
static struct served *find(struct witness_process *p, const uint8_t *packet, size_t n)
{
        struct reader r;

        reader_init(&r, packet, n);
        (void)get_u32(&r);
        (void)get_u8(&r);
        uint32_t cluster = get_u32(&r);
        for (size_t i = 0; !r.failed && i < p->served_count; i++)
                if (p->served[i].seal.cluster == cluster)
                        return &p->served[i];
        return NULL;
}

/* A cluster that asks without end must not keep others from being answered. */
static bool may_ask(struct served *s, instant now)
{
        int64_t most = SECOND_US * WITNESS_BURST / WITNESS_RATE, each = SECOND_US / WITNESS_RATE;

        s->tokens_us += span_between(s->refilled, now).us;
        s->tokens_us = s->tokens_us > most ? most : s->tokens_us;
        s->refilled = now;
        if (s->tokens_us < each)
                return false;
        s->tokens_us -= each;
        return true;
}

static void note_change(const struct served *s)
{
        const struct witness_kept *is = &s->witness.kept;

        if (is->voter && !s->answer.was_voter)
                log_info("%s: readmitted in term %u", s->name, is->term);
        else if (!is->voter && s->answer.was_voter)
                log_warning("%s: its state, of term %u, is older than what it has told: was it put back from "
                            "a copy? "
                            "-> no vote until a leader that does not need it readmits this witness",
                            s->name, s->answer.was_term);
        else if (is->term != s->answer.was_term || is->vote != s->answer.was_vote)
                log_info("%s: term %u: vote given", s->name, is->term);
}

/* As it is now: what it says of times is conservative when it leaves later. */
static void answer_make(struct witness_process *p, struct served *s, uv_udp_t *udp, const struct sockaddr *to,
                        const struct witness_answer *a)
{
        int n = answer_encode(a, p->answer, sizeof(p->answer));

        if (n > 0)
                n = seal_close(&s->seal, p->answer, (size_t)n, s->answer.packet, sizeof(s->answer.packet));
        s->answer.n = n > 0 ? (size_t)n : 0;
        s->answer.udp = udp;
        memcpy(&s->answer.to, to,
               to->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
}

static void answer_send(struct served *s)
{
        uv_buf_t buffer = uv_buf_init((char *)s->answer.packet, (unsigned)s->answer.n);

        if (s->answer.n)
                (void)uv_udp_try_send(s->answer.udp, &buffer, 1,
                                      (struct sockaddr *)&s->answer.to); /* what is lost is asked again */
}

static void serve_waiting(struct served *s);

static void on_saved(struct served *s, int error)
{
        if (error == 0) { /* what is not on disk was never promised */
                s->witness.dirty = false;
                note_change(s);
                answer_send(s);
        }
        serve_waiting(s);
}

static void serve(struct witness_process *p, struct served *s, uv_udp_t *udp, const struct sockaddr *from,
                  const struct witness_question *q)
{
        struct witness_answer a;
        instant now = instant_now();

        s->asked++;
        s->last = now;
        if (!may_ask(s, now)) {
                s->too_many++;
                return;
        }
        s->answer.was_term = s->witness.kept.term;
        s->answer.was_vote = s->witness.kept.vote;
        s->answer.was_voter = s->witness.kept.voter;
        if (witness_judge(&s->witness, now, q, &a) == WITNESS_OLD) {
                s->old++;
                return;
        }
        answer_make(p, s, udp, from, &a);
        if (s->witness.dirty)
                witness_file_save(p, s, on_saved);
        else
                answer_send(s);
}

/* A disk that takes its time must not make a cluster forget who asked meanwhile. */
static void wait_for_turn(struct witness_process *p, struct served *s, uv_udp_t *udp,
                          const struct sockaddr *from, size_t n)
{
        struct witness_waiting *w = &s->waiting[s->waiting_count];

        if (s->waiting_count == WITNESS_WAITING_MAX || !(w->body = malloc(n)))
                return;
        s->waiting_count++;
        s->process = p;
        w->udp = udp;
        w->n = n;
        memcpy(w->body, p->body, n);
        memcpy(&w->from, from,
               from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
}

static void serve_waiting(struct served *s)
{
        while (s->waiting_count && !s->writing.busy) {
                struct witness_waiting w = s->waiting[0];
                struct witness_question q;
                s->waiting_count--;
                memmove(&s->waiting[0], &s->waiting[1], s->waiting_count * sizeof(w));
                if (question_decode(w.body, w.n, &q) == PACKET_ACCEPTED)
                        serve(s->process, s, w.udp, (struct sockaddr *)&w.from, &q);
                free(w.body);
        }
}

void witness_serve_end(struct served *s)
{
        while (s->waiting_count)
                free(s->waiting[--s->waiting_count].body);
}

static void on_packet(uv_udp_t *udp, ssize_t n, const uv_buf_t *buffer, const struct sockaddr *from,
                      unsigned flags)
{
        struct witness_process *p = udp->data;
        const uint8_t *packet = (const uint8_t *)buffer->base;
        struct witness_question q;
        size_t length;

        if (n <= 0 || !from)
                return;
        if (flags & UV_UDP_PARTIAL) {
                refuse(p, PACKET_TOO_LONG, from);
                return;
        }
        struct served *s = find(p, packet, (size_t)n);
        /* no cluster of ours: the first one's seal names the reason, which may be another than that */
        enum packet_refusal why =
                seal_open(s ? &s->seal : &p->served[0].seal, packet, (size_t)n, p->body, &length);
        if (why == PACKET_ACCEPTED)
                why = question_decode(p->body, length, &q);
        if (why != PACKET_ACCEPTED || !s)
                refuse(p, why, from);
        else if (s->writing.busy)
                wait_for_turn(p, s, udp, from, length);
        else
                serve(p, s, udp, from, &q);
}

static void on_room(uv_handle_t *udp, size_t suggested, uv_buf_t *ret_buffer)
{
        struct witness_process *p = udp->data;

        (void)suggested;
        *ret_buffer = uv_buf_init((char *)p->input, sizeof(p->input));
}

static int listen_on(struct witness_process *p, const struct ip *address)
{
        uv_udp_t *udp = &p->udp[p->udp_count];
        struct sockaddr_storage at;
        char text[IP_TEXT];

        ip_to_sockaddr(address, p->config.port, &at);
        int error = uv_udp_init(p->loop, udp);
        if (error)
                return error;
        udp->data = p;
        p->udp_count++;
        error = uv_udp_bind(udp, (struct sockaddr *)&at, address->family == AF_INET6 ? UV_UDP_IPV6ONLY : 0);
        if (!error)
                error = uv_udp_recv_start(udp, on_room, on_packet);
        if (error)
                log_error("cannot listen on %s port %u: %s", ip_format(address, text), p->config.port,
                          strerror(-error));
        return error;
}

int witness_listen(struct witness_process *p)
{
        static const struct ip any[] = {{.family = AF_INET6}, {.family = AF_INET}};
        int error = 0;

        for (size_t i = 0; !error && i < p->config.address_count; i++)
                error = listen_on(p, &p->config.address[i]);
        if (p->config.address_count > 0)
                return error;
        int error6 = listen_on(p, &any[0]); /* a machine may have one family only */
        int error4 = listen_on(p, &any[1]);
        return error4 && error6 ? error4 : 0;
}
