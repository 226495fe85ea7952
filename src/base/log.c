#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#define LINE_MAX_BYTES 1024

/* The one global of the project: where the process writes its log. */
static struct {
        const char *name;
        bool to_stderr;
        bool journal;
        enum log_level most;
} sink = {.name = "haven", .to_stderr = true, .most = LOG_LEVEL_INFO};

static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
static const char *const level_name[] = {"error: ", "warning: ", "", "debug: "};

void log_open(const char *name, bool to_stderr, enum log_level most)
{
        sink.name = name;
        sink.to_stderr = to_stderr;
        sink.journal = getenv("JOURNAL_STREAM") != NULL;
        sink.most = most;
        if (!to_stderr)
                openlog(name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

static void write_stderr(enum log_level level, const char *line)
{
        struct timespec now;
        struct tm tm;
        char stamp[32];

        if (sink.journal) {
                fprintf(stderr, "<%d>%s\n", priority[level], line);
                return;
        }
        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &tm);
        strftime(stamp, sizeof(stamp), "%H:%M:%S", &tm);
        fprintf(stderr, "%s.%03ld %s: %s%s\n", stamp, now.tv_nsec / 1000000, sink.name, level_name[level],
                line);
}

void log_line_va(enum log_level level, const char *format, va_list args)
{
        char line[LINE_MAX_BYTES];

        if (level > sink.most)
                return;
        vsnprintf(line, sizeof(line), format, args);
        if (sink.to_stderr)
                write_stderr(level, line);
        else
                syslog(priority[level], "%s", line);
}

void log_line(enum log_level level, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        log_line_va(level, format, args);
        va_end(args);
}
