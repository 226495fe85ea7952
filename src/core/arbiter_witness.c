/* The way to the witness: what the brain asks goes out sealed over every address of it, the first answer
 * counts.
 *
 * A question is numbered; an answer counts only for a question that this core sent and remembers, from when
 * that left. The witness's life stands in every question: asked under an old one, it asks to be asked again.
 */
#include "core/core.h"

#include "base/log.h"
#include "base/text.h"
#include "heartbeat/inquiry.h"
#include "heartbeat/seal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Questions whose answers may still come: far more than fit into `dead` at the usual rate. */
#define ASKED_MAX 16

struct asked {
        uint32_t seq; /* 0: free */
        instant at;
        bool answered;
};

struct witness_way {
        struct core *core;
        uv_udp_t udp[2]; /* IPv4, IPv6 */
        bool open[2];
        struct seal seal;
        uint64_t life;
        uint32_t seq;
        struct asked asked[ASKED_MAX];
        instant unanswered_since; /* LONG_AGO: the newest question was answered */
        enum packet_refusal refused;

        struct witness_question question; /* the newest, */
        bool repeated;                    /* asked again for a new life already */
        uint8_t document[DOCUMENT_BYTES_MAX];
        uint8_t body[PACKET_BODY_MAX], packet[PACKET_MAX], input[PACKET_MAX];
};

/* --- asking --- */

static int send_packet(struct witness_way *w, size_t n)
{
        const struct config_arbiter *a = &w->core->config->arbiter;
        uv_buf_t buffer = uv_buf_init((char *)w->packet, (unsigned)n);
        int result = -ENETUNREACH;

        for (size_t i = 0; i < a->target_count; i++) {
                struct sockaddr_storage to;
                int family = a->target[i].family == AF_INET6;

                ip_to_sockaddr(&a->target[i], a->port, &to);
                int r = w->open[family] ? uv_udp_try_send(&w->udp[family], &buffer, 1, (struct sockaddr *)&to)
                                        : -EAFNOSUPPORT;
                if (r >= 0)
                        result = 0;
                else if (result)
                        result = r;
        }
        return result;
}

static void say_silence(struct witness_way *w, const char *why)
{
        char text[IP_TEXT];

        core_arbiter_said(w->core, "no answer from %s, %s",
                          ip_format(&w->core->config->arbiter.target[0], text), why);
        core_event(w->core, &(struct cluster_event){.kind = CLUSTER_EV_ARBITER, .text = why});
}

static void ask(struct witness_way *w)
{
        struct witness_question *q = &w->question;
        struct asked *a;

        q->seq = ++w->seq;
        q->life = w->life;
        int n = question_encode(q, w->body, sizeof(w->body));
        if (n > 0)
                n = seal_close(&w->seal, w->body, (size_t)n, w->packet, sizeof(w->packet));
        a = &w->asked[q->seq % ASKED_MAX];
        *a = (struct asked){.seq = q->seq, .at = instant_now()};
        if (w->unanswered_since.us == 0)
                w->unanswered_since = a->at;
        int error = n > 0 ? send_packet(w, (size_t)n) : n;
        if (error)
                say_silence(w, strerror(-error));
}

void core_arbiter_witness_ask(struct core *core, const struct arbiter_question *q)
{
        struct witness_way *w = core->witness;
        const struct ledger *l = core->inherited.ledger;
        const char *name = core->config->node[core->self].name;

        if (w->unanswered_since.us != 0 && span_between(w->unanswered_since, instant_now()).us >= q->dead.us)
                say_silence(w, "is it up and reachable over UDP?");
        w->question = witness_question_of(q, name, (struct incarnation){.boot = l->boot, .core = l->core},
                                          w->document);
        w->repeated = false;
        ask(w);
}

/* --- its answers --- */

static void refuse(struct witness_way *w, enum packet_refusal why, const struct sockaddr *from)
{
        char text[IP_TEXT];
        struct ip ip;

        if (w->refused == why)
                return; /* said already */
        w->refused = why;
        ip_from_sockaddr(from, &ip);
        log_warning("arbiter witness: packet from %s refused: %s", ip_format(&ip, text),
                    packet_refusal_name(why));
}

