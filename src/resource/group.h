/* group.h - one group on this node: an ordered list of resources and where it stands between down and up.
 *
 * Up: in the order of the file. Down: in reverse, what is exclusive first and the warm part after it. Broken:
 * from the broken resource on down, then up again, as often as `restart` allows. A resource that cannot be
 * stopped blocks the group until a later stop works. */
#pragma once

#include "resource/kind.h"

struct group_run;

typedef void group_report_fn(void *user, struct group_run *g, enum engine_report_kind kind, const char *text);

int group_run_new(struct resource_world *world, const struct config_group *config, group_report_fn *on_report,
                  void *user, struct group_run **ret_group);
/* What runs goes on running. Not from inside a report. */
void group_run_free(struct group_run *g);

void group_run_start(struct group_run *g, struct engine_epoch epoch, enum engine_part part, bool probe);
void group_run_stop(struct group_run *g);
void group_run_adopt(struct group_run *g, struct engine_epoch epoch);
void group_run_check_failed(struct group_run *g, const char *text);
void group_run_lease(struct group_run *g);
/* Begins what may begin before the start itself. */
void group_run_ask(struct group_run *g);
/* Maintenance is over: mends what broke meanwhile. */
void group_run_resume(struct group_run *g);
void group_run_announce(struct group_run *g);
void group_run_ready(struct group_run *g, bool ready, bool held);
void group_run_withdraw(struct group_run *g);
/* Takes over a new generation of its configuration; what differs is replaced in place (group_reload.c). 0, or
 * a negative errno: then nothing has changed. */
int group_run_reload(struct group_run *g, const struct config_group *config);

const char *group_run_name(const struct group_run *g);
struct engine_epoch group_run_epoch(const struct group_run *g);
size_t group_run_count(const struct group_run *g);
const struct resource *group_run_resource(const struct group_run *g, size_t i);
