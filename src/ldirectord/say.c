#include "ldirectord/standin.h"

#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define GATHERED_MOST 65536 /* bytes */

static struct {
        FILE *stream;            /* NULL: the file or syslog */
        char path[STANDIN_PATH]; /* empty: syslog */
        char name[64];
        pid_t pid;
        char when[64]; /* of the lines below, all of one turn of the loop */
        size_t gathered;
        char lines[GATHERED_MOST];
} log_to;

/* Names of syslog(3), of which the ordinary ones may be chosen. */
static int facility_of(const char *name)
{
        static const struct {
                const char *name;
                int facility;
        } known[] = {
                {"daemon", LOG_DAEMON}, {"user", LOG_USER},     {"auth", LOG_AUTH},
                {"cron", LOG_CRON},     {"mail", LOG_MAIL},     {"local0", LOG_LOCAL0},
                {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
                {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
                {"local7", LOG_LOCAL7},
        };

        for (size_t i = 0; i < COUNT(known); i++)
                if (strcmp(known[i].name, name) == 0)
                        return known[i].facility;
        return LOG_DAEMON;
}

void say_open(const struct standin *s)
{
        const char *to = s->file.logfile ? s->file.logfile : "/var/log/ldirectord.log";

        say_all();
        log_to.pid = getpid();
        text_copy(log_to.name, sizeof(log_to.name), s->name);
        log_to.stream = s->debug ? stderr : s->file.supervised ? stdout : NULL;
        text_copy(log_to.path, sizeof(log_to.path), to[0] == '/' ? to : "");
        if (to[0] != '/') {
                closelog();
                openlog("ldirectord", LOG_PID, facility_of(to));
        }
}

static void write_lines(int fd, const char *lines, size_t n)
{
        ssize_t r;

        for (; n > 0 && (r = write(fd, lines, n)) > 0; lines += r)
                n -= (size_t)r;
        if (n > 0)
                log_warning("%s cannot be written to: %m", log_to.path);
}

/* The file is opened each time, so that its rotation needs no word to us; once for all that is said in one
 * turn, for a large table says something of every server. */
void say_all(void)
{
        if (log_to.gathered == 0)
                return;
        int fd = open(log_to.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (fd == -1) {
                log_warning("%s cannot be written to: %m; it would say: %.*s", log_to.path,
                            (int)strcspn(log_to.lines, "\n"), log_to.lines);
        } else {
                write_lines(fd, log_to.lines, log_to.gathered);
                close(fd);
        }
        log_to.gathered = 0;
}

static void read_clock(void)
{
        time_t now = time(NULL);
        struct tm local;

        log_to.when[0] = '\0';
        if (localtime_r(&now, &local))
                strftime(log_to.when, sizeof(log_to.when), "%a %b %e %H:%M:%S %Y", &local);
}

static void gather(const char *line, size_t n)
{
        if (log_to.gathered + n >= sizeof(log_to.lines))
                say_all();
        memcpy(log_to.lines + log_to.gathered, line, n + 1);
        log_to.gathered += n;
}

void say(const char *format, ...)
{
        char text[512], line[sizeof(text) + sizeof(log_to.name) + 96];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (!log_to.stream && !log_to.path[0]) {
                syslog(LOG_INFO, "%s", text);
                return;
        }
        if (log_to.gathered == 0)
                read_clock();
        int n = snprintf(line, sizeof(line), "[%s|%s|%d] %s\n", log_to.when, log_to.name, (int)log_to.pid,
                         text);
        if (log_to.stream) {
                fputs(line, log_to.stream);
                fflush(log_to.stream);
        } else {
                gather(line, (size_t)n);
        }
}

const char *say_virtual(const struct virtual_key *k, char text[static VIRTUAL_TEXT])
{
        char endpoint[SERVER_TEXT];

        if (k->mark)
                snprintf(text, VIRTUAL_TEXT, "%u", k->mark);
        else
                snprintf(text, VIRTUAL_TEXT, "%s", endpoint_format(&k->ip, k->port, endpoint));
        return text;
}

static bool is_fallback(const struct change *c, const struct plan *p)
{
        const struct plan_service *s = plan_find(p, &c->service->key);

        for (size_t k = 0; s && k < s->server_count; k++)
                if (s->server[k].real.port == c->server->port &&
                    ip_equal(&s->server[k].real.ip, &c->server->ip))
                        return false;
        return s && s->has_fallback && ip_equal(&s->fallback.ip, &c->server->ip);
}

const char *say_change(const struct change *c, const struct plan *p, const char *tag,
                       char text[static SAY_CHANGE])
{
        char virtual[VIRTUAL_TEXT], server[SERVER_TEXT] = "";
        const char *what = "";

        say_virtual(&c->service->key, virtual);
        if (c->server) {
                endpoint_format(&c->server->ip, c->server->port, server);
                what = is_fallback(c, p) ? "fallback" : "real";
        }
        switch (c->kind) {
        case CHANGE_SERVICE_ADD: snprintf(text, SAY_CHANGE, "Added virtual server: %s", virtual); break;
        case CHANGE_SERVICE_SET: snprintf(text, SAY_CHANGE, "Changed virtual server: %s", virtual); break;
        case CHANGE_SERVICE_REMOVE:
                snprintf(text, SAY_CHANGE, "Purged virtual server (%s): %s", tag, virtual);
                break;
        case CHANGE_SERVER_ADD:
        case CHANGE_SERVER_SET:
                assert(c->server);
                snprintf(text, SAY_CHANGE, "%s %s server: %s (%s) (Weight set to %u)",
                         c->kind == CHANGE_SERVER_ADD ? "Added"
                         : c->server->weight == 0     ? "Quiescent"
                                                      : "Restored",
                         what, server, virtual, c->server->weight);
                break;
        case CHANGE_SERVER_REMOVE:
                snprintf(text, SAY_CHANGE, "Deleted %s server: %s (%s)", what, server, virtual);
                break;
        }
        return text;
}
