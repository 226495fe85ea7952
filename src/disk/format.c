#include "disk/format.h"

#include "base/bytes.h"
#include "base/text.h"
#include "cluster/version.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define RECORD_MAGIC 0x48564452U /* "HVDR" */
#define MAIL_MAGIC   0x4856444dU /* "HVDM" */
#define CHECKSUM     16          /* BLAKE2b-128 over everything before and behind it */
#define TAG          32

static_assert(DISK_RECORD - DISK_RECORD_HEAD >= DOCUMENT_BYTES_MAX, "the longest document fits");

/* Where checksum and tag stand in a record's head; both are zero while they are made. */
#define RECORD_CHECKSUM (DISK_RECORD_HEAD - CHECKSUM)
#define RECORD_TAG      (RECORD_CHECKSUM - TAG)
#define MAIL_CHECKSUM   (DISK_MAIL_HEAD - CHECKSUM)
#define HEADER_CHECKSUM (DISK_BLOCK - CHECKSUM)

static const char *const refusal_text[] = {
        [DISK_OK] = "good",
        [DISK_BLANK] = "never written",
        [DISK_NOT_OURS] = "something else stands there",
        [DISK_FUTURE] = "written by a later release of haven",
        [DISK_TORN] = "its checksum is wrong",
        [DISK_FORGED] = "not made with this cluster's key",
        [DISK_BAD] = "holds values that cannot be",
};

const char *disk_refusal_text(enum disk_refusal refusal)
{
        return refusal_text[refusal];
}

void disk_key_derive(const uint8_t secret[static DISK_KEY], const char *cluster,
                     uint8_t ret_key[static DISK_KEY])
{
        static const char purpose[] = "haven disk ";
        crypto_generichash_state s;

        crypto_generichash_init(&s, secret, DISK_KEY, DISK_KEY);
        crypto_generichash_update(&s, (const uint8_t *)purpose, sizeof(purpose) - 1);
        crypto_generichash_update(&s, (const uint8_t *)cluster, strlen(cluster));
        crypto_generichash_final(&s, ret_key, DISK_KEY);
}

uint64_t disk_record_place(uint8_t node, unsigned which)
{
        return (uint64_t)DISK_AREA_START + (uint64_t)node * DISK_AREA + (uint64_t)which * DISK_RECORD;
}

uint64_t disk_mail_place(uint8_t from, uint8_t to)
{
        return disk_record_place(from, 2) + (uint64_t)to * DISK_MAIL;
}

