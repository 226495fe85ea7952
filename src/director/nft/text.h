/* text.h - a director's table as commands for nftables, where the kernel has no IPVS: rewriting (NAT)
 * only.
 *
 * Pure. It is one table of our own; each service is a chain in it that picks a server, each server a chain
 * that rewrites and counts. What is under way stays where it is, for the kernel keeps connections apart from
 * rules. nft(8); the numbers of slots are slots.h's. */
#pragma once

#include "director/table.h"

#include <stdio.h>

struct nft_style {
        const char *table; /* its name */
        bool masquerade;   /* servers see the director as the client */
};

#define NFT_WHY 256

/* Whether nftables can do what the service asks for; else `why`. */
bool nft_can(const struct virtual_service *s, char why[static NFT_WHY]);

/* One transaction each. Lines that begin with "forget " are haven-nft's: "forget NAME" ends the connections
 * of a server (name.h). It takes 20 ms for a hundred services that pick by a hash: not in the core. */
void nft_put_whole(const struct nft_style *style, const struct table *wanted, FILE *to);
void nft_put_nothing(const struct nft_style *style, FILE *to);
/* From one table to another, both sorted. True: there was something to write. */
bool nft_put_changes(const struct nft_style *style, const struct table *wanted, const struct table *actual,
                     FILE *to);
