/* What was told by traps, from the checks that run here to the board, and back to those that begin here. */
#include "core/watch.h"

#include "base/text.h"
#include "watch/watch_past.h"

#include <string.h>

#define SAME_US 100000

static bool read_past(const struct watching *w, const char *name, struct watch_past *ret_past)
{
        const struct board_record *r = board_get(w->board, board_key(BOARD_PAST, name));

        return r && watch_past_decode(r->bytes, r->n, ret_past) == 0;
}

/* Clocks that are read one after the other differ by what lies between. */
static bool is_same(const struct watch_past *a, const struct watch_past *b)
{
        int64_t apart = a->wall_us - b->wall_us;

        return a->status == b->status && strcmp(a->said, b->said) == 0 && apart < SAME_US && apart > -SAME_US;
}

void watching_note_told(struct watching *w, const struct watch_check_id *k, const struct check_result *result)
{
        const struct watched *t = watches_get(w->watches, k->watched);
        struct watch_time time = watching_time();
        struct watch_past past = {.status = result->detail}, known;
        uint8_t bytes[WATCH_PAST_MAX];

        if (result->told.us == 0)
                return;
        watch_past_name(w->watches, t, k->check, past.name);
        text_copy(past.said, sizeof(past.said), result->said ? result->said : "");
        past.wall_us = time.wall_us - span_between(result->told, time.now).us;
        if (read_past(w, past.name, &known) && is_same(&past, &known))
                return;
        board_put(w->board, board_key(BOARD_PAST, past.name), BOARD_PAST, bytes,
                  watch_past_encode(&past, bytes), (uint32_t)(time.wall_us / 1000000));
        keeper_changed(w->keeper);
}

void watching_remember(struct watching *w, const struct watch_check_id *k)
{
        const struct watched *t = watches_get(w->watches, k->watched);
        struct watch_time time = watching_time();
        char name[WATCH_PAST_NAME];
        struct watch_past past;

        if (read_past(w, watch_past_name(w->watches, t, k->check, name), &past))
                checker_remember(w->core->checker, k->id, watch_instant(past.wall_us, &time), past.status,
                                 past.said);
}

void watching_forget_strangers(struct watching *w)
{
        uint32_t wall = (uint32_t)(watching_time().wall_us / 1000000);
        const struct board_record *r;

        for (uint64_t from = 0; (r = board_next(w->board, BOARD_PAST, from));) {
                uint64_t key = r->key;
                struct watch_past past;

                if (watch_past_decode(r->bytes, r->n, &past) < 0 ||
                    !watch_past_is_ours(w->core->config, past.name))
                        board_erase(w->board, key, wall);
                from = key + 1;
        }
}
