/* Serial links on pty pairs: each line's other half is in the test's hand, which carries bytes between them.
 */
#include "heartbeat/medium.h"
#include "heartbeat/transport.h"

#include "base/text.h"
#include "heartbeat/frame.h"
#include "message_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 5000

struct end {
        struct transport *transport;
        int messages, refused, link_changes;
        uint32_t seq;
        int error;
};

struct scene {
        uv_loop_t loop;
        uv_timer_t patience;
        struct config config;
        struct config_node node[2];
        struct keyring keys;
        int master[2];
        struct end end[2];
};

static void on_message(void *user, const struct message *m, int link, instant received)
{
        struct end *e = user;

        e->messages++;
        e->seq = m->seq;
}

static void on_refused(void *user, int node, int link, enum packet_refusal why, const struct ip *from)
{
        struct end *e = user;

        assert_null(from);
        e->refused++;
}

static void on_link(void *user, int node, int link, int error)
{
        struct end *e = user;

        assert_int_equal(node, -1);
        e->link_changes++;
        e->error = error;
}

static void on_patience(uv_timer_t *timer)
{
        fprintf(stderr, "waited %d ms in vain\n", PATIENCE_MS);
        abort();
}

static void line_plug(struct scene *s, int i)
{
        s->master[i] = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        assert_true(s->master[i] >= 0);
        assert_int_equal(grantpt(s->master[i]), 0);
        assert_int_equal(unlockpt(s->master[i]), 0);
        text_copy(s->node[i].serial[0].device, sizeof(s->node[i].serial[0].device), ptsname(s->master[i]));
}

static struct scene *scene_new(void)
{
        struct scene *s = calloc(1, sizeof(*s));

        assert_non_null(s);
        assert_int_equal(uv_loop_init(&s->loop), 0);
        assert_int_equal(uv_timer_init(&s->loop, &s->patience), 0);
        s->keys.count = 1;
        key_generate(1, &s->keys.key[0]);
        text_copy(s->config.cluster, sizeof(s->config.cluster), "shop");
        s->config.node = s->node;
        s->config.node_count = 2;
        s->config.members_digest = 0x01020304;
        for (int i = 0; i < 2; i++) {
                text_copy(s->node[i].name, sizeof(s->node[i].name), i ? "beta" : "alpha");
                s->node[i].serial_count = 1;
                s->node[i].serial[0].baud = 115200;
                line_plug(s, i);
        }
        return s;
}

static void end_open(struct scene *s, int self)
{
        struct transport_hooks hooks = {.on_message = on_message,
                                        .on_refused = on_refused,
                                        .on_link = on_link,
                                        .user = &s->end[self]};

        assert_int_equal(config_links_make(&s->config), 1);
        assert_int_equal(transport_new(&s->loop, &s->config, self, &s->keys, &hooks, &s->end[self].transport),
                         0);
}

static void scene_free(struct scene *s)
{
        for (int i = 0; i < 2; i++) {
                transport_free(s->end[i].transport);
                close(s->master[i]);
        }
        uv_close((uv_handle_t *)&s->patience, NULL);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&s->loop), 0);
        key_wipe(&s->keys);
        free(s);
}

/* What one half has written goes to the other; `ret_bytes` counts it. */
static void carry(struct scene *s, int from, size_t *ret_bytes)
{
        uint8_t bytes[4096];
        ssize_t n;

        while ((n = read(s->master[from], bytes, sizeof(bytes))) > 0) {
                for (ssize_t done = 0; done < n;) {
                        ssize_t w = write(s->master[!from], bytes + done, (size_t)(n - done));
                        assert_true(w > 0 || errno == EAGAIN);
                        if (w > 0)
                                done += w;
                        else
                                uv_run(&s->loop, UV_RUN_NOWAIT); /* the line is full: its other end reads */
                }
                if (ret_bytes)
                        *ret_bytes += (size_t)n;
        }
}

static void carry_until(struct scene *s, const int *counter, int value)
{
        uv_timer_start(&s->patience, on_patience, PATIENCE_MS, 0);
        while (*counter < value) {
                carry(s, 0, NULL);
                carry(s, 1, NULL);
                uv_run(&s->loop, UV_RUN_NOWAIT);
        }
        uv_timer_stop(&s->patience);
}

