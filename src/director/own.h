/* own.h - the addresses of this machine, but for those of loopback that every machine has. */
#pragma once

#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>

/* Empty is {0}. */
struct own {
        size_t count;
        struct ip *ip; /* sorted */
};

/* As the kernel has them now, in the place of those before. 0 or a negative errno: nothing was changed. */
int own_read(struct own *o);
void own_free(struct own *o);
bool own_has(const struct own *o, const struct ip *ip);
