/* What a heartbeat costs: sealing, sending on two links, receiving both copies, opening, judging. */
#include "heartbeat/transport.h"

#include "base/text.h"
#include "message_sample.h"

#include <assert.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define MESSAGES 20000
#define LINKS    2

static int copies;

static void on_message(void *user, const struct message *m, int link, instant received)
{
}

static void on_copy(void *user, int node, int link, instant received)
{
        copies++;
}

static double cpu_us(void)
{
        struct rusage r;

        getrusage(RUSAGE_SELF, &r);
        return 1e6 * (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
               (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

int main(void)
{
        struct transport_hooks hooks = {.on_message = on_message, .on_copy = on_copy};
        struct config_node node[2] = {{.address_count = LINKS}, {.address_count = LINKS}};
        struct config config = {
                .cluster = "bench", .node = node, .node_count = 2, .members_digest = 0x01020304};
        struct keyring keys = {.count = 1};
        struct transport *end[2];
        struct message m;
        uv_loop_t loop;

        config.port = (uint16_t)(20000 + getpid() % 20000);
        for (int i = 0; i < 2; i++)
                for (int j = 0; j < LINKS; j++) {
                        char text[IP_TEXT];
                        snprintf(text, sizeof(text), "127.%d.0.%d", 80 + j, i + 1);
                        ip_parse(text, &node[i].address[j]);
                }
        config_links_make(&config);
        key_generate(1, &keys.key[0]);
        uv_loop_init(&loop);
        for (int i = 0; i < 2; i++) {
                int error = transport_new(&loop, &config, i, &keys, &hooks, &end[i]);
                assert(error == 0);
        }
        sample_message(&m);
        instant begin = instant_now();
        double cpu = cpu_us();
        for (int i = 1; i <= MESSAGES; i++) {
                m.seq = (uint32_t)i;
                int error = transport_send(end[0], 1, &m);
                assert(error == 0);
                while (copies < i)
                        uv_run(&loop, UV_RUN_ONCE);
        }
        cpu = cpu_us() - cpu;
        double wall = (double)span_between(begin, instant_now()).us;
        printf("%d messages on %d links: %.2f us of cpu, %.2f us of time each; at 60 packets a second sent "
               "and "
               "received %.4f s of cpu a minute\n",
               MESSAGES, LINKS, cpu / MESSAGES, wall / MESSAGES, cpu / MESSAGES / LINKS * 60 * 60 / 1e6);
        for (int i = 0; i < 2; i++)
                transport_free(end[i]);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        key_wipe(&keys);
        return 0;
}
