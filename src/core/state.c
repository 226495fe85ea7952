/* The state file: written beside the loop, read at start. */
#include "core/core.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define SAVE_RETRY_MS 1000 /* a full disk stays full for a while; the loop has better to do */

static void on_retry(uv_timer_t *timer)
{
        core_save(timer->data);
}

void core_saved(void *user, int error)
{
        struct core *core = user;

        core->saving = false;
        if (error) {
                /* without it no vote and no new version */
                log_error("state: cannot write to %s: %s, trying again in 1 s", core->options.state_dir,
                          strerror(-error));
                uv_timer_start(&core->save_retry, on_retry, SAVE_RETRY_MS, 0);
                return;
        }
        core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_SAVED, .serial = core->save_serial});
}

void core_save(struct core *core)
{
        struct cluster_state from;
        struct state s = {0};

        if (core->saving)
                return; /* the brain asks again when this write has ended */
        cluster_state_to_save(core->brain, &from, &core->save_serial);
        text_copy(s.node, sizeof(s.node), core->config->node[core->self].name);
        s.valid = from.voter;
        s.term = from.term;
        s.voted_for = from.voted_for;
        s.committed = from.committed;
        s.told = from.told;
        s.document = from.document;
        core->saving = writer_write(core->writer, &s);
}

/* Its node numbers may mean others now. Such a change wants all nodes stopped, and what each may have left is
 * stopped at its start; so nobody owns anything. The version stays: what was committed before is older than
 * what comes. */
static void forget_assignments(const struct core *core, struct document *d)
{
        if (d->version.n)
                log_warning("state: the nodes or their timing are others than when it was written -> groups "
                            "are placed anew");
        d->members = core->config->members_digest;
        d->group_count = d->member_count = 0;
        memset(d->member, 0, sizeof(d->member));
}

bool core_understands(const struct state *state)
{
        if (state->document.feature_level <= release_feature_level())
                return true;
        fprintf(stderr,
                "the cluster has reached feature level %u, haven %s knows %u: it cannot be gone back to; "
                "install the "
                "later release\n",
                state->document.feature_level, HAVEN_VERSION, release_feature_level());
        return false;
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
        to->told = s.told;
        to->document = s.document;
        /* one of a haven that did not write their names yet numbers them as its file did */
        if (s.document.members != core->config->members_digest && s.document.voters == 0)
                forget_assignments(core, &to->document);
}
