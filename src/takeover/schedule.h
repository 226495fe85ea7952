/* schedule.h - when an address is announced, counted from its taking. Pure. */
#pragma once

#include "base/instant.h"

/* The first is out before anybody waits; the next two repair the loss of single packets; those at seconds
 * reach neighbours whose switch port was not forwarding yet, or who ignore a second change within a second
 * (Linux' neigh/locktime). These are always sent. */
#define SCHEDULE_STEPS 8

/* After them, as long as no neighbour has proven that it sends to us. */
#define SCHEDULE_LATER_S 30

/* From the taking to announcement number `step`, counted from 0. */
span schedule_offset(unsigned step);
