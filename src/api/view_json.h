/* view_json.h - views and events as JSON, the one form in which they leave the core.
 *
 * The member names are an interface: scripts, the dashboard and haven(8) read them. Members may be added,
 * never renamed. Text that is not UTF-8 (what a check read from a stranger) has its odd bytes replaced by
 * '?', so that a view can always be said. */
#pragma once

#include "api/view.h"

#include <jansson.h>

/* New references. Never NULL: running out of memory ends the process. */
json_t *view_to_json(const struct view *v);
json_t *view_event_to_json(const struct view_event *e);

/* Reads what the two above wrote. Unknown members are ignored, missing ones are empty, what exceeds the room
 * is cut: haven(8) may be older or newer than havend. 0, or -EBADMSG if it is no view at all. */
int view_from_json(const json_t *json, struct view *ret_view);
int view_event_from_json(const json_t *json, struct view_event *ret_event);

/* A JSON string of any bytes. */
json_t *text_to_json(const char *text);
