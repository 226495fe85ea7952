/* lookup.h - the address of a name, before a look at it; by c-ares, asking whom this system asks
 * (/etc/hosts, /etc/resolv.conf), anew for each look: what changed there is seen at once.
 *
 * It lives in the object of the dns checks, so that who names addresses in numbers does not carry it. */
#pragma once

#include "base/ip.h"
#include "monitor/probe.h"

struct lookup;

/* One of the two is NULL. The lookup is gone with the call. */
typedef void lookup_done_fn(void *user, const struct ip *ip, const struct ending *failure);

struct lookup_kind {
        /* An address of `family`, or with 0 of any: the one that RFC 6724 would try first. Calls back once,
         * from the loop, never from within; it has no time limit, but `timeout` says how soon to ask again. 0
         * or a negative errno, and no call follows. */
        int (*begin)(uv_loop_t *loop, const char *host, sa_family_t family, span timeout,
                     lookup_done_fn *on_done, void *user, struct lookup **ret_lookup);
        /* Ends it without a call. */
        void (*cut)(struct lookup *lookup);
};

/* The object loaded if need be. 0 or a negative errno, and why was logged. */
int lookup_kind_find(const char *object_dir, const struct lookup_kind **ret_kind);
