/* prober.c - what a client of the floating address sees.
 *
 *     prober ADDRESS PORT INTERVAL_US
 *
 * Sends a numbered datagram each interval and expects it back within LATE_US, followed by a blank and the
 * name of the machine that answered (echo.c). An outage is a run of requests that were not answered in time;
 * it lasts from the sending of the last good request before it to that of the first good one after it. A
 * moment in which the prober itself had no CPU sends nothing, hence loses nothing, and is no outage. Lines,
 * with CLOCK_BOOTTIME in microseconds:
 *
 *     node T NAME                        answers come from NAME from the request sent at T on
 *     lost T                             an outage has begun: T is when the last good request was sent
 *     back T NAME LENGTH LOST            it is over
 *     end T SENT LOST LATENCY STALL      on SIGTERM: totals, worst answer time, worst own delay, both in us
 *
 * A request unanswered at the end counts as lost only if it had its time. */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* These machines lose the CPU for tens of milliseconds; slower than this is no answer. */
#define LATE_US 100000
#define WINDOW  65536 /* requests in flight at most; a power of two */
#define NAME    64

struct request {
        int64_t sent_us;
        bool answered;
        char node[NAME];
};

static struct request window[WINDOW];
static uint64_t sent, judged, lost; /* judged: all requests below this number are decided */
static int64_t last_good_us, latency_max_us, stall_max_us;
static uint64_t outage_lost;
static char last_node[NAME];
static int connected(const char *address, uint16_t port)
{
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        bool six = strchr(address, ':') != NULL;
        int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int done, on = 1;

        if (fd == -1 || inet_pton(six ? AF_INET6 : AF_INET, address,
                                  six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1) {
                fprintf(stderr, "prober: bad address %s\n", address);
                exit(2);
        }
        do {
                done = six ? connect(fd, (struct sockaddr *)&v6, sizeof v6)
                           : connect(fd, (struct sockaddr *)&v4, sizeof v4);
        } while (done == -1 && errno == EINTR);
        if (done == -1 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == -1) {
                perror("prober");
                exit(1);
        }
        return fd;
}

static void ask(int fd)
{
        struct request *r = &window[sent % WINDOW];
        char text[32];
        int n = snprintf(text, sizeof text, "%llu", (unsigned long long)sent);

        *r = (struct request){.sent_us = now_us()};
        sent++;
        /* "no route", "host unreachable", "port unreachable": as good as no answer */
        if (send(fd, text, (size_t)n, 0) == -1)
                return;
}

static void take_answer(const char *text, int64_t arrived)
{
        char *end;
        uint64_t number = strtoull(text, &end, 10);
        struct request *r = &window[number % WINDOW];

        if (number >= sent || number < judged || *end != ' ' || arrived - r->sent_us > LATE_US)
                return;
        if (arrived - r->sent_us > latency_max_us)
                latency_max_us = arrived - r->sent_us;
        r->answered = true;
        snprintf(r->node, sizeof r->node, "%s", end + 1);
}

static void hear(int fd)
{
        char text[256];
        int64_t arrived;

        for (;;) {
                ssize_t n = receive_stamped(fd, text, sizeof text - 1, &arrived);

                if (n == -1 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n == -1)
                        continue; /* an ICMP error kept for us; each is reported once */
                text[n] = '\0';
                take_answer(text, arrived);
        }
}

static void judge_one(const struct request *r)
{
        if (!r->answered) {
                lost++;
                if (outage_lost++ == 0)
                        printf("lost %lld\n", (long long)(last_good_us != 0 ? last_good_us : r->sent_us));
                return;
        }
        if (outage_lost > 0)
                printf("back %lld %s %lld %llu\n", (long long)r->sent_us, r->node,
                       (long long)(last_good_us != 0 ? r->sent_us - last_good_us : 0),
                       (unsigned long long)outage_lost);
        if (strcmp(last_node, r->node) != 0) {
                printf("node %lld %s\n", (long long)r->sent_us, r->node);
                snprintf(last_node, sizeof last_node, "%s", r->node);
        }
        outage_lost = 0;
        last_good_us = r->sent_us;
}

/* Decides requests in the order they were sent: answered, or out of time. */
static void judge(int64_t now)
{
        for (; judged < sent; judged++) {
                const struct request *r = &window[judged % WINDOW];

                if (!r->answered && now - r->sent_us <= LATE_US)
                        break;
                judge_one(r);
        }
        fflush(stdout);
}

static void run(int fd, int64_t interval_us)
{
        int64_t due = now_us();

        while (!stopping) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                int64_t now = now_us();

                if (now >= due) {
                        if (now - due > stall_max_us)
                                stall_max_us = now - due;
                        ask(fd);
                        hear(fd);
                        due = now - due > interval_us ? now + interval_us : due + interval_us;
                        judge(now);
                }
                now = now_us();
                struct timespec wait = {0, due > now ? (due - now) * 1000 : 0};
                if (ppoll(&p, 1, &wait, NULL) == 1)
                        hear(fd);
        }
}

int main(int argc, char **argv)
{
        struct sched_param priority = {.sched_priority = 70};
        int64_t interval_us = argc == 4 ? atoll(argv[3]) : 0;
        int fd;

        if (interval_us < 100 || interval_us > 999999) {
                fputs("usage: prober ADDRESS PORT INTERVAL_US\n", stderr);
                return 2;
        }
        fd = connected(argv[1], (uint16_t)atoi(argv[2]));
        stop_on_signals();
        if (mlockall(MCL_CURRENT | MCL_FUTURE) == -1 || sched_setscheduler(0, SCHED_FIFO, &priority) == -1)
                perror("prober: the figures may be coarse");
        run(fd, interval_us);
        hear(fd);
        judge(now_us());
        printf("end %lld %llu %llu %lld %lld\n", (long long)now_us(), (unsigned long long)judged,
               (unsigned long long)lost, (long long)latency_max_us, (long long)stall_max_us);
        return 0;
}
