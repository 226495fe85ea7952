/* The fourth dead-man's switch: /dev/watchdog, which resets the machine when nobody feeds it
 * (linux/watchdog.h, Documentation/watchdog/watchdog-api.rst).
 *
 * It is fed while the lease holds or nothing is held that must not be twice (rules.md rule 31), never
 * after: others count on the reset. It is opened only once the first core has cleared up what an earlier boot
 * may have left, since opening feeds it; and disarmed only at a clean end. */
#include "supervisor/supervisor.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define OPEN_RETRY span_s(10)
#define FEED_MOST  span_s(1) /* and a quarter of its time at most */
#define LAST_WORDS                                                                                           \
        span_ms(300) /* from the decision to reset until it is done: what the core tells must leave */
#define SYSRQ      "/proc/sysrq-trigger"
#define HOST_PIDNS "pid:[4026531836]" /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

static span feed_interval(const struct supervisor *s)
{
        return span_min(FEED_MOST, span_us((int64_t)s->ledger->watchdog_armed_s * 1000000 / 4));
}

/* What must not be twice: data until it is free, addresses until they are gone. */
static bool exclusive_held(struct ledger *l)
{
        for (size_t i = 0; i < GROUPS_MAX; i++)
                if (l->group_data[i] && ledger_state(&l->group[i].state) != LEDGER_FREE)
                        return true;
        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++)
                if (ledger_state(&l->address[i].state) != LEDGER_FREE)
                        return true;
        return false;
}

static bool may_feed(const struct supervisor *s, instant now)
{
        struct ledger *l = s->ledger;

        return !atomic_load(&l->reset_wanted) &&
               (instant_before(now, ledger_lease_end(l)) || !exclusive_held(l));
}

static void failed(struct supervisor *s, const char *what, int error, instant now)
{
        struct ledger *l = s->ledger;

        if (atomic_load(&l->watchdog_state) != -error)
                log_error("watchdog %s: %s: %s%s, tried again every 10 s", l->watchdog_device, what,
                          strerror(error),
                          error == EBUSY    ? " (another program holds it; systemd: RuntimeWatchdogSec=0)"
                          : error == ENOENT ? " (no such device: load its driver, or softdog)"
                                            : "");
        atomic_store(&l->watchdog_state, -error);
        s->watchdog_due = instant_add(now, OPEN_RETRY);
        if (s->watchdog != -1)
                close(s->watchdog); /* without the magic 'V': if it counts, it goes on counting */
        s->watchdog = -1;
}

/* Where the kernel was built or told so, closing never disarms. */
static bool no_way_out(int fd)
{
        char path[96], flag = '0';
        struct stat st;

        if (fstat(fd, &st) == -1)
                return false;
        snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/nowayout", major(st.st_rdev), minor(st.st_rdev));
        int file = open(path, O_RDONLY | O_CLOEXEC);
        /* /dev/watchdog itself is a misc device; its twin in the class has the attribute */
        if (file == -1)
                file = open("/sys/class/watchdog/watchdog0/nowayout", O_RDONLY | O_CLOEXEC);
        if (file == -1)
                return false;
        bool known = read(file, &flag, 1) == 1;
        close(file);
        return known && flag == '1';
}

static void arm(struct supervisor *s, instant now)
{
        struct ledger *l = s->ledger;
        struct watchdog_info info = {0};
        int timeout = (int)l->watchdog_timeout_s;

        s->watchdog = open(l->watchdog_device, O_WRONLY | O_CLOEXEC);
        if (s->watchdog == -1) {
                failed(s, "cannot open it", errno, now);
                return;
        }
        if (ioctl(s->watchdog, WDIOC_SETTIMEOUT, &timeout) == -1) {
                failed(s, "cannot set its time", errno, now);
                return;
        }
        if (ioctl(s->watchdog, WDIOC_GETSUPPORT, &info) == -1)
                info.identity[0] = '\0';
        text_copy(l->watchdog_identity, sizeof(l->watchdog_identity), (const char *)info.identity);
        s->watchdog_disarms = info.options & WDIOF_MAGICCLOSE && !no_way_out(s->watchdog);
        l->watchdog_armed_s = (uint32_t)timeout;
        s->watchdog_fed = now;
        s->watchdog_due = instant_add(now, feed_interval(s));
        atomic_store(&l->watchdog_state, LEDGER_WATCHDOG_ARMED);
        log_info("watchdog %s: armed, %s, resets this machine when not fed for %d s%s", l->watchdog_device,
                 l->watchdog_identity, timeout,
                 s->watchdog_disarms ? "" : "; it cannot be disarmed: havend must not be stopped for longer");
}

