/* Leaving in order: groups move first, then the lead is given up, then the last words. */
#include "cluster/brain.h"

static bool holds_nothing(const struct cluster *c)
{
        for (uint8_t g = 0; g < c->settings->group_count; g++)
                if (c->tenure[g].hold != HOLD_NONE)
                        return false;
        return true;
}

static bool owns_nothing(const struct cluster *c)
{
        if (c->state.document.maintenance)
                return true; /* what is ours on paper stays so: nobody takes it now */
        for (uint8_t g = 0; g < c->state.document.group_count; g++)
                if (is_self(c, c->state.document.group[g].owner))
                        return false;
        return true;
}

static bool somebody_stays(const struct cluster *c)
{
        for (uint8_t i = 0; i < c->settings->node_count; i++)
                if (!is_self(c, i) && is_voter(c, i) && peer_counts(c, i) && !c->peer[i].is.leaving &&
                    peer_heard_within(c, i, c->timing.dead))
                        return true;
        return false;
}

void leave_settle(struct cluster *c)
{
        bool led_by_other = c->leader != NODE_NONE && !is_self(c, c->leader);

        if (!c->leaving || c->left || !holds_nothing(c))
                return;
        if (c->role == ROLE_LEADER && somebody_stays(c)) {
                if (!owns_nothing(c) && leads_with_lease(c))
                        return;
                step_down(c, "leaving");
                c->resigned = true;
                c->resigned_at = c->now;
                return;
        }
        /* the vote of the one who leaves helps to elect the next: wait for that, but not for ever */
        if (c->role != ROLE_LEADER && somebody_stays(c)) {
                bool waited = c->resigned_at.us
                                      ? instant_reached(c->now, instant_add(c->resigned_at, c->timing.dead))
                                      : !led_by_other;
                if (!(led_by_other && owns_nothing(c)) && !waited)
                        return;
        }
        c->left = c->changed = true;
        c->todo->exit = true;
        note(c, NOTE_MEMBER, node_name(c, c->settings->self), "holds nothing -> has left");
}
