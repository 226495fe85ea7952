#include "monitor/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void ending_say(struct ending *e, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(e->said, sizeof(e->said), format, args);
        va_end(args);
        for (char *c = e->said; *c != '\0'; c++)
                if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
                        *c = '?';
}

static int bind_to(int fd, const struct ip *source)
{
        struct sockaddr_storage from;
        socklen_t size = ip_to_sockaddr(source, 0, &from);
        int on = 1;

        /* the port is chosen at connect, when both ends are known: more than 64 K connections are possible */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        return bind(fd, (struct sockaddr *)&from, size) == -1 ? -errno : 0;
}

int probe_connect(const struct ip *ip, uint16_t port, const struct ip *source)
{
        struct sockaddr_storage to;
        socklen_t size = ip_to_sockaddr(ip, port, &to);
        int fd = socket(ip->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r = 0;

        if (fd == -1)
                return -errno;
        if (source->family != 0)
                r = bind_to(fd, source);
        if (r == 0 && connect(fd, (struct sockaddr *)&to, size) == -1 && errno != EINPROGRESS)
                r = -errno;
        if (r != 0) {
                close(fd);
                return r;
        }
        return fd;
}
