#include "heartbeat/seal.h"

#include "base/bytes.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

static_assert(PACKET_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "the tag is libsodium's");
static_assert(SEAL_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "the nonce is libsodium's");
static_assert(KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the key is libsodium's");

/* BLAKE2b keyed with the secret: one key for each purpose and cluster name. */
static void derive(const struct key *from, const char *purpose, const char *cluster, uint8_t *to, size_t n)
{
        crypto_generichash_state state;

        crypto_generichash_init(&state, from->secret, sizeof(from->secret), n);
        crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
        crypto_generichash_update(&state, (const uint8_t *)cluster, strlen(cluster) + 1);
        crypto_generichash_final(&state, to, n);
        sodium_memzero(&state, sizeof(state));
}

void seal_init(struct seal *s, const char *cluster, const struct keyring *keys)
{
        uint8_t id[crypto_generichash_BYTES];
        struct reader r;
        int ready = sodium_init();

        assert(ready != -1);
        assert(keys->count > 0 && keys->count <= KEYS_MAX);
        *s = (struct seal){.cluster = text_id(cluster), .count = keys->count};
        for (size_t i = 0; i < keys->count; i++) {
                derive(&keys->key[i], "haven packet seal 1", cluster, s->key[i].key, KEY_BYTES);
                derive(&keys->key[i], "haven packet key id 1", cluster, id, sizeof(id));
                reader_init(&r, id, sizeof(id));
                s->key[i].id = get_u32(&r);
        }
}

bool seal_equal(const struct seal *a, const struct seal *b)
{
        bool equal = a->cluster == b->cluster && a->count == b->count;

        for (size_t i = 0; equal && i < a->count; i++)
                equal = sodium_memcmp(a->key[i].key, b->key[i].key, KEY_BYTES) == 0;
        return equal;
}

void seal_done(struct seal *s)
{
        sodium_memzero(s, sizeof(*s));
}

static void put_header(struct writer *w, uint32_t cluster, uint32_t key, const uint8_t *nonce)
{
        put_u32(w, PACKET_MAGIC);
        put_u8(w, PACKET_VERSION);
        put_u32(w, cluster);
        put_u32(w, key);
        put_bytes(w, nonce, SEAL_NONCE);
}

int seal_close_with(const struct seal *s, const uint8_t nonce[static SEAL_NONCE], const uint8_t *body,
                    size_t n, uint8_t *packet, size_t size)
{
        struct writer w;
        unsigned long long sealed;

        if (n > PACKET_BODY_MAX || size < PACKET_HEADER + n + PACKET_TAG)
                return -EMSGSIZE;
        writer_init(&w, packet, PACKET_HEADER);
        put_header(&w, s->cluster, s->key[0].id, nonce);
        assert(!w.failed && w.at == packet + PACKET_HEADER);
        crypto_aead_xchacha20poly1305_ietf_encrypt(packet + PACKET_HEADER, &sealed, body, n, packet,
                                                   PACKET_HEADER, NULL, nonce, s->key[0].key);
        return (int)(PACKET_HEADER + sealed);
}

int seal_close(const struct seal *s, const uint8_t *body, size_t n, uint8_t *packet, size_t size)
{
        uint8_t nonce[SEAL_NONCE];

        /* Random, not counted. All nodes seal with one key, and one nonce used twice would give the seal
         * away. A counter of (node, boot, core, seq) repeats when a state file is restored from a backup, a
         * machine is cloned, or two nodes are given one name: all of them happen. 192 random bits from the
         * kernel do not repeat, and need no state that survives a restart. */
        randombytes_buf(nonce, sizeof(nonce));
        return seal_close_with(s, nonce, body, n, packet, size);
}

enum packet_refusal seal_open(const struct seal *s, const uint8_t *packet, size_t n, uint8_t *body,
                              size_t *ret_n)
{
        struct reader r;
        unsigned long long opened;
        bool known = false;

        reader_init(&r, packet, n);
        if (get_u32(&r) != PACKET_MAGIC)
                return r.failed ? PACKET_TOO_SHORT : PACKET_NOT_HAVEN;
        uint8_t version = get_u8(&r);
        if (!r.failed && version > PACKET_VERSION)
                return PACKET_FUTURE_VERSION; /* before the lengths, which are its own */
        if (n < PACKET_HEADER + PACKET_TAG)
                return PACKET_TOO_SHORT;
        if (n > PACKET_MAX)
                return PACKET_TOO_LONG;
        if (version != PACKET_VERSION)
                return PACKET_NOT_HAVEN;
        if (get_u32(&r) != s->cluster)
                return PACKET_OTHER_CLUSTER;
        uint32_t id = get_u32(&r);
        const uint8_t *nonce = get_bytes(&r, SEAL_NONCE);
        for (size_t i = 0; i < s->count; i++) {
                if (s->key[i].id != id)
                        continue;
                known = true;
                if (crypto_aead_xchacha20poly1305_ietf_decrypt(body, &opened, NULL, packet + PACKET_HEADER,
                                                               n - PACKET_HEADER, packet, PACKET_HEADER,
                                                               nonce, s->key[i].key) != 0)
                        continue;
                *ret_n = (size_t)opened;
                return PACKET_ACCEPTED;
        }
        return known ? PACKET_BROKEN_SEAL : PACKET_UNKNOWN_KEY;
}
