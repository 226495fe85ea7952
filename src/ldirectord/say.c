#include "ldirectord/standin.h"

#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static struct {
        FILE *stream;            /* NULL: the file or syslog */
        char path[STANDIN_PATH]; /* empty: syslog */
        char name[64];
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

        text_copy(log_to.name, sizeof(log_to.name), s->name);
        log_to.stream = s->debug ? stderr : s->file.supervised ? stdout : NULL;
        text_copy(log_to.path, sizeof(log_to.path), to[0] == '/' ? to : "");
        if (to[0] != '/') {
                closelog();
                openlog("ldirectord", LOG_PID, facility_of(to));
        }
}

/* A file is opened for every line, so that its rotation needs no word to us. */
void say(const char *format, ...)
{
        char text[512], when[64] = "";
        time_t now = time(NULL);
        struct tm local;
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (!log_to.stream && !log_to.path[0]) {
                syslog(LOG_INFO, "%s", text);
                return;
        }
        FILE *file = log_to.stream ? log_to.stream : fopen(log_to.path, "ae");
        if (!file) {
                log_warning("%s cannot be written to: %m; it would say: %s", log_to.path, text);
                return;
        }
        if (localtime_r(&now, &local))
                strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", &local);
        fprintf(file, "[%s|%s|%d] %s\n", when, log_to.name, (int)getpid(), text);
        if (log_to.stream)
                fflush(file);
        else
                fclose(file);
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
        for (size_t i = 0; i < p->service_count; i++) {
                const struct plan_service *s = &p->service[i];
                if (virtual_key_compare(&s->service.key, &c->service->key) != 0)
                        continue;
                for (size_t k = 0; k < s->server_count; k++)
                        if (s->server[k].real.port == c->server->port &&
                            ip_equal(&s->server[k].real.ip, &c->server->ip))
                                return false;
                return s->has_fallback && ip_equal(&s->fallback.ip, &c->server->ip);
        }
        return false;
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
