/* witness_config.h - the configuration of a witness: whom it serves, where it listens.
 *
 *     address = {10.0.0.9}
 *     port    = 6941
 *     cluster shop { key = /etc/haven/shop.key }
 *     cluster mail { key = /etc/haven/mail.key } */
#pragma once

#include "config/config.h"

#define WITNESS_CLUSTERS_MAX  256
#define WITNESS_ADDRESSES_MAX 8

struct witness_cluster_config {
        char name[NAME_SIZE];
        char key_path[256];
};

struct witness_config {
        uint16_t port;
        size_t address_count; /* 0: every address of the machine */
        struct ip address[WITNESS_ADDRESSES_MAX];
        size_t cluster_count;
        struct witness_cluster_config cluster[WITNESS_CLUSTERS_MAX];
};

/* Reads and checks `path`; every mistake is reported. 0, or -EINVAL if there was any. */
int witness_config_load(const char *path, struct witness_config *ret_config, config_mistake_fn *on_mistake,
                        void *user);
