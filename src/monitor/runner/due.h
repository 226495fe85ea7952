/* due.h - what is next among ten thousands of things that each have their time: a binary heap whose members
 * know their place in it.
 *
 * A time has a width: from when the thing may be done, and by when it must. What is due by then is done
 * together with what may be, so that the process wakes up less often. The heap is ordered by the latter and
 * does not own its members. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct due {
        uint64_t from_ms;
        size_t place; /* the heap's own; 0: not in it */
};

struct due_heap {
        struct due_member {
                uint64_t by_ms; /* here, and not in the thing, which is far away when others are compared */
                struct due *due;
        } * at; /* from 1 on */
        size_t count, room;
};

/* 0 or -ENOMEM. It must not be in; `by_ms` is not before `from_ms`. */
int due_add(struct due_heap *h, struct due *d, uint64_t from_ms, uint64_t by_ms);
/* Gives another time to one that is in. */
void due_move(struct due_heap *h, struct due *d, uint64_t from_ms, uint64_t by_ms);
/* One that is not in is ignored. */
void due_remove(struct due_heap *h, struct due *d);
/* Which must be done first, and by when; NULL: none is in. */
struct due *due_first(const struct due_heap *h, uint64_t *ret_by_ms);
void due_done(struct due_heap *h);
