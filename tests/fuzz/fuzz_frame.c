/* What arrives on a serial line: any bytes. Nothing may be read or written out of bounds; what is found is a
 * frame that says the same when written again; and whatever came before, a frame that follows is found. */
#include "heartbeat/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MOST 600

static bool feed(struct frame_reader *r, const uint8_t *bytes, size_t n, uint8_t *packet, size_t *ret_n)
{
        bool found = false;

        for (size_t i = 0; i < n; i++)
                if (frame_read(r, bytes[i], ret_n) == FRAME_PACKET) {
                        assert(*ret_n > 0 && *ret_n <= r->most);
                        memcpy(packet, r->bytes, *ret_n);
                        found = true;
                }
        return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static uint8_t packet[FRAME_SIZE(MOST)], frame[FRAME_SIZE(FRAME_SIZE(MOST))];
        struct frame_reader *r = malloc(FRAME_READER_SIZE(MOST));
        size_t packet_n, frame_n;

        if (!r)
                return 0;
        frame_reader_init(r, MOST);
        if (feed(r, data, n, packet, &packet_n) && packet_n <= MOST) {
                frame_n = frame_write(packet, packet_n, frame);
                bool again = feed(r, frame, frame_n, packet, &packet_n);
                assert(again);
        }
        if (n > 0 && n <= MOST) {
                frame_n = frame_write(data, n, frame);
                bool found = feed(r, frame, frame_n, packet, &packet_n);
                assert(found && packet_n == n && memcmp(packet, data, n) == 0);
        }
        free(r);
        return 0;
}
