#include "alert/system_log.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL "/run/systemd/journal/socket"
#define SYSLOG  "/dev/log"

static int send_to(const char *path, const char *bytes, size_t n)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int r = 0;

        if (fd == -1)
                return -errno;
        text_copy(to.sun_path, sizeof(to.sun_path), path);
        if (sendto(fd, bytes, n, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)) == -1)
                r = -errno;
        close(fd);
        return r;
}

/* A value holds no line break, whatever it was made of: what follows would be a field of its own. */
static void put_field(FILE *to, const char *name, const char *value)
{
        fprintf(to, "%s=", name);
        for (; *value != '\0'; value++)
                fputc(iscntrl((unsigned char)*value) ? ' ' : *value, to);
        fputc('\n', to);
}

static int log_journal(const char *program, int priority, const char *text, const char *const *fields)
{
        char number[16], facility[16], *bytes = NULL;
        size_t n;
        FILE *to = open_memstream(&bytes, &n);

        if (to == NULL)
                return -ENOMEM;
        snprintf(number, sizeof(number), "%d", priority);
        snprintf(facility, sizeof(facility), "%d", LOG_FAC(LOG_DAEMON));
        put_field(to, "MESSAGE", text);
        put_field(to, "PRIORITY", number);
        put_field(to, "SYSLOG_FACILITY", facility);
        put_field(to, "SYSLOG_IDENTIFIER", program);
        for (; fields[0] != NULL; fields += 2)
                put_field(to, fields[0], fields[1]);
        fclose(to);
        int r = send_to(JOURNAL, bytes, n);
        free(bytes);
        return r;
}

/* As glibc writes it: RFC 3164 without the host's name. */
static int log_syslog(const char *program, int priority, const char *text)
{
        char line[1024], when[32];
        time_t now = time(NULL);
        struct tm tm;
        int n;

        strftime(when, sizeof(when), "%b %e %T", localtime_r(&now, &tm));
        n = snprintf(line, sizeof(line), "<%d>%s %s[%d]: %s", LOG_DAEMON | priority, when, program,
                     (int)getpid(), text);
        for (char *c = line; *c != '\0'; c++)
                if (iscntrl((unsigned char)*c))
                        *c = ' ';
        return send_to(SYSLOG, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

int system_log(const char *program, int priority, const char *text, const char *const *fields)
{
        int r = log_journal(program, priority, text, fields);

        return r == 0 ? 0 : log_syslog(program, priority, text);
}
