#include "monitor/kinds/radius_packet.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HEAD 20 /* code, identifier, length, authenticator */

enum code { ACCESS_REQUEST = 1, ACCESS_ACCEPT = 2, ACCESS_REJECT = 3, ACCESS_CHALLENGE = 11 };
enum attribute {
        USER_NAME = 1,
        USER_PASSWORD = 2,
        REPLY_MESSAGE = 18,
        NAS_IDENTIFIER = 32,
        MESSAGE_AUTHENTICATOR = 80, /* RFC 3579 3.2 */
};

struct part {
        const void *at;
        size_t n;
};

/* Of the parts one after the other. */
static int md5(const struct part *part, size_t count, uint8_t digest[static RADIUS_SIGNATURE])
{
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        bool made = c && EVP_DigestInit_ex(c, EVP_md5(), NULL) == 1;

        for (size_t i = 0; made && i < count; i++)
                made = EVP_DigestUpdate(c, part[i].at, part[i].n) == 1;
        made = made && EVP_DigestFinal_ex(c, digest, NULL) == 1;
        EVP_MD_CTX_free(c);
        return made ? 0 : -ENOTSUP;
}

static int hmac(const char *secret, const uint8_t *bytes, size_t n, uint8_t digest[static RADIUS_SIGNATURE])
{
        unsigned size = 0;

        return HMAC(EVP_md5(), secret, (int)strlen(secret), bytes, n, digest, &size) &&
                               size == RADIUS_SIGNATURE
                       ? 0
                       : -ENOTSUP;
}

static uint8_t *put_attribute(struct radius_request *r, enum attribute type, const void *value, size_t n)
{
        uint8_t *at = r->bytes + r->n;

        assert(n <= 253 && r->n + 2 + n <= sizeof(r->bytes));
        at[0] = (uint8_t)type;
        at[1] = (uint8_t)(n + 2);
        memcpy(at + 2, value, n);
        r->n += n + 2;
        return at + 2;
}

/* RFC 2865 5.2: each 16 bytes are covered by a digest of the secret and the 16 before. */
static int put_password(struct radius_request *r, const char *secret, const char *password)
{
        uint8_t hidden[128] = {0}, cover[RADIUS_SIGNATURE];
        size_t n = strlen(password), size = n ? (n + 15) / 16 * 16 : 16;
        const uint8_t *before = r->authenticator;

        assert(n <= sizeof(hidden));
        for (size_t i = 0; i < n; i++)
                hidden[i] = (uint8_t)password[i];
        for (size_t at = 0; at < size; at += 16) {
                const struct part parts[] = {{secret, strlen(secret)}, {before, RADIUS_SIGNATURE}};
                int error = md5(parts, 2, cover);
                if (error)
                        return error;
                for (size_t i = 0; i < 16; i++)
                        hidden[at + i] ^= cover[i];
                before = hidden + at;
        }
        put_attribute(r, USER_PASSWORD, hidden, size);
        return 0;
}

int radius_request_write(struct radius_request *r, const struct check_radius *check)
{
        static const uint8_t none[RADIUS_SIGNATURE];
        const char *password = check->password ? check->password : "";
        uint8_t *signature;
        int error;

        r->bytes[0] = ACCESS_REQUEST;
        r->bytes[1] = r->id;
        memcpy(r->bytes + 4, r->authenticator, RADIUS_SIGNATURE);
        r->n = HEAD;
        /* the first one, and in every question: servers that are careful refuse others (CVE-2024-3596) */
        signature = put_attribute(r, MESSAGE_AUTHENTICATOR, none, sizeof(none));
        put_attribute(r, USER_NAME, check->user, strlen(check->user));
        error = put_password(r, check->secret, password);
        if (error)
                return error;
        put_attribute(r, NAS_IDENTIFIER, "haven", 5);
        r->bytes[2] = (uint8_t)(r->n >> 8);
        r->bytes[3] = (uint8_t)r->n;
        return hmac(check->secret, r->bytes, r->n, signature);
}

/* --- answers --- */

/* RFC 2865 3: the digest of the answer with the question's authenticator in it, and the secret. */
static bool is_signed(const struct radius_request *r, const char *secret, const uint8_t *bytes, size_t n)
{
        uint8_t digest[RADIUS_SIGNATURE];
        const struct part parts[] = {{bytes, 4},
                                     {r->authenticator, RADIUS_SIGNATURE},
                                     {bytes + HEAD, n - HEAD},
                                     {secret, strlen(secret)}};

        return md5(parts, 4, digest) == 0 && CRYPTO_memcmp(digest, bytes + 4, sizeof(digest)) == 0;
}

/* Likewise, by what cannot be forged as that can; where there is one, it must be right. */
static bool is_authenticated(const struct radius_request *r, const char *secret, const uint8_t *bytes,
                             size_t n, size_t at)
{
        uint8_t copy[RADIUS_PACKET_MAX], digest[RADIUS_SIGNATURE];

        memcpy(copy, bytes, n);
        memcpy(copy + 4, r->authenticator, RADIUS_SIGNATURE);
        memset(copy + at, 0, RADIUS_SIGNATURE);
        return hmac(secret, copy, n, digest) == 0 && CRYPTO_memcmp(digest, bytes + at, sizeof(digest)) == 0;
}

/* False: they do not fill the packet, each by its length. */
static bool read_attributes(const struct radius_request *r, const char *secret, const uint8_t *bytes,
                            size_t n, char said[static RADIUS_SAID])
{
        for (size_t at = HEAD; at < n; at += bytes[at + 1]) {
                if (n - at < 2 || bytes[at + 1] < 2 || bytes[at + 1] > n - at)
                        return false;
                size_t size = bytes[at + 1] - 2U;
                if (bytes[at] == REPLY_MESSAGE && !said[0])
                        snprintf(said, RADIUS_SAID, "%.*s", (int)size, (const char *)bytes + at + 2);
                if (bytes[at] == MESSAGE_AUTHENTICATOR &&
                    (size != RADIUS_SIGNATURE || !is_authenticated(r, secret, bytes, n, at + 2)))
                        return false;
        }
        return true;
}

enum radius_answer radius_answer_read(const struct radius_request *r, const char *secret,
                                      const uint8_t *bytes, size_t n, char said[static RADIUS_SAID])
{
        size_t length = n >= HEAD ? (size_t)bytes[2] << 8 | bytes[3] : 0;

        said[0] = '\0';
        if (length < HEAD || length > n || length > RADIUS_PACKET_MAX || bytes[1] != r->id)
                return RADIUS_FOREIGN;
        if (bytes[0] != ACCESS_ACCEPT && bytes[0] != ACCESS_REJECT && bytes[0] != ACCESS_CHALLENGE)
                return RADIUS_FOREIGN;
        if (!is_signed(r, secret, bytes, length) || !read_attributes(r, secret, bytes, length, said)) {
                said[0] = '\0';
                return RADIUS_UNSIGNED;
        }
        switch ((enum code)bytes[0]) {
        case ACCESS_ACCEPT: return RADIUS_ACCEPT;
        case ACCESS_REJECT: return RADIUS_REJECT;
        case ACCESS_CHALLENGE: return RADIUS_CHALLENGE;
        case ACCESS_REQUEST: break;
        }
        return RADIUS_FOREIGN;
}
