/* Operators' orders: names become indices, the brain carries them out, the end is told to who asked. */
#include "core/core.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const enum order_kind order_of[] = {
        [API_MOVE] = ORDER_MOVE,       [API_STOP] = ORDER_STOP,
        [API_START] = ORDER_START,     [API_CLEAR] = ORDER_CLEAR,
        [API_STANDBY] = ORDER_STANDBY, [API_ONLINE] = ORDER_ONLINE,
        [API_FENCE] = ORDER_FENCE,     [API_CONFIRM_OFF] = ORDER_CONFIRM_OFF,
};

static void reply_reload(struct core *core, const struct api_command *c, struct api_reply *reply)
{
        char text[4096];
        int error = core_reload(core, c->lasts, text, sizeof(text));

        api_reply_send(reply, error, text);
}

/* Who is in no file any more may still have to be said to be off. */
static int find_node(const struct config *config, const struct api_command *c)
{
        int node = config_find_node(config, c->node);

        for (size_t i = 0; node < 0 && c->kind == API_CONFIRM_OFF && i < config->node_count; i++)
                if (!config->node[i].name[0] && config->node[i].id == text_id(c->node))
                        node = (int)i;
        return node;
}

static bool fill(struct core *core, const struct api_command *c, struct order *o, char *text, size_t size)
{
        int node = c->node[0] ? find_node(core->config, c) : -1;
        int group = c->group[0] ? config_find_group(core->config, c->group) : -1;

        if (c->group[0] && group < 0) {
                snprintf(text, size, "there is no group '%s' in %s", c->group, core->config->path);
                return false;
        }
        if (c->node[0] && node < 0) {
                snprintf(text, size, "there is no node '%s' in %s", c->node, core->config->path);
                return false;
        }
        o->kind = c->kind == API_MAINTENANCE ? (c->on ? ORDER_MAINTENANCE_ON : ORDER_MAINTENANCE_OFF)
                                             : order_of[c->kind];
        o->group = group < 0 ? 0 : core->config->group[group].id;
        o->node = node < 0 ? NODE_NONE : (uint8_t)node;
        o->lasts = c->lasts;
        return true;
}

static void give_order(struct core *core, const struct api_command *c, struct api_reply *reply)
{
        struct order o = {0};
        char text[320];

        if (!fill(core, c, &o, text, sizeof(text))) {
                api_reply_send(reply, -ENOENT, text);
                return;
        }
        for (size_t i = 0; i < CORE_ORDERS_MAX; i++) {
                if (core->order[i].id)
                        continue;
                o.id = ++core->next_order;
                core->order[i] = (struct core_order){.id = o.id, .reply = reply};
                core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_ORDER, .order = o});
                return;
        }
        api_reply_send(reply, -EBUSY, order_error_text(ORDER_BUSY));
}

/* What cannot be taken back is on record with who wanted it, done or not. */
static void tell_who(struct core *core, const struct api_command *c)
{
        char text[160];

        snprintf(text, sizeof(text),
                 c->kind == API_FENCE ? "%s wants it powered off" : "%s says that it is off",
                 c->text[0] ? c->text : "somebody");
        core_tell(core, "order", c->node, 0, text);
}

void core_command(void *user, const struct api_command *c, struct api_reply *reply)
{
        struct core *core = user;
        int error;

        switch (c->kind) {
        case API_RELOAD: reply_reload(core, c, reply); break;
        case API_RESTART: core_restart(core, reply); break;
        case API_CONFIRM:
                error = core_confirm(core);
                api_reply_send(reply, error, error ? "nothing waits for a confirmation" : "confirmed");
                break;
        case API_FENCE:
        case API_CONFIRM_OFF:
                tell_who(core, c);
                if (c->kind == API_CONFIRM_OFF && config_find_node(core->config, c->node) >= 0)
                        core_arbiter_confirmed(core, config_find_node(core->config, c->node));
                give_order(core, c, reply);
                break;
        case API_MOVE:
        case API_STOP:
        case API_START:
        case API_CLEAR:
        case API_STANDBY:
        case API_ONLINE:
        case API_MAINTENANCE: give_order(core, c, reply); break;
        case API_ACK:
        case API_SILENCE:
        case API_DISABLE:
        case API_ENABLE: core_watch_order(core, c, reply); break;
        case API_DRAIN:
        case API_UNDRAIN: core_drain(core, c, reply); break;
        }
}

void core_order_done(struct core *core, const struct order_done *done)
{
        for (size_t i = 0; i < CORE_ORDERS_MAX; i++) {
                if (core->order[i].id != done->id)
                        continue;
                struct api_reply *reply = core->order[i].reply;
                core->order[i].id = 0;
                api_reply_send(reply, done->error == ORDER_DONE ? 0 : -EAGAIN, order_error_text(done->error));
                return;
        }
}
