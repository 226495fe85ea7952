/* world_etcd.h - what scenarios do on the way to etcd; only in worlds with arbiter_etcd. */
#pragma once

#include "world.h"

/* Each request of that node takes so much longer on its way there, and back: a renewal is two. */
void etcd_late(struct world *w, uint8_t node, span there, span back);
int64_t etcd_revision(const struct world *w); /* of the key */
