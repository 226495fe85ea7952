/* What happened, for the log, the journal, those who follow, and alerts. */
#include "core/core.h"

#include "base/log.h"
#include "core/pressure.h"

#include <stdio.h>
#include <time.h>

static int64_t wall_us(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* What is worth an alert, and who raises it: of several nodes that see the same, one. */
static unsigned alert_of(const struct core *core, const struct note *note)
{
        bool leads = cluster_leader(core->brain) == core->self;

        switch (note->kind) {
        case NOTE_NODE_DOWN: return leads ? ALERT_DOWN : 0;
        case NOTE_NODE_UP: return leads ? ALERT_UP : 0;
        case NOTE_GROUP_MOVED: return ALERT_MOVED;
        case NOTE_GROUP_STARTED: return ALERT_UP;
        case NOTE_GROUP_FAILED: return ALERT_DOWN;
        case NOTE_GROUP_BLOCKED: return ALERT_BLOCKED;
        case NOTE_QUORUM_LOST: return ALERT_QUORUM;
        case NOTE_SPLIT: return ALERT_SPLIT;
        case NOTE_LEASE_LOST: return ALERT_DOWN;
        case NOTE_FENCE: return ALERT_FENCED;
        case NOTE_TRACE:
        case NOTE_LINK:
        case NOTE_LEADER:
        case NOTE_QUORUM:
        case NOTE_GROUP_STOPPED:
        case NOTE_PAUSED:
        case NOTE_ORDER:
        case NOTE_MEMBER:
        case NOTE_CONFIG: return 0;
        }
        return 0;
}

void core_tell(struct core *core, const char *kind, const char *subject, unsigned alert, const char *text)
{
        struct view_event e;

        log_info("%s%s%s: %s", kind, subject[0] ? " " : "", subject, text);
        if (journal_append(core->journal, wall_us(), kind, subject, text, &e) < 0)
                log_warning("events: the journal in %s cannot be written", core->options.state_dir);
        if (core->api)
                api_event(core->api, &e);
        if (alert)
                core_watch_raise(core, alert, kind, subject, text);
}

/* Time ran out: by whose fault? */
static bool is_about_time(enum note_kind kind)
{
        return kind == NOTE_PAUSED || kind == NOTE_LEASE_LOST || kind == NOTE_NODE_DOWN ||
               kind == NOTE_QUORUM_LOST || kind == NOTE_LINK;
}

void core_note(struct core *core, const struct note *note)
{
        char text[NOTE_TEXT + 96], pressure[96] = "";

        if (note->kind == NOTE_TRACE) {
                log_debug("%s: %s", note->subject, note->text);
                return;
        }
        if (is_about_time(note->kind))
                pressure_text(pressure, sizeof(pressure));
        snprintf(text, sizeof(text), "%s%s", note->text, pressure);
        core_tell(core, note_kind_name(note->kind), note->subject, alert_of(core, note), text);
}
