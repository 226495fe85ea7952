#include "heartbeat/transport.h"

#include "base/text.h"
#include "heartbeat/seal.h"
#include "message_sample.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Nodes are 127.x.0.1, 127.x.0.2, ... on link x - 64. The port is the process's own. */
#define LINKS       2
#define NODES       3
#define PATIENCE_MS 5000

struct end {
        struct transport *transport;
        int self;
        int messages, copies, hints, refused, link_changes;
        int posts; /* heard */
        size_t post_n;
        char post[POST_MAX + 1]; /* to be sent */
        char heard[POST_MAX + 1];
        struct message last;
        instant received;
        int link, node, error;
        enum packet_refusal why;
};

struct scene {
        uv_loop_t loop;
        uv_timer_t patience;
        struct config config;
        struct config_node node[NODES];
        struct keyring keys;
        struct end end[NODES];
};

static void on_message(void *user, const struct message *m, int link, instant received)
{
        struct end *e = user;

        e->messages++;
        e->last = *m;
        e->link = link;
        e->received = received;
}

static void on_copy(void *user, int node, int link, instant received)
{
        struct end *e = user;

        e->copies++;
        e->node = node;
}

static size_t give_post(void *user, int node, uint8_t *bytes, size_t size)
{
        struct end *e = user;

        assert_true(e->post_n <= size);
        memcpy(bytes, e->post, e->post_n);
        return e->post_n;
}

static void on_post(void *user, int node, const uint8_t *bytes, size_t n)
{
        struct end *e = user;

        assert_true(n <= POST_MAX);
        memcpy(e->heard, bytes, n);
        e->heard[n] = '\0';
        e->posts++;
}

static void on_hint(void *user, int node, int link)
{
        struct end *e = user;

        e->hints++;
        e->node = node;
}

static void on_refused(void *user, int node, int link, enum packet_refusal why, const struct ip *from)
{
        struct end *e = user;

        e->refused++;
        e->node = node;
        e->why = why;
}

static void on_link(void *user, int node, int link, int error)
{
        struct end *e = user;

        e->link_changes++;
        e->node = node;
        e->link = link;
        e->error = error;
}

static void on_patience(uv_timer_t *timer)
{
        fprintf(stderr, "waited %d ms in vain\n", PATIENCE_MS);
        abort();
}

static void wait_until(struct scene *s, const int *counter, int value)
{
        uv_timer_start(&s->patience, on_patience, PATIENCE_MS, 0);
        while (*counter < value)
                uv_run(&s->loop, UV_RUN_ONCE);
        uv_timer_stop(&s->patience);
}

/* Everything sent has arrived: what follows on loopback comes after it. */
static void drain(struct scene *s)
{
        for (int i = 0; i < 5; i++)
                uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void end_open_with(struct scene *s, int self, const struct keyring *keys)
{
        struct end *e = &s->end[self];
        struct transport_hooks hooks = {.on_message = on_message,
                                        .on_copy = on_copy,
                                        .on_hint = on_hint,
                                        .on_refused = on_refused,
                                        .on_link = on_link,
                                        .post = give_post,
                                        .on_post = on_post,
                                        .user = e};

        *e = (struct end){.self = self};
        assert_int_equal(config_links_make(&s->config), LINKS);
        assert_int_equal(transport_new(&s->loop, &s->config, self, keys, &hooks, &e->transport), 0);
}

static void end_open(struct scene *s, int self)
{
        end_open_with(s, self, &s->keys);
}

static void end_shut(struct scene *s, int self)
{
        transport_free(s->end[self].transport);
        s->end[self].transport = NULL;
        drain(s);
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
        s->config.node_count = NODES;
        s->config.port = (uint16_t)(20000 + getpid() % 20000);
        s->config.members_digest = 0x01020304;
        for (size_t i = 0; i < NODES; i++) {
                s->node[i].address_count = LINKS;
                for (size_t j = 0; j < LINKS; j++) {
                        char text[IP_TEXT];
                        snprintf(text, sizeof(text), "127.%zu.0.%zu", 64 + j, i + 1);
                        assert_int_equal(ip_parse(text, &s->node[i].address[j]), 0);
                }
        }
        return s;
}

static void scene_free(struct scene *s)
{
        for (int i = 0; i < NODES; i++)
                transport_free(s->end[i].transport);
        uv_close((uv_handle_t *)&s->patience, NULL);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&s->loop), 0);
        key_wipe(&s->keys);
        free(s);
}

