/* journal.h - the node's history on disk: one JSON line per event, append-only, bounded.
 *
 * PATH holds the newest events; at JOURNAL_SIZE_MAX it becomes PATH.old, replacing the one before. Numbers go
 * on across restarts. Each event is written at once and not fsynced: a killed core loses nothing, a power cut
 * the last seconds, and the heartbeat never waits for a disk. What a power cut damaged is skipped when read.
 */
#pragma once

#include "api/view.h"

#define JOURNAL_SIZE_MAX (1024 * 1024) /* of one file: about five thousand events */
#define JOURNAL_READ_MAX 1000          /* events in one reading: a few milliseconds of the core's time */

struct journal;

/* Opens or creates `path`. 0, or a negative errno. */
int journal_open(const char *path, struct journal **ret_journal);
void journal_close(struct journal *j);

/* Fills `ret_event` and writes it. 0, or a negative errno: then the event is numbered and filled all the
 * same, only the disk lacks it. Text that does not fit is cut. */
int journal_append(struct journal *j, int64_t wall_us, const char *kind, const char *subject,
                   const char *text, struct view_event *ret_event);

typedef void journal_read_fn(void *user, const struct view_event *e);

/* Calls `on_event` for the last `count` events (JOURNAL_READ_MAX at most) numbered above `after`, the oldest
 * first. 0, or a negative errno. */
int journal_read(struct journal *j, uint64_t after, int count, journal_read_fn *on_event, void *user);
