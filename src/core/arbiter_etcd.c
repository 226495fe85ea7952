/* The etcd arbiter in the core: src/cluster/register.c judges, haven-etcd carries. One exchange at a time; a
 * newer question waits for the end of the one under way and replaces any that waits. */
#include "core/core.h"

#include "base/log.h"
#include "base/text.h"
#include "child/child.h"
#include "child/talk.h"
#include "cluster/register.h"
#include "etcd/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESTART_AFTER span_s(1)
#define TRIES_MAX     4 /* somebody else swapped first, so often */

struct etcd_question {
        struct witness_question q;
        instant asked;
        uint8_t document[DOCUMENT_BYTES_MAX];
};

struct etcd_way {
        struct core *core;
        char program[PATH_SIZE], key[192];
        struct child *child; /* NULL: none runs */
        instant started;
        struct child_talk talk; /* with it */
        struct register_arbiter judge;
        bool busy, waits;
        int tries;
        instant sent;
        struct etcd_question now, next;
        struct etcd_request request;
        struct etcd_reply reply;
        struct witness_answer answer;
        char trouble[160]; /* logged already */
};

/* --- the process --- */

static void forget(struct etcd_way *w)
{
        child_talk_close(&w->talk);
        w->busy = false;
}

static void on_exit_of(void *user, int status)
{
        struct etcd_way *w = user;
        char how[CHILD_STATUS_TEXT];

        log_warning("arbiter etcd: haven-etcd ended: %s", child_status_format(status, how));
        w->child = NULL;
        forget(w);
}

static void on_reply(uv_poll_t *poll, int status, int events);

static int run(struct etcd_way *w, int socket)
{
        const struct config_arbiter *a = &w->core->config->arbiter;
        size_t endpoints = 0, n = 0;
        char *environment[] = {NULL};

        while (a->endpoint[endpoints])
                endpoints++;
        char **argv = calloc(endpoints + 6, sizeof(*argv));
        if (!argv)
                return -ENOMEM;
        argv[n++] = w->program;
        argv[n++] = w->key;
        argv[n++] = (char *)a->ca;
        argv[n++] = (char *)a->cert;
        argv[n++] = (char *)a->cert_key;
        memcpy(argv + n, a->endpoint, endpoints * sizeof(*argv));
        struct child_setup setup = {.loop = w->core->loop,
                                    .argv = argv,
                                    .environment = environment,
                                    .stdin_fd = -1,
                                    .extra_fd = socket,
                                    .on_exit = on_exit_of,
                                    .user = w};
        int error = child_start(&setup, &w->child);
        free(argv);
        return error;
}

static int start(struct etcd_way *w)
{
        int child_end;

        w->started = instant_now();
        int error = child_talk_open(&w->talk, w->core->loop, on_reply, w, &child_end);
        if (error)
                return error;
        error = run(w, child_end);
        close(child_end);
        if (error)
                forget(w);
        return error;
}

/* --- asking --- */

static void say_trouble(struct etcd_way *w, const char *why)
{
        if (strcmp(w->trouble, why) != 0)
                log_warning("arbiter etcd: %s", why);
        text_copy(w->trouble, sizeof(w->trouble), why);
        core_arbiter_said(w->core, "no answer, %.100s", why);
        core_event(w->core, &(struct cluster_event){.kind = CLUSTER_EV_ARBITER, .text = why});
}