static void say(struct scene *s, int from, int to, uint32_t seq)
{
        struct message m;

        sample_message(&m);
        m.from = (uint8_t)from;
        m.to = (uint8_t)to;
        m.seq = seq;
        assert_int_equal(transport_send(s->end[from].transport, to, &m), 0);
}

static uint64_t refusals(const struct scene *s, int self, enum packet_refusal why)
{
        return transport_refusals(s->end[self].transport)[why].count;
}

static void a_message_arrives_once_and_proves_every_link(void **state)
{
        struct scene *s = scene_new();
        struct transport_link l;

        end_open(s, 0);
        end_open(s, 1);
        for (uint32_t seq = 1; seq <= 10; seq++) {
                instant before = instant_now();
                say(s, 0, 1, seq);
                wait_until(s, &s->end[1].copies, (int)seq);
                assert_int_equal(s->end[1].messages, seq);
                assert_int_equal(s->end[1].last.seq, seq);
                assert_false(instant_before(s->end[1].received, before));
        }
        for (int i = 0; i < LINKS; i++) {
                transport_link(s->end[0].transport, 1, i, &l);
                assert_int_equal(l.sent, 10);
                transport_link(s->end[1].transport, 0, i, &l);
                assert_int_equal(l.received, 10);
                assert_int_equal(l.errors, 0);
        }
        assert_int_equal(refusals(s, 1, PACKET_ACCEPTED), 20);
        assert_int_equal(s->end[1].refused, 0);
        scene_free(s);
}

/* A socket that sends what it likes from any address, to node 1 on link 0. */
static int forger_open(const struct scene *s, const char *address, uint16_t port)
{
        struct sockaddr_storage sa;
        struct ip ip;
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_int_equal(ip_parse(address, &ip), 0);
        socklen_t n = ip_to_sockaddr(&ip, port, &sa);
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
        n = ip_to_sockaddr(&s->node[1].address[0], s->config.port, &sa);
        assert_int_equal(connect(fd, (struct sockaddr *)&sa, n), 0);
        return fd;
}

static void forge(const struct scene *s, const char *from, const struct message *m)
{
        struct seal seal;
        uint8_t body[PACKET_BODY_MAX];
        uint8_t packet[PACKET_MAX];

        seal_init(&seal, "shop", &s->keys);
        int n = packet_encode(m, body, sizeof(body));
        n = seal_close(&seal, body, (size_t)n, packet, sizeof(packet));
        int fd = forger_open(s, from, 0);
        assert_int_equal(send(fd, packet, (size_t)n, 0), n);
        close(fd);
}

static void each_wrong_packet_is_refused_by_name(void **state)
{
        static const struct {
                enum packet_refusal why;
                const char *address;
                uint8_t from, to;
                uint32_t members;
                uint64_t boot;
                uint32_t seq;
        } row[] = {
                {PACKET_STRANGER, "127.64.0.9", 0, 1, 0x01020304, 11, 6},
                {PACKET_STRANGER, "127.65.0.1", 0, 1, 0x01020304, 11, 6}, /* node 0's, of another link */
                {PACKET_OTHER_MEMBERSHIP, "127.64.0.1", 2, 1, 0x01020305, 11, 6},
                {PACKET_OTHER_MEMBERSHIP, "127.64.0.1", 0, 2, 0x01020305, 11, 6},
                {PACKET_FROM_SELF, "127.64.0.2", 1, 0, 0x01020304, 11, 6},
                {PACKET_FROM_SELF, "127.64.0.1", 1, 0, 0x01020304, 11, 6},
                {PACKET_UNKNOWN_SENDER, "127.64.0.1", NODES, 1, 0x01020304, 11, 6},
                {PACKET_WRONG_SENDER, "127.64.0.1", 2, 1, 0x01020304, 11, 6},
                {PACKET_NOT_FOR_US, "127.64.0.1", 0, 2, 0x01020304, 11, 6},
                {PACKET_OLD_INCARNATION, "127.64.0.1", 0, 1, 0x01020304, 10, 6},
                {PACKET_REPLAYED, "127.64.0.1", 0, 1, 0x01020304, 11, 5},
        };
        struct scene *s = scene_new();
        struct message m;
        uint64_t counted[PACKET_REFUSALS] = {0};

        end_open(s, 0);
        end_open(s, 1);
        say(s, 0, 1, 5);
        wait_until(s, &s->end[1].copies, 1);
        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
                sample_message(&m);
                m.from = row[i].from;
                m.to = row[i].to;
                m.members = row[i].members;
                m.incarnation.boot = row[i].boot;
                m.seq = row[i].seq;
                forge(s, row[i].address, &m);
                drain(s);
                assert_int_equal(refusals(s, 1, row[i].why), ++counted[row[i].why]);
                char from[IP_TEXT];
                assert_string_equal(
                        ip_format(&transport_refusals(s->end[1].transport)[row[i].why].from, from),
                        row[i].address);
        }
        assert_int_equal(s->end[1].messages, 1);
        say(s, 0, 1, 6);
        wait_until(s, &s->end[1].copies, 2);
        scene_free(s);
}

