/* watch_inside.h - what the files of this room share, and no one else. */
#pragma once

#include "watch/watch.h"

struct watches {
        const struct config *config;
        bool here[WATCHES_MAX];
        size_t first[WATCHES_MAX]; /* index of the watch's first service of a host */
        size_t count;
        struct watched *watched;
        size_t mark_count;
        struct watch_mark mark[MARKS_MAX];
        uint8_t blocked[WATCHES_MAX][SERVICES_MAX]; /* of the step under way: enum below */
};

/* Whether the alert is for this. */
bool alert_wants(const struct watches *w, const struct config_alert *a, const struct watched *t);
/* All rows go on from this number. */
void rows_continue(struct watched *t, int failures);

/* Services first, hosts within: watch, service, host -> index. */
size_t watched_at(const struct watches *w, int watch, int service, int host);
