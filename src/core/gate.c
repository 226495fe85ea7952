/* The lease gate in the core's life: what an earlier core or run left, what the ledger says is held, and what
 * the user wants. */
#include "core/core.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

uint32_t core_gate_instance(const struct core *core)
{
        return text_id(core->options.run_dir);
}

/* What the core before this one held passes until its lease's end; what it had begun to release, no more. */
static bool guard_held(struct core *core)
{
        struct ledger *l = core->inherited.ledger;
        int error = 0;

        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX && !error; i++) {
                struct ledger_address *a = &l->address[i];
                enum ledger_hold state = ledger_state(&a->state);
                if (state != LEDGER_FREE)
                        error = takeover_gate_guard(core->takeover, &a->ip, a->prefix, state == LEDGER_HELD);
        }
        if (error)
                snprintf(core->gate_text, sizeof(core->gate_text), "an address cannot be noted: %s",
                         strerror(-error));
        return !error;
}

static bool open_gate(struct core *core)
{
        if (takeover_gate_open(core->takeover, core_gate_instance(core), core->gate_text) < 0)
                return false;
        takeover_lease(core->takeover, ledger_lease_end(core->inherited.ledger));
        return guard_held(core);
}

void core_gate_open(struct core *core)
{
        enum gate_wish wish = core->config->gate;

        takeover_gate_require(core->takeover, wish == GATE_WISH_REQUIRE);
        core->gate_text[0] = '\0';
        if (wish != GATE_WISH_OFF && open_gate(core)) {
                takeover_gate_hang(core->takeover);
                return;
        }
        /* one that an earlier core hung there would shut, and nobody would open it again */
        takeover_gate_close(core->takeover, core_gate_instance(core));
        if (wish == GATE_WISH_REQUIRE)
                log_error("gate: %s; gate = require: no address is taken without it", core->gate_text);
        else if (wish == GATE_WISH_TRY)
                log_warning("gate: %s; the kernel's address lifetime takes its place", core->gate_text);
}

void core_gate_view(const struct core *core, struct view *v)
{
        bool in_force = takeover_gate_text(core->takeover, v->gate_text);

        if (core->config->gate == GATE_WISH_OFF) {
                text_copy(v->gate, sizeof(v->gate), "off");
        } else if (core->gate_text[0]) {
                text_copy(v->gate, sizeof(v->gate), "impossible");
                text_copy(v->gate_text, sizeof(v->gate_text), core->gate_text);
        } else {
                text_copy(v->gate, sizeof(v->gate), in_force ? "in-force" : "incomplete");
        }
}
