/* Fence devices and watchdogs of a simulated world: what ends a machine from outside, in truth. */
#include "world_inside.h"

#define FENCE_MIN_MS 20
#define FENCE_MAX_MS 900
#define BOOT_MIN_MS  500
#define BOOT_MAX_MS  4000

/* `serial` of HAPPEN_FENCE */
enum { POWER_CUT, FENCE_TOLD_OFF, FENCE_TOLD_FAILED };

static void fence_happens(struct world *w, span in, struct machine *by, uint8_t target, uint32_t what)
{
        world_happen(w, in,
                     (struct happening){.kind = HAPPEN_FENCE,
                                        .node = machine_index(w, by),
                                        .from = target,
                                        .life = by->life,
                                        .serial = what});
}

void machine_fence(struct world *w, struct machine *m, uint8_t target)
{
        span off = world_random_span(w, span_ms(FENCE_MIN_MS), span_ms(FENCE_MAX_MS));
        span told = span_add(off, world_random_span(w, span_ms(1), span_ms(FENCE_MAX_MS)));
        bool fails = world_chance(w, w->config.fence_fails);

        /* a device that says "failed" may have switched it off all the same */
        if (!fails || world_random(w, 2))
                fence_happens(w, off, m, target, POWER_CUT);
        fence_happens(w, told, m, target, fails ? FENCE_TOLD_FAILED : FENCE_TOLD_OFF);
}

static void boot_later(struct world *w, uint8_t node)
{
        world_happen(w, world_random_span(w, span_ms(BOOT_MIN_MS), span_ms(BOOT_MAX_MS)),
                     (struct happening){.kind = HAPPEN_BOOT, .node = node});
}

void world_on_fence(struct world *w, const struct happening *h)
{
        struct machine *m = &w->machine[h->node];

        if (h->serial == POWER_CUT) { /* the device does its work, whatever became of who asked it */
                world_power_off(w, h->from);
                return;
        }
        if (h->serial == FENCE_TOLD_OFF && w->config.fence_reboots)
                boot_later(w, h->from);
        if (h->life == m->life)
                world_fence_told(w, h->node, h->serial == FENCE_TOLD_OFF);
        if (h->life == m->life)
                machine_step(w, m,
                             (struct cluster_event){.kind = CLUSTER_EV_FENCED,
                                                    .asked = machine_clock(w, m),
                                                    .node = h->from,
                                                    .yes = h->serial == FENCE_TOLD_OFF,
                                                    .text = "by the simulator"});
}

/* The supervisor feeds the dog while the lease holds or nothing is held. Standing still it feeds nobody, and
 * the dog bites `watchdog` later by its own clock, the machine's. */
void machine_watchdog_arm(struct world *w, struct machine *m)
{
        instant bites = instant_add(machine_clock(w, m), w->config.watchdog);

        world_happen(w, span_us(machine_truth(m, bites) - w->now),
                     (struct happening){.kind = HAPPEN_WATCHDOG,
                                        .node = machine_index(w, m),
                                        .life = m->boot,
                                        .serial = m->supervisor_pauses});
}

void world_on_watchdog(struct world *w, const struct happening *h)
{
        struct machine *m = &w->machine[h->node];

        if (!m->powered || h->life != m->boot || !m->supervisor_paused || h->serial != m->supervisor_pauses)
                return;
        if (w->config.trace)
                fprintf(w->config.trace, "[%10.3f] %s is reset by its watchdog\n", (double)w->now / 1000,
                        world_name(w, h->node));
        world_power_off(w, h->node);
        boot_later(w, h->node);
}