static void send_request(struct etcd_way *w, enum etcd_op op)
{
        w->request.id++;
        w->request.op = op;
        w->request.timeout_ms = (uint32_t)(w->now.q.dead.us / 1000);
        w->busy = send(w->talk.socket, &w->request, sizeof(w->request), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                  (ssize_t)sizeof(w->request);
        w->sent = instant_now();
}

static void begin(struct etcd_way *w)
{
        w->now = w->next;
        w->now.q.document = w->now.document;
        w->waits = false;
        w->tries = 0;
        if (!w->child && span_between(w->started, instant_now()).us < RESTART_AFTER.us)
                return;
        int error = w->child ? 0 : start(w);
        if (error)
                say_trouble(w, strerror(-error));
        else
                send_request(w, ETCD_READ);
}

void core_arbiter_etcd_ask(struct core *core, const struct arbiter_question *q)
{
        struct etcd_way *w = core->etcd;
        struct etcd_question *next = &w->next;
        const struct ledger *l = core->inherited.ledger;

        next->asked = instant_now();
        next->q = witness_question_of(q, core->config->node[core->self].name,
                                      (struct incarnation){.boot = l->boot, .core = l->core}, next->document);
        w->waits = true;
        if (w->busy && span_between(w->sent, next->asked).us > 2 * q->dead.us)
                say_trouble(w, "haven-etcd does not come back");
        if (!w->busy)
                begin(w);
}

/* --- its answers --- */

static void tell(struct etcd_way *w)
{
        const struct witness_answer *a = &w->answer;
        static struct document document; /* large; the core has one thread */
        struct arbiter_answer told = witness_answer_for(a, &document);
        char took[SPAN_TEXT];

        w->trouble[0] = '\0';
        core_arbiter_said(
                w->core, "%s to %s of term %u, from %.48s after %s",
                a->older  ? "the key is older than what it has told, waits for a leader"
                : a->lost ? "the key is not there, waits for a leader"
                : a->yes  ? "yes"
                          : "no",
                arbiter_ask_name(a->ask), a->term, w->reply.text,
                span_format(span_us(span_between(w->now.asked, instant_now()).us / 1000 * 1000), took));
        core_event(w->core, &(struct cluster_event){.kind = CLUSTER_EV_ARBITER,
                                                    .asked = w->now.asked,
                                                    .arbiter = &told,
                                                    .text = w->reply.text});
}

static void judge(struct etcd_way *w)
{
        size_t n;

        if (register_judge(&w->judge, instant_now(), w->now.asked, &w->now.q, &w->answer, w->request.bytes,
                           &n) == REGISTER_ANSWER) {
                tell(w);
                return;
        }
        if (w->tries++ == TRIES_MAX)
                return; /* asked anew within a heartbeat */
        w->request.n = (uint32_t)n;
        w->request.revision = w->judge.revision;
        send_request(w, ETCD_SWAP);
}

static void take_reply(struct etcd_way *w)
{
        const struct etcd_reply *r = &w->reply;

        w->busy = false;
        if (r->result == ETCD_FAILED) {
                say_trouble(w, r->text);
        } else if (r->result == ETCD_SWAPPED) {
                register_swapped(&w->judge, instant_now(), r->revision);
                tell(w);
        } else if (register_observed(&w->judge, instant_now(), r->revision, r->bytes, r->n)) {
                judge(w);
        } else {
                say_trouble(w,
                            "the key's value is none of haven's: delete the key, or take another key-prefix");
        }
}

static void on_reply(uv_poll_t *poll, int status, int events)
{
        struct etcd_way *w = poll->data;

        ssize_t n = recv(w->talk.socket, &w->reply, sizeof(w->reply), MSG_DONTWAIT);
        if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
                uv_poll_stop(poll); /* it has ended: on_exit_of() follows */
                return;
        }
        if (n != (ssize_t)sizeof(w->reply) || w->reply.id != w->request.id ||
            w->reply.n > sizeof(w->reply.bytes))
                return;
        w->reply.text[sizeof(w->reply.text) - 1] = '\0';
        take_reply(w);
        if (!w->busy && w->waits)
                begin(w);
}

/* --- life --- */

int core_arbiter_etcd_open(struct core *core)
{
        struct etcd_way *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        core->etcd = w;
        w->core = core;
        w->talk = CHILD_TALK_NONE;
        snprintf(w->key, sizeof(w->key), "%s%s", core->config->arbiter.key_prefix, core->config->cluster);
        return path_program("haven-etcd", w->program);
}

void core_arbiter_etcd_close(struct core *core)
{
        struct etcd_way *w = core->etcd;

        if (!w)
                return;
        if (w->child)
                child_forget(w->child, 0);
        forget(w);
}
