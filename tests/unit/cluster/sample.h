/* sample.h - documents for tests: one that a person can read, and any number from a seed. */
#pragma once

#include "cluster/document.h"

#include <stdint.h>

/* splitmix64: the same numbers everywhere. */
uint64_t sample_number(uint64_t *seed);
/* Two nodes, two groups, one of them moving: what golden files hold. */
void sample_document(struct document *ret_document);
void sample_random_document(uint64_t *seed, struct document *ret_document);
void sample_largest_document(struct document *ret_document);

/* Compares what is encoded of them, field by field. */
bool sample_documents_equal(const struct document *a, const struct document *b);

/* Reads a file of hexadecimal digits, blanks and #-comments. Bytes read; a missing file fails the test. */
size_t sample_golden(const char *path, uint8_t *bytes, size_t size);
