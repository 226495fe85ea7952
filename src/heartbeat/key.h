/* key.h - the cluster's secret, in a file that root alone may read.
 *
 *     # anything after a sign like this is a comment
 *     2 6b0d...64 hexadecimal digits
 *     1 91ac...
 *
 * The first key seals; both are accepted. To change the key without a pause, every node first gets the new
 * one in the second line, then the two lines change places everywhere, then the old one goes. The number is
 * for people, to tell the keys apart; it does not travel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define KEY_BYTES  32
#define KEYS_MAX   2
#define KEY_REASON 512 /* room for the reason of a refusal */

struct key {
        uint32_t number;
        uint8_t secret[KEY_BYTES];
};

struct keyring {
        size_t count; /* 1 or 2 after key_load() */
        struct key key[KEYS_MAX];
};

/* A new random key. */
void key_generate(uint32_t number, struct key *ret_key);

/* Reads the file. 0, or a negative errno: -EACCES for unsafe permissions, -EBADMSG for what cannot be read as
 * keys; then `reason` says what is wrong and what repairs it. The caller wipes the keyring with key_wipe().
 */
int key_load(const char *path, struct keyring *ret_keys, char reason[static KEY_REASON]);

/* Replaces the file, mode 0600. 0, or a negative errno. */
int key_save(const char *path, const struct keyring *keys);

void key_wipe(struct keyring *keys);
