/* How long taking and releasing last, how soon the proof comes, and what an idle held address costs.
 *
 * Prints figures and judges nothing: `meson test --benchmark`. Needs root. */

#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#define ROUNDS    200
#define IDLE_S    20
#define PROOFS_MS 1000

static uv_loop_t loop;
static uv_timer_t timer;
static struct address *address;
static unsigned proofs;

static void on_event(void *user, struct address *a, enum address_event event, const char *text)
{
        if (event == ADDRESS_EV_VERIFIED)
                proofs++;
}

static int by_size(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void print_times(const char *what, double *us, size_t n)
{
        qsort(us, n, sizeof(*us), by_size);
        printf("%-28s median %7.1f us   99%% %7.1f us   most %7.1f us\n", what, us[n / 2], us[n * 99 / 100],
               us[n - 1]);
}

static uint64_t ns(void)
{
        return uv_hrtime();
}

static void on_late(uv_timer_t *t)
{
}

static void measure(const char *text)
{
        static double take[ROUNDS], release[ROUNDS], proof[ROUNDS];
        size_t proven = 0;

        for (size_t i = 0; i < ROUNDS; i++) {
                instant lease_end = instant_add(instant_now(), span_ms(900));
                proofs = 0;
                uint64_t start = ns();
                address_take(address, false, lease_end);
                take[i] = (double)(ns() - start) / 1e3;
                uv_timer_start(&timer, on_late, PROOFS_MS, 0);
                while (proofs == 0 && uv_is_active((uv_handle_t *)&timer))
                        uv_run(&loop, UV_RUN_ONCE);
                if (proofs)
                        proof[proven++] = (double)(ns() - start) / 1e3;
                start = ns();
                address_release(address);
                release[i] = (double)(ns() - start) / 1e3;
        }
        printf("%s\n", text);
        print_times("  take", take, ROUNDS);
        print_times("  release", release, ROUNDS);
        if (proven)
                print_times("  take to proof", proof, proven);
        printf("  proven %zu of %d\n", proven, ROUNDS);
}

static double cpu_ms(void)
{
        struct rusage u;

        getrusage(RUSAGE_SELF, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static unsigned ticks;

static void on_tick(uv_timer_t *t)
{
        address_renew(address, instant_add(instant_now(), span_ms(450)));
        if (++ticks == IDLE_S * 10)
                uv_stop(&loop);
}

static void on_bare_tick(uv_timer_t *t)
{
        if (++ticks == IDLE_S * 10)
                uv_stop(&loop);
}

static double idle(uv_timer_cb on_timer)
{
        ticks = 0;
        uv_timer_start(&timer, on_timer, 100, 100);
        double start = cpu_ms();
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_timer_stop(&timer);
        return (cpu_ms() - start) * 60 / IDLE_S;
}

static void run(struct takeover *t, const char *text)
{
        struct address_want want = {.device = "v0"};

        if (ip_parse_prefix(text, &want.ip, &want.prefix) < 0 ||
            address_new(t, &want, on_event, NULL, &address) < 0)
                abort();
        measure(text);
        double bare = idle(on_bare_tick);
        address_take(address, false, instant_add(instant_now(), span_ms(450)));
        double held = idle(on_tick);
        printf("  CPU per idle minute: %.1f ms held and renewed each 100 ms, %.1f ms the loop's timer "
               "alone\n",
               held, bare);
        address_release(address);
        address_free(address);
}

int main(void)
{
        const char *why;
        struct takeover *t;

        if (!lab_open(&why)) {
                printf("skipped: %s\n", why);
                return 77;
        }
        lab_plug();
        here("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:77 dev v0 nud stale");
        here("ip neigh replace fd09::2 lladdr 02:00:00:00:00:77 dev v0 nud stale");
        uv_loop_init(&loop);
        uv_timer_init(&loop, &timer);
        int r = takeover_new(&loop, &t);
        if (r < 0) {
                printf("no takeover: %s\n", uv_strerror(r));
                return 1;
        }
        run(t, "10.9.0.111/24");
        run(t, "fd09::111/64");
        takeover_free(t);
        lab_close();
        return 0;
}
