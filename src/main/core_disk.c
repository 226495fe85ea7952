/* The state file, written by a worker thread so that a slow disk delays no heartbeat. */
#include "main/core.h"

#include "base/log.h"
#include "base/text.h"

#include <string.h>

static void write_state(uv_work_t *work)
{
        struct core *core = work->data;

        core->save_error = state_save(core->options.state_dir, &core->save_state);
}

static void on_written(uv_work_t *work, int status)
{
        struct core *core = work->data;

        core->saving = false;
        if (status == UV_ECANCELED)
                return;
        if (core->save_error) {
                /* without it no vote and no new version: said at once, tried again with the next change or
                 * beat */
                log_error("state: cannot write to %s: %s, trying again", core->options.state_dir,
                          strerror(-core->save_error));
                core_save(core);
                return;
        }
        core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_SAVED, .serial = core->save_serial});
}

void core_save(struct core *core)
{
        struct state *s = &core->save_state;

        if (core->saving)
                return; /* the brain asks again when this write has ended */
        cluster_state_to_save(core->brain, &core->save_from, &core->save_serial);
        text_copy(s->node, sizeof(s->node), core->config->node[core->self].name);
        s->valid = core->save_from.term > 0;
        s->term = core->save_from.term;
        s->voted_for = core->save_from.voted_for;
        s->committed = core->save_from.committed;
        s->document = core->save_from.document;
        core->save_work.data = core;
        core->saving = uv_queue_work(core->loop, &core->save_work, write_state, on_written) == 0;
}

void core_load(struct core *core, struct cluster_start *ret_start)
{
        struct cluster_state *to = &ret_start->state;
        char text[STATE_TEXT];
        struct state s;

        *to = (struct cluster_state){.voted_for = NODE_NONE};
        to->document.members = core->config->members_digest;
        ret_start->state_valid = false;
        int error = state_load(core->options.state_dir, &s, text);
        if (error) {
                log_warning("state: %s", text);
                return;
        }
        if (strcmp(s.node, core->config->node[core->self].name) != 0) {
                log_warning("state: %s belongs to node %s, not to us -> not used", core->options.state_dir,
                            s.node);
                return;
        }
        if (core->inherited.ledger->boot == 0)
                return; /* the supervisor found no boot count and said so */
        ret_start->state_valid = s.valid;
        to->term = s.term;
        to->voted_for = s.voted_for;
        to->committed = s.committed;
        to->document = s.document;
        if (s.document.version.n == 0)
                to->document.members = core->config->members_digest;
}
