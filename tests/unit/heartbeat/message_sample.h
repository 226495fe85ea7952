/* message_sample.h - messages for tests: a leader's usual one, and any number from a seed. */
#pragma once

#include "cluster/message.h"

#include <stdint.h>

/* What the leader of two nodes and two groups says to the other in quiet times, without a document. */
void sample_message(struct message *ret_message);
void sample_random_message(uint64_t *seed, struct message *ret_message);
/* Every section present and as long as it gets. */
void sample_largest_message(struct message *ret_message);
bool sample_messages_equal(const struct message *a, const struct message *b);
