/* haven-fence-disk: a fence agent, by the fence-agents' convention, that gives a node a poison pill
 * (disk/pill.h).
 *
 * Started by havend for `agent = disk`. "off" is done only when the node has taken the pill and its own
 * watchdog has had the time to reset it, or when it lived and then shows another boot. What does not read its
 * pills is not switched off by one: then the pill is taken back, and it failed. */
#include "base/text.h"
#include "disk/area.h"
#include "disk/pill.h"

#include "cluster/timing.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS   200
#define ALIVE_FOR span_s(4) /* a sign of life comes each second */

/* As told on standard input. */
struct told {
        char action[16], device[256], cluster[DISK_CLUSTER], node[64], lock[256];
        int self, slot, nodes;
        span reset, timeout;
        struct disk_keys keys;
};

struct giver {
        const struct told *told;
        struct area area;
        struct disk_header header;
};

static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];

/* The last line is what havend tells. */
static int say(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int say(int status, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        putchar('\n');
        return status;
}

/* --- what it is told --- */

static void take_key(struct told *t, const char *hex)
{
        size_t n;

        if (t->keys.count < DISK_KEYS_MAX &&
            sodium_hex2bin(t->keys.key[t->keys.count], DISK_KEY, hex, strlen(hex), NULL, &n, NULL) == 0 &&
            n == DISK_KEY)
                t->keys.count++;
}

static void take_line(struct told *t, const char *key, const char *value)
{
        const struct {
                const char *key;
                char *to;
                size_t size;
        } texts[] = {
                {"action", t->action, sizeof(t->action)},    {"device", t->device, sizeof(t->device)},
                {"cluster", t->cluster, sizeof(t->cluster)}, {"nodename", t->node, sizeof(t->node)},
                {"lock", t->lock, sizeof(t->lock)},
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (strcmp(key, texts[i].key) == 0)
                        text_copy(texts[i].to, texts[i].size, value);
        if (strcmp(key, "self") == 0)
                t->self = atoi(value);
        else if (strcmp(key, "slot") == 0)
                t->slot = atoi(value);
        else if (strcmp(key, "nodes") == 0)
                t->nodes = atoi(value);
        else if (strcmp(key, "reset_ms") == 0)
                t->reset = span_ms(atoll(value));
        else if (strcmp(key, "timeout_ms") == 0)
                t->timeout = span_ms(atoll(value));
        else if (strcmp(key, "seal") == 0)
                take_key(t, value);
}

static bool listen_to(struct told *t)
{
        char line[512];

        t->self = t->slot = -1;
        while (fgets(line, sizeof(line), stdin)) {
                line[strcspn(line, "\n")] = '\0';
                char *value = strchr(line, '=');
                if (!value)
                        continue;
                *value = '\0';
                take_line(t, line, value + 1);
        }
        sodium_memzero(line, sizeof(line));
        return t->device[0] && t->cluster[0] && t->keys.count && t->self >= 0 && t->self < DISK_NODES_MAX &&
               t->slot >= 0 && t->slot < DISK_NODES_MAX && t->slot != t->self && t->nodes > 0;
}

/* --- the disk --- */

static enum disk_refusal life_read(const struct giver *g, struct disk_life *ret_life)
{
        const struct told *t = g->told;

        if (area_read(&g->area, disk_life_place((uint8_t)t->slot), block, sizeof(block)) != 0)
                return DISK_BAD;
        return disk_life_decode(block, g->header.uuid, (uint8_t)t->slot, &t->keys, ret_life);
}

/* Several of ours may be at work, each on another node: one after the other writes our block. */
static int pill_write(const struct giver *g, const struct disk_pill *pill)
{
        const struct told *t = g->told;
        struct disk_pills pills;
        int lock = open(t->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600), error = 0;

        if (lock == -1 || flock(lock, LOCK_EX) == -1)
                error = -errno;
        if (!error)
                error = area_read(&g->area, disk_pills_place((uint8_t)t->self), block, sizeof(block));
        if (!error && disk_pills_decode(block, g->header.uuid, (uint8_t)t->self, &t->keys, &pills) != DISK_OK)
                pills = (struct disk_pills){.node = (uint8_t)t->self};
        if (!error) {
                pills.to[t->slot] = *pill;
                disk_pills_encode(&pills, g->header.uuid, &t->keys, block);
                error = area_write(&g->area, disk_pills_place((uint8_t)t->self), block, sizeof(block));
        }
        if (lock != -1)
                close(lock);
        return error;
}

static void pause_ms(long ms)
{
        struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        nanosleep(&t, NULL);
}

/* --- off --- */

/* ANOTHER: a boot whose beginning we have not seen: it may have begun before we looked, and be alive. */
enum sign { SIGN_NONE, SIGN_TAKEN, SIGN_BOOTED, SIGN_ANOTHER };

/* Only what is written while we look speaks of now: what stood there may be of a boot before the one that
 * runs, which cannot reach the disk or has just begun to. */
static enum sign look(const struct giver *g, struct disk_life *life, bool *alive)
{
        struct disk_life now;

        if (life_read(g, &now) != DISK_OK)
                return SIGN_NONE; /* it may be torn: the next look tells */
        if (memcmp(now.boot, life->boot, PILL_BOOT) != 0)
                return *alive ? SIGN_BOOTED : SIGN_ANOTHER;
        if (now.count == life->count)
                return SIGN_NONE;
        *alive = true;
        life->count = now.count;
        life->watchdog = span_max(life->watchdog, now.watchdog);
        /* without a watchdog it may reset itself all the same: then it shows another boot */
        return now.taken && now.watchdog.us ? SIGN_TAKEN : SIGN_NONE;
}

/* Its watchdog was fed for the last time before it said so. */
static int wait_for_the_watchdog(const struct giver *g, struct disk_life *life)
{
        bool alive = true;
        span wait = span_add(timing_stretched(life->watchdog), g->told->reset);
        instant over = instant_add(instant_now(), span_add(wait, span_s(1)));
        char text[SPAN_TEXT];

        while (instant_before(instant_now(), over)) {
                if (look(g, life, &alive) == SIGN_BOOTED)
                        return say(0, "it took the pill, and has booted since");
                pause_ms(LOOK_MS);
        }
        return say(0, "it took the pill, and its watchdog has had its time, %s", span_format(wait, text));
}

static int give(const struct giver *g, struct disk_life *life)
{
        const struct told *t = g->told;
        struct disk_pill pill = {.written = (uint64_t)time(NULL)};
        span needs = span_add(span_add(timing_stretched(life->watchdog), t->reset), span_s(3));
        instant until = instant_add(instant_now(), span_sub(t->timeout, needs));
        enum sign sign = SIGN_NONE;
        bool alive = false;
        char text[SPAN_TEXT], least[SPAN_TEXT];

        needs = span_add(needs, ALIVE_FOR);
        if (t->timeout.us <= needs.us)
                return say(1, "its watchdog takes %s: timeout must be %s or more",
                           span_format(life->watchdog, text),
                           span_format(span_s(needs.us / 1000000 + 2), least));
        while (pill.number == 0)
                randombytes_buf(&pill.number, sizeof(pill.number));
        memcpy(pill.boot, life->boot, PILL_BOOT);
        int error = pill_write(g, &pill);
        if (error)
                return say(1, "the pill cannot be written: %s", strerror(-error));
        while (sign != SIGN_ANOTHER && instant_before(instant_now(), until)) {
                sign = look(g, life, &alive);
                if (sign == SIGN_BOOTED)
                        return say(0, "it has booted since");
                if (sign == SIGN_TAKEN)
                        return wait_for_the_watchdog(g, life);
                pause_ms(LOOK_MS);
        }
        pill_write(g, &(struct disk_pill){.number = 0});
        if (sign == SIGN_ANOTHER)
                return say(1, "it runs another boot than it had said on the disk; the pill was taken back");
        return say(1, "it does not take the pill: dead, or cut off from the disk; it was taken back");
}

static int off(const struct giver *g)
{
        struct disk_life life;
        enum disk_refusal is = life_read(g, &life);

        if (is != DISK_OK)
                return say(1, "it has not said on the disk that it reads its pills: %s",
                           disk_refusal_text(is));
        if (life.watchdog.us == 0)
                return say(1, "it has no watchdog armed: that it took a pill would prove nothing");
        return give(g, &life);
}

/* "Off" cannot be told from "cut off". */
static int status(const struct giver *g)
{
        struct disk_life first, now;
        instant until = instant_add(instant_now(), ALIVE_FOR);

        if (life_read(g, &first) != DISK_OK)
                return say(1, "it has not said on the disk that it reads its pills");
        while (instant_before(instant_now(), until)) {
                pause_ms(LOOK_MS);
                if (life_read(g, &now) == DISK_OK && now.count != first.count)
                        return say(0, "it reads its pills");
        }
        return say(1, "no sign of life on the disk: off, or cut off from it");
}

int main(void)
{
        static struct told told;
        struct giver g = {.told = &told};
        char why[AREA_TEXT];

        if (!listen_to(&told))
                return say(1, "haven-fence-disk is started by havend, for fence { agent = disk }");
        if (area_open(&g.area, told.device, true, why) != 0 ||
            area_identify(&g.area, told.cluster, (uint8_t)told.nodes, &g.header, why) != 0)
                return say(1, "%s %s", told.device, why);
        if (strcmp(told.action, "off") == 0)
                return off(&g);
        if (strcmp(told.action, "status") == 0)
                return status(&g);
        return say(1, "a pill knows off and status only");
}
