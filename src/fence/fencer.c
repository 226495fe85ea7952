#include "fence/fencer.h"

#include "base/log.h"
#include "base/text.h"
#include "fence/agent.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS       9
#define STATUS_TRIES 5 /* a power supply takes a moment to fall */
#define STATUS_PAUSE span_s(1)

enum phase { PHASE_OFF, PHASE_STATUS, PHASE_ON };

struct device {
        struct job *job;
        struct agent agent;
        bool good; /* prepared */
        char text[AGENT_TEXT];
        struct agent_call *call;
        enum agent_result result;
};

/* One node being powered off. */
struct job {
        struct fencer *fencer;
        int node;
        char name[NAME_SIZE];
        uv_timer_t timer; /* the next step: at once, or another status query after a pause */
        size_t count;
        struct device *device;
        int level;
        enum phase phase;
        unsigned waiting; /* calls under way */
        unsigned tries;
        instant asked;
        char text[FENCER_TEXT]; /* what went wrong so far */
};

struct fencer {
        uv_loop_t *loop;
        fencer_end_fn *on_end;
        void *user;
        struct job *job[NODES_MAX];
        struct fencer_pill pill;
        bool has_pill;
};

static void step(uv_timer_t *timer);

static void on_closed(uv_handle_t *handle)
{
        struct job *j = handle->data;

        for (size_t i = 0; i < j->count; i++)
                agent_forget(&j->device[i].agent);
        free(j->device);
        free(j);
}

static void job_end(struct job *j)
{
        if (j->fencer)
                j->fencer->job[j->node] = NULL;
        for (size_t i = 0; i < j->count; i++)
                if (j->device[i].call)
                        agent_stop(j->device[i].call);
        uv_close((uv_handle_t *)&j->timer, on_closed);
}

static bool takes_part(const struct job *j, const struct device *d)
{
        if (d->agent.level != j->level)
                return false;
        switch (j->phase) {
        case PHASE_OFF: return true;
        case PHASE_STATUS: return d->agent.confirm;
        case PHASE_ON: return d->agent.on_again;
        }
        return false;
}

static void step_later(struct job *j, span in)
{
        uv_timer_start(&j->timer, step, (uint64_t)span_to_ms(in), 0);
}

static void blame(struct job *j, const struct device *d, const char *what)
{
        size_t n = strlen(j->text);

        snprintf(j->text + n, sizeof(j->text) - n, "%sfence %s: %s", n ? "; " : "", d->agent.name, what);
        log_warning("fence %s, node %s: %s: %s", d->agent.name, j->name,
                    (const char *[]){"off", "status", "on"}[j->phase], what);
}

static bool next_level(struct job *j)
{
        int next = LEVELS + 1;

        for (size_t i = 0; i < j->count; i++)
                if (j->device[i].agent.level > j->level && j->device[i].agent.level < next)
                        next = j->device[i].agent.level;
        j->level = next;
        j->phase = PHASE_OFF;
        j->tries = 0;
        return next <= LEVELS;
}

static void tell(struct job *j, bool off, const char *text)
{
        if (j->fencer)
                j->fencer->on_end(j->fencer->user, j->node, off, j->asked, text);
}

static void level_failed(struct job *j)
{
        if (next_level(j)) {
                step_later(j, SPAN_ZERO);
                return;
        }
        tell(j, false, j->text);
        job_end(j);
}

static void is_off(struct job *j)
{
        char text[FENCER_TEXT] = "";
        bool again = false, confirmed = true, proven = false;

        for (size_t i = 0; i < j->count; i++) {
                const struct agent *a = &j->device[i].agent;
                if (a->level != j->level)
                        continue;
                size_t n = strlen(text);
                snprintf(text + n, sizeof(text) - n, "%s%s", n ? " and " : "by fence ", a->name);
                again |= a->on_again;
                confirmed &= a->confirm || a->proves;
                proven |= a->proves;
        }
        size_t n = strlen(text);
        snprintf(text + n, sizeof(text) - n,
                 !confirmed ? ", not confirmed by a status query"
                 : proven   ? ", it took its pill and was reset"
                            : ", its status says off");
        tell(j, true, text);
        j->phase = PHASE_ON;
        if (again)
                step_later(j, SPAN_ZERO);
        else
                job_end(j);
}

static void after_off(struct job *j)
{
        bool failed = false, query = false;

        for (size_t i = 0; i < j->count; i++) {
                struct device *d = &j->device[i];
                if (!takes_part(j, d))
                        continue;
                query |= d->agent.confirm;
                if (d->result == AGENT_DONE)
                        continue;
                failed = true;
                blame(j, d, d->text);
        }
        if (failed) {
                level_failed(j);
        } else if (!query) {
                is_off(j);
        } else {
                j->phase = PHASE_STATUS;
                j->tries = 0;
                step_later(j, SPAN_ZERO);
        }
}

