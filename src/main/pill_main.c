/* haven-pill: once a second reads whether another node wants this machine off (disk/pill.h), and says that it
 * lives.
 *
 * Started by the core, never by hand: haven-pill DEVICE CLUSTER NODES SELF MARK, standard input the
 * supervisor's ledger, descriptor 3 a socket on which the core sends the keys. A frozen core does not stop
 * it; with a dead one it ends, and the next core starts another.
 *
 * What it takes it takes for good: from the moment that the ledger says so the supervisor feeds no watchdog,
 * and resets the machine; and MARK says so to every core of this boot, should the supervisor be killed
 * before. Only then the disk says that the pill was taken. */
#include "base/log.h"
#include "child/sandbox.h"
#include "disk/area.h"
#include "disk/pill.h"
#include "main/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKET      3
#define INTERVAL_MS 1000

struct pill {
        struct ledger *ledger;
        struct area area;
        struct disk_header header;
        struct disk_keys keys;
        struct disk_life life;
        int mark;
        int told; /* the newest error that was logged */
};

static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];

static int say_alive(struct pill *p)
{
        struct ledger *l = p->ledger;
        bool armed = atomic_load(&l->watchdog_state) == LEDGER_WATCHDOG_ARMED;

        p->life.count++;
        p->life.watchdog = armed ? span_s(l->watchdog_armed_s) : SPAN_ZERO;
        p->life.written = (uint64_t)time(NULL);
        disk_life_encode(&p->life, p->header.uuid, &p->keys, block);
        return area_write(&p->area, disk_life_place(p->life.node), block, sizeof(block));
}

static void take(struct pill *p, uint8_t from, uint64_t number)
{
        if (pwrite(p->mark, p->life.boot, PILL_BOOT, 0) != PILL_BOOT || fdatasync(p->mark) == -1)
                log_error("pill: it cannot be noted: %s", strerror(errno));
        atomic_store(&p->ledger->reset_wanted, LEDGER_RESET_PILL);
        send(SOCKET, &from, sizeof(from), MSG_NOSIGNAL | MSG_DONTWAIT);
        p->life.taken = number;
        log_error("pill: node %u wants this machine off -> it resets itself", from + 1U);
}

static int look(struct pill *p)
{
        struct disk_pills pills;

        for (uint8_t i = 0; i < p->header.node_count; i++) {
                if (i == p->life.node)
                        continue;
                int error = area_read(&p->area, disk_pills_place(i), block, sizeof(block));
                if (error)
                        return error;
                if (disk_pills_decode(block, p->header.uuid, i, &p->keys, &pills) != DISK_OK)
                        continue;
                const struct disk_pill *ours = &pills.to[p->life.node];
                if (ours->number && memcmp(ours->boot, p->life.boot, PILL_BOOT) == 0 && p->life.taken == 0)
                        take(p, i, ours->number);
        }
        return 0;
}

/* Prepared anew, it is another area: the core's haven-disk says what is to be done. */
static int same_area(struct pill *p)
{
        struct disk_header now;
        int error = area_read(&p->area, 0, block, sizeof(block));

        if (error)
                return error;
        return disk_header_decode(block, &now) == DISK_OK && memcmp(now.uuid, p->header.uuid, DISK_UUID) == 0
                       ? 0
                       : -ESTALE;
}

static void turn(struct pill *p)
{
        int error = same_area(p);

        if (!error)
                error = look(p);
        if (!error)
                error = say_alive(p);
        if (error && error != p->told)
                log_error("pill: the disk cannot be read and written: %s -> nobody can have this machine "
                          "reset by it",
                          strerror(-error));
        else if (!error && p->told)
                log_info("pill: the disk works again");
        p->told = error;
}

/* The core's: keys, or its end. */
static bool heard_core(struct pill *p, int wait_ms)
{
        struct pollfd from = {.fd = SOCKET, .events = POLLIN};
        struct disk_keys keys;

        if (poll(&from, 1, wait_ms) <= 0)
                return true;
        ssize_t n = recv(SOCKET, &keys, sizeof(keys), MSG_DONTWAIT);
        if (n == (ssize_t)sizeof(keys) && keys.count <= DISK_KEYS_MAX)
                p->keys = keys;
        return n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR));
}

static int serve(struct pill *p)
{
        while (p->keys.count == 0)
                if (!heard_core(p, INTERVAL_MS))
                        return 0;
        for (;;) {
                instant next = instant_add(instant_now(), span_ms(INTERVAL_MS));
                turn(p);
                while (instant_before(instant_now(), next))
                        if (!heard_core(p, (int)span_to_ms(span_between(instant_now(), next))))
                                return 0;
        }
}

static int prepare(struct pill *p, char **argv, char why[static AREA_TEXT])
{
        int error = area_open(&p->area, argv[1], true, why);

        if (error)
                return error;
        p->mark = open(argv[5], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        error = p->mark == -1 ? -errno : pill_boot(p->life.boot);
        if (!error)
                error = sandbox_enter();
        if (error) {
                snprintf(why, AREA_TEXT, "%.100s: %s", argv[5], strerror(-error));
                return error;
        }
        return area_identify(&p->area, argv[2], (uint8_t)atoi(argv[3]), &p->header, why);
}

int main(int argc, char **argv)
{
        struct pill p = {.life = {.node = 0}};
        char why[AREA_TEXT];
        int type = 0;
        socklen_t size = sizeof(type);

        log_open("haven-pill", true, LOG_LEVEL_INFO);
        if (argc != 6 || getsockopt(SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) == -1 ||
            type != SOCK_SEQPACKET || ledger_map(STDIN_FILENO, &p.ledger) != 0) {
                fprintf(stderr, "haven-pill is started by havend, not by hand\n");
                return 2;
        }
        close_range(SOCKET + 1, ~0U, 0);
        p.life.node = (uint8_t)atoi(argv[4]);
        if (p.life.node >= DISK_NODES_MAX)
                return 2;
        if (prepare(&p, argv, why) != 0) {
                log_error("pill: %s %s", argv[1], why);
                return 1;
        }
        return serve(&p);
}
