/* places.h - where a real server stands in a plan, found by its address: one may stand in many services. */
#pragma once

#include "director/plan.h"

struct place {
        size_t service, server;
        const struct real_server *real; /* in the plan, which must live as long */
};

struct places {
        size_t count;
        struct place *place; /* by address and port */
};

/* Empty is {0}. 0, or -ENOMEM. */
int places_list(const struct plan *plan, struct places *ret_places);
void places_free(struct places *p);
/* The first of `*ret_count` in a row; port 0: whatever its port. */
const struct place *places_find(const struct places *p, const struct ip *ip, uint16_t port,
                                size_t *ret_count);
