#include "supervisor/supervisor.h"

#include "base/log.h"
#include "base/text.h"
#include "supervisor/cgroup.h"
#include "takeover/gate.h"
#include "takeover/takeover.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The core releases at the lease's end; this much later it has not. Part of M in docs/safety.md, "Durations":
 * what the supervisor then needs to kill and remove must fit in what M has left. */
#define RELEASE_MARGIN span_ms(20)
/* An address that the kernel would not remove is tried again; a release that the core goes on with is
 * watched.
 */
#define LOOK_AGAIN span_s(1)
/* So long after it meant to wake, the core stands still: far longer than a busy machine keeps a real-time
 * process. One that has just started reads its files first. */
#define STANDSTILL  span_s(1)
#define CORE_BEGINS span_s(10)
/* Killed processes that do not die (in uninterruptible sleep) keep the next core waiting so long, not longer.
 */
#define CLEAR_PATIENCE span_s(1)

/* Removes what is not FREE. Without `all`, only what somebody has begun to release. Returns how many are
 * still there. */
static unsigned addresses_remove(struct ledger *l, bool all, unsigned *removed)
{
        char text[IP_TEXT];
        unsigned left = 0;

        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++) {
                struct ledger_address *a = &l->address[i];
                if (all)
                        ledger_address_release_begin(a);
                if (ledger_state(&a->state) != LEDGER_RELEASING)
                        continue;
                int error = address_remove_now(&a->ip, a->prefix, a->ifindex);
                if (error) {
                        log_error("address %s: cannot remove it: %s, trying again in 1 s",
                                  ip_format(&a->ip, text), strerror(-error));
                        left++;
                        continue;
                }
                ledger_address_free(a);
                ++*removed;
        }
        return left;
}

static unsigned addresses_left(struct ledger *l)
{
        unsigned n = 0;

        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++)
                n += ledger_state(&l->address[i].state) != LEDGER_FREE;
        return n;
}

static unsigned groups_in(struct ledger *l, enum ledger_hold state)
{
        unsigned n = 0;

        for (size_t i = 0; i < GROUPS_MAX; i++)
                n += ledger_state(&l->group[i].state) == state;
        return n;
}

static bool cgroup_used(const struct supervisor *s)
{
        return s->ledger->cgroup_root[0] != '\0' && cgroup_populated(s->ledger->cgroup_root);
}

/* The core began it, and not all of it has ended. */
static bool release_unfinished(const struct supervisor *s)
{
        return groups_in(s->ledger, LEDGER_RELEASING) > 0 && cgroup_used(s);
}

bool release_wanted(const struct supervisor *s)
{
        return ledger_holds(s->ledger) || addresses_left(s->ledger) > 0 || release_unfinished(s);
}

/* It wakes at each heartbeat and says in the ledger when it will. Seen late twice, since we may have stood
 * still with it. */
static bool core_stands_still(struct supervisor *s, instant now)
{
        instant due = {atomic_load(&s->ledger->turn_due_us)};

        if (due.us == 0)
                return instant_reached(now, instant_add(s->core_started, CORE_BEGINS));
        if (due.us != s->turn_seen.us) {
                s->turn_seen = due;
                s->turn_since = now;
        }
        return instant_reached(now, instant_add(instant_max(due, s->turn_since), STANDSTILL));
}

/* A release that nobody goes on with. One that takes its time is the core's: it stops a service in good
 * order, and tries again what fails. */
static bool release_abandoned(struct supervisor *s, instant now)
{
        return !s->clearing && release_unfinished(s) && (s->core == 0 || core_stands_still(s, now));
}

void release_everything(struct supervisor *s, const char *why)
{
        struct ledger *l = s->ledger;
        unsigned groups = groups_in(l, LEDGER_HELD) + groups_in(l, LEDGER_RELEASING), removed = 0;
        pid_t core = s->core;

        /* First: what it decided before it stood still must not happen after this. */
        if (core)
                kill(core, SIGKILL);
        for (size_t i = 0; i < GROUPS_MAX; i++)
                ledger_group_release_begin(&l->group[i]);
        unsigned left = addresses_remove(l, true, &removed);
        int error = l->cgroup_root[0] != '\0' ? cgroup_kill(l->cgroup_root) : 0;
        s->clearing = true;
        s->clear_until = instant_add(instant_now(), CLEAR_PATIENCE);
        release_clear(s, instant_now());
        atomic_fetch_add(&l->released, 1);
        log_error("released by the supervisor: %s; %u group%s, %u address%s removed, %u left, processes "
                  "killed%s%s",
                  why, groups, groups == 1 ? "" : "s", removed, removed == 1 ? "" : "es", left,
                  core ? ", the core too" : "", error ? ", but not all" : "");
        if (error)
                log_error("cgroup %s: cannot kill what is in it: %s", l->cgroup_root, strerror(-error));
}

void release_watch(struct supervisor *s, instant now)
{
        struct ledger *l = s->ledger;
        char why[96], late[SPAN_TEXT];
        bool held = ledger_holds(l);
        unsigned removed = 0;

        s->lease_due = INSTANT_NEVER;
        if (!release_wanted(s))
                return;
        instant lease_end = ledger_lease_end(l), due = instant_add(lease_end, RELEASE_MARGIN);
        if (!instant_reached(now, due)) {
                s->lease_due = due;
                return;
        }
        if (held || release_abandoned(s, now)) {
                snprintf(why, sizeof(why), "the lease ended %s ago and the core %s",
                         span_format(span_ms(span_to_ms(span_between(lease_end, now))), late),
                         held      ? "had not let go"
                         : s->core ? "stands still while it lets go"
                                   : "has died while it let go");
                release_everything(s, why);
        } else {
                addresses_remove(l, false, &removed);
                if (removed)
                        log_warning("address: %u removed that the core had begun to release", removed);
        }
        if (addresses_left(l) > 0 || release_unfinished(s))
                s->lease_due = instant_add(now, LOOK_AGAIN);
}

void release_gate(struct supervisor *s)
{
        /* one that an earlier havend left, shut, over an address that nobody has removed stays so; and so
         * does ours */
        if (!s->ready_once || addresses_left(s->ledger) > 0)
                return;
        int error = gate_sweep(text_id(s->options.run_dir));
        if (error)
                log_warning("gate: cannot be taken off every interface: %s", strerror(-error));
}

/* As process 1 of a container every orphan of it is our child, not only the core's: then those are let be. */
static unsigned children_kill(void)
{
        char path[64];
        unsigned alive = 0;
        int pid;

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
        FILE *children = getpid() == 1 ? NULL : fopen(path, "re");
        if (!children)
                return 0;
        while (fscanf(children, "%d", &pid) == 1) {
                kill(pid, SIGKILL);
                alive++;
        }
        fclose(children);
        return alive;
}

void release_clear(struct supervisor *s, instant now)
{
        unsigned alive = children_kill();

        if ((alive == 0 && !cgroup_used(s)) || instant_reached(now, s->clear_until))
                s->clearing = false;
}
