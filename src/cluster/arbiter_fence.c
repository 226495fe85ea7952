#include "cluster/arbiter_fence.h"

#define TRIES_MAX    3 /* by itself, within TRIES_WINDOW: what does not help is not repeated for ever */
#define TRIES_WINDOW span_s(600)
#define RETRY_AFTER  span_s(10)

static bool is_off(const struct arbiter_fence *f, instant heard)
{
        return f->off_at.us != 0 && instant_before(heard, f->off_at);
}

static bool within_limit(struct arbiter_fence *f, instant now)
{
        if (f->tries == 0 || span_between(f->first_try, now).us > TRIES_WINDOW.us) {
                f->tries = 0;
                f->first_try = now;
        }
        return f->tries < TRIES_MAX;
}

/* Whether its power is to be cut now; if not, why not. */
static bool wanted(struct arbiter_fence *f, const struct cluster_sight *other, instant now,
                   const char **ret_why)
{
        *ret_why = "is being powered off";
        if (f->running)
                return false;
        *ret_why = "was not heard since havend started here; if it is off, say so by 'haven confirm-off'";
        if (!other->met)
                return false;
        *ret_why = "is not silent for long";
        if (span_between(other->silent_from, now).us < f->dead.us) {
                f->due = INSTANT_LONG_AGO;
                return false;
        }
        if (f->due.us == 0)
                f->due = instant_add(now, f->led ? SPAN_ZERO : f->head_start);
        *ret_why = "is silent, it is powered off next";
        if (!instant_reached(now, f->due))
                return false;
        *ret_why = "could not be powered off; look, then say 'haven confirm-off'";
        return within_limit(f, now);
}

bool arbiter_fence_ask(struct arbiter_fence *f, const struct arbiter_question *q,
                       const struct cluster_sight *other, instant now, struct arbiter_answer *ret_answer,
                       const char **ret_text)
{
        bool off = is_off(f, other->heard), begin = false;

        *ret_text = off ? "is off" : "has left, or has no vote";
        if (q->ask == ARBITER_WATCH) {
                f->led = false;
                *ret_text = "has its own vote";
        } else {
                f->led |= q->ask == ARBITER_RENEW;
                begin = !off && !other->voteless && wanted(f, other, now, ret_text);
        }
        if (begin) {
                f->tries++;
                f->running = true;
                *ret_text = "is being powered off";
        }
        *ret_answer = (struct arbiter_answer){.ask = q->ask,
                                              .term = q->term,
                                              .yes = off || other->voteless || q->ask == ARBITER_WATCH,
                                              .age = off ? span_between(f->off_at, now) : SPAN_ZERO,
                                              .stored = q->newest};
        return begin;
}

void arbiter_fence_ended(struct arbiter_fence *f, bool off, instant asked, instant now)
{
        f->running = false;
        f->due = off ? INSTANT_LONG_AGO : instant_add(now, RETRY_AFTER);
        if (off)
                f->off_at = asked;
}

void arbiter_fence_confirmed(struct arbiter_fence *f, const struct cluster_sight *other, instant now)
{
        if (span_between(other->silent_from, now).us >= f->dead.us)
                f->off_at = now;
}
