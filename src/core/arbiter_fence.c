/* The fence arbiter in the core: its questions and answers, and the powering off that it wants. */
#include "core/core.h"

#include <stdio.h>

static int other(const struct core *core)
{
        return core->self == 0 ? 1 : 0;
}

/* Not in the turn that asked: the answer is the next event. */
static void on_timer(uv_timer_t *timer)
{
        struct core *core = timer->data;

        core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_ARBITER,
                                                 .asked = core->fence_asked,
                                                 .arbiter = &core->fence_answer,
                                                 .text = core->arbiter_text});
}

int core_arbiter_fence_open(struct core *core)
{
        core->fence_arbiter = (struct arbiter_fence){
                .dead = core->config->dead,
                .head_start = span_times(core->settings->fence_delay[other(core)], 1 + core->self),
        };
        core->fence_timer.data = core;
        return uv_timer_init(core->loop, &core->fence_timer);
}

void core_arbiter_fence_ask(struct core *core, const struct arbiter_question *q)
{
        const char *name = core->config->node[other(core)].name, *text;
        instant now = instant_now();
        struct cluster_sight sight = cluster_sight(core->brain, (uint8_t)other(core));
        bool begin = arbiter_fence_ask(&core->fence_arbiter, q, &sight, now, &core->fence_answer, &text);

        core->fence_asked = now;
        if (q->ask != ARBITER_WATCH)
                snprintf(core->arbiter_text, sizeof(core->arbiter_text), "%s, %s %s",
                         core->fence_answer.yes ? "yes" : "no", name, text);
        uv_timer_start(&core->fence_timer, on_timer, 0, 0);
        if (begin) {
                core_tell(core, "fence", name, 0, "silent, and its vote is needed -> being powered off");
                core_fence(core, other(core));
        }
}

void core_arbiter_fenced(struct core *core, int node, bool off, instant asked)
{
        if (core->config->arbiter.kind == ARBITER_FENCE && node == other(core))
                arbiter_fence_ended(&core->fence_arbiter, off, asked, instant_now());
}

void core_arbiter_confirmed(struct core *core, int node)
{
        struct cluster_sight sight = cluster_sight(core->brain, (uint8_t)node);

        if (core->config->arbiter.kind == ARBITER_FENCE && node == other(core))
                arbiter_fence_confirmed(&core->fence_arbiter, &sight, instant_now());
}
