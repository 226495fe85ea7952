/* world_witness.h - what scenarios do to the witness. */
#pragma once

#include "world.h"

void witness_off(struct world *w);
void witness_on(struct world *w);
void witness_slow(struct world *w, span more);               /* of its disk, beside what disks take */
void witness_late(struct world *w, uint8_t node, span more); /* what that node asks it, on the way there */