static void after_status(struct job *j)
{
        bool all_off = true;

        for (size_t i = 0; i < j->count; i++)
                all_off &= !takes_part(j, &j->device[i]) || j->device[i].result == AGENT_IS_OFF;
        if (all_off) {
                is_off(j);
        } else if (++j->tries < STATUS_TRIES) {
                step_later(j, STATUS_PAUSE);
        } else {
                for (size_t i = 0; i < j->count; i++) {
                        struct device *d = &j->device[i];
                        if (takes_part(j, d) && d->result == AGENT_DONE)
                                blame(j, d, "off was said to have worked, but its status says on");
                        else if (takes_part(j, d) && d->result == AGENT_FAILED)
                                blame(j, d, d->text);
                }
                level_failed(j);
        }
}

static void after(struct job *j)
{
        switch (j->phase) {
        case PHASE_OFF: after_off(j); break;
        case PHASE_STATUS: after_status(j); break;
        case PHASE_ON:
                for (size_t i = 0; i < j->count; i++)
                        if (takes_part(j, &j->device[i]) && j->device[i].result != AGENT_DONE)
                                blame(j, &j->device[i], j->device[i].text);
                job_end(j);
                break;
        }
}

static void on_call_end(void *user, enum agent_result result, const char *text)
{
        struct device *d = user;

        d->call = NULL;
        d->result = result;
        text_copy(d->text, sizeof(d->text), text);
        if (--d->job->waiting == 0)
                after(d->job);
}

static void step(uv_timer_t *timer)
{
        static const enum agent_action actions[] = {AGENT_OFF, AGENT_STATUS, AGENT_ON};
        struct job *j = timer->data;

        if (j->phase != PHASE_ON)
                j->asked = instant_now();
        j->waiting = 1; /* ourselves, until all are started */
        for (size_t i = 0; i < j->count; i++) {
                struct device *d = &j->device[i];
                if (!takes_part(j, d))
                        continue;
                d->result = AGENT_FAILED;
                int error = d->good ? agent_start(j->fencer->loop, &d->agent, actions[j->phase], on_call_end,
                                                  d, &d->call)
                                    : 0;
                if (error)
                        text_copy(d->text, sizeof(d->text), strerror(-error));
                j->waiting += d->good && !error;
        }
        if (--j->waiting == 0)
                after(j);
}

int fencer_new(uv_loop_t *loop, fencer_end_fn *on_end, void *user, struct fencer **ret_fencer)
{
        struct fencer *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        f->loop = loop;
        f->on_end = on_end;
        f->user = user;
        *ret_fencer = f;
        return 0;
}

void fencer_set_pill(struct fencer *f, const struct fencer_pill *pill)
{
        f->pill = *pill;
        f->has_pill = true;
}

void fencer_free(struct fencer *f)
{
        if (!f)
                return;
        for (size_t i = 0; i < NODES_MAX; i++)
                if (f->job[i])
                        job_end(f->job[i]);
        explicit_bzero(&f->pill, sizeof(f->pill));
        free(f);
}

static bool switches(const struct config_fence *f, int node)
{
        return memchr(f->node, node, f->node_count) != NULL;
}

int fencer_off(struct fencer *f, const struct config *c, int node)
{
        struct job *j;
        size_t count = 0;

        assert(node >= 0 && (size_t)node < c->node_count);
        if (f->job[node])
                return -EALREADY;
        for (size_t i = 0; i < c->fence_count; i++)
                count += switches(&c->fence[i], node);
        if (count == 0)
                return -ENODEV;
        j = calloc(1, sizeof(*j));
        if (j)
                j->device = calloc(count, sizeof(*j->device));
        if (!j || !j->device) {
                free(j);
                return -ENOMEM;
        }
        j->fencer = f;
        j->node = node;
        text_copy(j->name, sizeof(j->name), c->node[node].name);
        for (size_t i = 0; i < c->fence_count; i++) {
                if (!switches(&c->fence[i], node))
                        continue;
                struct device *d = &j->device[j->count++];
                d->job = j;
                d->good = agent_prepare(c, &c->fence[i], node, f->has_pill ? &f->pill : NULL, &d->agent,
                                        d->text) == 0;
                d->agent.level = c->fence[i].level;
        }
        (void)next_level(j);
        uv_timer_init(f->loop, &j->timer);
        j->timer.data = j;
        f->job[node] = j;
        step_later(j, SPAN_ZERO);
        return 0;
}
