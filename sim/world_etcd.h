/* world_etcd.h - what scenarios do to etcd and the cluster's key in it; only in worlds with arbiter_etcd. */
#pragma once

#include "world.h"

/* Each request of that node takes so much longer on its way there, and back: a renewal is two. */
void etcd_late(struct world *w, uint8_t node, span there, span back);
void etcd_lose_key(struct world *w); /* somebody deletes it */
/* A backup of the store, and its return: revisions begin again from there. */
void etcd_keep_store(struct world *w);
void etcd_restore_store(struct world *w);
