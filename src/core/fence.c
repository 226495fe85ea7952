/* What ends a node from outside: other nodes' power by fence agents, ours by the watchdog that the supervisor
 * holds, or at once when a group does not stop. */
#include "core/core.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

/* --- other nodes --- */

static void on_fenced(void *user, int node, bool off, instant asked, const char *text)
{
        core_arbiter_fenced(user, node, off, asked);
        core_event(user, &(struct cluster_event){.kind = CLUSTER_EV_FENCED,
                                                 .node = (uint8_t)node,
                                                 .yes = off,
                                                 .asked = asked,
                                                 .text = text});
}

int core_fence_open(struct core *core)
{
        int error = fencer_new(core->loop, on_fenced, core, &core->fencer);

        if (!error)
                core_pill_tell(core);
        return error;
}

void core_fence(struct core *core, int node)
{
        int error = fencer_off(core->fencer, core->config, node);

        if (error)
                on_fenced(core, node, false, instant_now(),
                          error == -EALREADY ? "the call before is still at work"
                          : error == -ENODEV ? "no fence section names it"
                                             : strerror(-error));
}

/* --- our own --- */

static void wake_supervisor(struct core *core)
{
        if (core->inherited.ledger->watch_fd != -1)
                eventfd_write(core->inherited.ledger->watch_fd, 1);
}

/* Until the first core has stopped what an earlier boot may have left, nobody may feed a watchdog that others
 * may be counting on. */
static bool cleared(const struct core *core)
{
        const struct cluster_promise *p = cluster_promise(core->brain);

        for (uint8_t i = 0; i < p->tenure_count; i++)
                if (p->tenure[i].hold == HOLD_STOPPING || p->tenure[i].hold == HOLD_STUCK)
                        return false;
        return true;
}

static void want(struct core *core)
{
        const struct config_watchdog *w = &core->config->watchdog;
        struct ledger *l = core->inherited.ledger;

        text_copy(l->watchdog_device, sizeof(l->watchdog_device), w->device);
        l->watchdog_timeout_s = (uint32_t)((w->timeout.us + 999999) / 1000000);
        atomic_store(&l->watchdog_wanted, 1);
        wake_supervisor(core);
}

void core_watchdog(struct core *core)
{
        struct ledger *l = core->inherited.ledger;

        if (!core->config->watchdog.present)
                return;
        if (!atomic_load(&l->watchdog_wanted) && cleared(core))
                want(core);
        int32_t state = atomic_load(&l->watchdog_state);
        if (state == core->watchdog_state)
                return;
        core->watchdog_state = state;
        span wait = SPAN_ZERO;
        char text[VIEW_WATCHDOG];
        if (state == LEDGER_WATCHDOG_ARMED)
                wait = span_add(timing_stretched(span_s(l->watchdog_armed_s)), core->config->watchdog.reset);
        core_tell(core, "watchdog", core->config->node[core->self].name,
                  state == LEDGER_WATCHDOG_ARMED ? 0 : ALERT_BLOCKED, core_watchdog_text(core, text));
        core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_WATCHDOG, .wait = wait});
}

const char *core_watchdog_text(struct core *core, char text[static VIEW_WATCHDOG])
{
        struct ledger *l = core->inherited.ledger;
        int32_t state = atomic_load(&l->watchdog_state);

        text[0] = '\0';
        if (!core->config->watchdog.present)
                return text;
        if (state == LEDGER_WATCHDOG_ARMED)
                snprintf(text, VIEW_WATCHDOG, "armed, %us (%s)", l->watchdog_armed_s, l->watchdog_identity);
        else if (state < 0)
                snprintf(text, VIEW_WATCHDOG, "not armed: %.40s: %s", l->watchdog_device, strerror(-state));
        else
                snprintf(text, VIEW_WATCHDOG, "not armed yet");
        return text;
}

void core_stop_failed(struct core *core, int group)
{
        const struct config_group *g = &core->config->group[group];

        if (g->on_stop_failure != STOP_FAILURE_RESET)
                return;
        /* what an earlier boot left does not stop either: a reset at every start would help nobody */
        const struct ledger_group *entry = ledger_group(core->inherited.ledger, g->id);
        if (!entry || entry->epoch_n == 0)
                return;
        core_tell(core, "fence", core->config->node[core->self].name, ALERT_DOWN,
                  "a group does not stop here, and its configuration says reset -> this node resets itself");
        atomic_store(&core->inherited.ledger->reset_wanted, LEDGER_RESET_STOP);
        wake_supervisor(core);
}