void watchdog_resume(struct supervisor *s, instant now)
{
        struct watchdog_info info = {0};

        if (s->watchdog == -1)
                return;
        if (ioctl(s->watchdog, WDIOC_GETSUPPORT, &info) == -1)
                info.options = 0;
        s->watchdog_disarms = info.options & WDIOF_MAGICCLOSE && !no_way_out(s->watchdog);
        s->watchdog_fed = instant_sub(now, feed_interval(s)); /* at the latest */
        s->watchdog_due = now;
}

static void feed(struct supervisor *s, instant now)
{
        if (ioctl(s->watchdog, WDIOC_KEEPALIVE, 0) == -1) {
                failed(s, "cannot feed it", errno, now);
                return;
        }
        instant bites = instant_add(s->watchdog_fed, span_s(s->ledger->watchdog_armed_s));
        s->watchdog_fed = now;
        s->watchdog_due = instant_add(now, feed_interval(s));
        s->watchdog_hungry = false;
        /* we stood still between the look at the lease and the food: it would have bitten then */
        if (!may_feed(s, instant_now()))
                s->reset_at = instant_min(s->reset_at, bites);
}

static void hunger(struct supervisor *s, instant now)
{
        instant bites = instant_add(s->watchdog_fed, span_s(s->ledger->watchdog_armed_s));
        char left[SPAN_TEXT];

        if (!s->watchdog_hungry)
                log_error("watchdog: no longer fed: %s; it resets this machine in %s unless that ends",
                          atomic_load(&s->ledger->reset_wanted)
                                  ? "a reset is wanted"
                                  : "the lease is over and not everything is let go",
                          span_format(span_ms(span_to_ms(span_between(now, bites))), left));
        s->watchdog_hungry = true;
        s->watchdog_due = instant_add(now, span_ms(100)); /* to feed it again when all is let go */
}

/* A container must not reset its host; there only the watchdog does. */
static bool own_machine(void)
{
        char name[64];
        ssize_t n = readlink("/proc/self/ns/pid", name, sizeof(name) - 1);

        name[n > 0 ? n : 0] = '\0';
        return strcmp(name, HOST_PIDNS) == 0;
}

/* Now, without a sync: nothing may reach the disks any more. */
static void machine_reset(struct supervisor *s)
{
        int fd = own_machine() ? open(SYSRQ, O_WRONLY | O_CLOEXEC) : -1;

        log_error("resetting this machine now");
        if (fd != -1 && write(fd, "b", 1) == 1)
                pause();
        log_error("%s: cannot reset the machine%s", SYSRQ,
                  s->watchdog == -1 ? ", and there is no watchdog: what does not stop here blocks its group"
                                    : "; its watchdog will");
        if (fd != -1)
                close(fd);
        s->reset_at = INSTANT_NEVER;
}

void watchdog_turn(struct supervisor *s, instant now)
{
        struct ledger *l = s->ledger;

        if (atomic_load(&l->reset_wanted) && !s->reset_begun) {
                s->reset_begun = true;
                s->reset_at = instant_add(now, LAST_WORDS);
                log_error("%s", atomic_load(&l->reset_wanted) == LEDGER_RESET_PILL
                                        ? "another node wants this machine off"
                                        : "a group does not stop and its configuration says reset");
        }
        if (instant_reached(now, s->reset_at)) {
                if (may_feed(s, now))
                        s->reset_at = INSTANT_NEVER; /* what was held is gone after all */
                else
                        machine_reset(s);
        }
        if (!atomic_load(&l->watchdog_wanted) || !instant_reached(now, s->watchdog_due))
                return;
        if (s->watchdog == -1 && may_feed(s, now))
                arm(s, now);
        else if (s->watchdog == -1)
                s->watchdog_due = instant_add(now, span_ms(100));
        else if (may_feed(s, now))
                feed(s, now);
        else
                hunger(s, now);
}

instant watchdog_due(const struct supervisor *s)
{
        if (!atomic_load(&s->ledger->watchdog_wanted))
                return s->reset_at;
        return instant_min(s->reset_at, s->watchdog_due);
}

void watchdog_end(struct supervisor *s)
{
        if (s->watchdog == -1)
                return;
        if (exclusive_held(s->ledger) || atomic_load(&s->ledger->reset_wanted))
                log_error("watchdog: stays armed: %s", atomic_load(&s->ledger->reset_wanted)
                                                               ? "a reset is wanted, and others count on it"
                                                               : "not everything was let go");
        else if (write(s->watchdog, "V", 1) == 1 && s->watchdog_disarms)
                log_info("watchdog: disarmed");
        else
                log_warning(
                        "watchdog: cannot be disarmed: it resets this machine in %u s unless havend is back",
                        s->ledger->watchdog_armed_s);
        close(s->watchdog);
        s->watchdog = -1;
}
