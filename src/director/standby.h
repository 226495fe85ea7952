/* standby.h - what of a director's table is in the kernel of a node that only stands by.
 *
 * All of it, so that a takeover has nothing left to make, and that each connection that the active director
 * tells of is bound to its server at once: the kernel does that when it hears of it or never, and sends no
 * packet of a connection without a server into a tunnel (ip_vs_proc_conn(), __ip_vs_get_out_rt()).
 *
 * But a node that is itself a real server by direct routing or tunnel gets packets to the virtual address
 * from the active director, and would balance them once more: to and fro they would go. Of such a service it
 * has nobody but itself in the table. Whatever the scheduler, they stay, and the connections that it served
 * while it was active keep their server.
 *
 * Pure. */
#pragma once

#include "director/farm.h"

enum standing {
        STANDING_WHOLE,
        STANDING_SELF, /* nobody but this node, which serves it */
        STANDING_OUT,  /* nothing: the virtual address is this node's, for reasons that we do not know */
};

/* Whether the address is this machine's, now or soon. Loopback addresses are everybody's: no. */
typedef bool standby_own_fn(const void *user, const struct ip *ip);

const char *standing_name(enum standing standing); /* "whole", "self", "out" */
enum standing standby_standing(const struct plan_service *p, standby_own_fn *own, const void *user);
/* As farm_service(), of a node that stands by. 0, -ENOENT when it is not to be there, or -ENOMEM. */
int standby_service(const struct farm *f, size_t i, instant now, standby_own_fn *own, const void *user,
                    struct virtual_service *ret_service);
/* All of it, sorted. 0, or -ENOMEM. */
int standby_table(const struct farm *f, instant now, standby_own_fn *own, const void *user,
                  struct table *ret_table);
