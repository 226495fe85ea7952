/* gate_hook.h - where the gate's two programs hang in the kernel: filters of an interface's clsact.
 *
 * Filters keep the programs, and these their maps, alive without any process. They are told from those of
 * others, and of other havends in the same network namespace, by their handle, which is made of `instance`.
 * A clsact that somebody else has made is used and left alone; the handle remembers whose it is. */
#pragma once

#include "takeover/netlink.h"

enum gate_way { GATE_IN, GATE_OUT, GATE_WAYS };

/* Hangs both, each in the place of one that hangs there already, without a moment between. -EMEDIUMTYPE: the
 * interface has the older "ingress" instead of clsact, which has no place at its egress. */
int gate_hook_hang(struct netlink *n, unsigned ifindex, uint32_t instance,
                   const int program[static GATE_WAYS]);
/* Takes both off, and clsact if it was ours and nothing else hangs there. 0 also if nothing was there. */
int gate_hook_take_off(struct netlink *n, unsigned ifindex, uint32_t instance);
/* The kernel's number of the program that hangs there. -ENOENT if none does. */
int gate_hook_find(struct netlink *n, unsigned ifindex, uint32_t instance, enum gate_way way,
                   uint32_t *ret_id);