/* After `reload` on one node only: the other is alive all the same, and must be known to be. */
static void what_rides_along_arrives_on_every_link(void **state)
{
        struct scene *s = scene_new();

        end_open(s, 0);
        end_open(s, 1);
        say(s, 0, 1, 1);
        wait_until(s, &s->end[1].copies, 1);
        assert_int_equal(s->end[1].posts, 0);
        memset(s->end[0].post, 'x', POST_MAX);
        s->end[0].post_n = POST_MAX;
        say(s, 0, 1, 2);
        wait_until(s, &s->end[1].copies, 2);
        assert_int_equal(s->end[1].posts, LINKS);
        assert_string_equal(s->end[1].heard, s->end[0].post);
        assert_int_equal(s->end[1].last.seq, 2); /* the message is what it was */
        assert_int_equal(s->end[1].refused, 0);
        scene_free(s);
}

static void a_node_of_another_membership_is_heard(void **state)
{
        struct scene *s = scene_new();
        struct message m;

        end_open(s, 1);
        sample_message(&m);
        m.members = 0x01020305;
        forge(s, "127.64.0.1", &m);
        wait_until(s, &s->end[1].messages, 1);
        assert_int_equal(s->end[1].last.members, 0x01020305);
        scene_free(s);
}

static void another_key_is_named_and_a_changed_one_heard(void **state)
{
        struct scene *s = scene_new();
        struct keyring other = {.count = 1};

        key_generate(2, &other.key[0]);
        end_open_with(s, 0, &other);
        end_open(s, 1);
        say(s, 0, 1, 1);
        wait_until(s, &s->end[1].refused, 1);
        assert_int_equal(s->end[1].why, PACKET_UNKNOWN_KEY);
        assert_int_equal(s->end[1].node, 0);
        say(s, 0, 1, 2);
        drain(s);
        assert_int_equal(refusals(s, 1, PACKET_UNKNOWN_KEY), 2 * LINKS);
        assert_int_equal(s->end[1].refused, 1); /* told once a minute */
        struct keyring both = {.count = 2, .key = {s->keys.key[0], other.key[0]}};
        transport_set_keys(s->end[1].transport, &both);
        say(s, 0, 1, 3);
        wait_until(s, &s->end[1].messages, 1);
        scene_free(s);
}

static void too_long_a_packet_is_named(void **state)
{
        struct scene *s = scene_new();
        static uint8_t packet[PACKET_MAX + 100] = {'H', 'A', 'V', 'N', PACKET_VERSION};

        end_open(s, 1);
        int fd = forger_open(s, "127.64.0.1", 0);
        assert_int_equal(send(fd, packet, sizeof(packet), 0), sizeof(packet));
        close(fd);
        wait_until(s, &s->end[1].refused, 1);
        assert_int_equal(s->end[1].why, PACKET_TOO_LONG);
        scene_free(s);
}

/* The kernel answers for a daemon that is gone, long before the silence would tell. */
static void a_dead_daemon_s_kernel_gives_a_hint(void **state)
{
        struct scene *s = scene_new();
        struct transport_link l;

        end_open(s, 0);
        end_open(s, 1);
        end_open(s, 2);
        say(s, 0, 1, 1);
        wait_until(s, &s->end[1].messages, 1);
        assert_int_equal(s->end[0].hints, 0);
        end_shut(s, 1);
        say(s, 0, 1, 2);
        wait_until(s, &s->end[0].hints, LINKS);
        assert_int_equal(s->end[0].node, 1);
        /* neither the other node nor the next packet suffers */
        say(s, 0, 1, 3);
        say(s, 0, 2, 4);
        wait_until(s, &s->end[2].copies, 1);
        transport_link(s->end[0].transport, 2, 0, &l);
        assert_int_equal(l.errors, 0);
        end_open(s, 1);
        say(s, 0, 1, 5);
        wait_until(s, &s->end[1].copies, 1);
        scene_free(s);
}

