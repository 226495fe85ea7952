/* bytes.h - cursors for reading and writing wire and disk formats, big-endian.
 *
 * Both remember the first failure and turn every later call into nothing, so that a decoder may read a whole
 * record and ask once, at the end, whether it was there. Neither allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer {
        uint8_t *at;
        uint8_t *end;
        bool failed; /* something did not fit */
};

struct reader {
        const uint8_t *at;
        const uint8_t *end;
        bool failed; /* something was not there */
};

void writer_init(struct writer *w, void *buffer, size_t size);
void put_u8(struct writer *w, uint8_t v);
void put_u16(struct writer *w, uint16_t v);
void put_u32(struct writer *w, uint32_t v);
void put_u64(struct writer *w, uint64_t v);
void put_bytes(struct writer *w, const void *bytes, size_t n);
/* A length byte and up to 255 characters. */
void put_text(struct writer *w, const char *text);

/* A part: its length u16, then its content. A field: a tag u8, then a part. All our formats are made of them,
 * so that a reader can pass over what a later release has added. begin returns what end wants. */
uint8_t *part_begin(struct writer *w);
void part_end(struct writer *w, uint8_t *content);
uint8_t *field_begin(struct writer *w, uint8_t tag);

void reader_init(struct reader *r, const void *bytes, size_t size);
size_t reader_left(const struct reader *r);
uint8_t get_u8(struct reader *r);
uint16_t get_u16(struct reader *r);
uint32_t get_u32(struct reader *r);
uint64_t get_u64(struct reader *r);
/* NULL when n bytes are not there. Points into the buffer. */
const uint8_t *get_bytes(struct reader *r, size_t n);
/* Fails when the text, with its end, does not fit `size`, or holds a NUL. */
void get_text(struct reader *r, char *text, size_t size);
/* The next part's content as a reader of its own; an empty one when it is not there whole. */
void get_part(struct reader *r, struct reader *ret_content);
