/* name.h - what services and servers are called in the nftables table: chains, counters and sets of a
 * server have one name. For the core, which writes them, and haven-nft, which counts. */
#pragma once

#include "director/table.h"

#define NFT_NAME 128

/* "tcp/10.0.0.111/80", "tcp/fd00--111/80": a name there has no colon. */
const char *nft_service_name(const struct virtual_key *key, char name[static NFT_NAME]);
/* "tcp/10.0.0.111/80/10.0.0.11/8080". */
const char *nft_server_name(const struct virtual_key *key, const struct ip *ip, uint16_t port,
                            char name[static NFT_NAME]);
