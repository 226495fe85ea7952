#include "monitor/look/sql.h"

#include "monitor/kinds/pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEMORY_MAX   ((rlim_t)512 * 1024 * 1024) /* addresses, of which the libraries take 100 MiB */
#define PASSWORD_MAX 256

/* A server may announce an answer of any size. */
static void limit_memory(void)
{
#ifndef SANITIZED /* which takes terabytes of addresses */
        struct rlimit limit = {MEMORY_MAX, MEMORY_MAX};

        setrlimit(RLIMIT_AS, &limit);
#endif
}

static const char *setting(const char *name)
{
        const char *value = getenv(name);

        return value == NULL || value[0] == '\0' ? NULL : value;
}

/* The first line. Without it this node cannot look: that is not the server's failure. */
static const char *read_password(const char *path)
{
        static char text[PASSWORD_MAX];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

        if (n == -1)
                sql_look_end(REASON_LOCAL, "password-file %s: %s", path, strerror(errno));
        close(fd);
        text[n] = '\0';
        text[strcspn(text, "\r\n")] = '\0';
        return text;
}

struct sql_look sql_look_begin(void)
{
        struct sql_look l = {.address = setting("address"),
                             .port = setting("port"),
                             .source = setting("source"),
                             .user = setting("user"),
                             .password = setting("password"),
                             .database = setting("database"),
                             .tls = setting("tls") != NULL,
                             .verify = setting("verify"),
                             .ca = setting("ca"),
                             .query = setting("query"),
                             .expect = setting("expect")};

        if (l.address == NULL || l.port == NULL || l.query == NULL) {
                fprintf(stderr, "%s is started by haven-checker, not by hand\n",
                        program_invocation_short_name);
                exit(2);
        }
        if (setting("password-file") != NULL)
                l.password = read_password(setting("password-file"));
        if (l.ca != NULL && access(l.ca, R_OK) == -1)
                sql_look_end(REASON_LOCAL, "ca %s: %s", l.ca, strerror(errno));
        limit_memory();
        return l;
}

void sql_look_connected(void)
{
        fputs(LOOK_CONNECTED, stdout);
        fflush(stdout);
}

short sql_look_wait(int fd, short events, int timeout_ms)
{
        struct pollfd p = {.fd = fd, .events = events};

        while (poll(&p, 1, timeout_ms) == -1)
                if (errno != EINTR)
                        sql_look_end(REASON_LOCAL, "%s", strerror(errno));
        return p.revents;
}

void sql_look_end(enum reason reason, const char *format, ...)
{
        char text[SAID_TEXT];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        text[strcspn(text, "\r\n")] = '\0';
        puts(text);
        exit(LOOK_STATUS + (int)reason);
}

void sql_look_answer(const struct sql_look *l, const char *value)
{
        if (l->expect == NULL)
                sql_look_end(REASON_WORKS, value == NULL || value[0] == '\0' ? "%s" : "'%.100s'",
                             value == NULL ? "" : value);
        if (value == NULL)
                sql_look_end(REASON_MISMATCH, "no row");
        sql_look_end(pattern_matches(l->expect, value, strlen(value)) ? REASON_WORKS : REASON_MISMATCH,
                     "'%.100s'", value);
}
