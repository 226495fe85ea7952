/* seal.h - what makes a packet ours: encrypted and authenticated with the cluster's key.
 *
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, libsodium's crypto_aead_xchacha20poly1305_ietf) over the
 * body, with the clear header as associated data. The key is derived from the key file's and the cluster's
 * name, so that two clusters with one key file cannot read each other. */
#pragma once

#include "heartbeat/key.h"
#include "heartbeat/packet.h"

#define SEAL_NONCE 24

struct seal {
        uint32_t cluster; /* text_id of its name */
        size_t count;
        struct {
                uint32_t id; /* travels in the header; tells nothing of the key */
                uint8_t key[KEY_BYTES];
        } key[KEYS_MAX];
};

void seal_init(struct seal *s, const char *cluster, const struct keyring *keys);
/* Whether they are of the same keys, in the same order. */
bool seal_equal(const struct seal *a, const struct seal *b);
/* Wipes the keys. */
void seal_done(struct seal *s);

/* Makes the packet around a body of `n` bytes. Bytes written, or -EMSGSIZE. */
int seal_close(const struct seal *s, const uint8_t *body, size_t n, uint8_t *packet, size_t size);
/* The same with a nonce of the caller's, who must never use it again with this key: for tests. */
int seal_close_with(const struct seal *s, const uint8_t nonce[static SEAL_NONCE], const uint8_t *body,
                    size_t n, uint8_t *packet, size_t size);

/* Opens a packet into `body`, which has room for PACKET_BODY_MAX bytes. On any other answer than
 * PACKET_ACCEPTED, `body` is worth nothing and *ret_n is untouched. */
enum packet_refusal seal_open(const struct seal *s, const uint8_t *packet, size_t n, uint8_t *body,
                              size_t *ret_n);
