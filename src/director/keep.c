#include "director/keep.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1 << 23)
/* A file of drains is written anew when it has so many lines more than there are drained servers, twice. */
#define LINES_SPARE 256

int drains_set(struct drains *d, const struct ip *ip, uint16_t port, bool drain)
{
        for (size_t i = 0; i < d->count;) {
                if (ip_equal(&d->server[i].ip, ip) && (!port || d->server[i].port == port))
                        d->server[i] = d->server[--d->count];
                else
                        i++;
        }
        if (!drain)
                return 0;
        if (d->count == DRAINS_MAX)
                return -ENOSPC;
        if (d->count == d->room) {
                size_t room = d->room ? 2 * d->room : 16;
                struct drained *grown = reallocarray(d->server, room, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                d->server = grown;
                d->room = room;
        }
        d->server[d->count++] = (struct drained){*ip, port};
        return 0;
}

static int parse_number(const char *text, unsigned long most, unsigned long *ret_number)
{
        char *rest;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        *ret_number = strtoul(text, &rest, 10);
        return *rest || *ret_number > most ? -EINVAL : 0;
}

int virtual_key_parse(const char *text, struct virtual_key *ret_key)
{
        static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
        const char *blank = strchr(text, ' ');
        struct virtual_key key = {0};
        unsigned long mark = 0;

        if (!blank)
                return -EINVAL;
        size_t n = (size_t)(blank - text);
        if (!strncmp(text, "mark ", 5) || !strncmp(text, "mark6 ", 6)) {
                if (parse_number(blank + 1, UINT32_MAX, &mark) < 0 || mark == 0)
                        return -EINVAL;
                *ret_key =
                        (struct virtual_key){.family = n == 5 ? AF_INET6 : AF_INET, .mark = (uint32_t)mark};
                return 0;
        }
        for (size_t i = 0; i < COUNT(protocols); i++) {
                const char *name = protocol_name(protocols[i]);
                if (strlen(name) == n && !strncmp(text, name, n))
                        key.protocol = protocols[i];
        }
        if (!key.protocol || ip_parse_endpoint(blank + 1, &key.ip, &key.port) < 0)
                return -EINVAL;
        key.family = key.ip.family;
        *ret_key = key;
        return 0;
}

/* Takes ownership of the text. */
static int replace(const char *path, char *text, size_t n, bool whole)
{
        int error = whole ? file_replace(path, text, n, 0600) : -ENOMEM;

        free(text);
        return error;
}

static void close_drains(struct drains *d)
{
        if (d->file)
                fclose(d->file);
        d->file = NULL;
}

void drains_free(struct drains *d)
{
        close_drains(d);
        free(d->server);
        *d = (struct drains){0};
}

static int keep_drains(const char *path, struct drains *d)
{
        char *text = NULL, endpoint[SERVER_TEXT];
        size_t n = 0;
        FILE *to = open_memstream(&text, &n);

        if (!to)
                return -ENOMEM;
        for (size_t i = 0; i < d->count; i++)
                fprintf(to, "%s\n", endpoint_format(&d->server[i].ip, d->server[i].port, endpoint));
        close_drains(d);
        bool whole = fclose(to) == 0; /* sets text and n */
        int error = replace(path, text, n, whole);
        d->lines = error ? SIZE_MAX : d->count;
        return error;
}

/* The file, open for lines at its end. */
static FILE *append_to(const char *path)
{
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        FILE *file = fd == -1 ? NULL : fdopen(fd, "a");

        if (fd != -1 && !file)
                close(fd);
        return file;
}

/* A line at the end, "10.0.0.11:80", or "-10.0.0.11:80" for one that is drained no more. */
static int append_drain(const char *path, struct drains *d, const struct drained *server, bool drain)
{
        char endpoint[SERVER_TEXT];

        if (!d->file)
                d->file = append_to(path);
        if (!d->file)
                return -errno;
        fprintf(d->file, "%s%s\n", drain ? "" : "-", endpoint_format(&server->ip, server->port, endpoint));
        return fflush(d->file) == 0 ? 0 : -errno;
}

/* Many drained one after the other, each answered, are not each a file with all of them. */
int keep_drain(const char *path, struct drains *d, const struct drained *server, bool drain)
{
        bool anew = d->lines >= 2 * d->count + LINES_SPARE;

        if (anew || append_drain(path, d, server, drain) < 0)
                return keep_drains(path, d);
        d->lines++;
        return 0;
}

int keep_services(const char *path, const struct table *t)
{
        char *text = NULL, key[VIRTUAL_TEXT];
        size_t n = 0;
        FILE *to = open_memstream(&text, &n);

        if (!to)
                return -ENOMEM;
        for (size_t i = 0; i < t->count; i++)
                fprintf(to, "%s\n", virtual_key_format(&t->service[i].key, key));
        bool whole = fclose(to) == 0;
        return replace(path, text, n, whole);
}

static void each_line(const char *path, void (*take)(void *to, const char *line), void *to)
{
        char *text = calloc(1, FILE_MAX + 1), *save = NULL;
        ssize_t n = text ? file_read(path, text, FILE_MAX) : -ENOMEM;

        for (char *line = n > 0 ? strtok_r(text, "\n", &save) : NULL; line;
             line = strtok_r(NULL, "\n", &save))
                take(to, line);
        free(text);
}

static void take_drain(void *to, const char *line)
{
        struct drains *d = to;
        bool drain = line[0] != '-';
        struct ip ip;
        uint16_t port;

        d->lines++;
        if (ip_parse_endpoint(line + !drain, &ip, &port) == 0)
                drains_set(d, &ip, port, drain);
}

static void take_service(void *to, const char *line)
{
        struct virtual_service s = {0};

        if (virtual_key_parse(line, &s.key) == 0)
                table_add(to, &s);
}

void kept_drains(const char *path, struct drains *ret_drains)
{
        *ret_drains = (struct drains){0};
        each_line(path, take_drain, ret_drains);
}

void kept_services(const char *path, struct table *ret_table)
{
        const struct virtual_service *twin;

        *ret_table = (struct table){0};
        each_line(path, take_service, ret_table);
        if (!table_sort(ret_table, &twin))
                table_free(ret_table); /* not our writing */
}
