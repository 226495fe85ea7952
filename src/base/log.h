/* log.h - lines for a reader at 3 am: subject first, then what, the evidence, the consequence.
 *
 * Rooms return errors; the one who knows the purpose logs, once. Level info alone tells the cluster's story.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Where lines go. With `to_stderr` they go to standard error, with a time stamp unless the journal reads it
 * there (JOURNAL_STREAM); otherwise to syslog. `name` must stay valid. */
void log_open(const char *name, bool to_stderr, enum log_level most);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_line_va(enum log_level level, const char *format, va_list args)
        __attribute__((format(printf, 2, 0)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
