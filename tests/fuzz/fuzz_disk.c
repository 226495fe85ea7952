/* Two records, a header and mail of any bytes. What is taken for good has lengths and values that can be;
 * sealed again under our key it reads back to the same. Half of the inputs get right checksums, or nothing
 * would pass. */
#include "disk/format.h"
#include "disk/pill.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint8_t uuid[DISK_UUID] = {1};
static const struct disk_keys no_keys;
static uint8_t bytes[2][DISK_RECORD], again[DISK_RECORD];

static void try_record(const uint8_t *from, size_t n)
{
        struct disk_record r, back;

        if (disk_record_decode(from, n, uuid, 0, &no_keys, &r) != DISK_OK)
                return;
        assert(r.node == 0 && r.seq > 0 && r.document_n <= DOCUMENT_BYTES_MAX);
        size_t length = disk_record_encode(&r, uuid, &no_keys, again);
        assert(length == n && disk_record_decode(again, length, uuid, 0, &no_keys, &back) == DISK_OK);
        assert(back.seq == r.seq && back.term == r.term && back.kind == r.kind &&
               memcmp(back.document, r.document, r.document_n) == 0);
}

/* As the writer would have: over everything but itself, which stands before `head`. */
static void mend(uint8_t *record, size_t n, size_t head)
{
        crypto_generichash_state s;

        crypto_generichash_init(&s, NULL, 0, 16);
        crypto_generichash_update(&s, record, head - 16);
        crypto_generichash_update(&s, record + head, n - head);
        crypto_generichash_final(&s, record + head - 16, 16);
}

static void try_pill(const uint8_t *block)
{
        struct disk_pills pills;
        struct disk_life life;

        if (disk_life_decode(block, uuid, 0, &no_keys, &life) == DISK_OK)
                disk_life_encode(&life, uuid, &no_keys, again);
        if (disk_pills_decode(block, uuid, 0, &no_keys, &pills) == DISK_OK)
                disk_pills_encode(&pills, uuid, &no_keys, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct document document;
        const uint8_t *both[2] = {bytes[0], bytes[1]}, *packet;
        struct disk_header header;
        struct disk_record newest;
        uint64_t number;
        size_t length[2], packet_n;
        unsigned which;

        if (n < 1)
                return 0;
        for (int i = 0; i < 2; i++) {
                size_t part = (n - 1) / 2;
                memset(bytes[i], 0, DISK_RECORD);
                memcpy(bytes[i], data + 1 + (size_t)i * part, part < DISK_RECORD ? part : DISK_RECORD);
                length[i] = disk_record_length(bytes[i]);
                if (data[0] & 1)
                        mend(bytes[i], length[i], DISK_RECORD_HEAD);
                try_record(bytes[i], length[i]);
        }
        if (disk_newest(both, length, uuid, 0, &no_keys, &newest, &which) == DISK_OK) {
                assert(which < 2);
                (void)document_decode(newest.document, newest.document_n, &document);
        }
        length[0] = disk_mail_length(bytes[0]);
        if (data[0] & 2)
                mend(bytes[0], length[0], DISK_MAIL_HEAD);
        if (disk_mail_decode(bytes[0], length[0], uuid, &number, &packet, &packet_n) == DISK_OK)
                assert(packet + packet_n <= bytes[0] + length[0]);
        if (data[0] & 4)
                mend(bytes[1], DISK_BLOCK, DISK_BLOCK);
        try_pill(bytes[1]);
        if (disk_header_decode(bytes[1], &header) == DISK_OK)
                assert(header.node_count >= 1 && strlen(header.cluster) < DISK_CLUSTER);
        return 0;
}
