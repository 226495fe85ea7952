/* tool.h - what the lab's programs share: its clock, when a datagram came, and an orderly end. */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
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

/* The next datagram that is there, up to `size` bytes of it, and when it came. As recv(2) with MSG_DONTWAIT.
 */
static inline ssize_t receive_stamped(int fd, void *bytes, size_t size, int64_t *ret_arrived)
{
        char control[CMSG_SPACE(sizeof(struct timespec))];
        struct iovec iov = {bytes, size};
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);

        if (n != -1)
                *ret_arrived = arrival_us(&message);
        return n;
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
