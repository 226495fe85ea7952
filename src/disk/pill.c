#include "disk/pill.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIFE_MAGIC  0x4856444cU /* "HVDL" */
#define PILLS_MAGIC 0x48564450U /* "HVDP" */
#define TAG         32
#define CHECKSUM    16
#define CHECKSUM_AT (DISK_BLOCK - CHECKSUM)
#define TAG_AT      (CHECKSUM_AT - TAG)

uint64_t disk_life_place(uint8_t node)
{
        return disk_mail_place(node, node);
}

uint64_t disk_pills_place(uint8_t node)
{
        return disk_mail_place(node, node) + DISK_BLOCK;
}

/* --- what both have --- */

static void tag_make(const uint8_t *block, const uint8_t *key, uint8_t to[static TAG])
{
        crypto_generichash(to, TAG, block, TAG_AT, key, DISK_KEY);
}

static void seal(uint8_t *block, const struct disk_keys *keys)
{
        if (keys->count)
                tag_make(block, keys->key[0], block + TAG_AT);
        crypto_generichash(block + CHECKSUM_AT, CHECKSUM, block, CHECKSUM_AT, NULL, 0);
}

static bool tag_right(const uint8_t *block, const struct disk_keys *keys)
{
        uint8_t tag[TAG];

        for (size_t i = 0; i < keys->count; i++) {
                tag_make(block, keys->key[i], tag);
                if (sodium_memcmp(tag, block + TAG_AT, TAG) == 0)
                        return true;
        }
        return keys->count == 0;
}

static void head_put(struct writer *w, uint8_t *block, uint32_t magic, uint8_t node, const uint8_t *uuid)
{
        memset(block, 0, DISK_BLOCK);
        writer_init(w, block, TAG_AT);
        put_u32(w, magic);
        put_u8(w, DISK_VERSION);
        put_u8(w, node);
        put_bytes(w, uuid, DISK_UUID);
}

static enum disk_refusal head_get(struct reader *r, const uint8_t *block, uint32_t magic, uint8_t node,
                                  const uint8_t *uuid, const struct disk_keys *keys)
{
        uint8_t sum[CHECKSUM];

        if (sodium_is_zero(block, DISK_BLOCK))
                return DISK_BLANK;
        reader_init(r, block, TAG_AT);
        if (get_u32(r) != magic)
                return DISK_NOT_OURS;
        if (get_u8(r) != DISK_VERSION)
                return DISK_FUTURE;
        crypto_generichash(sum, CHECKSUM, block, CHECKSUM_AT, NULL, 0);
        if (sodium_memcmp(sum, block + CHECKSUM_AT, CHECKSUM) != 0)
                return DISK_TORN;
        if (get_u8(r) != node || memcmp(get_bytes(r, DISK_UUID), uuid, DISK_UUID) != 0)
                return DISK_NOT_OURS;
        return tag_right(block, keys) ? DISK_OK : DISK_FORGED;
}

/* --- life --- */

void disk_life_encode(const struct disk_life *l, const uint8_t uuid[static DISK_UUID],
                      const struct disk_keys *keys, uint8_t block[static DISK_BLOCK])
{
        struct writer w;

        head_put(&w, block, LIFE_MAGIC, l->node, uuid);
        put_bytes(&w, l->boot, PILL_BOOT);
        put_u64(&w, l->count);
        put_u32(&w, (uint32_t)span_to_ms(l->watchdog));
        put_u64(&w, l->taken);
        put_u64(&w, l->written);
        assert(!w.failed);
        seal(block, keys);
}

enum disk_refusal disk_life_decode(const uint8_t block[static DISK_BLOCK],
                                   const uint8_t uuid[static DISK_UUID], uint8_t node,
                                   const struct disk_keys *keys, struct disk_life *ret_life)
{
        struct disk_life l = {.node = node};
        struct reader r;
        enum disk_refusal is = head_get(&r, block, LIFE_MAGIC, node, uuid, keys);

        if (is != DISK_OK)
                return is;
        memcpy(l.boot, get_bytes(&r, PILL_BOOT), PILL_BOOT);
        l.count = get_u64(&r);
        l.watchdog = span_ms(get_u32(&r));
        l.taken = get_u64(&r);
        l.written = get_u64(&r);
        assert(!r.failed); /* a block is longer */
        *ret_life = l;
        return DISK_OK;
}

/* --- pills --- */

void disk_pills_encode(const struct disk_pills *p, const uint8_t uuid[static DISK_UUID],
                       const struct disk_keys *keys, uint8_t block[static DISK_BLOCK])
{
        struct writer w;

        head_put(&w, block, PILLS_MAGIC, p->node, uuid);
        for (size_t i = 0; i < DISK_NODES_MAX; i++) {
                put_u64(&w, p->to[i].number);
                put_bytes(&w, p->to[i].boot, PILL_BOOT);
                put_u64(&w, p->to[i].written);
        }
        assert(!w.failed);
        seal(block, keys);
}

enum disk_refusal disk_pills_decode(const uint8_t block[static DISK_BLOCK],
                                    const uint8_t uuid[static DISK_UUID], uint8_t node,
                                    const struct disk_keys *keys, struct disk_pills *ret_pills)
{
        struct disk_pills p = {.node = node};
        struct reader r;
        enum disk_refusal is = head_get(&r, block, PILLS_MAGIC, node, uuid, keys);

        if (is != DISK_OK)
                return is;
        for (size_t i = 0; i < DISK_NODES_MAX; i++) {
                p.to[i].number = get_u64(&r);
                memcpy(p.to[i].boot, get_bytes(&r, PILL_BOOT), PILL_BOOT);
                p.to[i].written = get_u64(&r);
        }
        assert(!r.failed);
        *ret_pills = p;
        return DISK_OK;
}

/* --- the boot --- */

int pill_boot(uint8_t ret_boot[static PILL_BOOT])
{
        char text[64];
        size_t n;
        int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

        if (fd == -1)
                return -errno;
        ssize_t got = read(fd, text, sizeof(text));
        close(fd);
        if (got <= 0)
                return got == 0 ? -EBADMSG : -errno;
        if (sodium_hex2bin(ret_boot, PILL_BOOT, text, (size_t)got, "-\n", &n, NULL) != 0 || n != PILL_BOOT)
                return -EBADMSG;
        return 0;
}
