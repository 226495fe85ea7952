/* What the checker and the core read of each other, and a name server's answer: any bytes. Nothing may read
 * out of bounds; a definition that is accepted is written again as one that is, and no report carries what is
 * not printable. */
#include "config/check.h"
#include "monitor/kinds/dns_answer.h"
#include "monitor/packet.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_definition(const uint8_t *data, size_t n)
{
        uint8_t once[CHECK_BYTES_MAX], twice[CHECK_BYTES_MAX];
        struct config_check c, d;
        char target[CHECK_TARGET];
        size_t rhythm;

        if (check_decode(data, n, &c) != 0)
                return;
        int size = check_encode(&c, once, &rhythm);
        assert(size > 0 && rhythm < (size_t)size);
        assert(strlen(check_target(&c, target)) < CHECK_TARGET);
        check_done(&c);
        int error = check_decode(once, (size_t)size, &d);
        assert(error == 0);
        int again = check_encode(&d, twice, &rhythm);
        assert(again == size && memcmp(once, twice, (size_t)size) == 0);
        check_done(&d);
}

static void try_packet(const uint8_t *data, size_t n)
{
        static struct packet p;
        uint8_t bytes[PACKET_MAX];

        if (checker_packet_decode(data, n, &p) != 0)
                return;
        assert(said_is_clean(p.said, strlen(p.said)));
        assert(checker_packet_encode(&p, bytes) == n && memcmp(bytes, data, n) == 0);
}

static void try_answer(const uint8_t *data, size_t n)
{
        static struct dns_answer answer;

        for (int type = DNS_A; type <= DNS_TXT; type++) {
                if (dns_answer_read(data, n, (enum dns_type)type, &answer) != 0)
                        continue;
                for (size_t i = 0; i < answer.count; i++)
                        assert(strnlen(answer.text[i], DNS_RECORD_TEXT) < DNS_RECORD_TEXT);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        try_definition(data, n);
        try_packet(data, n);
        try_answer(data, n);
        return 0;
}