static void take(struct witness_way *w, const struct witness_answer *a, const struct sockaddr *from)
{
        struct asked *asked = &w->asked[a->seq % ASKED_MAX];
        static struct document document; /* large; the core has one thread */
        char text[IP_TEXT], took[SPAN_TEXT];
        struct ip ip;

        asked->answered = true;
        w->life = a->life;
        w->unanswered_since = INSTANT_LONG_AGO;
        if (a->again && !w->repeated && a->seq == w->seq) {
                w->repeated = true;
                w->question.without = false; /* it was so when it was first asked (rule 6) */
                ask(w);
                return;
        }
        struct arbiter_answer told = witness_answer_for(a, &document);
        instant now = instant_now();
        ip_from_sockaddr(from, &ip);
        core_arbiter_said(w->core, "%s to %s of term %u, from %s after %s%s",
                          a->older  ? "its state is older than what it has told, it waits for a leader"
                          : a->lost ? "it has lost its state and waits for a leader"
                          : a->yes  ? "yes"
                                    : "no",
                          arbiter_ask_name(a->ask), a->term, ip_format(&ip, text),
                          span_format(span_us(span_between(asked->at, now).us / 1000 * 1000), took),
                          a->again ? " (it has just been restarted)" : "");
        core_event(w->core,
                   &(struct cluster_event){
                           .kind = CLUSTER_EV_ARBITER, .asked = asked->at, .arbiter = &told, .text = text});
}

static void on_packet(uv_udp_t *udp, ssize_t n, const uv_buf_t *buffer, const struct sockaddr *from,
                      unsigned flags)
{
        struct witness_way *w = udp->data;
        const struct ledger *l = w->core->inherited.ledger;
        struct witness_answer a;
        size_t length;

        if (n <= 0 || !from || flags & UV_UDP_PARTIAL)
                return; /* nothing more, or an ICMP error: the question is asked anew anyway */
        enum packet_refusal why =
                seal_open(&w->seal, (const uint8_t *)buffer->base, (size_t)n, w->body, &length);
        if (why == PACKET_ACCEPTED)
                why = answer_decode(w->body, length, &a);
        if (why == PACKET_ACCEPTED && a.to != text_id(w->core->config->node[w->core->self].name))
                why = PACKET_NOT_FOR_US;
        if (why == PACKET_ACCEPTED && (a.incarnation.boot != l->boot || a.incarnation.core != l->core))
                why = PACKET_OLD_INCARNATION;
        if (why != PACKET_ACCEPTED) {
                refuse(w, why, from);
                return;
        }
        const struct asked *asked = &w->asked[a.seq % ASKED_MAX];
        if (a.seq == 0 || asked->seq != a.seq || asked->answered)
                return; /* its copy by another way, or too late to count */
        take(w, &a, from);
}

static void on_room(uv_handle_t *udp, size_t suggested, uv_buf_t *ret_buffer)
{
        struct witness_way *w = udp->data;

        (void)suggested;
        *ret_buffer = uv_buf_init((char *)w->input, sizeof(w->input));
}

/* --- life --- */

static int open_family(struct witness_way *w, int family)
{
        struct sockaddr_storage any = {.ss_family = family ? AF_INET6 : AF_INET};
        int error = uv_udp_init(w->core->loop, &w->udp[family]);

        if (error)
                return error;
        w->udp[family].data = w;
        w->open[family] = true;
        error = uv_udp_bind(&w->udp[family], (struct sockaddr *)&any, family ? UV_UDP_IPV6ONLY : 0);
        if (!error)
                error = uv_udp_recv_start(&w->udp[family], on_room, on_packet);
        return error;
}

void core_arbiter_witness_keys(struct core *core, const struct keyring *keys)
{
        char name[INQUIRY_SEAL_NAME];

        if (core->witness)
                seal_init(&core->witness->seal, inquiry_seal_name(core->config->cluster, name), keys);
}

int core_arbiter_witness_open(struct core *core, const struct keyring *keys)
{
        int error4, error6;

        core->witness = calloc(1, sizeof(*core->witness));
        if (!core->witness)
                return -ENOMEM;
        core->witness->core = core;
        core_arbiter_witness_keys(core, keys);
        error4 = open_family(core->witness, 0);
        error6 = open_family(core->witness, 1);
        return error4 && error6 ? error4 : 0; /* a machine may have one family only */
}

void core_arbiter_witness_close(struct core *core)
{
        if (!core->witness)
                return;
        for (int i = 0; i < 2; i++)
                if (core->witness->open[i])
                        uv_close((uv_handle_t *)&core->witness->udp[i], NULL);
        seal_done(&core->witness->seal);
}
