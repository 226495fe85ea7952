/* The arbiter as the core asks it. The weak ones are here: may this node stand in for the silent?
 * (rules.md rules 20 and 25) The strong ones have files of their own. */
#include "core/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void core_arbiter_said(struct core *core, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(core->arbiter_text, sizeof(core->arbiter_text), format, args);
        va_end(args);
}

static void answer(struct core *core, bool yes, instant asked, const char *text)
{
        core_arbiter_said(core, "%s, %.120s", yes ? "yes" : "no", text);
        core->arbiter_answered = instant_now();
        core_event(core, &(struct cluster_event){
                                 .kind = CLUSTER_EV_ARBITER, .yes = yes, .asked = asked, .text = text});
}

/* A node none of whose interfaces has carrier hears nobody because it is cut off itself: no proof against
 * others. */
static bool cut_off(const struct core *core)
{
        const struct config_node *n = &core->config->node[core->self];
        char name[16];
        bool carrier, known = n->address_count > 0;

        for (size_t i = 0; i < n->address_count; i++)
                if (takeover_interface_of(core->takeover, &n->address[i], name, &carrier) && carrier)
                        return false;
        for (size_t g = 0; g < core->config->group_count; g++)
                for (size_t i = 0;; i++) {
                        const struct address *a = engine_address(core->engine, (int)g, i);
                        if (!a)
                                break;
                        known = true;
                        if (address_carrier(a))
                                return false;
                }
        return known; /* with neither, nothing of the sort is known */
}

static void on_ping(void *user, const struct ping_answer *a)
{
        struct core *core = user;
        char target[IP_TEXT], text[120], rtt[SPAN_TEXT];

        core->pinging = false;
        if (!a->any) {
                answer(core, false, instant_now(), "no ping target answers");
                return;
        }
        snprintf(text, sizeof(text), "%s answers after %s",
                 ip_format(&core->config->arbiter.target[a->which], target), span_format(a->rtt, rtt));
        answer(core, true, a->sent_at, text);
}

static void ask_ping(struct core *core)
{
        const struct config_arbiter *arbiter = &core->config->arbiter;
        span timeout = span_max(core->config->heartbeat, span_ms(50));
        int error;

        if (core->pinging)
                return;
        core->pinging = true;
        error = pinger_ask(core->pinger, arbiter->target, arbiter->target_count, timeout, on_ping, core);
        if (error) {
                core->pinging = false;
                answer(core, false, instant_now(), strerror(-error));
        }
}

void core_ask_arbiter(struct core *core)
{
        if (core->config->arbiter.kind == ARBITER_DISK)
                core_arbiter_disk_ask(core, &core->todo.question);
        else if (core->config->arbiter.kind == ARBITER_FENCE)
                core_arbiter_fence_ask(core, &core->todo.question);
        else if (core->config->arbiter.kind == ARBITER_WITNESS)
                core_arbiter_witness_ask(core, &core->todo.question);
        else if (core->config->arbiter.kind == ARBITER_ETCD)
                core_arbiter_etcd_ask(core, &core->todo.question);
        else if (cut_off(core))
                answer(core, false, instant_now(),
                       "none of our own interfaces has carrier: we are the one cut off");
        else if (core->config->arbiter.kind == ARBITER_PING)
                ask_ping(core);
        else
                answer(core, true, instant_now(), "nobody is heard on any link");
}
