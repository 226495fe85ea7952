/* What a RADIUS server answers: any bytes, and the same ones signed as they must be. They are read within
 * bounds, and only what is signed counts. */
#include "monitor/kinds/radius_packet.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#define HEAD 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void sign(uint8_t *bytes, size_t n, const struct radius_request *r)
{
        uint8_t text[RADIUS_PACKET_MAX + 8];

        bytes[1] = r->id;
        bytes[2] = (uint8_t)(n >> 8);
        bytes[3] = (uint8_t)n;
        memcpy(bytes + 4, r->authenticator, RADIUS_SIGNATURE);
        memcpy(text, bytes, n);
        for (size_t i = 0; i < 6; i++)
                text[n + i] = (uint8_t) "secret"[i];
        EVP_Digest(text, n + 6, bytes + 4, NULL, EVP_md5(), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const struct radius_request r = {.authenticator = "question", .id = 7};
        uint8_t bytes[RADIUS_PACKET_MAX];
        char said[RADIUS_SAID];
        enum radius_answer a = radius_answer_read(&r, "secret", data, n, said);

        assert(a == RADIUS_FOREIGN || a == RADIUS_UNSIGNED || n >= HEAD);
        if (n < HEAD || n > sizeof(bytes))
                return 0;
        memcpy(bytes, data, n);
        sign(bytes, n, &r);
        a = radius_answer_read(&r, "secret", bytes, n, said);
        assert(strlen(said) < sizeof(said));
        assert(a != RADIUS_ACCEPT || bytes[0] == 2);
        return 0;
}
