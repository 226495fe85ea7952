/* A file of its own: the supervisor takes it from the archive, and with it neither libbpf nor an event loop.
 */
#include "takeover/gate.h"
#include "takeover/gate_hook.h"
#include "takeover/interfaces.h"

#include <errno.h>
#include <linux/rtnetlink.h>

int gate_sweep(uint32_t instance)
{
        struct interfaces all = {0};
        struct netlink n;
        int r = netlink_open(&n);

        if (r < 0)
                return r;
        r = netlink_dump(&n, RTM_GETLINK, interfaces_collect, &all);
        for (size_t i = 0; i < all.link_count; i++) {
                int failed = gate_hook_take_off(&n, all.links[i].index, instance);
                if (failed < 0 && failed != -ENODEV)
                        r = failed; /* go on: what can be taken off shall be */
        }
        interfaces_free(&all);
        netlink_close(&n);
        return r;
}
