#include "base/bytes.h"

#include <assert.h>
#include <string.h>

void writer_init(struct writer *w, void *buffer, size_t size)
{
        *w = (struct writer){.at = buffer, .end = (uint8_t *)buffer + size};
}

void put_bytes(struct writer *w, const void *bytes, size_t n)
{
        if (w->failed || (size_t)(w->end - w->at) < n) {
                w->failed = true;
                return;
        }
        if (n > 0)
                memcpy(w->at, bytes, n);
        w->at += n;
}

static void put_number(struct writer *w, uint64_t v, size_t n)
{
        uint8_t bytes[8];

        for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
        put_bytes(w, bytes, n);
}

void put_u8(struct writer *w, uint8_t v)
{
        put_number(w, v, 1);
}

void put_u16(struct writer *w, uint16_t v)
{
        put_number(w, v, 2);
}

void put_u32(struct writer *w, uint32_t v)
{
        put_number(w, v, 4);
}

void put_u64(struct writer *w, uint64_t v)
{
        put_number(w, v, 8);
}

void put_text(struct writer *w, const char *text)
{
        size_t n = strlen(text);

        assert(n <= UINT8_MAX);
        put_u8(w, (uint8_t)n);
        put_bytes(w, text, n);
}

uint8_t *part_begin(struct writer *w)
{
        put_u16(w, 0); /* filled in by part_end() */
        return w->at;
}

void part_end(struct writer *w, uint8_t *content)
{
        if (w->failed)
                return;
        ptrdiff_t length = w->at - content;
        assert(length <= UINT16_MAX);
        content[-2] = (uint8_t)(length >> 8);
        content[-1] = (uint8_t)length;
}

uint8_t *field_begin(struct writer *w, uint8_t tag)
{
        put_u8(w, tag);
        return part_begin(w);
}

void reader_init(struct reader *r, const void *bytes, size_t size)
{
        *r = (struct reader){.at = bytes, .end = (const uint8_t *)bytes + size};
}

size_t reader_left(const struct reader *r)
{
        return (size_t)(r->end - r->at);
}

const uint8_t *get_bytes(struct reader *r, size_t n)
{
        if (r->failed || reader_left(r) < n) {
                r->failed = true;
                return NULL;
        }
        const uint8_t *bytes = r->at;
        r->at += n;
        return bytes;
}

static uint64_t get_number(struct reader *r, size_t n)
{
        const uint8_t *bytes = get_bytes(r, n);
        uint64_t v = 0;

        for (size_t i = 0; bytes && i < n; i++)
                v = v << 8 | bytes[i];
        return v;
}

uint8_t get_u8(struct reader *r)
{
        return (uint8_t)get_number(r, 1);
}

uint16_t get_u16(struct reader *r)
{
        return (uint16_t)get_number(r, 2);
}

uint32_t get_u32(struct reader *r)
{
        return (uint32_t)get_number(r, 4);
}

uint64_t get_u64(struct reader *r)
{
        return get_number(r, 8);
}

void get_text(struct reader *r, char *text, size_t size)
{
        size_t n = get_u8(r);
        const uint8_t *bytes = get_bytes(r, n);

        text[0] = '\0';
        if (!bytes || n >= size || memchr(bytes, '\0', n)) {
                r->failed = true;
                return;
        }
        memcpy(text, bytes, n);
        text[n] = '\0';
}

void get_part(struct reader *r, struct reader *ret_content)
{
        size_t n = get_u16(r);
        const uint8_t *bytes = get_bytes(r, n);

        reader_init(ret_content, bytes ? bytes : r->at, bytes ? n : 0);
}
