/* disk_main.c - haven-disk: reads and writes the arbiter's disk for the core, which a disk must never hold
 * up.
 *
 * Started by the core, never by hand: haven-disk DEVICE LOCK CLUSTER NODES SELF. It opens the device, waits
 * until the haven-disk before it is gone, gives up every privilege, and does one operation after the other.
 *
 * At most one write of a node may be on its way (rules.md rule 22), whatever is killed and started again:
 * it is made here, synchronously, by the holder of the lock. A process in the midst of a write does not end
 * before the kernel has the end of that write, and the lock goes with its last breath. */
#include "base/instant.h"
#include "base/log.h"
#include "child/sandbox.h"
#include "disk/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct disk {
        struct exchange *x;
        struct area area;
        uint8_t self;
        uint8_t node_count; /* that we know of: their mail is read; */
        uint8_t slots;      /* the records of all, for somebody may know more nodes than we do */
};

/* False: the core is gone. */
static bool tell(enum exchange_state state, uint32_t number)
{
        struct exchange_word word = {.state = state, .number = number};

        return send(EXCHANGE_SOCKET, &word, sizeof(word), MSG_NOSIGNAL) == (ssize_t)sizeof(word);
}

static int lock_wait(const char *path)
{
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        int r;

        if (fd == -1)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                return 0; /* held until this process ends */
        tell(EXCHANGE_WAITING, 0);
        while ((r = flock(fd, LOCK_EX)) == -1 && errno == EINTR)
                ;
        return r == -1 ? -errno : 0;
}

/* That of the area which it was opened as: prepared anew, it would have forgotten what was promised. */
static int same_area(struct disk *d)
{
        static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];
        struct disk_header now;
        int error = area_read(&d->area, 0, block, sizeof(block));

        if (error)
                return error;
        if (disk_header_decode(block, &now) != DISK_OK || memcmp(now.uuid, d->x->header.uuid, DISK_UUID) != 0)
                return -ESTALE;
        return 0;
}

static int read_all(struct disk *d)
{
        struct exchange *x = d->x;
        int error = same_area(d);

        for (uint8_t i = 0; i < d->slots && !error; i++) {
                error = area_read_records(&d->area, &x->header, i, x->read[i], x->read_n[i]);
                if (!error && i != d->self && i < d->node_count)
                        error = area_read_mail(&d->area, i, d->self, x->got[i], &x->got_n[i]);
        }
        return error;
}

static void operate(struct disk *d)
{
        struct exchange *x = d->x;

        x->write_error = x->mail_error = 0;
        if (x->write_n)
                x->write_error = area_write(&d->area, disk_record_place(d->self, x->write_which), x->write,
                                            x->write_n);
        for (uint8_t i = 0; i < d->node_count; i++) {
                if (!x->mail_n[i])
                        continue;
                int error = area_write(&d->area, disk_mail_place(d->self, i), x->mail[i], x->mail_n[i]);
                x->mail_error = error ? error : x->mail_error;
        }
        x->read_began_us = instant_now().us;
        x->read_error = read_all(d);
        x->read_ended_us = instant_now().us;
}

static int serve(struct disk *d)
{
        uint32_t number;
        ssize_t n;

        if (!tell(EXCHANGE_OPEN, 0))
                return 0;
        for (;;) {
                n = recv(EXCHANGE_SOCKET, &number, sizeof(number), 0);
                if (n == -1 && errno == EINTR)
                        continue;
                if (n != (ssize_t)sizeof(number))
                        return 0; /* the core is gone */
                operate(d);
                if (!tell(EXCHANGE_DONE, number))
                        return 0;
        }
}

static int refuse(struct exchange *x, const char *why)
{
        snprintf(x->why, sizeof(x->why), "%s", why);
        tell(EXCHANGE_REFUSED, 0);
        return 1;
}

static int run(struct disk *d, char **argv)
{
        char why[AREA_TEXT];
        int error = area_open(&d->area, argv[1], true, why);

        if (error)
                return refuse(d->x, why);
        error = lock_wait(argv[2]);
        if (error) {
                snprintf(why, sizeof(why), "cannot lock %.120s: %s", argv[2], strerror(-error));
                return refuse(d->x, why);
        }
        error = sandbox_enter();
        if (error) {
                snprintf(why, sizeof(why), "cannot give up its privileges: %s", strerror(-error));
                return refuse(d->x, why);
        }
        error = area_identify(&d->area, argv[3], d->node_count, &d->x->header, why);
        if (error)
                return refuse(d->x, why);
        d->slots = d->x->header.node_count;
        d->x->block_device = d->area.block_device;
        d->x->direct = d->area.direct;
        return serve(d);
}

int main(int argc, char **argv)
{
        struct disk d = {0};
        int type = 0;
        socklen_t size = sizeof(type);

        log_open("haven-disk", true, LOG_LEVEL_INFO);
        if (argc != 6 || getsockopt(EXCHANGE_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) == -1 ||
            type != SOCK_SEQPACKET) {
                fprintf(stderr, "haven-disk is started by havend, not by hand\n");
                return 2;
        }
        close_range(EXCHANGE_SOCKET + 1, ~0U, 0);
        d.node_count = (uint8_t)atoi(argv[4]);
        d.self = (uint8_t)atoi(argv[5]);
        d.x = mmap(NULL, sizeof(*d.x), PROT_READ | PROT_WRITE, MAP_SHARED, EXCHANGE_MEMORY, 0);
        if (d.x == MAP_FAILED || d.node_count > DISK_NODES_MAX || d.self >= d.node_count) {
                log_error("disk: cannot begin: %s", strerror(errno));
                return 1;
        }
        /* the core's lease must not wait for other programs' turn at the processor or the disk */
        return run(&d, argv);
}