static int say(struct scene *s, int from, uint32_t seq)
{
        struct message m;

        sample_message(&m);
        m.from = (uint8_t)from;
        m.to = (uint8_t)!from;
        m.seq = seq;
        return transport_send(s->end[from].transport, !from, &m);
}

static uint64_t refusals(const struct scene *s, int self, enum packet_refusal why)
{
        return transport_refusals(s->end[self].transport)[why].count;
}

static void a_message_crosses_the_line_both_ways(void **state)
{
        struct scene *s = scene_new();
        struct termios t;

        end_open(s, 0);
        end_open(s, 1);
        assert_int_equal(say(s, 0, 1), 0);
        assert_int_equal(say(s, 1, 1), 0);
        carry_until(s, &s->end[1].messages, 1);
        carry_until(s, &s->end[0].messages, 1);
        assert_int_equal(tcgetattr(s->master[0], &t), 0);
        assert_int_equal(cfgetospeed(&t), B115200);
        assert_false(t.c_lflag & (ECHO | ICANON | ISIG));
        assert_false(t.c_iflag & (IXON | ICRNL));
        scene_free(s);
}

/* At 9600 baud a packet takes a quarter of a second. The first one of many leaves whole, then the newest. */
static void a_newer_packet_replaces_what_has_not_left(void **state)
{
        struct scene *s = scene_new();
        size_t bytes = 0;

        s->node[0].serial[0].baud = s->node[1].serial[0].baud = 9600;
        end_open(s, 0);
        end_open(s, 1);
        instant began = instant_now();
        for (uint32_t seq = 1; seq <= 100; seq++)
                assert_int_equal(say(s, 0, seq), 0);
        uv_timer_start(&s->patience, on_patience, PATIENCE_MS, 0);
        while (s->end[1].messages < 2) {
                carry(s, 0, &bytes);
                uv_run(&s->loop, UV_RUN_NOWAIT);
        }
        uv_timer_stop(&s->patience);
        assert_int_equal(s->end[1].seq, 100);
        int64_t took = span_between(began, instant_now()).us;
        assert_true(took >= (int64_t)bytes / 2 * 10 * 1000000 / 9600);
        scene_free(s);
}

static void noise_is_counted_and_costs_no_packet(void **state)
{
        struct scene *s = scene_new();
        uint8_t noise[512];

        end_open(s, 0);
        end_open(s, 1);
        assert_int_equal(say(s, 0, 1), 0);
        carry_until(s, &s->end[1].messages, 1);
        for (uint32_t seq = 2; seq <= 10; seq++) {
                for (size_t i = 0; i < sizeof(noise); i++)
                        noise[i] = (uint8_t)(i * 7 + seq);
                assert_int_equal(write(s->master[1], noise, sizeof(noise)), sizeof(noise));
                assert_int_equal(say(s, 0, seq), 0);
                carry_until(s, &s->end[1].messages, (int)seq);
        }
        assert_true(refusals(s, 1, PACKET_NOISE) >= 9);
        assert_int_equal(s->end[1].refused, 1); /* told once a minute */
        assert_int_equal(refusals(s, 1, PACKET_BROKEN_SEAL), 0);
        scene_free(s);
}

static void our_own_words_coming_back_are_named(void **state)
{
        struct scene *s = scene_new();
        uint8_t bytes[4096];
        ssize_t n;

        end_open(s, 0);
        assert_int_equal(say(s, 0, 1), 0);
        assert_int_equal(say(s, 0, 2), 0);
        while ((n = read(s->master[0], bytes, sizeof(bytes))) <= 0)
                uv_run(&s->loop, UV_RUN_NOWAIT);
        assert_int_equal(write(s->master[0], bytes, (size_t)n), n);
        carry_until(s, &s->end[0].refused, 1);
        assert_int_equal(refusals(s, 0, PACKET_FROM_SELF), 1);
        scene_free(s);
}

