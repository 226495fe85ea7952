/* connections.h - the kernel's connections (conntrack) that lead to a director's servers, by the names
 * of name.h. For haven-nft. */
#pragma once

#include "director/nft/name.h"

struct nft_connections {
        char name[NFT_NAME];
        unsigned long active, inactive; /* established; all else: opening, closing, UDP without an answer */
        bool forget;
};

/* Counts those of `list`, which is sorted by name; ends the ones that are to be forgotten. 0, or a negative
 * errno. */
int nft_connections_walk(struct nft_connections *list, size_t count);
