/* bare.c - what a look by HTTP costs when nobody wants to know how it ended: the floor under all that are
 * measured beside it.
 *
 * bare PORT TOGETHER FILE looks at each IPv4 address of FILE once a second, TOGETHER of them beginning at one
 * moment. Six system calls a look, and those that waiting takes. An answer is whatever comes first. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES_MAX   20000
#define DESCRIPTORS_MAX 65536
#define EVENTS          64

static const char request[] = "GET / HTTP/1.1\r\nHost: bare\r\nConnection: close\r\n\r\n";
static struct sockaddr_in address[ADDRESSES_MAX];
static bool asked[DESCRIPTORS_MAX];

static int64_t now_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int read_addresses(const char *path, uint16_t port)
{
        FILE *file = fopen(path, "re");
        char text[INET_ADDRSTRLEN];
        int n = 0;

        while (file != NULL && n < ADDRESSES_MAX && fscanf(file, "%15s", text) == 1) {
                address[n].sin_family = AF_INET;
                address[n].sin_port = htons(port);
                n += inet_pton(AF_INET, text, &address[n].sin_addr) == 1;
        }
        if (file != NULL)
                fclose(file);
        return n;
}

static void want_descriptors(void)
{
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) == -1)
                return;
        files.rlim_cur = files.rlim_max < DESCRIPTORS_MAX ? files.rlim_max : DESCRIPTORS_MAX;
        setrlimit(RLIMIT_NOFILE, &files);
}

static void begin(int epoll, const struct sockaddr_in *to)
{
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};

        if (fd == -1 || fd >= DESCRIPTORS_MAX) {
                perror("bare: socket");
                exit(1);
        }
        asked[fd] = false;
        (void)connect(fd, (const struct sockaddr *)to, sizeof(*to)); /* under way, or send() says so */
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted) == -1)
                close(fd);
}

static void on_ready(int fd, uint32_t events)
{
        static char answer[16384];

        if (!asked[fd] && send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == -1) {
                close(fd);
        } else if (!asked[fd]) {
                asked[fd] = true;
        } else if ((events & EPOLLIN) != 0) {
                (void)recv(fd, answer, sizeof(answer), 0);
                close(fd);
        }
}

int main(int argc, char **argv)
{
        int together = argc == 4 ? atoi(argv[2]) : 0;
        int count = together > 0 ? read_addresses(argv[3], (uint16_t)atoi(argv[1])) : 0;
        int epoll = epoll_create1(EPOLL_CLOEXEC), next = 0;
        int64_t due = now_us();

        if (count == 0 || epoll == -1) {
                fprintf(stderr, "usage: bare PORT TOGETHER FILE\n");
                return 2;
        }
        want_descriptors();
        for (;;) {
                struct epoll_event event[EVENTS];
                int64_t left = due - now_us();
                int n;

                if (left <= 0) {
                        for (int i = 0; i < together; i++, next = (next + 1) % count)
                                begin(epoll, &address[next]);
                        due += INT64_C(1000000) * together / count;
                        left = due - now_us();
                }
                n = epoll_wait(epoll, event, EVENTS, left > 0 ? (int)((left + 999) / 1000) : 0);
                for (int i = 0; i < n; i++)
                        on_ready(event[i].data.fd, event[i].events);
        }
}