static void a_port_in_use_is_waited_for(void **state)
{
        struct scene *s = scene_new();

        int fd = forger_open(s, "127.64.0.1", s->config.port);
        end_open(s, 0);
        end_open(s, 1);
        assert_int_equal(s->end[0].link_changes, 1);
        assert_int_equal(s->end[0].node, -1);
        assert_int_equal(s->end[0].error, -EADDRINUSE);
        say(s, 0, 1, 1); /* on the other link */
        wait_until(s, &s->end[1].messages, 1);
        assert_int_equal(s->end[1].link, 1);
        close(fd);
        wait_until(s, &s->end[0].link_changes, 2);
        assert_int_equal(s->end[0].error, 0);
        say(s, 0, 1, 2);
        wait_until(s, &s->end[1].copies, 1);
        scene_free(s);
}

static void a_long_document_travels(void **state)
{
        struct scene *s = scene_new();
        static struct message m;

        end_open(s, 0);
        end_open(s, 1);
        sample_largest_message(&m);
        m.from = 1;
        m.to = 0;
        m.members = s->config.members_digest;
        assert_int_equal(transport_send(s->end[1].transport, 0, &m), 0);
        wait_until(s, &s->end[0].copies, 1);
        assert_true(sample_messages_equal(&m, &s->end[0].last));
        scene_free(s);
}

/* In a network namespace of our own, which goes with the process. */

static bool enter_namespace(void)
{
        return geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0;
}

static void an_address_that_comes_late_is_waited_for(void **state)
{
        if (!enter_namespace()) {
                print_message("needs root for a network namespace\n");
                skip();
        }
        struct scene *s = scene_new();
        struct message m;

        ip_parse("192.0.2.1", &s->node[0].address[0]);
        ip_parse("192.0.2.2", &s->node[1].address[0]);
        ip_parse("2001:db8::1", &s->node[0].address[1]);
        ip_parse("2001:db8::2", &s->node[1].address[1]);
        s->config.node_count = 2;
        end_open(s, 0);
        end_open(s, 1);
        sample_message(&m);
        assert_true(transport_send(s->end[0].transport, 1, &m) < 0);
        assert_true(transport_send(s->end[0].transport, 1, &m) < 0);
        assert_int_equal(s->end[0].link_changes, LINKS); /* once per change, not per packet */
        assert_int_equal(
                system("ip addr add 192.0.2.2/32 dev lo && ip addr add 2001:db8::1/128 dev lo nodad && "
                       "ip addr add 2001:db8::2/128 dev lo nodad"),
                0);
        /* The kernel takes an IPv6 address in a moment later, by a worker that may wait for other namespaces'
         * ends; packets for it that are sent before are dropped. */
        assert_int_equal(system("timeout 5 sh -c 'until [ $(ip -6 route show table local | "
                                "grep -c \"^local 2001:db8::[12] \") = 2 ]; do :; done'"),
                         0);
        say(s, 0, 1, 2); /* link 1 alone: our own address on link 0 is not there */
        wait_until(s, &s->end[1].messages, 1);
        assert_int_equal(s->end[1].link, 1);
        struct transport_link l;
        transport_link(s->end[0].transport, 1, 0, &l);
        assert_int_equal(l.error, -EADDRNOTAVAIL);
        assert_int_equal(system("ip addr add 192.0.2.1/32 dev lo"), 0);
        say(s, 0, 1, 3);
        wait_until(s, &s->end[1].copies, 1);
        transport_link(s->end[0].transport, 1, 0, &l);
        assert_int_equal(l.error, 0);
        scene_free(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_message_arrives_once_and_proves_every_link),
                cmocka_unit_test(each_wrong_packet_is_refused_by_name),
                cmocka_unit_test(what_rides_along_arrives_on_every_link),
                cmocka_unit_test(a_node_of_another_membership_is_heard),
                cmocka_unit_test(another_key_is_named_and_a_changed_one_heard),
                cmocka_unit_test(too_long_a_packet_is_named),
                cmocka_unit_test(a_dead_daemon_s_kernel_gives_a_hint),
                cmocka_unit_test(a_port_in_use_is_waited_for),
                cmocka_unit_test(a_long_document_travels),
                cmocka_unit_test(an_address_that_comes_late_is_waited_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