static void a_line_that_is_pulled_and_plugged_in_again_works_again(void **state)
{
        struct scene *s = scene_new();
        char path[] = "/tmp/haven-serial-XXXXXX";

        assert_non_null(mkdtemp(path));
        char link[64];
        snprintf(link, sizeof(link), "%s/tty", path);
        assert_int_equal(symlink(s->node[1].serial[0].device, link), 0);
        text_copy(s->node[1].serial[0].device, sizeof(s->node[1].serial[0].device), link);
        end_open(s, 0);
        end_open(s, 1);
        close(s->master[1]);
        unlink(link);
        uv_timer_start(&s->patience, on_patience, PATIENCE_MS, 0);
        while (s->end[1].link_changes < 1)
                uv_run(&s->loop, UV_RUN_ONCE);
        assert_true(s->end[1].error < 0);
        assert_true(say(s, 1, 1) < 0);
        line_plug(s, 1);
        assert_int_equal(symlink(s->node[1].serial[0].device, link), 0);
        while (s->end[1].error != 0)
                uv_run(&s->loop, UV_RUN_ONCE);
        assert_int_equal(say(s, 0, 1), 0);
        carry_until(s, &s->end[1].messages, 1);
        unlink(link);
        rmdir(path);
        scene_free(s);
}

static void a_line_that_another_program_has_is_waited_for(void **state)
{
        struct scene *s = scene_new();
        int other = open(s->node[0].serial[0].device, O_RDWR | O_NOCTTY | O_CLOEXEC);

        assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
        end_open(s, 0);
        assert_int_equal(s->end[0].error, -EBUSY);
        assert_int_equal(say(s, 0, 1), -EBUSY);
        close(other);
        carry_until(s, &s->end[0].link_changes, 2);
        assert_int_equal(s->end[0].error, 0);
        assert_int_equal(say(s, 0, 2), 0);
        scene_free(s);
}

static void what_is_no_line_is_named(void **state)
{
        struct scene *s = scene_new();

        text_copy(s->node[0].serial[0].device, sizeof(s->node[0].serial[0].device), "/dev/null");
        end_open(s, 0);
        assert_int_equal(s->end[0].error, -ENOTTY);
        scene_free(s);
}

static void a_stalled_line_is_filled_with_one_packet_at_most(void **state)
{
        struct scene *s = scene_new();
        struct message m;
        size_t bytes = 0;

        s->node[0].serial[0].baud = s->node[1].serial[0].baud = 1000000;
        end_open(s, 0);
        end_open(s, 1);
        sample_largest_message(&m); /* more than a pty takes */
        m.from = 0;
        m.to = 1;
        m.members = s->config.members_digest;
        for (int i = 0; i < 50; i++) {
                assert_int_equal(transport_send(s->end[0].transport, 1, &m), 0);
                uv_run(&s->loop, UV_RUN_NOWAIT);
        }
        uv_timer_start(&s->patience, on_patience, PATIENCE_MS, 0);
        while (s->end[1].messages < 1) {
                carry(s, 0, &bytes);
                uv_run(&s->loop, UV_RUN_NOWAIT);
        }
        uv_timer_stop(&s->patience);
        assert_true(bytes < 2 * FRAME_SIZE(PACKET_MAX));
        scene_free(s);
}

/* What `haven check` says of a line's speed must not be less than the truth. */
static void the_time_of_a_heartbeat_is_not_understated(void **state)
{
        struct config c = {.group_count = 2};
        struct message m;
        uint8_t body[PACKET_BODY_MAX];

        sample_message(&m);
        m.has_document = false;
        int n = packet_encode(&m, body, sizeof(body));
        assert_in_range(m.hold_count, 1, 2);
        size_t frame = FRAME_SIZE((size_t)n + PACKET_HEADER + PACKET_TAG);
        assert_true(config_serial_time(&c, 10).us >= (int64_t)frame * 1000000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_message_crosses_the_line_both_ways),
                cmocka_unit_test(a_newer_packet_replaces_what_has_not_left),
                cmocka_unit_test(noise_is_counted_and_costs_no_packet),
                cmocka_unit_test(our_own_words_coming_back_are_named),
                cmocka_unit_test(a_line_that_is_pulled_and_plugged_in_again_works_again),
                cmocka_unit_test(a_line_that_another_program_has_is_waited_for),
                cmocka_unit_test(what_is_no_line_is_named),
                cmocka_unit_test(a_stalled_line_is_filled_with_one_packet_at_most),
                cmocka_unit_test(the_time_of_a_heartbeat_is_not_understated),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
