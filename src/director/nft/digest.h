/* digest.h - what is in a table of nftables, as one number: another one when anything of it was changed. What
 * is counted, and who is remembered by a dynamic set, are no part of it.
 *
 * Asked for in the kernel's own words (linux/netfilter/nf_tables.h), not as a listing for people, which takes
 * ten times as long. The kernel also counts the changes to all of its rules: while that number is the same,
 * nothing was changed, and nothing needs to be read. */
#pragma once

#include <stdint.h>

/* 0 or a negative errno. */
int nft_generation(uint32_t *ret_generation);
/* The digest of our table in the family inet, as it was at that generation. 0; -ENOENT: there is no such
 * table; -EAGAIN: it changed all the while; another negative errno. */
int nft_digest(const char *table, uint64_t *ret_digest, uint32_t *ret_generation);
