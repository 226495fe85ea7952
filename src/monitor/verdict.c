#include "monitor/verdict.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const state_name[VERDICT_STATES] = {"unknown", "up", "down"};

struct verdict verdict_new(instant now)
{
        return (struct verdict){.state = VERDICT_UNKNOWN, .since = now};
}

/* Whether the newest `run` findings are there and are all the same as `works`. */
static bool history_ends_in(const struct verdict *v, int run, bool works)
{
        uint64_t mask = run == VERDICT_RUN_MAX ? UINT64_MAX : (UINT64_C(1) << run) - 1;

        return v->known >= run && (v->history & mask) == (works ? mask : 0);
}

static enum verdict_state next_state(const struct verdict *v, int rise, int fall)
{
        if (v->blind >= fall)
                return VERDICT_UNKNOWN;
        if (v->blind > 0)
                return v->state;
        if (history_ends_in(v, rise, true))
                return VERDICT_UP;
        if (history_ends_in(v, fall, false))
                return VERDICT_DOWN;
        return v->state;
}

bool verdict_step(struct verdict *v, int rise, int fall, enum finding finding, instant now)
{
        enum verdict_state next;

        assert(rise >= 1 && rise <= VERDICT_RUN_MAX);
        assert(fall >= 1 && fall <= VERDICT_RUN_MAX);
        if (finding == FINDING_NONE) {
                if (v->blind < VERDICT_RUN_MAX)
                        v->blind++;
        } else {
                v->blind = 0;
                v->history = v->history << 1 | (finding == FINDING_WORKS);
                if (v->known < VERDICT_RUN_MAX)
                        v->known++;
        }
        next = next_state(v, rise, fall);
        if (next == v->state)
                return false;
        if (next == VERDICT_UNKNOWN)
                v->known = 0; /* what was seen before we went blind proves nothing about now */
        v->state = next;
        v->since = now;
        return true;
}

const char *verdict_name(enum verdict_state state)
{
        assert(state < VERDICT_STATES);
        return state_name[state];
}

int verdict_parse(const char *name, enum verdict_state *ret_state)
{
        for (int i = 0; i < VERDICT_STATES; i++)
                if (strcmp(name, state_name[i]) == 0) {
                        *ret_state = (enum verdict_state)i;
                        return 0;
                }
        return -EINVAL;
}
