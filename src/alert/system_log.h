/* system_log.h - an entry in the system's log, which has been taken when this says so: by the journal, with
 * fields to search for (its native protocol, https://systemd.io/JOURNAL_NATIVE_PROTOCOL), or else by syslog.
 *
 * Not by sd_journal_send(3) or syslog(3): where nobody listens they say nothing of it. */
#pragma once

/* For a program called `program`. `priority` as in syslog(3). `fields`: NAME, value, NAME, value... NULL, for
 * the journal alone. 0 or a negative errno. */
int system_log(const char *program, int priority, const char *text, const char *const *fields);
