/* tool.h - what the lab's programs share: its clock, when a datagram came, and an orderly end. */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* CLOCK_BOOTTIME in microseconds: the same in every machine of the lab. */
static inline int64_t now_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_BOOTTIME, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* When the datagram reached this machine, on that clock: whoever reads it may have been without CPU since.
 * Its socket has SO_TIMESTAMPNS. */
static inline int64_t arrival_us(struct msghdr *message)
{
        int64_t now = now_us();
        struct timespec wall, stamp;

        clock_gettime(CLOCK_REALTIME, &wall);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
                        continue;
                memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
                return now - ((int64_t)(wall.tv_sec - stamp.tv_sec) * 1000000 +
                              (wall.tv_nsec - stamp.tv_nsec) / 1000);
        }
        return now;
}

static volatile sig_atomic_t stopping;

static inline void on_stop(int number)
{
        (void)number;
        stopping = 1;
}

/* SIGTERM and Ctrl-C set `stopping`. */
static inline void stop_on_signals(void)
{
        struct sigaction act = {.sa_handler = on_stop};

        sigaction(SIGTERM, &act, NULL);
        sigaction(SIGINT, &act, NULL);
}
