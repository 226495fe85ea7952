/* The fence arbiter of a pair: the vote of a node that was powered off for certain (protocol.md rule 23).
 *
 * Each node has its own, and it says yes only while the other node is off: from the start of the status query
 * that said so until anything is heard of it again. So never do both get its vote. It need not be renewed by
 * further queries, as a vote in a larger cluster would: a node that was switched on again and is not heard
 * cannot lead without switching us off first. It keeps no documents: who comes back alone goes on from what
 * it has, which may be older than what the other did in between; nothing runs twice by that, since the other
 * is off.
 *
 * A node that has just started does not switch off whom it has not heard: of two that cannot hear each other,
 * each would end the other at every boot. */
#include "main/core.h"

#include "base/text.h"

#include <stdio.h>

#define TRIES_MAX    3 /* by itself, within TRIES_WINDOW: what does not help is not repeated for ever */
#define TRIES_WINDOW span_s(600)
#define RETRY_AFTER  span_s(10)

static int other(const struct core *core)
{
        return core->self == 0 ? 1 : 0;
}

static const char *other_name(const struct core *core)
{
        return core->config->node[other(core)].name;
}

static bool is_off(const struct core *core)
{
        const struct fence_arbiter *f = &core->fence_arbiter;
        instant heard = cluster_heard(core->brain, (uint8_t)other(core));

        return f->off_at.us != 0 && instant_before(heard, f->off_at);
}

/* Not in the turn that asked: the answer is the next event. */
static void on_timer(uv_timer_t *timer)
{
        struct core *core = timer->data;
        struct fence_arbiter *f = &core->fence_arbiter;
        const struct arbiter_answer a = {
                .ask = f->question.ask,
                .term = f->question.term,
                .yes = f->question.ask == ARBITER_WATCH || is_off(core),
                .stored = f->question.newest,
                .age = span_between(f->off_at, instant_now()),
        };

        if (a.ask != ARBITER_WATCH)
                snprintf(core->arbiter_text, sizeof(core->arbiter_text), "%s, %.110s", a.yes ? "yes" : "no",
                         f->text);
        core_event(core,
                   &(struct cluster_event){
                           .kind = CLUSTER_EV_ARBITER, .asked = f->asked, .arbiter = &a, .text = f->text});
}

int core_arbiter_fence_open(struct core *core)
{
        struct fence_arbiter *f = &core->fence_arbiter;

        f->timer.data = core;
        return uv_timer_init(core->loop, &f->timer);
}

/* Whoever led, and so may hold everything, has a head start. */
static span head_start(const struct core *core)
{
        const struct fence_arbiter *f = &core->fence_arbiter;
        span delay = core->settings->fence_delay[other(core)];

        return f->led ? SPAN_ZERO : span_times(delay, 1 + core->self);
}

static void begin(struct core *core, instant now)
{
        struct fence_arbiter *f = &core->fence_arbiter;

        if (f->tries == 0 || span_between(f->first_try, now).us > TRIES_WINDOW.us) {
                f->tries = 0;
                f->first_try = now;
        }
        if (f->tries == TRIES_MAX) {
                snprintf(f->text, sizeof(f->text),
                         "%s could not be powered off; look, then: haven confirm-off %s", other_name(core),
                         other_name(core));
                return;
        }
        f->tries++;
        f->running = true;
        snprintf(f->text, sizeof(f->text), "%s is being powered off", other_name(core));
        core_tell(core, "fence", other_name(core), 0, "silent, and its vote is needed -> being powered off");
        core_fence(core, other(core));
}

static void consider(struct core *core, instant now)
{
        struct fence_arbiter *f = &core->fence_arbiter;
        instant heard = cluster_heard(core->brain, (uint8_t)other(core));

        if (f->running)
                return;
        if (heard.us == 0 && core->inherited.ledger->core == 1) {
                snprintf(f->text, sizeof(f->text),
                         "%s was not heard since havend started here; if it is off: haven confirm-off %s",
                         other_name(core), other_name(core));
                return;
        }
        if (span_between(heard, now).us < core->config->dead.us) {
                f->due = INSTANT_LONG_AGO;
                snprintf(f->text, sizeof(f->text), "%s was heard just now", other_name(core));
                return;
        }
        if (f->due.us == 0)
                f->due = instant_add(now, head_start(core));
        snprintf(f->text, sizeof(f->text), "%s is silent, it is powered off next", other_name(core));
        if (instant_reached(now, f->due))
                begin(core, now);
}

void core_arbiter_fence_ask(struct core *core, const struct arbiter_question *q)
{
        struct fence_arbiter *f = &core->fence_arbiter;
        instant now = instant_now();

        f->question = *q;
        f->question.document = NULL;
        f->asked = now;
        if (q->ask == ARBITER_WATCH) {
                f->led = false;
                f->text[0] = '\0';
        } else if (is_off(core)) {
                f->led |= q->ask == ARBITER_RENEW;
                snprintf(f->text, sizeof(f->text), "%s is off", other_name(core));
        } else {
                f->led |= q->ask == ARBITER_RENEW;
                consider(core, now);
        }
        uv_timer_start(&f->timer, on_timer, 0, 0);
}

void core_arbiter_fenced(struct core *core, int node, bool off, instant asked)
{
        struct fence_arbiter *f = &core->fence_arbiter;

        if (core->config->arbiter.kind != ARBITER_FENCE || node != other(core))
                return;
        f->running = false;
        f->due = off ? INSTANT_LONG_AGO : instant_add(instant_now(), RETRY_AFTER);
        if (off)
                f->off_at = asked;
}

void core_arbiter_confirmed(struct core *core, int node)
{
        instant now = instant_now(), heard = cluster_heard(core->brain, (uint8_t)node);

        if (core->config->arbiter.kind == ARBITER_FENCE && node == other(core) &&
            span_between(heard, now).us >= core->config->dead.us)
                core->fence_arbiter.off_at = now;
}
