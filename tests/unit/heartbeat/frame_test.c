#include "heartbeat/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 2000

static struct frame_reader *reader_new(void)
{
        struct frame_reader *r = malloc(FRAME_READER_SIZE(MOST));

        assert_non_null(r);
        frame_reader_init(r, MOST);
        return r;
}

struct heard {
        int packets, noise;
        size_t n;
        uint8_t last[FRAME_SIZE(MOST)];
};

static void hear(struct frame_reader *r, const uint8_t *bytes, size_t n, struct heard *h)
{
        size_t packet_n;

        for (size_t i = 0; i < n; i++)
                switch (frame_read(r, bytes[i], &packet_n)) {
                case FRAME_NOTHING: break;
                case FRAME_NOISE: h->noise++; break;
                case FRAME_PACKET:
                        h->packets++;
                        h->n = packet_n;
                        memcpy(h->last, r->bytes, packet_n);
                        break;
                }
}

/* Packets that are hard on the stuffing: zeros and none at every place around the runs. */
static size_t packet_make(uint8_t *packet, size_t n, int kind)
{
        for (size_t i = 0; i < n; i++)
                packet[i] = kind == 0   ? 0
                            : kind == 1 ? 0xff
                            : kind == 2 ? (uint8_t)i
                            : kind == 3 ? (i % 254 == 253 ? 0 : 7)
                                        : (uint8_t)rand();
        return n;
}

static void what_is_written_is_read_at_every_length(void **state)
{
        struct frame_reader *r = reader_new();
        static uint8_t packet[MOST], frame[FRAME_SIZE(MOST)];
        struct heard h = {0};
        int sent = 0;

        for (size_t n = 1; n <= MOST; n += n < 520 ? 1 : 97)
                for (int kind = 0; kind < 5; kind++) {
                        packet_make(packet, n, kind);
                        size_t frame_n = frame_write(packet, n, frame);
                        assert_in_range(frame_n, n + FRAME_CRC + 3, FRAME_SIZE(n));
                        assert_null(memchr(frame + 1, 0, frame_n - 2));
                        hear(r, frame, frame_n, &h);
                        assert_int_equal(h.packets, ++sent);
                        assert_int_equal(h.n, n);
                        assert_memory_equal(h.last, packet, n);
                }
        assert_int_equal(h.noise, 0);
        free(r);
}

static void the_bytes_are_those_of_the_standards(void **state)
{
        /* the CRC's check value for "123456789" is cbf43926 (ITU-T V.42) */
        static const uint8_t nine[] = {0,   14,  '1', '2',  '3',  '4',  '5',  '6',
                                       '7', '8', '9', 0xcb, 0xf4, 0x39, 0x26, 0};
        /* 00 11 00 and the CRC of it, each zero a distance */
        static const uint8_t zeros[] = {0, 1, 2, 0x11};
        uint8_t frame[64];

        assert_int_equal(frame_write((const uint8_t *)"123456789", 9, frame), sizeof(nine));
        assert_memory_equal(frame, nine, sizeof(nine));
        frame_write((const uint8_t[]){0, 0x11, 0}, 3, frame);
        assert_memory_equal(frame, zeros, sizeof(zeros));
}

static void frames_back_to_back_are_all_read(void **state)
{
        struct frame_reader *r = reader_new();
        uint8_t packet[300], stream[10 * FRAME_SIZE(300)];
        struct heard h = {0};
        size_t n = 0;

        for (size_t i = 0; i < 10; i++)
                n += frame_write(packet, packet_make(packet, 30 * i + 1, 2), stream + n);
        hear(r, stream, n, &h);
        assert_int_equal(h.packets, 10);
        assert_int_equal(h.noise, 0);
        free(r);
}

/* Wherever a frame is cut, at either end, the next one is read; the rest of the first is noise at most once.
 */
static void a_frame_cut_anywhere_costs_no_other(void **state)
{
        uint8_t packet[280], frame[FRAME_SIZE(280)];
        size_t n = frame_write(packet, packet_make(packet, sizeof(packet), 2), frame);

        for (size_t cut = 0; cut <= n; cut++)
                for (int tail = 0; tail < 2; tail++) {
                        struct frame_reader *r = reader_new();
                        struct heard h = {0};
                        hear(r, frame, n, &h);
                        if (tail)
                                hear(r, frame + cut, n - cut, &h);
                        else
                                hear(r, frame, cut, &h);
                        bool whole = tail ? cut <= 1 : cut >= n - 1;
                        hear(r, frame, n, &h);
                        assert_int_equal(h.packets, whole ? 3 : 2);
                        assert_int_equal(h.n, sizeof(packet));
                        bool nothing = tail ? cut >= n - 1 : cut <= 1;
                        assert_int_equal(h.noise, whole || nothing ? 0 : 1);
                        free(r);
                }
}

static void who_joins_in_the_middle_counts_no_noise(void **state)
{
        uint8_t packet[100], frame[FRAME_SIZE(100)];
        size_t n = frame_write(packet, packet_make(packet, sizeof(packet), 2), frame);
        struct frame_reader *r = reader_new();
        struct heard h = {0};

        hear(r, frame + 50, n - 50, &h);
        assert_int_equal(h.noise + h.packets, 0);
        hear(r, frame, n, &h);
        assert_int_equal(h.packets, 1);
        assert_int_equal(h.noise, 0);
        free(r);
}

static void every_changed_byte_is_noticed(void **state)
{
        uint8_t packet[260], frame[FRAME_SIZE(260)];
        size_t n = frame_write(packet, packet_make(packet, sizeof(packet), 2), frame);

        for (size_t at = 1; at < n - 1; at++)
                for (int bit = 0; bit < 8; bit++) {
                        struct frame_reader *r = reader_new();
                        struct heard h = {0};
                        frame[at] ^= (uint8_t)(1 << bit);
                        hear(r, frame, n, &h);
                        frame[at] ^= (uint8_t)(1 << bit);
                        assert_int_equal(h.packets, 0);
                        assert_true(h.noise > 0);
                        hear(r, frame, n, &h);
                        assert_int_equal(h.packets, 1);
                        free(r);
                }
}

static void noise_between_frames_costs_none(void **state)
{
        uint8_t packet[200], frame[FRAME_SIZE(200)];
        static uint8_t noise[5 * MOST];
        struct frame_reader *r = reader_new();
        struct heard h = {0};
        int sent = 0;

        for (int round = 0; round < 300; round++) {
                size_t noise_n = (size_t)rand() % (round % 10 ? 50 : sizeof(noise));
                for (size_t i = 0; i < noise_n; i++)
                        noise[i] = (uint8_t)rand();
                size_t n = frame_write(packet, packet_make(packet, sizeof(packet), 4), frame);
                hear(r, noise, noise_n, &h);
                hear(r, frame, n, &h);
                assert_int_equal(h.packets, ++sent);
                assert_memory_equal(h.last, packet, sizeof(packet));
        }
        assert_true(h.noise > 100);
        free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_read_at_every_length),
                cmocka_unit_test(the_bytes_are_those_of_the_standards),
                cmocka_unit_test(frames_back_to_back_are_all_read),
                cmocka_unit_test(a_frame_cut_anywhere_costs_no_other),
                cmocka_unit_test(who_joins_in_the_middle_counts_no_noise),
                cmocka_unit_test(every_changed_byte_is_noticed),
                cmocka_unit_test(noise_between_frames_costs_none),
        };

        srand(1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
