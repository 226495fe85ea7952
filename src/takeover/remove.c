/* A file of its own: the supervisor takes it from the archive, and with it no event loop. */
#include "takeover/interfaces.h"
#include "takeover/netlink.h"
#include "takeover/takeover.h"

#include <errno.h>
#include <linux/rtnetlink.h>

static int remove_everywhere(struct netlink *requests, const struct ip *ip, uint8_t prefix)
{
        struct interfaces all = {0};
        int r = netlink_dump(requests, RTM_GETADDR, interfaces_collect, &all);

        for (size_t i = 0; i < all.address_count; i++) {
                const struct local_address *a = &all.addresses[i];
                if (!ip_equal(&a->ip, ip) || a->prefix != prefix)
                        continue;
                int failed = netlink_address_remove(requests, ip, prefix, a->ifindex);
                if (failed < 0 && failed != -EADDRNOTAVAIL)
                        r = failed; /* go on: what can be removed shall be */
        }
        interfaces_free(&all);
        return r;
}

int address_remove_now(const struct ip *ip, uint8_t prefix, unsigned ifindex)
{
        struct netlink requests;
        int r = netlink_open(&requests);

        if (r < 0)
                return r;
        r = ifindex ? netlink_address_remove(&requests, ip, prefix, ifindex)
                    : remove_everywhere(&requests, ip, prefix);
        netlink_close(&requests);
        return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
}
