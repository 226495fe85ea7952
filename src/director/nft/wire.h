/* wire.h - tables on their way from the core to haven-nft, which makes commands of them: that takes half
 * a second where a thousand services pick by a hash, and the core has none. Lines of text, trusted by both.
 */
#pragma once

#include "director/table.h"

#include <stdio.h>

#define NFT_WIRE_END "end"

/* What text.h needs of it. */
void nft_wire_put(const struct table *t, FILE *to);
/* Reads as far as the table's end, and sorts it. 0, -ENOMEM, or -EBADMSG; then it is empty. */
int nft_wire_get(FILE *from, struct table *ret_table);