static size_t whole_blocks(size_t n)
{
        return (n + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
        return sodium_is_zero(bytes, n);
}

/* Over the whole of it but the `size` bytes at `at`, which are what is being made or compared. */
static void digest(const uint8_t *bytes, size_t n, size_t at, size_t size, const uint8_t *key, uint8_t *to)
{
        crypto_generichash_state s;

        crypto_generichash_init(&s, key, key ? DISK_KEY : 0, size);
        crypto_generichash_update(&s, bytes, at);
        crypto_generichash_update(&s, bytes + at + size, n - at - size);
        crypto_generichash_final(&s, to, size);
}

static bool digest_right(const uint8_t *bytes, size_t n, size_t at, size_t size, const uint8_t *key)
{
        uint8_t is[TAG];

        digest(bytes, n, at, size, key, is);
        return sodium_memcmp(is, bytes + at, size) == 0;
}

/* --- header --- */

void disk_header_encode(const struct disk_header *h, uint8_t block[static DISK_BLOCK])
{
        struct writer w;

        memset(block, 0, DISK_BLOCK);
        writer_init(&w, block, HEADER_CHECKSUM);
        put_bytes(&w, DISK_MAGIC, 8);
        put_u16(&w, DISK_VERSION);
        put_bytes(&w, h->uuid, DISK_UUID);
        put_u8(&w, h->node_count);
        put_u64(&w, h->made);
        put_text(&w, h->cluster);
        assert(!w.failed);
        digest(block, DISK_BLOCK, HEADER_CHECKSUM, CHECKSUM, NULL, block + HEADER_CHECKSUM);
}

enum disk_refusal disk_header_decode(const uint8_t block[static DISK_BLOCK], struct disk_header *ret_header)
{
        struct disk_header h = {0};
        struct reader r;

        if (is_zero(block, DISK_BLOCK))
                return DISK_BLANK;
        reader_init(&r, block, HEADER_CHECKSUM);
        if (memcmp(get_bytes(&r, 8), DISK_MAGIC, 8) != 0)
                return DISK_NOT_OURS;
        if (get_u16(&r) != DISK_VERSION)
                return DISK_FUTURE;
        if (!digest_right(block, DISK_BLOCK, HEADER_CHECKSUM, CHECKSUM, NULL))
                return DISK_TORN;
        memcpy(h.uuid, get_bytes(&r, DISK_UUID), DISK_UUID);
        h.node_count = get_u8(&r);
        h.made = get_u64(&r);
        get_text(&r, h.cluster, sizeof(h.cluster));
        if (r.failed || !text_is_name(h.cluster) || h.node_count < 1 || h.node_count > DISK_NODES_MAX)
                return DISK_BAD;
        *ret_header = h;
        return DISK_OK;
}

/* --- records --- */

size_t disk_record_encode(const struct disk_record *r, const uint8_t uuid[static DISK_UUID],
                          const struct disk_keys *keys, uint8_t bytes[static DISK_RECORD])
{
        struct writer w;
        size_t n = whole_blocks(DISK_RECORD_HEAD + r->document_n);

        assert(r->document_n <= DOCUMENT_BYTES_MAX);
        memset(bytes, 0, n);
        writer_init(&w, bytes, RECORD_TAG);
        put_u32(&w, RECORD_MAGIC);
        put_u8(&w, DISK_VERSION);
        put_u16(&w, r->document_n);
        put_u8(&w, r->node);
        put_bytes(&w, uuid, DISK_UUID);
        put_u8(&w, (uint8_t)r->kind);
        put_u64(&w, r->writer.boot);
        put_u32(&w, r->writer.core);
        put_u64(&w, r->seq);
        put_u32(&w, r->term);
        version_put(&w, r->version);
        put_u64(&w, r->written);
        put_u32(&w, (uint32_t)((r->promise.us + 999) / 1000));
        assert(!w.failed);
        if (r->document_n)
                memcpy(bytes + DISK_RECORD_HEAD, r->document, r->document_n);
        if (keys->count)
                digest(bytes, n, RECORD_TAG, TAG, keys->key[0], bytes + RECORD_TAG);
        digest(bytes, n, RECORD_CHECKSUM, CHECKSUM, NULL, bytes + RECORD_CHECKSUM);
        return n;
}

/* Magic, version and length stand where they stand for ever. */
static size_t length_of(const uint8_t *block, uint32_t magic, size_t head, size_t most)
{
        struct reader r;

        reader_init(&r, block, DISK_BLOCK);
        if (get_u32(&r) != magic || get_u8(&r) != DISK_VERSION)
                return DISK_BLOCK;
        size_t n = whole_blocks(head + get_u16(&r));
        return n > most ? DISK_BLOCK : n;
}

size_t disk_record_length(const uint8_t block[static DISK_BLOCK])
{
        return length_of(block, RECORD_MAGIC, DISK_RECORD_HEAD, DISK_RECORD);
}

/* The tag is made before the checksum stands there. */
static bool tag_right(const uint8_t *bytes, size_t n, const struct disk_keys *keys)
{
        uint8_t copy[DISK_RECORD];

        memcpy(copy, bytes, n);
        memset(copy + RECORD_CHECKSUM, 0, CHECKSUM);
        for (size_t i = 0; i < keys->count; i++)
                if (digest_right(copy, n, RECORD_TAG, TAG, keys->key[i]))
                        return true;
        return keys->count == 0;
}

static void record_fields(struct reader *r, struct disk_record *to)
{
        to->kind = get_u8(r);
        to->writer.boot = get_u64(r);
        to->writer.core = get_u32(r);
        to->seq = get_u64(r);
        to->term = get_u32(r);
        to->version = version_get(r);
        to->written = get_u64(r);
        to->promise = span_ms(get_u32(r));
}

enum disk_refusal disk_record_decode(const uint8_t *bytes, size_t n, const uint8_t uuid[static DISK_UUID],
                                     uint8_t node, const struct disk_keys *keys,
                                     struct disk_record *ret_record)
{
        struct disk_record record = {0};
        struct reader r;

        assert(n >= DISK_BLOCK && n <= DISK_RECORD);
        if (is_zero(bytes, n))
                return DISK_BLANK;
        reader_init(&r, bytes, RECORD_TAG);
        if (get_u32(&r) != RECORD_MAGIC)
                return DISK_NOT_OURS;
        if (get_u8(&r) != DISK_VERSION)
                return DISK_FUTURE;
        record.document_n = get_u16(&r);
        if (whole_blocks(DISK_RECORD_HEAD + (size_t)record.document_n) != n ||
            !digest_right(bytes, n, RECORD_CHECKSUM, CHECKSUM, NULL))
                return DISK_TORN;
        record.node = get_u8(&r);
        const uint8_t *of = get_bytes(&r, DISK_UUID);
        if (record.node != node || memcmp(of, uuid, DISK_UUID) != 0)
                return DISK_NOT_OURS;
        if (!tag_right(bytes, n, keys))
                return DISK_FORGED;
        record_fields(&r, &record);
        if (r.failed || record.kind < DISK_BALLOT || record.kind > DISK_RENEWAL || record.seq == 0 ||
            record.document_n > DOCUMENT_BYTES_MAX)
                return DISK_BAD;
        record.document = bytes + DISK_RECORD_HEAD;
        *ret_record = record;
        return DISK_OK;
}

enum disk_refusal disk_newest(const uint8_t *const bytes[static 2], const size_t n[static 2],
                              const uint8_t uuid[static DISK_UUID], uint8_t node,
                              const struct disk_keys *keys, struct disk_record *ret_record,
                              unsigned *ret_which)
{
        struct disk_record r[2];
        enum disk_refusal is[2];

        for (unsigned i = 0; i < 2; i++)
                is[i] = disk_record_decode(bytes[i], n[i], uuid, node, keys, &r[i]);
        if (is[0] == DISK_BLANK && is[1] == DISK_BLANK)
                return DISK_BLANK;
        for (unsigned i = 0; i < 2; i++)
                if (is[i] != DISK_OK && is[i] != DISK_BLANK && is[i] != DISK_TORN)
                        return is[i];
        if (is[0] != DISK_OK && is[1] != DISK_OK) /* torn beside blank: the very first write was cut */
                return is[0] == DISK_TORN && is[1] == DISK_TORN ? DISK_TORN : DISK_BLANK;
        unsigned newest = is[0] != DISK_OK || (is[1] == DISK_OK && r[1].seq > r[0].seq);
        *ret_record = r[newest];
        *ret_which = newest;
        return DISK_OK;
}

/* --- mail --- */

size_t disk_mail_encode(uint64_t number, const uint8_t uuid[static DISK_UUID], const uint8_t *packet,
                        size_t n, uint8_t bytes[static DISK_MAIL])
{
        struct writer w;
        size_t length = whole_blocks(DISK_MAIL_HEAD + n);

        assert(n <= DISK_MAIL_MAX);
        memset(bytes, 0, length);
        writer_init(&w, bytes, MAIL_CHECKSUM);
        put_u32(&w, MAIL_MAGIC);
        put_u8(&w, DISK_VERSION);
        put_u16(&w, (uint16_t)n);
        put_u64(&w, number);
        put_bytes(&w, uuid, DISK_UUID);
        assert(!w.failed);
        memcpy(bytes + DISK_MAIL_HEAD, packet, n);
        digest(bytes, length, MAIL_CHECKSUM, CHECKSUM, NULL, bytes + MAIL_CHECKSUM);
        return length;
}

size_t disk_mail_length(const uint8_t block[static DISK_BLOCK])
{
        return length_of(block, MAIL_MAGIC, DISK_MAIL_HEAD, DISK_MAIL);
}

enum disk_refusal disk_mail_decode(const uint8_t *bytes, size_t n, const uint8_t uuid[static DISK_UUID],
                                   uint64_t *ret_number, const uint8_t **ret_packet, size_t *ret_n)
{
        struct reader r;

        assert(n >= DISK_BLOCK && n <= DISK_MAIL);
        if (is_zero(bytes, n))
                return DISK_BLANK;
        reader_init(&r, bytes, MAIL_CHECKSUM);
        if (get_u32(&r) != MAIL_MAGIC)
                return DISK_NOT_OURS;
        if (get_u8(&r) != DISK_VERSION)
                return DISK_FUTURE;
        size_t length = get_u16(&r);
        uint64_t number = get_u64(&r);
        if (whole_blocks(DISK_MAIL_HEAD + length) != n ||
            !digest_right(bytes, n, MAIL_CHECKSUM, CHECKSUM, NULL))
                return DISK_TORN;
        if (memcmp(get_bytes(&r, DISK_UUID), uuid, DISK_UUID) != 0)
                return DISK_NOT_OURS;
        *ret_number = number;
        *ret_packet = bytes + DISK_MAIL_HEAD;
        *ret_n = length;
        return DISK_OK;
}
